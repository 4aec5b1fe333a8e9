"""The settings of the driver `container`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ContainerSettings(BaseSettings):
    """Environment variables `BELAY_CONTAINER_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_CONTAINER_", frozen=True)

    at_once: int = Field(default=50, ge=1, description="most orders that one replica carries out side by side")
    unreachable_seconds: float = Field(
        default=60, gt=0, description="an engine that does not answer is asked again for so long, then the order ends"
    )
    pull_tries: int = Field(
        default=5, ge=1, description="an image is tried to be fetched so often before anything is touched"
    )
    free_mib: int = Field(
        default=256, ge=0, description="room that an engine must have before it pulls an image, in MiB; 0 = any"
    )
    room_times: float = Field(
        default=3, ge=1, le=20, description="room for each compressed byte of the layers that an engine lacks"
    )
    keep: int = Field(default=2, ge=1, description="images that stay on an engine for rollbacks, for each component")
