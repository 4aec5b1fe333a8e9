"""Catalog: releases are published from bundles, found good or bad, and withdrawn."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.messages.base import Command, Event, Fault, Model
from shared.messages.base import CommandAccepted as _Accepted
from shared.messages.base import CommandRejected as _Rejected
from shared.messages.manifest import Component
from shared.messages.opening import Open
from shared.messages.words import Identifier, Name, Sha256, Text, Version
from shared.versions import Scheme

FileName = Annotated[
    str, Field(max_length=255, pattern=r"^[^\x00-\x1f]*$", description="name it was uploaded under, for people")
]


class PublishRelease(Command):
    """Publish the release inside a bundle that already lies in the blob store."""

    SUBJECT = "bundle_sha256"

    bundle_sha256: Sha256
    bundle_bytes: int = Field(ge=1, description="size of the bundle")
    file_name: FileName = ""


class WithdrawRelease(Command):
    """Take a release out of use: no new operation may choose it. Sites that run it keep it."""

    SUBJECT = "app"

    app: Name
    version: Version
    reason: Text = ""


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
    faults: tuple[Fault, ...] = Field(description="at most 100; a last one of code `more_faults` says how many more")


class StorageMeasured(Event):
    """How much the bundles take, told when it has changed."""

    SUBJECT = "store"

    store: Identifier = "bundles"
    used_bytes: int = Field(description="all that lies in the blob store")
    bundles: int = Field(description="how many lie there")
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
