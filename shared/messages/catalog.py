"""Catalog: releases are published from bundles, found good or bad, prepared once for all sites, and withdrawn."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from shared.messages.base import Cause, Command, Event, Fault, Model
from shared.messages.base import CommandAccepted as _Accepted
from shared.messages.base import CommandRejected as _Rejected
from shared.messages.manifest import Component
from shared.messages.opening import Open
from shared.messages.rules import Rules
from shared.messages.words import SOURCE_PATTERN, Identifier, Name, Sha256, Text, Version
from shared.versions import Scheme

FileName = Annotated[
    str, Field(max_length=255, pattern=r"^[^\x00-\x1f]*$", description="name it was uploaded under, for people")
]


Source = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=2_000,
        pattern=SOURCE_PATTERN,
    ),
    Field(description="https://…, oci://REGISTRY/REPOSITORY[:TAG][@sha256:…], or sha256:… in the blob store"),
]
"""Where a bundle lies. A user or password in an address would be kept in clear."""


PublicKey = Annotated[
    str,
    StringConstraints(max_length=44, pattern=r"^[A-Za-z0-9+/]{43}=$"),
    Field(description="Ed25519, 32 bytes in base64"),
]


class Publication(Command):
    """A command to publish something: whatever becomes of it, one `PublicationSettled` says so."""

    app: Name | None = Field(default=None, description="name of the app, where the bundle does not say it itself")
    version: Version | None = Field(default=None, description="its version, where the bundle does not say it itself")

    @classmethod
    def told_when_refused(cls, command_id: str, faults: tuple[Fault, ...]) -> "PublicationSettled":
        """What is told beside the rejection, to those who wait for the end of the publication."""
        return PublicationSettled(publication=command_id, state="rejected", faults=faults)


class PublishRelease(Publication):
    """Publish the release inside a bundle that already lies in the blob store."""

    SUBJECT = "bundle_sha256"

    bundle_sha256: Sha256
    bundle_bytes: int = Field(ge=1, description="size of the bundle")
    file_name: FileName = ""


class ImportBundle(Publication):
    """Fetch a bundle from where it lies, and publish the release inside."""

    SUBJECT = "source"

    source: Source
    sha256: Sha256 | None = Field(default=None, description="what the bundle must be; null = whatever lies there")
    file_name: FileName = Field(default="", description="empty = as its source calls it")

    @property
    def subject(self) -> str:
        """The address without its parameters: they may be a signature, and every answer tells what it is about."""
        return self.source.partition("?")[0]

    @property
    def key(self) -> str:
        """The same."""
        return self.subject


class DeleteRelease(Command):
    """Remove a release for good: its rows, its content, and its app with its last release.

    Refused while a site runs it, or an operation or a strategy that has not ended goes there: `ReleaseDeleted` or
    `ReleaseDeletionRefused` tells which.
    Afterwards its version may be published again, with other content.
    """

    SUBJECT = "app"

    app: Name
    version: Version
    reason: Text = ""


class WithdrawRelease(Command):
    """Take a release out of use: no new operation may choose it. Sites that run it keep it."""

    SUBJECT = "app"

    app: Name
    version: Version
    reason: Text = ""


class PrepareRelease(Command):
    """Have what a release brings to sites ready in the blob store, once for all of them.

    Asked again while it is under way, or when it is done, nothing is done twice. A preparation that failed is tried
    again only for somebody new: not for each site of a strategy.
    """

    SUBJECT = "app"

    app: Name
    version: Version
    on_behalf: Identifier | None = Field(
        default=None, description="who asks: a strategy and its round, an operation; null = a person, who may always"
    )


class CommandAccepted(_Accepted):
    """The catalog took a command."""

    SUBJECT, KEY = "command_id", "about"


class CommandRejected(_Rejected):
    """The catalog refused a command."""

    SUBJECT, KEY = "command_id", "about"


class Required(Model):
    """On which hosts the wheels of a release can be installed, as its bundle says; open is what it does not say."""

    python: str | None = Field(default=None, description="range of Pythons (PEP 440)")
    platforms: tuple[str, ...] = Field(default=(), description="platform tags of wheels: this libc or a newer one")


class Signature(Model):
    """By which key a bundle was signed when it was published."""

    key: Name = Field(description="what the key is called")
    public_key: str = Field(description="Ed25519, in base64")


class Origin(Model):
    """From where a bundle was fetched."""

    source: str = Field(description="as it was asked for")
    resolved: str | None = Field(
        default=None, description="what its tag meant then, by digest: this is what was fetched; null = it has no tag"
    )


class ReleaseAvailable(Event):
    """A release passed every check and may be rolled out.

    A driver that a reader has never heard of is kept and shown; what its specs hold is the driver's own business.
    """

    SUBJECT, KEY, VERSION = "release_id", "app", 2

    release_id: Identifier
    app: Name
    version: Version
    scheme: Open[Scheme] = Field(description="how versions of this app compare: pep440 or semver")
    description: Text = ""
    bundle_sha256: Sha256
    bundle_bytes: int
    upgrades_from: tuple[str, ...] | None = Field(
        description="version ranges this release may be reached from; null = any, empty = none"
    )
    components: tuple[Component, ...]
    max_parallel_components: int | None = Field(
        default=None, description="components of one site that change at once; null = all that `after` allows"
    )
    requires: Required = Required()
    rules: Rules = Field(default=Rules(), description="what it needs of a site, and what is done by itself")
    images: tuple[str, ...] = Field(
        default=(),
        description="images that its containers and rendered charts name; those that only sites know are not",
    )
    notices: tuple[str, ...] = Field(
        default=(), description="what its bundle says that has no meaning here, each with why"
    )
    signature: Signature | None = Field(default=None, description="by which key its bundle was signed; null = by none")
    origin: Origin | None = Field(default=None, description="null = it was uploaded")
    published_at: datetime


class ReleaseAvailableV1(ReleaseAvailable):
    """As it was said until 0.1: the fields of a component's spec stood beside its driver and name."""

    SUBJECT, KEY, VERSION, NAME, NEWER = "release_id", "app", 1, "release_available", ReleaseAvailable

    def newest(self) -> ReleaseAvailable:
        return ReleaseAvailable.model_construct(**dict(self))


