"""How a bundle becomes a release: states, transitions and decisions. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared import versions
from shared.bundle import Claim, fault_of_size
from shared.messages.base import Cause, Fault
from shared.messages.catalog import DeleteRelease, PublishRelease, WithdrawRelease
from shared.messages.deployer import ReleaseUseReported


class State(StrEnum):
    """The life of a bundle, and of the release it becomes."""

    VALIDATING = "validating"
    REJECTED = "rejected"
    AVAILABLE = "available"
    WITHDRAWN = "withdrawn"
    DELETED = "deleted"


class Happening(StrEnum):
    """What moves it on."""

    PUBLISH = "publish"
    PASS = "pass"  # noqa: S105 - the bundle passed its validation
    FAIL = "fail"
    WITHDRAW = "withdraw"
    DELETE = "delete"


TRANSITIONS: Mapping[tuple[State | None, Happening], State] = {
    (None, Happening.PUBLISH): State.VALIDATING,
    (State.VALIDATING, Happening.PUBLISH): State.VALIDATING,
    (State.VALIDATING, Happening.PASS): State.AVAILABLE,
    (State.VALIDATING, Happening.FAIL): State.REJECTED,
    (State.REJECTED, Happening.PUBLISH): State.VALIDATING,
    (State.AVAILABLE, Happening.PUBLISH): State.AVAILABLE,
    (State.AVAILABLE, Happening.WITHDRAW): State.WITHDRAWN,
    (State.AVAILABLE, Happening.DELETE): State.DELETED,
    (State.WITHDRAWN, Happening.DELETE): State.DELETED,
    (State.DELETED, Happening.PUBLISH): State.VALIDATING,
}
"""What is not here is refused with `wrong_state`. A withdrawn release stays so, or publishing it again, as pipelines
do, would silently bring it back; its successor is a new version."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as the catalog knows it; the release's fields are empty until it became one."""

    sha256: str
    state: State | None = None
    release_id: str | None = None
    app: str | None = None
    version: str | None = None
    withdrawn_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A release as far as withdrawing and preparing need it."""

    id: str
    app: str
    version: str
    state: State
    sequence: int
    bundle_sha256: str


@dataclass(frozen=True, slots=True)
class AppFacts:
    """What the catalog knows of an app when one of its releases is to be settled."""

    scheme: versions.Scheme
    twin_version: str | None = None
    """The version that is there already and compares as equal."""


@dataclass(frozen=True, slots=True)
class Content:
    """What lies in the blob store under a digest, as far as the catalog knows of it."""

    sha256: str
    state: State | None = None
    """None = it was uploaded, and never published."""
    settled_at: datetime | None = None
    stored_since: datetime | None = None
    """When the very upload came that was judged, by the store's clock."""
    unneeded_at: datetime | None = None
    """Since when no site could go back to it; None = some could, or nobody has said anything."""
    held: bool = False
    """A release brings it to sites, or is being prepared."""
    let_go_at: datetime | None = None
    """When the last bundle of which it was prepared went; None = it was prepared of none, or one is there."""
    prepared: bool = False
    """It was prepared of some release, and is no bundle as such."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long content is kept that is no release any more, or not yet."""

    withdrawn: timedelta
    """After the withdrawal, and never while a site could go back to it."""
    unpublished: timedelta
    """An upload whose command does not come."""


def freed_if_stored_by(content: Content, keeping: Keeping, now: datetime) -> datetime | None:
    """Content may be freed when it was stored by this time; None = it may not.

    A later upload of the same content is about to be published. What is available or being read is never freed, nor a
    withdrawn release of which nobody has said that no site needs it, nor what either brings to sites.
    """
    abandoned = now - keeping.unpublished
    if content.held:
        return None
    if content.state is None:
        return max(content.let_go_at or abandoned, abandoned)
    if content.state in (State.REJECTED, State.DELETED):
        return max(content.stored_since or abandoned, abandoned)
    due = content.settled_at is not None and content.settled_at + keeping.withdrawn <= now
    if content.state is State.WITHDRAWN and content.unneeded_at is not None and due:
        return max(content.stored_since or abandoned, content.settled_at or abandoned, abandoned)
    return None


