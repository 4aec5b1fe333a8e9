"""How long an engine has been giving no answer. Pure: the clock is an argument."""

from collections.abc import Callable


class Silence:
    """Counted from the first question that stayed without an answer: not from the last answer, after which the driver
    may have had nothing to ask for long."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None

    def broken(self) -> None:
        """The engine has answered."""
        self._since = None

    def seconds(self) -> float:
        """There was no answer again: for how long by now."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since
