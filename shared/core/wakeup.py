"""Waiting for work without polling: rung in the same process, with a fallback for what other processes left."""

import asyncio


class Wakeup:
    """A bell that one loop waits for. Rings that come while nobody waits are not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.rings = 0
        """How often it was rung in this process."""

    def ring(self) -> None:
        """Wake the waiting loop, now or at its next wait."""
        self.rings += 1
        self._event.set()

    def pass_on(self) -> None:
        """Wake the loop without a ring of its own: on behalf of another process, or for what needs no look."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Until rung, at most `seconds`; says whether it was rung."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
