"""Knobs of the catalog beyond those of every service (shared/settings.py)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CatalogSettings(BaseSettings):
    """Environment variables `BELAY_CATALOG_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_CATALOG_", frozen=True)

    validations: int = Field(default=2, ge=1, description="bundles that one replica validates at the same time")
    retry_seconds: float = Field(default=2, gt=0, description="wait after a passing failure, doubled each time")
    retry_most_seconds: float = Field(default=60, gt=0, description="longest such wait")
    give_up_after: int = Field(
        default=5, ge=1, description="attempts after which a bundle that breaks the validation itself is rejected"
    )
