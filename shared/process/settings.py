"""Settings that every service has, read from the environment once. Those of one service are in its settings.py."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.wire.access import KafkaSettings
from shared.wire.topics import COMMAND_DAYS


class Settings(KafkaSettings):
    """Environment variables `BELAY_<FIELD>`."""

    postgres: str = Field(
        default="postgresql://127.0.0.1:5432/belay",
        description="this service's own PostgreSQL URL, with its own role; with `?sslmode=verify-full` over TLS",
    )
    home: Path = Field(default=Path(".belay"), description="folder for blobs, logs and what the embedded runtime keeps")
    blobs: str = Field(
        default="", description="URL of the blob store, such as s3://bucket/path; empty = folder blobs under the home"
    )
    max_bundle_bytes: int = Field(
        default=1024 * 1024**2,
        ge=1,
        description="the largest bundle; the same limit everywhere",
    )
    instance: str = Field(default="1", description="name of this replica, unique among those of the service")
    topic_prefix: str = Field(default="belay.", description="put before every topic name")
    log: Literal["text", "json"] = Field(default="text", description="format of log lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level logged")
    http_host: str = Field(default="127.0.0.1", description="address for health and metrics")
    http_port: int = Field(default=0, ge=0, le=65535, description="port for health and metrics; 0 = any free one")
    poll_records: int = Field(default=1000, ge=1, description="most records handled in one transaction")
    relay_fallback_ms: int = Field(default=1000, ge=1, description="pause before the outbox is looked at unasked")
    session_timeout_ms: int = Field(default=6000, ge=1000, description="Kafka drops a silent replica after so long")
    lease_seconds: float = Field(default=10, gt=0, description="a claimed job returns to the queue after so long")
    trouble_seconds: float = Field(
        default=60, gt=0, description="an outbox or a partition that rests for so long is told of"
    )
    look_seconds: float = Field(default=10, gt=0, description="pause between two looks at what may be wrong")
    inbox_days: float = Field(
        default=30,
        gt=COMMAND_DAYS,
        description="answers are kept so long, longer than topics keep commands: one that comes again gets the same",
    )
    prune_seconds: float = Field(
        default=600, gt=0, description="pause between two looks at what is old enough to be deleted"
    )
    pool_size: int = Field(default=5, ge=2, description="most PostgreSQL connections of one replica")
