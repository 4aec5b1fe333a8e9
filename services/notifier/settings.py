"""The notifier's own settings, read from the environment once."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notifier.domain import RETRY_WAITS
from shared.targets import Bounds


class NotifierSettings(BaseSettings):
    """Environment variables `BELAY_NOTIFIER_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_NOTIFIER_", frozen=True)

    allow_private_targets: bool = Field(
        default=False, description="whether webhooks may go to loopback, link-local and private addresses"
    )
    log_channel: bool = Field(default=True, description="whether each notification is also written to the log")
    keep_notifications: int = Field(default=10_000, ge=1, description="most notifications kept; the oldest go first")
    keep_days: int = Field(default=90, ge=1, description="notifications older than this are forgotten")
    prune_seconds: float = Field(default=3600, gt=0, description="how often old notifications are looked for")
    quiet_seconds: float = Field(
        default=900, ge=0, description="the same warning about the same stage is not raised again for so long"
    )
    retry_waits: tuple[Annotated[float, Field(gt=0, le=7 * 24 * 3600)], ...] = Field(
        default=RETRY_WAITS,
        max_length=50,
        description="seconds before each further try as a JSON list; a delivery is dead when the last one failed too",
    )
    proxy: str = Field(
        default="",
        pattern=r"^(http://[^/@\s]+/?)?$",
        description="HTTP proxy that webhooks go through, such as http://proxy.example.org:3128; HTTP_PROXY and the "
        "like are not heeded",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="where people reach the page, such as https://belay.example.org; for links in messages",
    )
    timeout_seconds: float = Field(default=10, gt=0, description="a webhook must answer within this time")
    per_subscription: int = Field(default=2, ge=1, description="most deliveries of one subscription under way at once")
    at_once: int = Field(default=32, ge=1, description="most deliveries of one replica under way at once")

    @property
    def bounds(self) -> Bounds:
        """Where webhooks may go."""
        return Bounds(self.allow_private_targets, "BELAY_NOTIFIER_ALLOW_PRIVATE_TARGETS")
