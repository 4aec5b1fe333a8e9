"""Deployer: one operation on one app on one site, from request to its verified end."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.messages.base import Cause as Cause  # noqa: PLC0414 - found here, too
from shared.messages.base import Command, Event, Fault, Model
from shared.messages.base import CommandAccepted as _Accepted
from shared.messages.base import CommandRejected as _Rejected
from shared.messages.opening import Open
from shared.messages.words import (
    Availability,
    DeploymentStatus,
    Identifier,
    Label,
    Name,
    OperationKind,
    Sealed,
    Sha256,
    SiteName,
    Version,
)

MOST = 2**63 - 1

Recovering = Literal["always", "never"]
"""Whether an operation that fails is turned back, or left where it is for a look."""

_RECOVER = "what becomes of it when it fails: back to what was there, or left as it is; null = as the release says"


class RequestOperation(Command):
    """Do one job on one site. The id of this command becomes the id of the operation.

    `version` is the target release; it is left out for `recover` and `remove`, and optional for `rollback`
    (the release before the current one is then meant). With `publication` in its place the operation is accepted at
    once, and waits until that command has made a release available.
    """

    SUBJECT = "site"

    site: SiteName
    app: Name
    kind: OperationKind
    version: Version | None = None
    publication: Identifier | None = Field(
        default=None, description="apply, update: the command that publishes the release to reach, in place of version"
    )
    recover: Recovering | None = Field(default=None, description=_RECOVER)
    timeout_seconds: int = Field(default=3600, ge=1, le=7 * 24 * 3600, description="the operation ends by then")
    strategy_id: Identifier | None = Field(default=None, description="the strategy on whose behalf; holds are its")
    force: bool = Field(default=False, description="prestage: also while alarms that affect management are active")
    preview: bool = Field(default=False, description="only plan: the answer's `result.plan` shows it, nothing is done")


OPERATIONS_AT_ONCE = 200
"""The most operations that one command asks for."""


class Requested(Model):
    """One operation among those of a `RequestOperations`."""

    operation_id: Identifier
    site: SiteName
    version: Version | None = Field(default=None, description="the release to reach here; null = the command's")


class RequestOperations(Command):
    """Do the same job on many sites: what strategies send.

    The answer accepts the command as a whole; its `result` is an `OperationsTaken`, which names those operations that
    may not begin. An operation id that is known already has no second effect.
    """

    SUBJECT, KEY = "strategy_id", "batch"

    batch: Identifier = Field(description="the id of this command again, as its Kafka key: it spreads over partitions")
    strategy_id: Identifier
    app: Name
    kind: OperationKind
    version: Version | None = None
    timeout_seconds: int = Field(default=3600, ge=1, le=7 * 24 * 3600, description="each operation ends by then")
    again: bool = Field(default=False, description="apply: deploy it afresh also where it runs soundly already")
    force: bool = Field(default=False, description="prestage: also while alarms that affect management are active")
    recover: Recovering | None = Field(default=None, description=_RECOVER)
    round: int = Field(
        default=1,
        ge=1,
        le=MOST,
        description="of the strategy's tries: each tries a failed preparation anew",
    )
    operations: tuple[Requested, ...] = Field(min_length=1, max_length=OPERATIONS_AT_ONCE)


class CancelOperation(Command):
    """Stop an operation at the next safe point and recover the site to the release it had."""

    SUBJECT = "site"

    site: SiteName
    operation_id: Identifier
    reason: str = Field(default="", max_length=1_000)


class SetSecret(Command):
    """Keep a secret under a name, in place of what was kept there: connections of sites name it."""

    SUBJECT = "name"

    name: Name
    sealed: Sealed = Field(description="the value as text (UTF-8) in a sealed box for the deployer's public key")


class RemoveSecret(Command):
    """Forget a secret. Refused with `secret_in_use` while the connection of any site names it."""

    SUBJECT = "name"

    name: Name


class CheckSite(Command):
    """Ask a site now whether it answers. What came of it is told by an `AvailabilityChanged`, changed or not."""

    SUBJECT = "site"

    site: SiteName


class CommandAccepted(_Accepted):
    """The deployer took a command."""

    SUBJECT, KEY = "command_id", "about"


class CommandRejected(_Rejected):
    """The deployer refused a command; `code` is `site_busy` when another operation runs there."""

    SUBJECT, KEY = "command_id", "about"


class OperationRefused(Model):
    """An operation of a `RequestOperations` that may not begin, with every reason."""

    operation_id: Identifier
    faults: tuple[Fault, ...]


class OperationsTaken(Model):
    """The result of an accepted `RequestOperations`; all that are not refused have begun."""

    refused: tuple[OperationRefused, ...] = ()


class PhaseResult(Model):
    """How one phase of an operation went."""

    name: str
    component: str = ""
    outcome: Open[Literal["done", "failed", "skipped"]]
    detail: str = ""
    started_at: datetime
    finished_at: datetime


class ComponentDecision(Model):
    """The way chosen for one component, and why (visible before and after)."""

    component: str
    driver: str
    action: Open[Literal["apply", "rollback", "keep", "remove", "fetch_packages", "fetch_images", "discard", "skip"]]
    reason: str
    revision: str | None = Field(default=None, description="the recorded revision that a rollback returns to")


class ComponentProgress(Model):
    """What its driver is doing with one component."""

    component: str
    detail: str = Field(max_length=500)
    percent: int = Field(default=0, ge=0, le=100)


class ForeseenDecision(ComponentDecision):
    """The same in a preview."""

    changes: tuple[str, ...] = Field(
        default=(), description="what would differ on the site, where its driver can say so"
    )


class OperationProgressed(Event):
    """A running operation moved on; at most one a second for each operation."""

    SUBJECT, KEY = "operation_id", "site"

    operation_id: Identifier
    site: SiteName
    app: Name
    kind: Open[OperationKind]
    status: Open[DeploymentStatus] | None = Field(default=None, description="what the deployment is doing meanwhile")
    phase: str
    percent: int = Field(ge=0, le=100)
    plan: tuple[ComponentDecision, ...] = ()
    doing: tuple[ComponentProgress, ...] = Field(default=(), description="components whose drivers say what they do")
    strategy_id: Identifier | None = None


_NTH = "so many operations had ended on this app of this site with this one; 0 = not said"
_FETCHED = "sent to the site for this operation; 0 = what it needed lay there"
_PRESTAGED = "of a prestage: all that lies prestaged of this app on the site now; null = not said"
_HISTORY = "the releases that a rollback may lead to, last the one meant where none is named; null = not said"


class Prestaged(Model):
    """A release whose content was sent to a site before it is needed there."""

    version: Version
    bundle_sha256: Sha256
    bytes: int = Field(ge=0, description="of all its content")
    items: int = Field(ge=0, description="packages and images of it")
    complete: bool = Field(description="false: a prestage of it was interrupted, and a later one goes on there")
    at: datetime = Field(description="when the prestage of it ended")
    platform: Label | None = Field(default=None, description="for which its images are; null = it has none")


MOST_PRESTAGED = 50
"""Releases of an app that lie prestaged on one site; the policy keeps fewer."""


class _Ended(Event):
    operation_id: Identifier
    site: SiteName
    app: Name
    kind: Open[OperationKind]
    from_version: Version | None = Field(description="the release before the operation")
    to_version: Version | None = Field(description="the release it was to reach")
    version: Version | None = Field(description="the release that runs now; null = none")
    status: Open[DeploymentStatus]
    strategy_id: Identifier | None = None
    plan: tuple[ComponentDecision, ...] = ()
    seconds: float = Field(description="from claim to end")
    nth: int = Field(default=0, ge=0, le=MOST, description=_NTH)
    history: tuple[Version, ...] | None = Field(default=None, description=_HISTORY)
    fetched_bytes: int = Field(default=0, ge=0, le=MOST, description=_FETCHED)
    prestaged: tuple[Prestaged, ...] | None = Field(default=None, max_length=MOST_PRESTAGED, description=_PRESTAGED)


class OperationSucceeded(_Ended):
    """The site is on the wanted release, healthy and verified."""

    SUBJECT, KEY = "operation_id", "site"


class Succeeded(Model):
    """One operation among those of an `OperationsSucceeded`."""

    operation_id: Identifier
    site: SiteName
    seconds: float
    nth: int = Field(default=0, ge=0, le=MOST, description=_NTH)
    fetched_bytes: int = Field(default=0, ge=0, le=MOST, description=_FETCHED)
    prestaged: tuple[Prestaged, ...] | None = Field(default=None, max_length=MOST_PRESTAGED, description=_PRESTAGED)


class OperationsSucceeded(Event):
    """Operations of one strategy that succeeded together and alike: each site is on the wanted release, verified.

    Told in place of an `OperationSucceeded` for each of them.
    """

    SUBJECT = "strategy_id"

    strategy_id: Identifier
    app: Name
    kind: Open[OperationKind]
    from_version: Version | None = Field(description="the release before the operations")
    to_version: Version | None = Field(description="the release they were to reach")
    version: Version | None = Field(description="the release that runs now; null = none")
    status: Open[DeploymentStatus]
    plan: tuple[ComponentDecision, ...] = ()
    history: tuple[Version, ...] | None = Field(default=None, description=_HISTORY)
    operations: tuple[Succeeded, ...] = Field(min_length=1)


class HostReported(Event):
    """What a deployer's host can install: said whenever a deployer starts, and once a day."""

    SUBJECT, TOPIC = "host", "deployer.facts"

    host: Identifier = Field(description="the deployer's instance")
    environment: dict[str, str] = Field(description="what markers of Python requirements ask (PEP 508)")
    abis: tuple[str, ...] = Field(description="ABI tags of wheels that its Python takes, the best first")
    platforms: tuple[str, ...] = Field(description="platform tags of wheels that it takes, the best first")


