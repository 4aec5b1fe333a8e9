"""Settings of the strategy orchestrator."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OrchestratorSettings(BaseSettings):
    """Environment variables `BELAY_ORCHESTRATOR_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_ORCHESTRATOR_", frozen=True)

    lag_seconds: float = Field(
        default=1.0, gt=0, description="pause before a step is tried again that the deployer was not ready for, in s"
    )
    lag_attempts: int = Field(default=30, ge=1, description="tries of such a step before it counts as failed")
    plan_days: float = Field(
        default=90, gt=0, description="strategies never applied are deleted so long after their creation"
    )
    strategy_days: float = Field(default=365, gt=0, description="ended strategies are deleted after so long")
