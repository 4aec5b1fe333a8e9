"""The preparation of a release: what it brings to sites, had ready once for all of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.catalog.domain import Release
from services.catalog.domain import State as ReleaseState
from shared.messages.base import Cause, Fault
from shared.messages.catalog import PrepareRelease

MOST_ASKING = 500
"""So many who asked are remembered of a preparation; the oldest would be answered by a further try."""

LONGEST_CAUSE = 1_000

TOLD_LONG_AGO = timedelta(days=1)
"""Who has not read by then what was told asks because it is lost there, and not because it is on its way."""


class State(StrEnum):
    """The life of a preparation; there is one for each content."""

    PREPARING = "preparing"
    PREPARED = "prepared"
    FAILED = "failed"


class Happening(StrEnum):
    """What moves it on."""

    ASK = "ask"
    SUCCEED = "succeed"
    BREAK = "break"


TRANSITIONS: Mapping[tuple[State | None, Happening], State] = {
    (None, Happening.ASK): State.PREPARING,
    (State.PREPARING, Happening.ASK): State.PREPARING,
    (State.PREPARED, Happening.ASK): State.PREPARED,
    (State.FAILED, Happening.ASK): State.PREPARING,
    (State.PREPARING, Happening.SUCCEED): State.PREPARED,
    (State.PREPARING, Happening.BREAK): State.FAILED,
}
"""A failed one is asked for in vain by those who had asked before: `ask` says so."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """That of one content, as far as asking for it needs."""

    state: State | None = None
    on_behalf: tuple[str, ...] = ()
    """Who has asked, in their order; people are not named."""
    cause: Cause | None = None
    settled_at: datetime | None = None


def ask(command: PrepareRelease, release: Release | None, preparation: Preparation) -> Preparation | Fault:
    """What becomes of a preparation that is asked for; None = there is no release of this app and version."""
    if release is None:
        message = f"there is no release {command.version} of {command.app}"
        return Fault(code="unknown_release", field="version", message=message, value=command.version)
    if release.state is not ReleaseState.AVAILABLE:
        message = f"{release.app} {release.version} is {release.state}, not {ReleaseState.AVAILABLE}"
        return Fault(code="release_withdrawn", field="version", message=message, value=command.version)
    if preparation.state is State.FAILED and preparation.cause and command.on_behalf in preparation.on_behalf:
        message = f"it failed, and is not tried again on the same behalf: {preparation.cause.message}"
        return Fault(code="preparation_failed", field="on_behalf", message=message, value=preparation.cause.code)
    return _asked(preparation, command.on_behalf)


def _asked(before: Preparation, on_behalf: str | None) -> Preparation:
    state = TRANSITIONS[before.state, Happening.ASK]
    if state is State.PREPARED:
        return before
    known = before.on_behalf
    asking = known if on_behalf is None or on_behalf in known else (*known, on_behalf)
    return replace(before, state=state, on_behalf=asking[-MOST_ASKING:], cause=None, settled_at=None)


def cause_again(refused: Fault, preparation: Preparation | None) -> Cause:
    """Why nothing is prepared, for those who wait for an event and not for an answer."""
    if refused.code == "preparation_failed" and preparation and preparation.cause:
        return preparation.cause
    return cause_of(refused.code, refused.message)


def tells_again(preparation: Preparation, on_behalf: str | None, now: datetime) -> bool:
    """Whether who asks for what was prepared long ago has lost the event that told it, and would wait for ever."""
    told_at = preparation.settled_at if preparation.state is State.PREPARED else None
    return told_at is not None and on_behalf is not None and now - told_at > TOLD_LONG_AGO


WITHDRAWN = Cause(code="release_withdrawn", message="the release was withdrawn")


def cause_of(code: str, message: str) -> Cause:
    """A cause that fits its event, whatever a registry or a disk had to say."""
    return Cause(code=code, message=message[:LONGEST_CAUSE])


def gives_up(trouble_since: datetime | None, patience: timedelta, now: datetime) -> bool:
    """Whether trouble that may pass has lasted for too long."""
    return trouble_since is not None and now - trouble_since >= patience
