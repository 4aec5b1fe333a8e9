"""What a gate sees and says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.strategy_orchestrator.domain import Stage, Strategy
from services.strategy_orchestrator.fleet.group_limits import GroupQueue, GroupUsage
from shared.messages.strategy import Why
from shared.messages.words import StageState


@dataclass(frozen=True, slots=True)
class Open:
    """Sites may start: so many of them, where that is limited."""

    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """No site starts; the reason, and when that may be otherwise where a clock decides it."""

    code: str
    message: str
    look_again_at: datetime | None = None

    @property
    def why(self) -> Why:
        """As it is told."""
        return Why(code=self.code, message=self.message)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a stage stands in: its strategy, and what other strategies do."""

    strategy: Strategy
    groups: Mapping[str, GroupUsage] = field(default_factory=dict)
    """Those of the strategy's sites, locked."""
    queues: Mapping[int, Mapping[str, GroupQueue]] = field(default_factory=dict)
    """Of its stages, by group; those of a stage are loaded once no other gate keeps it closed."""
    current: Stage | None = None
    """The first stage that is not complete; none runs before all earlier ones are."""

    @staticmethod
    def of(
        strategy: Strategy, groups: Mapping[str, GroupUsage], queues: Mapping[int, Mapping[str, GroupQueue]]
    ) -> "Surroundings":
        """As they are for the strategy as it stands."""
        current = next((stage for stage in strategy.stages if stage.state is not StageState.COMPLETE), None)
        return Surroundings(strategy, groups, queues, current)


Check = Callable[[Stage, Surroundings, datetime], Open | Closed]
"""Whether sites of a stage that wait may start now. Pure: time comes in."""
