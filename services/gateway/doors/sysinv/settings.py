"""The door's own settings, read from the environment once (`BELAY_DOOR_SYSINV_<FIELD>`)."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.messages.words import Name, SiteName


class SysinvSettings(BaseSettings):
    """Environment variables `BELAY_DOOR_SYSINV_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_DOOR_SYSINV_", frozen=True, env_ignore_empty=True)

    port: int | None = Field(
        default=None, ge=0, le=65535, description="port of the door (there: 6385); none = it is off, 0 = any free one"
    )
    site: SiteName | None = Field(default=None, description="the site that it speaks for")
    group: Name | None = Field(default=None, description="or the group of sites that it speaks for")
    url: str = Field(default="", description="where clients reach it, for the catalog; empty = where they did")
    token_hours: float = Field(
        default=1, gt=0, le=8760, description="clients are told to fetch a token anew after so long"
    )

    @model_validator(mode="after")
    def _speaks_for_one(self) -> Self:
        if self.port is not None and (self.site is None) == (self.group is None):
            raise ValueError("say which site or which group the door speaks for: BELAY_DOOR_SYSINV_SITE or …_GROUP")
        return self