ENDINGS = (".tar.gz", ".tgz")
"""A file of another name is another file than its sender meant, whatever lies in it."""

_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}$")
"""What says of which kind a file is; a name without, such as the last part of an address, says nothing."""


def receive(command: PublishRelease, bundle: Bundle, stored_bytes: int | None, limit: int) -> Bundle | Fault:
    """What becomes of a bundle that is published; `stored_bytes` is its size in the blob store, None = not there."""
    digest = command.bundle_sha256
    if found := fault_of_size(command.bundle_bytes, limit):
        return found.model_copy(update={"field": "bundle_bytes"})
    if _ENDING.search(command.file_name) and not command.file_name.lower().endswith(ENDINGS):
        message = f"a bundle is a file whose name ends with {' or '.join(ENDINGS)}"
        return Fault(code="wrong_extension", field="file_name", message=message, value=command.file_name)
    if stored_bytes is None:
        message = "the blob store has no such bundle; upload it first"
        return Fault(code="unknown_bundle", field="bundle_sha256", message=message, value=digest)
    if stored_bytes != command.bundle_bytes:
        message = f"the bundle in the blob store has {stored_bytes} bytes"
        return Fault(code="wrong_size", field="bundle_bytes", message=message, value=command.bundle_bytes)
    state = TRANSITIONS.get((bundle.state, Happening.PUBLISH))
    if state is None:
        message = f"{bundle.app} {bundle.version} was withdrawn{_because(bundle.withdrawn_reason)}; take a new version"
        return Fault(code="wrong_state", field="bundle_sha256", message=message, value=digest)
    return replace(bundle, state=state)


def withdraw(command: WithdrawRelease, release: Release | None) -> Release | Fault:
    """What becomes of a release that is to be withdrawn; None = there is none of this app and version."""
    if release is None:
        message = f"there is no release {command.version} of {command.app}"
        return Fault(code="unknown_release", field="version", message=message, value=command.version)
    state = TRANSITIONS.get((release.state, Happening.WITHDRAW))
    if state is None:
        message = f"{release.app} {release.version} is {release.state}, not {State.AVAILABLE}"
        return Fault(code="wrong_state", field="version", message=message, value=command.version)
    return replace(release, state=state, sequence=release.sequence + 1)


def delete(command: DeleteRelease, release: Release | None) -> Release | Fault:
    """What becomes of a release that is to be deleted, if nobody needs it."""
    if release is None:
        message = f"there is no release {command.version} of {command.app}"
        return Fault(code="unknown_release", field="version", message=message, value=command.version)
    return replace(release, state=TRANSITIONS[release.state, Happening.DELETE], sequence=release.sequence + 1)


def needed(use: ReleaseUseReported) -> Cause:
    """Why a release stays that was to be deleted."""
    reasons = []
    if use.sites:
        named = ", ".join(use.examples) + (" …" if use.sites > len(use.examples) else "")
        some = f"{use.sites} site{'s need' if use.sites > 1 else ' needs'} it"
        reasons.append(f"{some}, as what runs there, lies there half-done, or an operation leads from or to: {named}")
    if use.strategies:
        named = ", ".join(use.strategies)
        reasons.append(f"strategies that have not ended lead sites there: {named}; abort or delete them first")
    return Cause(code="release_needed", message="; ".join(reasons))


def faults_of(release: Claim, app: AppFacts) -> tuple[Fault, ...]:
    """Why a bundle cannot be a release of its app, whatever else is wrong with it, each with the line to mend."""
    places = release.places
    faults = []
    if app.scheme != release.scheme:
        message = f"versions of {release.app} compare by {app.scheme} since its first release"
        place = places.get("scheme", "scheme")
        faults.append(Fault(code="scheme_differs", field=place, message=message, value=release.scheme))
    if app.twin_version is not None:
        message = f"{release.app} {app.twin_version} is published with other content; take a new version"
        place = places.get("version", "version")
        faults.append(Fault(code="version_exists", field=place, message=message, value=release.version))
    return tuple(faults)


def wait_before_retry(attempt: int, first: float, most: float) -> float:
    """Seconds until a validation that failed for a passing reason is tried again: doubled each time."""
    return float(min(first * 2 ** min(attempt - 1, 30), most))


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
