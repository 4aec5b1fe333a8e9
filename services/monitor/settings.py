"""The monitor's own settings, read from the environment once."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.monitor.domain import Limits


class MonitorSettings(BaseSettings):
    """Environment variables `BELAY_MONITOR_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_MONITOR_", frozen=True)

    window_seconds: int = Field(default=300, ge=1, description="how far back rates and forecasts look")
    sweep_seconds: float = Field(default=1, gt=0, description="how often stages are looked at")
    forecast_seconds: float = Field(default=10, gt=0, description="how often a stage that stands still is told of")
    failure_level: float = Field(default=0.2, gt=0, le=1, description="failure rate at which people should look")
    failure_calm: float = Field(default=0.1, ge=0, le=1, description="failure rate below which the alarm is set anew")
    failure_sample: int = Field(default=5, ge=1, description="finished sites in the window before the rate counts")
    eta_sample: int = Field(default=3, ge=1, description="finished sites in the window before an end is forecast")
    silence_seconds: float = Field(default=60, gt=0, description="a running stage is never silent before this time")
    silence_pace: float = Field(default=3, ge=1, description="silent after so many times its longest gap so far")
    silence_first_seconds: float = Field(
        default=900, gt=0, description="silent after this time while no site of the stage has finished"
    )
    keep_days: float = Field(default=30, gt=0, description="ended strategies are forgotten after so long")
    stall_seconds: float = Field(default=90, gt=0, description="faust is begun anew when waiting records rest so long")
    restore_seconds: float = Field(default=20, gt=0, description="faust is begun anew when restoring rests so long")
    memory_mib: int = Field(default=400, ge=64, description="exit when the process has grown to this size")

    @property
    def limits(self) -> Limits:
        """Those that the rules need."""
        return Limits(**{name: getattr(self, name) for name in Limits.__dataclass_fields__})
