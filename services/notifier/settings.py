"""The notifier's own knobs, read from the environment once."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    delivery_tries: int = Field(default=12, ge=1, description="a delivery is dead after so many failed tries")
    back_off_seconds: float = Field(default=2, gt=0, description="wait after the first failed try; doubles each time")
    back_off_most_seconds: float = Field(default=3600, gt=0, description="the longest wait between two tries")
    timeout_seconds: float = Field(default=10, gt=0, description="a webhook must answer within this time")
    per_subscription: int = Field(default=2, ge=1, description="most deliveries of one subscription under way at once")
    at_once: int = Field(default=32, ge=1, description="most deliveries of one replica under way at once")
