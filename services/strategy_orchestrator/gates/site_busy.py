"""A site on which something else runs waits for that, without a slot."""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.gates.gate import Closed, Open, Surroundings
from services.strategy_orchestrator.rollout.reasons import sites


def check(stage: Stage, _surroundings: Surroundings, _now: datetime) -> Open | Closed:
    """Closed where every site that waits is busy."""
    if startable := stage.counts.waiting - stage.blocked:
        return Open(startable)
    return Closed("site_busy", f"busy with another operation: {sites(stage.blocked)}")
