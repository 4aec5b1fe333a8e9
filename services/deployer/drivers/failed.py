"""How a step of an order says that it cannot be done."""

from collections.abc import Sequence

from services.deployer.drivers import Broken


class Failed(Exception):
    """The order has failed for good; `broken` is how it ends."""

    def __init__(self, code: str, message: str, last_lines: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.broken = Broken(code, message, tuple(last_lines))
