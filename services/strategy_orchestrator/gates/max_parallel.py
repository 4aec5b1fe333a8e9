"""So many sites of a stage change at once: a sliding pool, as many starts as there are free slots."""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.gates.gate import Closed, Open, Surroundings


def check(stage: Stage, _surroundings: Surroundings, _now: datetime) -> Open | Closed:
    """Closed while all slots are taken."""
    running, most = stage.counts.running, stage.max_parallel
    if running < most:
        return Open(most - running)
    return Closed("max_parallel", f"{running} of {most} slots are taken")