class ReleaseRejected(Event):
    """A bundle was refused, with every reason."""

    SUBJECT = "bundle_sha256"

    bundle_sha256: Sha256
    file_name: str = ""
    app: str | None = None
    version: str | None = None
    origin: Origin | None = Field(default=None, description="null = it was uploaded")
    faults: tuple[Fault, ...] = Field(description="at most 100; a last one of code `more_faults` says how many more")


class SetSigningKey(Command):
    """Trust a key with which bundles of an app are signed; an app that has keys takes signed bundles only."""

    SUBJECT = "app"

    app: Name
    name: Name = Field(description="what the key is called")
    public_key: PublicKey
    expires_at: AwareDatetime | None = Field(
        default=None, description="from then on it signs nothing new; null = never"
    )


class RemoveSigningKey(Command):
    """Trust a key no more. What it signed before stays published."""

    SUBJECT = "app"

    app: Name
    name: Name


class BundleProgressed(Event):
    """How far a publication has come, or what it waits for; at most once a second."""

    SUBJECT = "publication"

    publication: Identifier = Field(description="id of the command that began it")
    phase: Open[Literal["fetch", "validate"]]
    done_bytes: int = Field(ge=0)
    total_bytes: int | None = Field(default=None, description="null where the source does not say")
    step: Open[Literal["files", "charts", "components"]] | None = Field(
        default=None, description="what is being looked at while it is validated"
    )
    step_done: int | None = Field(default=None, description="how many of them; of files it is the bytes that count")
    step_total: int | None = None
    waits: Cause | None = Field(default=None, description="what keeps it from going on; it is tried again")
    at: datetime


class PublicationSettled(Event):
    """What became of a `PublishRelease` or `ImportBundle`: told exactly once for each of them.

    Of one that is available it follows the `ReleaseAvailable` that it speaks of, whenever that was said.
    """

    SUBJECT = "publication"

    publication: Identifier = Field(description="id of the command")
    state: Open[Literal["available", "rejected", "failed"]] = Field(
        description="rejected: something is wrong with it; failed: it could not be had, and may be another time"
    )
    bundle_sha256: Sha256 | None = None
    app: Name | None = None
    version: Version | None = None
    faults: tuple[Fault, ...] = Field(
        default=(), description="at most 100; a last one of code `more_faults` says how many more"
    )


