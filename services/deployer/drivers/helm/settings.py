"""The helm driver's own settings."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class HelmSettings(BaseSettings):
    """Environment variables `BELAY_HELM_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_HELM_", frozen=True)

    binary: str = Field(default="helm", min_length=1, description="the helm to run: a name on the PATH, or a path")
    processes: int = Field(
        default=4, ge=1, description="most helm processes of one replica at a time, and as many that only pull charts"
    )
    at_once: int = Field(
        default=500,
        ge=1,
        description="most orders of one replica under way, watched or being changed; and as many fetches beside them",
    )
    unreachable_seconds: float = Field(
        default=180, gt=0, description="an API server that does not answer is waited for so long"
    )
    pending_seconds: float = Field(
        default=600, gt=0, description="a pending revision of somebody else is taken for abandoned after so long"
    )
    image_nodes: int = Field(
        default=100, ge=1, le=500, description="most nodes of a cluster that have images pulled before an update"
    )
    image_seconds: float = Field(
        default=3600, ge=1, description="a node that has not pulled the images of a component by then has failed to"
    )
    refused_seconds: float = Field(
        default=300, gt=0, description="a registry that answers nodes badly may be back within that time"
    )
    charts: int = Field(default=50, ge=1, description="unpacked charts that are kept, the last used ones")
