"""What is told of publications when they end. Pure."""

from dataclasses import dataclass

from services.catalog.domain import State
from shared.messages.base import Fault, listed
from shared.messages.catalog import PublicationSettled


@dataclass(frozen=True, slots=True)
class Publication:
    """A command to publish whose end has not been told yet."""

    id: str
    """Of the command."""
    app: str | None = None
    """What it asked the release to be called, where the bundle may not say that itself."""
    version: str | None = None
    correlation_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a bundle."""

    sha256: str
    state: State
    app: str | None = None
    version: str | None = None
    faults: tuple[Fault, ...] = ()


def settled(publication: Publication, outcome: Outcome) -> PublicationSettled:
    """What is told of a publication of a bundle that has come to its end."""
    about = {"publication": publication.id, "bundle_sha256": outcome.sha256}
    if outcome.state is not State.AVAILABLE:
        return PublicationSettled(**about, state="rejected", faults=listed(outcome.faults))
    if differs := published_as(publication, outcome):
        return PublicationSettled(**about, state="rejected", faults=(differs,))
    return PublicationSettled(**about, state="available", app=outcome.app, version=outcome.version)


def published_as(publication: Publication, outcome: Outcome) -> Fault | None:
    """The fault of asking for another name than the content is published by."""
    for field in ("app", "version"):
        asked, found = getattr(publication, field), getattr(outcome, field)
        if asked not in (None, found):
            message = f"this content is published as {outcome.app} {outcome.version}; leave it out, or ask for that"
            return Fault(code="published_as", field=field, message=message, value=asked)
    return None
