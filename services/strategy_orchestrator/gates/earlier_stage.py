"""No stage begins before all earlier ones are complete, and none whose sites are tried again while a later one runs."""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.gates.gate import Closed, Open, Surroundings


def check(stage: Stage, surroundings: Surroundings, _now: datetime) -> Open | Closed:
    """Closed while another stage goes on: so no more run at once than one stage may."""
    current = surroundings.current
    if current is not None and current.position < stage.position:
        return Closed("earlier_stage", f"stage {current.name} comes first")
    for later in surroundings.strategy.stages[stage.position + 1 :]:
        if later.counts.running:
            return Closed("later_stage", f"{later.counts.running} sites of stage {later.name} run, and end first")
    return Open()