class ReleaseDeleting(Event):
    """A release is to go: no operation may choose it any more, and the deployer says whether it is needed."""

    SUBJECT, KEY = "release_id", "app"

    deletion: Identifier = Field(description="id of the command")
    release_id: Identifier
    app: Name
    version: Version
    bundle_sha256: Sha256
    reason: Text = ""


class ReleaseDeletionRefused(Event):
    """A release that was to go stays as it was, because it is needed."""

    SUBJECT, KEY = "release_id", "app"

    deletion: Identifier
    release_id: Identifier
    app: Name
    version: Version
    cause: Cause


class ReleaseDeleted(Event):
    """A release is gone, with its content. The same version may come again, as another release."""

    SUBJECT, KEY = "release_id", "app"

    release_id: Identifier
    app: Name
    version: Version
    bundle_sha256: Sha256
    app_gone: bool = Field(default=False, description="it was the last one of its app")
    reason: Text = ""


class SigningKeyChanged(Event):
    """A key is trusted from now on, or until another time than before."""

    SUBJECT = "app"

    app: Name
    name: Name
    public_key: PublicKey
    expires_at: datetime | None = None
    by: str = ""
    at: datetime


class SigningKeyRemoved(Event):
    """A key is trusted no more."""

    SUBJECT = "app"

    app: Name
    name: Name
    by: str = ""
    at: datetime


class StorageMeasured(Event):
    """How much the bundles take, told when it has changed."""

    SUBJECT = "store"

    store: Identifier = "bundles"
    used_bytes: int = Field(description="all that lies in the blob store")
    bundles: int = Field(description="how many lie there")
    prepared_bytes: int = Field(default=0, description="what was prepared of releases, beside their bundles")
    withdrawn_bytes: int = Field(description="withdrawn releases that sites could go back to, or that are not due yet")
    reclaimable_bytes: int = Field(description="nobody needs them: they are freed without anybody asking")
    free_bytes: int | None = Field(description="left on the disk; null where the store is elsewhere and does not say")
    limit_bytes: int = Field(description="the largest bundle that is taken")
    measured_at: datetime


class ReleaseWithdrawn(Event):
    """A release is out of use for new operations."""

    SUBJECT, KEY = "release_id", "app"

    release_id: Identifier
    app: Name
    version: Version
    reason: Text = ""


class ContentItem(Model):
    """Something of a release that is to lie on a site before its components are changed, by its digest.

    A package is a file of the bundle, or one that lies in a registry; an image is told by its manifest for one
    platform, and its bytes are those of all its blobs. Both lie in the blob store, but for what a driver only pretends.
    """

    component: Name
    kind: Open[Literal["package", "image"]]
    name: str = Field(description="its path in the bundle; of an image its reference, as the spec says it")
    sha256: Sha256
    bytes: int = Field(ge=0)
    platform: str | None = Field(default=None, description="of an image, such as linux/amd64; null = it does not say")
    index: Sha256 | None = Field(
        default=None, description="the list of manifests that the image was chosen from: a blob, too"
    )


class ContentNote(Model):
    """What a component does not bring by itself, and why, for people."""

    component: Name
    text: Text


class PreparationBegun(Event):
    """What a release brings to sites is being had ready."""

    SUBJECT, KEY = "bundle_sha256", "app"

    app: Name
    version: Version
    bundle_sha256: Sha256
    begun_at: datetime


class ReleasePrepared(Event):
    """All that a release brings to sites lies in the blob store, verified. Told once for each content."""

    SUBJECT, KEY = "bundle_sha256", "app"

    app: Name
    version: Version
    bundle_sha256: Sha256
    content: tuple[ContentItem, ...] = ()
    bytes: int = Field(description="of all that lies in the blob store for it; what two components share counts once")
    notes: tuple[ContentNote, ...] = ()
    prepared_at: datetime


class PreparationFailed(Event):
    """What a release brings to sites could not be had, for all who asked; told anew when one of them asks again."""

    SUBJECT, KEY = "bundle_sha256", "app"

    app: Name
    version: Version
    bundle_sha256: Sha256
    cause: Cause
    on_behalf: tuple[Identifier, ...] = Field(
        default=(), description="who had asked, without people; for others it is tried again"
    )
    failed_at: datetime
