"""How an app stands where the door speaks for: its status, version and progress, of what Belay says of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from services.gateway.doors.sysinv import words
from shared.messages.words import DeploymentStatus, OperationKind


class Release(NamedTuple):
    """A release that is available."""

    version: str
    published_at: datetime


class Deployed(NamedTuple):
    """What the last operation of an app on a site left there."""

    version: str | None
    status: str
    at: datetime


class Operation(NamedTuple):
    """An operation: one that is under way, or the last that ended."""

    operation_id: str
    kind: str
    state: str
    phase: str | None = None
    from_version: str | None = None
    to_version: str | None = None
    recovered: bool | None = None
    code: str | None = None
    message: str = ""
    at: datetime | None = None
    went: Sequence[str] = ()
    """Through which phases it went, where it failed."""

    @property
    def turned_back(self) -> bool:
        """Whether going back to what was there was begun."""
        return any(phase.startswith("recover") for phase in self.went)

    @property
    def untouched(self) -> bool:
        """Whether it failed before it changed anything."""
        return self.state == "failed" and not set(self.went) - set(words.NOT_BEGUN)


class Upload(NamedTuple):
    """A publication that was asked for at the door; `version` is a placeholder where nobody knows it yet."""

    publication: str
    version: str
    state: str
    progress: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """An app as sysinv would tell of it."""

    name: str
    version: str
    status: str
    progress: str | None = None
    active: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    operation_id: str | None = None
    """What is under way; of what has failed, the operation that failed."""

    deployed: bool = False
    """Whether something of it is there."""

    alike: bool = True
    """Of a group: whether all its sites stand so."""

    manifest_name: str | None = None
    manifest_file: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of an app on one site. Releases: the one published last comes first."""

    name: str
    releases: Sequence[Release] = ()
    deployed: Deployed | None = None
    running: Operation | None = None
    last: Operation | None = None
    upload: Upload | None = None
    put_away: frozenset[str] = frozenset()
    """Operations and publications whose failure a client has acknowledged."""


def standing_of(known: Known) -> Standing | None:
    """None for an app of which there is nothing to be seen."""
    found = _running(known) or _there(known) or _failed_apply(known) or _uploaded(known) or _uploading(known)
    return None if found is None else _dated(found, known)


def _dated(found: Standing, known: Known) -> Standing:
    published = next((one.published_at for one in known.releases if one.version == found.version), None)
    uploaded = known.upload.at if known.upload and known.upload.version == found.version else None
    moved = known.running.at if known.running else known.deployed.at if known.deployed else None
    return replace(found, created_at=published or uploaded or moved, updated_at=moved)


def _running(known: Known) -> Standing | None:
    """It is shown with the release that it is going to, until it goes back."""
    op = known.running
    if op is None:
        return None
    there = known.deployed.version if known.deployed else None
    back = (op.phase or "").startswith("recover")
    status = words.RECOVERING if back else words.WHILE.get(op.kind, op.kind)
    version = there if back or op.kind in (OperationKind.REMOVE, OperationKind.RECOVER) else op.to_version or there
    progress = _going_back(there) if status == words.RECOVERING else _progress(op, there)
    active = status != words.APPLYING or there is not None
    return Standing(known.name, version or _newest(known) or "", status, progress, active=active,
                    operation_id=op.operation_id, deployed=there is not None)  # fmt: skip


def _going_back(version: str | None) -> str:
    return f"recovering version {version}" if version else "recovering helm charts"


def _progress(op: Operation, there: str | None) -> str | None:
    if op.phase is None:
        return words.UPDATE_STARTING if words.WHILE.get(op.kind) == words.UPDATING else None
    if op.phase == "remove" and op.kind != OperationKind.REMOVE:
        return f"cleanup application version {there}"
    return words.PHASES.get(op.phase, op.phase)


def _there(known: Known) -> Standing | None:
    there, last = known.deployed, known.last
    if there is None or there.status in (DeploymentStatus.NEW, DeploymentStatus.REMOVED):
        return None
    status = words.AFTER.get(there.status, there.status)
    version = there.version or (last.to_version if last else None) or _newest(known) or ""
    seen = last is None or last.operation_id in known.put_away
    progress = words.COMPLETED if last is None or seen else _ended(known.name, last)
    return Standing(known.name, version, status, progress, active=status == words.APPLIED,
                    operation_id=last.operation_id if last else None, deployed=True)  # fmt: skip


def _ended(app: str, last: Operation) -> str:
    """What became of the last operation of an app that is there."""
    an_update = words.WHILE.get(last.kind) == words.UPDATING
    way = f"from version {last.from_version} to version {last.to_version or 'unknown'}"
    if last.state != "failed":
        return f"Application update {way} completed." if an_update else words.COMPLETED
    if an_update and not last.recovered and not last.turned_back:
        return f"Application {app} update {way} failed and recovery skipped. {_why(last)}".rstrip()
    if an_update:
        back = f"Application recover to version {last.from_version} {'completed' if last.recovered else 'aborted'}."
        return f"Application update {way} aborted. {back} {_why(last)}".rstrip()
    return _why(last)


def _why(last: Operation) -> str:
    if last.code == "cancelled":
        return words.ABORTED_BY_USER
    if last.code in words.OF_IMAGES:
        return f"{words.IMAGES_FAILED} {last.message}".rstrip()
    return last.message


def _failed_apply(known: Known) -> Standing | None:
    """An installation that failed and of which nothing was left: told until somebody removes the app or tries again."""
    last = known.last
    if last is None or last.state != "failed" or last.kind != OperationKind.APPLY:
        return None
    version = last.to_version or _newest(known)
    if last.operation_id in known.put_away or version is None or not known.releases:
        return None
    return Standing(known.name, version, words.APPLY_FAILED, _why(last), operation_id=last.operation_id)


def _uploaded(known: Known) -> Standing | None:
    version = _newest(known)
    return Standing(known.name, version, words.UPLOADED, words.COMPLETED) if version else None


def _newest(known: Known) -> str | None:
    """What an installation would bring: what was published last; after a removal, the release that was there, unless
    something was published since."""
    if not known.releases:
        return None
    newest, there, last = known.releases[0], known.deployed, known.last
    removed = last.from_version if there and last and there.status == DeploymentStatus.REMOVED else None
    is_there = any(release.version == removed for release in known.releases)
    return removed if removed and there and is_there and newest.published_at <= there.at else newest.version


def _uploading(known: Known) -> Standing | None:
    upload = known.upload
    if upload is None or upload.publication in known.put_away or upload.state == "available":
        return None
    status = words.UPLOAD_FAILED if upload.state in ("rejected", "failed") else words.UPLOADING
    return Standing(known.name, upload.version, status, upload.progress, operation_id=upload.publication)
