"""No stage begins before all earlier ones are complete."""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.gates.gate import Closed, Open, Surroundings


def check(stage: Stage, surroundings: Surroundings, _now: datetime) -> Open | Closed:
    """Closed while an earlier stage goes on."""
    current = surroundings.current
    if current is None or current.position >= stage.position:
        return Open()
    return Closed("earlier_stage", f"stage {current.name} comes first")