class ReleaseUnneeded(Event):
    """A withdrawn release that no site runs or could go back to. It is never needed again: it cannot be chosen."""

    SUBJECT, TOPIC = "bundle_sha256", "deployer.facts"

    app: Name
    version: Version
    bundle_sha256: Sha256


class DeployerKeyReported(Event):
    """The key that secrets for the deployer are sealed to: said whenever a deployer starts, and once a day."""

    SUBJECT, TOPIC = "key_id", "deployer.facts"

    key_id: Sha256 = Field(description="SHA-256 of the public key")
    public_key: str = Field(max_length=100, description="of X25519, in base64")


class _Secret(Event):
    name: Name
    at: datetime
    by: str = Field(default="", description="who asked for it; empty = nobody said")

    @property
    def secret(self) -> str:
        """`secret/<name>`: in its topic no host has such a key."""
        return f"secret/{self.name}"


class SecretChanged(_Secret):
    """A secret was set for the first time, or again. Its value is in no event."""

    SUBJECT, TOPIC = "secret", "deployer.facts"

    version: int = Field(ge=1, le=MOST, description="so many values had been set under this name with this one")


class SecretRemoved(_Secret):
    """A secret was forgotten."""

    SUBJECT, TOPIC = "secret", "deployer.facts"


class SiteAvailability(Model):
    """Whether a site answers, and what it said of itself."""

    site: SiteName
    availability: Open[Availability]
    was: Open[Availability] = Field(default=Availability.UNKNOWN, description="what it was before this was found")
    since: datetime = Field(description="so long it has been what it is")
    seen_at: datetime | None = Field(
        default=None,
        description="its last sign of life; of one that is online without a cause, `SitesChecked` tells later ones",
    )
    checked_at: datetime | None = Field(default=None, description="when this was found")
    cause: Cause | None = Field(
        default=None, description="why it is offline, or did not answer the last time though it is not offline yet"
    )
    free_bytes: int | None = Field(
        default=None, ge=0, le=MOST, description="room for what is prestaged; null = not known"
    )
    facts: dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=200)]] = Field(
        default_factory=dict,
        max_length=50,
        description="of the site, as its drivers found: `platform` (linux/amd64), `os`, versions of engines …",
    )
    nth: int = Field(ge=1, le=MOST, description="rises with each change of a site: a lower one is older news")


SITES_AT_ONCE = 500
"""The most sites that one `AvailabilityChanged` lists."""


class AvailabilityChanged(Event):
    """Sites came online or went offline, or what they say of themselves changed. Sites as before are not in it."""

    SUBJECT = "bucket"

    bucket: int = Field(ge=0, description="sites are checked by buckets; these are all of one")
    sites: tuple[SiteAvailability, ...] = Field(max_length=SITES_AT_ONCE)
    at: datetime


class SitesChecked(Event):
    """All sites of a bucket were asked; those that were last told to be online without a cause have answered."""

    SUBJECT = "bucket"

    bucket: int = Field(ge=0)
    at: datetime = Field(description="none of them was asked before")


class OperationFailed(_Ended):
    """The operation failed; `recovered` says whether the site is back on the release it had."""

    SUBJECT, KEY = "operation_id", "site"

    recovered: bool
    cause: Cause
    phases: tuple[PhaseResult, ...] = ()
    evidence: str | None = Field(default=None, description="no longer said: the evidence is in this event itself")
    last_lines: tuple[str, ...] = Field(
        default=(), description="the end of what the failed components said: at most 50 lines of 500 characters, 16 kB"
    )
