"""The door's own settings, read from the environment once (`BELAY_DOOR_DCMANAGER_<FIELD>`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.messages.words import Name


class DcmanagerSettings(BaseSettings):
    """Environment variables `BELAY_DOOR_DCMANAGER_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_DOOR_DCMANAGER_", frozen=True, env_ignore_empty=True)

    port: int | None = Field(
        default=None, ge=0, le=65535, description="port of the door (there: 8119); none = it is off, 0 = any free one"
    )
    app: Name | None = Field(
        default=None, description="the app that it speaks of; may be left out while there is only one"
    )
    secret: Name = Field(
        default="sysadmin-password", description="the secret that a `sysadmin_password` is kept as, for connections"
    )
    url: str = Field(default="", description="where clients reach it, for the catalog; empty = where they did")
    token_hours: float = Field(
        default=1, gt=0, le=8760, description="clients are told to fetch a token anew after so long"
    )
