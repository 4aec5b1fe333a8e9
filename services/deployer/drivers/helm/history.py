"""The revisions of a release, and what an order finds there: its own work, somebody's half-done work, nothing. Pure."""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.deployer.drivers.helm.place import ORDER_LABEL

SOUND = frozenset({"deployed", "superseded"})
"""What can be returned to. Failed and pending revisions were never proven."""

FAILED = "failed"

PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision as Helm recorded it: a Secret, of which this is what stands in its labels."""

    number: int
    status: str
    mark: str = ""
    """Of the order that made it; that of another where Helm has copied the labels of an earlier revision."""
    secret: str = ""
    version: str = ""
    """Of the Secret itself, so that nothing is overwritten that somebody has changed meanwhile."""
    age: float = 0
    """Seconds since it was last changed, by the cluster's clock."""

    @property
    def sound(self) -> bool:
        return self.status in SOUND

    @property
    def pending(self) -> bool:
        return self.status in PENDING


@dataclass(frozen=True, slots=True)
class Reached:
    """The order's revision is there and Helm is done with it."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Ended:
    """Helm gave the order's revision up."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Halfway:
    """A helm that was killed left the order's own revision pending."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Somebody else's helm left it pending, long ago or under a lock that is ours now: no helm goes on with it."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Occupied:
    """Somebody else's helm may be at work on it."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Uninstalling:
    """A helm that was killed has uninstalled half of it."""


@dataclass(frozen=True, slots=True)
class Free:
    """Nothing of this order is there; the last revision's number is 0 where there is none."""

    last: int


Finding = Reached | Ended | Halfway | Abandoned | Occupied | Uninstalling | Free


def find(revisions: Sequence[Revision], mark: str, base: int | None, pending_seconds: float) -> Finding:
    """What an order finds. `base`: the last revision's number when the order was about to change something; None = it
    never was. Whoever asks holds the lock of the place: no other order of Belay is under way there.
    """
    ordered = sorted(revisions, key=lambda each: each.number)
    own = [each for each in ordered if base is not None and each.number > base and each.mark == mark]
    if own:
        return _own(own[0])
    if not ordered:
        return Free(0)
    last = ordered[-1]
    if last.pending:
        # Helm copies labels to later revisions: a mark that stands there once is that of the order which made it.
        ours = last.mark and last.mark not in {each.mark for each in ordered[:-1]}
        return Abandoned(last) if ours or last.age > pending_seconds else Occupied(last)
    return Uninstalling() if last.status == "uninstalling" else Free(last.number)


def _own(revision: Revision) -> Finding:
    if revision.pending:
        return Halfway(revision)
    return Reached(revision) if revision.sound else Ended(revision)


def deployed(revisions: Sequence[Revision]) -> Revision | None:
    """The revision that runs, as far as Helm knows."""
    return next((each for each in revisions if each.status == "deployed"), None)


def revision_of(metadata: Mapping[str, Any], now: float) -> Revision | None:
    """A revision from its Secret's metadata; None where it is none. `now` in seconds, by the cluster's clock."""
    labels = metadata.get("labels") or {}
    if labels.get("owner") != "helm" or not str(labels.get("version", "")).isdecimal():
        return None
    changed = labels.get("modifiedAt") or labels.get("createdAt") or "0"
    return Revision(
        number=int(labels["version"]),
        status=str(labels.get("status", "unknown")),
        mark=str(labels.get(ORDER_LABEL, "")),
        secret=str(metadata.get("name")),
        version=str(metadata.get("resourceVersion")),
        age=max(0.0, now - float(changed)) if changed.isdecimal() else 0,
    )


def with_mark_of_rollback(revision: Revision, record: Mapping[str, Any], target: str, mark: str) -> Revision:
    """Helm gives a rollback the labels of its target; that it is this order's shows in what it returns to."""
    info = record.get("info") or {}
    words = str(info.get("description", ""))
    failed = revision.status == FAILED and words.startswith(("Rollback ", "Release "))
    returns = str(info.get("rollback_revision", "")) == target or words == f"Rollback to {target}"
    return replace(revision, mark=mark) if returns or failed else revision


def by_server(record: Mapping[str, Any]) -> bool:
    """Whether the API server applied a revision, as Helm 4 has it: it then knows who has set which field since."""
    return record.get("apply_method") == "ssa"


def decode(data: str) -> dict[str, Any]:
    """The record of a release from its Secret's `data.release` (base64 of base64 of gzip of JSON, since Helm 3).

    Raises ValueError, also for what is no such thing.
    """
    try:
        packed = base64.b64decode(base64.b64decode(data))
        record = json.loads(gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed)
    except (OSError, EOFError) as error:
        raise ValueError(f"is no record of Helm: {error}") from error
    if not isinstance(record, dict):
        raise ValueError("is no record of Helm")  # noqa: TRY004 - one error for all that it may not be
    return record


def encode(record: Mapping[str, Any]) -> str:
    """The inverse of `decode`."""
    packed = gzip.compress(json.dumps(record).encode())
    return base64.b64encode(base64.b64encode(packed)).decode()


def failed(record: Mapping[str, Any], why: str) -> dict[str, Any]:
    """The same record as Helm would leave it had it failed itself."""
    return {**record, "info": {**(record.get("info") or {}), "status": FAILED, "description": why}}
