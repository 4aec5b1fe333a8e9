"""One run of the bench: how often, and which stack stands now."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.bench.rig import Rig, console, running

TWO = {"deployer": 2, "strategy_orchestrator": 2}


@dataclass
class Bench:
    """Figures ask it for a rig and get the one that stands, if it is of the kind they need.

    `runs` is what was asked for, `sizes` the numbers of sites of steps and endurance, `rounds` the roll-outs of
    endurance; None = the figure's own. `patience` is how many seconds each run may wait for a quiet machine. `fleet`
    keeps what several figures read from the same runs.
    """

    runs: int
    sizes: tuple[int, ...] | None = None
    rounds: int | None = None
    patience: float = 0
    fleet: object = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _kind: str = ""
    _rig: Rig | None = None

    def rig(
        self, kind: str = "one", replicas: dict[str, int] | None = None, settings: dict[str, str] | None = None
    ) -> Rig:
        """A rig of this kind; another one that stands is taken down first."""
        if self._rig is None or self._kind != kind:
            self.close()
            console.print(f"[dim]starting everything ({kind})[/]")
            self._rig, self._kind = self._stack.enter_context(running(replicas or {}, settings, self.patience)), kind
        return self._rig

    @property
    def as_told(self) -> bool:
        """Whether everything has the size that its goal is for: only that is kept."""
        return self.sizes is None and self.rounds is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def abandon(self, error: Exception) -> None:
        """Take down what stands because of an error, and keep its logs: what follows begins on a fresh one."""
        with suppress(type(error)):
            self._rig = None
            self._stack.__exit__(type(error), error, error.__traceback__)

    def close(self) -> None:
        """Take down what stands."""
        self._rig = None
        self._stack.close()
