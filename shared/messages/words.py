"""The words that messages share: constrained names, limits and enumerations (design §1)."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

MAX_PARALLEL = 5_000
"""The most sites that may change at the same instant (the limit of the orchestrators that Belay replaces)."""

NAME_PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""An app, group, strategy, stage or component: 1 to 100 of a-z, 0-9, '.', '_', '-'."""

SITE_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._:-]{0,98}[A-Za-z0-9])?$"

SiteName = Annotated[str, StringConstraints(pattern=SITE_PATTERN)]
"""A site goes by a serial number, a MAC address or a host name: upper case and ':' as well."""

IDENTIFIER_PATTERN = r"^[!-~]+$"
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=IDENTIFIER_PATTERN)]
"""A message or aggregate id: printable ASCII without spaces; UUIDs by custom."""

VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$"
Version = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=VERSION_PATTERN)]
SHA256_PATTERN = r"^[0-9a-f]{64}$"
Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]
SEALED_PATTERN = r"^[A-Za-z0-9+/]{64,}={0,2}$"
Sealed = Annotated[str, StringConstraints(max_length=90_000, pattern=SEALED_PATTERN)]
"""A sealed box (PyNaCl) in base64, around at most 64 KiB."""

Text = Annotated[str, StringConstraints(max_length=1_000)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Seconds = Annotated[int, Field(ge=0, le=30 * 24 * 3600)]

SOURCE_PATTERN = r"^(https?://[^\s@/]+(/\S*)?|oci://[^\s@/]+/\S+|sha256:[0-9a-f]{64})$"

IN_WORDS = {
    SOURCE_PATTERN: "must be an address (https://…) without user and password, an artifact of a registry"
    " (oci://REGISTRY/REPOSITORY@sha256:… or with a tag), or the digest of what lies in the blob store (sha256:…)",
    NAME_PATTERN: "must be 1 to 100 lower-case letters, digits, dots, hyphens and underscores, with a letter or digit"
    " at both ends, such as shop-2",
    SITE_PATTERN: "must be 1 to 100 letters, digits, dots, colons, hyphens and underscores, with a letter or digit at"
    " both ends, such as oslo-1 or 00:1B:44:11:3A:B7",
    IDENTIFIER_PATTERN: "must be 1 to 200 printable ASCII characters without spaces; a UUID by custom",
    VERSION_PATTERN: "must be 1 to 100 letters, digits and any of . ! + _ - after the first, such as 2.0.0",
    SHA256_PATTERN: "must be 64 hexadecimal digits in lower case",
    r"^[A-Za-z0-9+/]{43}=$": "must be a public key of Ed25519: 32 bytes in base64, as `belay bundle keygen` writes it",
    SEALED_PATTERN: "must be a sealed box (PyNaCl) in base64",
    "^/": "must be a path that begins with /, such as /health",
    "^(/.*)?$": "must be empty, or a JSON pointer that begins with /, such as /version",
    r"^[^\x00-\x1f]*$": "must hold no control characters",
}
"""What is right, by the pattern that says so to programs: people are told in words."""


class OperationKind(StrEnum):
    """What one job does to an app on one site."""

    APPLY = "apply"
    UPDATE = "update"
    ROLLBACK = "rollback"
    RECOVER = "recover"
    REMOVE = "remove"
    PRESTAGE = "prestage"


class StrategyType(StrEnum):
    """What a strategy does to every site of its selection."""

    PRESTAGE = "prestage"
    APPLY = "apply"
    UPDATE = "update"
    ROLLBACK = "rollback"
    REMOVE = "remove"
    UPGRADE = "upgrade"
    REHEARSE = "rehearse"


class StrategyState(StrEnum):
    """The life of a strategy. Terminal: complete, failed, aborted. One that waits does so for its release."""

    WAITING = "waiting"
    READY = "ready"
    APPLYING = "applying"
    PAUSED = "paused"
    ABORTING = "aborting"
    NEEDS_INSPECTION = "needs_inspection"
    COMPLETE = "complete"
    FAILED = "failed"
    ABORTED = "aborted"


class StrategyAction(StrEnum):
    """What people may do with a strategy that is there."""

    APPLY = "apply"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    CANCEL_RUNNING = "cancel_running"
    RETRY = "retry"
    SKIP = "skip"
    RECOUNT = "recount"
    UNDO = "undo"
    DELETE = "delete"


class StageState(StrEnum):
    """The life of a stage."""

    WAITING = "waiting"
    RUNNING = "running"
    SOAKING = "soaking"
    COMPLETE = "complete"
    FAILED = "failed"
    ABORTED = "aborted"


class StepState(StrEnum):
    """The life of one site's part of a strategy."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    ABORTED = "aborted"


class DeploymentStatus(StrEnum):
    """What an app on a site is doing (Nailgun's statuses, with recovery told apart)."""

    NEW = "new"
    OPERATIONAL = "operational"
    APPLYING = "applying"
    APPLY_ERROR = "apply_error"
    UPDATING = "updating"
    UPDATE_ERROR = "update_error"
    ROLLING_BACK = "rolling_back"
    ROLLBACK_ERROR = "rollback_error"
    RECOVERING = "recovering"
    REMOVING = "removing"
    REMOVE_ERROR = "remove_error"
    REMOVED = "removed"


class Availability(StrEnum):
    """Whether a site answers when its drivers ask it."""

    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
    """Not asked yet, or no driver that reaches it can ask: it counts as online."""


class Severity(StrEnum):
    """How bad an alarm is (X.733)."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"


class NotificationTopic(StrEnum):
    """What a notification is about (Nailgun's topics)."""

    DISCOVER = "discover"
    DONE = "done"
    ERROR = "error"
    WARNING = "warning"
    RELEASE = "release"


LIMIT_PATTERN = r"^ *([1-9][0-9]?%|100%|[1-9][0-9]{0,2}|[1-4][0-9]{3}|5000) *$"
"""A limit as text: a per cent, or a whole number up to MAX_PARALLEL as a form or a command line has it."""


def _limit(value: Any) -> int | str:
    """A share of sites: a whole number or a per cent. Anything else says what would be right."""
    if isinstance(value, str) and re.fullmatch(LIMIT_PATTERN, value):
        if value.strip().endswith("%"):
            return value.strip()
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows one kind of number: 313.0 is the whole number 313
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_PARALLEL:
        return value
    raise ValueError(f"must be a whole number from 1 to {MAX_PARALLEL} or a per cent from 1% to 100%")


Limit = Annotated[
    int | str,
    BeforeValidator(_limit),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_PARALLEL},
                {"type": "string", "pattern": LIMIT_PATTERN},
            ]
        }
    ),
]
"""A number of sites (1 to 5,000) or a per cent of them ("20%")."""


def resolve(limit: int | str, total: int) -> int:
    """The number of sites that `limit` means among `total`: per cents round up, and never fewer than one."""
    if isinstance(limit, int):
        return limit
    return max(1, -(-total * int(limit[:-1]) // 100))
