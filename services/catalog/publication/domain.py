"""What is told of publications when they end. Pure."""

from dataclasses import dataclass
from datetime import datetime

from services.catalog.domain import State
from shared.components.images import image_of
from shared.messages.base import Fault, listed
from shared.messages.catalog import ImportBundle, PublicationSettled


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
class Import:
    """A bundle that is being fetched, and what is known of it so far."""

    source: str
    asked_at: datetime
    sha256: str | None = None
    """What it must be."""
    app: str | None = None
    version: str | None = None
    file_name: str = ""
    resolved: str | None = None
    """The reference by digest that a tag meant when it was asked first."""
    validator: str | None = None
    """By which the source tells whether it is still the same file."""
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


def receive_import(command: ImportBundle, plain: bool) -> Fault | None:
    """What is wrong with a source by its words alone; None = nothing. `plain`: it may come without TLS."""
    source = command.source
    if source.startswith("http://") and not plain:
        message = "it would come without TLS; take https, or BELAY_CATALOG_PLAIN_SOURCES=true allows such sources"
        return Fault(code="insecure_source", field="source", message=message, value=source)
    if source.startswith("oci://"):
        return _fault_of_reference(source)
    named = source.removeprefix("sha256:")
    if source.startswith("sha256:") and command.sha256 not in (None, named):
        message = "is not the digest that `source` names"
        return Fault(code="wrong_digest", field="sha256", message=message, value=command.sha256)
    return None


def _fault_of_reference(source: str) -> Fault | None:
    try:
        registry = image_of(source.removeprefix("oci://")).registry
    except ValueError:
        registry = None
    if registry is None:
        message = "must be oci://REGISTRY/REPOSITORY, with @sha256:… or a tag behind it"
        return Fault(code="bad_reference", field="source", message=message, value=source)
    return None


def short(message: str) -> str:
    """A cause as it is told: one line, and not all that somebody else may have to say."""
    return " ".join(message.split())[:1_000]
