"""The gateway's own settings, read from the environment once (`BELAY_GATEWAY_<FIELD>`)."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Environment variables `BELAY_GATEWAY_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_GATEWAY_", frozen=True)

    port: int = Field(default=8080, ge=0, le=65535, description="port of the API and the page; 0 = any free one")
    answer_seconds: float = Field(default=10, ge=0, le=300, description="how long a command waits for its answer")
    token_cache_seconds: float = Field(
        default=5, ge=0, description="a token deleted at another replica works for at most so long"
    )
    stream_events: int = Field(default=20_000, ge=1, description="events kept for clients of the stream that resume")
    stream_minutes: float = Field(default=60, gt=0, description="older events of the stream are forgotten")
    stream_clients: int = Field(default=500, ge=1, description="most clients of the event stream at one replica")
    stream_client_bytes: int = Field(
        default=4_000_000, ge=1, description="events that wait for one slow client; beyond this it must read anew"
    )
    history_days: float = Field(
        default=30,
        gt=0,
        description="ended operations, answered commands, deliveries and deleted strategies are kept so long",
    )
    audit_days: float = Field(default=730, gt=0, description="entries of the audit are kept so long")
    uploads: int = Field(default=50, ge=1, description="most uploads under way that may go on after an interruption")
    upload_hours: float = Field(default=24, gt=0, le=24, description="what has not come by then is forgotten")
    requests: int = Field(default=1000, ge=1, description="most requests at once at one replica; more get 503")
    drain_seconds: float = Field(
        default=1, ge=0, le=2, description="at a stop it says not ready for so long before it takes no more requests"
    )
