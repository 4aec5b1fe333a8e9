"""Settings of the catalog beyond those of every service (shared/process/settings.py)."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.catalog.domain import Keeping


class CatalogSettings(BaseSettings):
    """Environment variables `BELAY_CATALOG_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_CATALOG_", frozen=True)

    validations: int = Field(default=2, ge=1, description="bundles that one replica validates at the same time")
    retry_seconds: float = Field(default=2, gt=0, description="wait after a passing failure, doubled each time")
    retry_most_seconds: float = Field(default=60, gt=0, description="longest such wait")
    withdrawn_days: float = Field(
        default=7, ge=0, description="the bundle of a withdrawn release that no site could go back to is kept so long"
    )
    unpublished_hours: float = Field(
        default=24, gt=0, description="an upload whose command did not come is kept so long"
    )
    measure_seconds: float = Field(default=60, gt=0, description="how often the blob store is looked through")
    give_up_after: int = Field(
        default=5, ge=1, description="attempts after which a bundle that breaks the validation itself is rejected"
    )

    @property
    def keeping(self) -> Keeping:
        """How long content is kept that is no release any more, or not yet."""
        return Keeping(timedelta(days=self.withdrawn_days), timedelta(hours=self.unpublished_hours))
