"""A stage that is done is watched for a while before the next one begins."""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.gates.gate import Closed, Open, Surroundings
from shared.messages.words import StageState


def check(stage: Stage, surroundings: Surroundings, _now: datetime) -> Open | Closed:
    """Closed for the stage that soaks, and for those behind it."""
    soaking = surroundings.current
    if soaking is None or soaking.state is not StageState.SOAKING or soaking.soak_until is None:
        return Open()
    until = f"soaks until {soaking.soak_until:%Y-%m-%d %H:%M:%S} UTC"
    message = until if soaking.position == stage.position else f"stage {soaking.name} {until}"
    return Closed("soaking", message, look_again_at=soaking.soak_until)
