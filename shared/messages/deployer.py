"""Deployer: one operation on one app on one site, from request to its verified end."""

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from shared.messages.automatic import (
    AutomaticRequested,
    BehaviourChanged,
    CancelAll,
    ClearFailedRelease,
    DriftEnded,
    DriftFound,
    FailedReleaseChanged,
    ReapplyApp,
    RequestAll,
    SetAppBehaviour,
    SiteRunChanged,
)
from shared.messages.base import Cause as Cause  # noqa: PLC0414 - found here, too
from shared.messages.base import Command, Event
from shared.messages.base import CommandAccepted as _Accepted
from shared.messages.base import CommandRejected as _Rejected
from shared.messages.deployer_values import (
    FETCHED,
    MOST,
    MOST_PRESTAGED,
    NTH,
    PRESTAGED,
    ComponentDecision,
    ComponentProgress,
    ForeseenDecision,
    OperationRefused,
    OperationsTaken,
    PhaseResult,
    Prestaged,
    Requested,
    SecretVersion,
    SiteAvailability,
    Succeeded,
)
from shared.messages.opening import Open
from shared.messages.overrides import (
    MOST_UNSET,
    AtALevel,
    ChangeReason,
    DottedKey,
    Level,
    Namespace,
    Values,
)
from shared.messages.words import (
    DeploymentStatus,
    Identifier,
    Name,
    OperationKind,
    Sealed,
    Sha256,
    SiteName,
    Version,
)

__all__ = [
    "MOST",
    "MOST_PRESTAGED",
    "AutomaticRequested",
    "BehaviourChanged",
    "CancelAll",
    "Cause",
    "ClearFailedRelease",
    "ComponentDecision",
    "ComponentProgress",
    "DriftEnded",
    "DriftFound",
    "FailedReleaseChanged",
    "ForeseenDecision",
    "OperationRefused",
    "OperationsTaken",
    "PhaseResult",
    "Prestaged",
    "ReapplyApp",
    "RequestAll",
    "Requested",
    "SecretVersion",
    "SetAppBehaviour",
    "SiteAvailability",
    "SiteRunChanged",
    "Succeeded",
]  # fmt: skip
"""Of other modules; other messages are this one's own."""

Recovering = Literal["always", "never"]
"""Whether an operation that fails is turned back, or left where it is for a look."""

_RESET_OVERRIDES = "values set for the site itself are dropped once it has succeeded; null = as the release says"
_RESET_ATTRIBUTES = "the same of whether components are on, and of namespaces; null = as the release says"
_ONLY_CHANGES = "apply: leave what is unchanged; without version the release that runs is meant (reapply)"

_TIMEOUT = "an operation ends by then; null = as the release says, else an hour"
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
    timeout_seconds: int | None = Field(default=None, ge=1, le=7 * 24 * 3600, description=_TIMEOUT)
    strategy_id: Identifier | None = Field(default=None, description="the strategy on whose behalf; holds are its")
    force: bool = Field(default=False, description="prestage: also while alarms that affect management are active")
    reset_overrides: bool | None = Field(default=None, description=_RESET_OVERRIDES)
    reset_attributes: bool | None = Field(default=None, description=_RESET_ATTRIBUTES)
    only_changes: bool = Field(default=False, description=_ONLY_CHANGES)
    preview: bool = Field(default=False, description="only plan: the answer's `result.plan` shows it, nothing is done")


OPERATIONS_AT_ONCE = 200
"""The most operations that one command asks for."""


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
    timeout_seconds: int | None = Field(default=None, ge=1, le=7 * 24 * 3600, description=_TIMEOUT)
    again: bool = Field(default=False, description="apply: deploy it afresh also where it runs soundly already")
    force: bool = Field(default=False, description="prestage: also while alarms that affect management are active")
    recover: Recovering | None = Field(default=None, description=_RECOVER)
    reset_overrides: bool | None = Field(default=None, description=_RESET_OVERRIDES)
    reset_attributes: bool | None = Field(default=None, description=_RESET_ATTRIBUTES)
    only_changes: bool = Field(default=False, description=_ONLY_CHANGES)
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


_EXPECTED_NTH = "refused unless so many changes were made there; null = whatever there is"


class SetOverrides(AtALevel):
    """Set values and attributes of a component over those of its release, for the fleet, a group or a site.

    Values are merged over what is kept at this level, or come in place of it (`replace`). Refused with
    `overrides_invalid` where the driver of the component takes them with none of the releases that run.
    """

    SUBJECT = "app"

    values: Values = Field(default_factory=dict)
    unset: tuple[DottedKey, ...] = Field(default=(), max_length=MOST_UNSET, description="keys not to be set any more")
    replace: bool = Field(default=False, description="in place of all values that are kept at this level")
    enabled: bool | None = Field(default=None, description="whether the component is deployed; null = as it is")
    namespace: Namespace | None = Field(default=None, description="where it is deployed; null = as it is")
    clear_attributes: bool = Field(default=False, description="forget `enabled` and `namespace` first")
    expected_nth: int | None = Field(
        default=None,
        ge=0,
        le=MOST,
        description="refused unless so many changes were made there; null = whatever there is",
    )
    reason: ChangeReason = ""


class RestoreOverrides(AtALevel):
    """Set again what was set after the `nth` change; is itself a change.

    The last 100 changes of a component at a level can be restored, and all of the last 90 days.
    """

    SUBJECT = "app"

    nth: int = Field(ge=1, le=MOST, description="of the history of this component at this level")
    expected_nth: int | None = Field(default=None, ge=0, le=MOST, description=_EXPECTED_NTH)
    reason: ChangeReason = ""


class ClearOverrides(AtALevel):
    """Set nothing any more at this level: values and attributes of the component. Its history stays."""

    SUBJECT = "app"

    expected_nth: int | None = Field(default=None, ge=0, le=MOST, description=_EXPECTED_NTH)
    reason: ChangeReason = ""


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


def _no_publication(publication: str | None) -> bool:
    """Few operations wait for one: the progress of all others stays as short as it was."""
    return publication is None


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
    publication: Identifier | None = Field(
        default=None,
        description="whose release it goes to; waited for in the phase `upload`",
        exclude_if=_no_publication,
    )


_HISTORY = "the releases that a rollback may lead to, last the one meant where none is named; null = not said"


_OVERRIDES = "what was set when the release came that runs: level, component and number of each change; null = nothing"


_SECRETS = "with which versions of secrets what runs was deployed, of each the oldest; null = with none"


def _unsaid(said: object) -> bool:
    """Where nothing is set, and no secret is named, the ends of operations stay as short as they were."""
    return said is None


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
    nth: int = Field(default=0, ge=0, le=MOST, description=NTH)
    history: tuple[Version, ...] | None = Field(default=None, description=_HISTORY)
    overrides: tuple[str, ...] | None = Field(default=None, description=_OVERRIDES, exclude_if=_unsaid)
    secrets: tuple[SecretVersion, ...] | None = Field(default=None, description=_SECRETS, exclude_if=_unsaid)
    fetched_bytes: int = Field(default=0, ge=0, le=MOST, description=FETCHED)
    prestaged: tuple[Prestaged, ...] | None = Field(default=None, max_length=MOST_PRESTAGED, description=PRESTAGED)


class OperationSucceeded(_Ended):
    """The site is on the wanted release, healthy and verified."""

    SUBJECT, KEY = "operation_id", "site"

    phases: tuple[PhaseResult, ...] = Field(
        default=(),
        description="how it went; of a strategy's only where one failed that does not count, such as cleaning",
    )


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
    overrides: tuple[str, ...] | None = Field(default=None, description=_OVERRIDES, exclude_if=_unsaid)
    secrets: tuple[SecretVersion, ...] | None = Field(default=None, description=_SECRETS, exclude_if=_unsaid)
    operations: tuple[Succeeded, ...] = Field(min_length=1)


class HostReported(Event):
    """What a deployer's host can install: said whenever a deployer starts, and once a day."""

    SUBJECT, TOPIC = "host", "deployer.facts"

    host: Identifier = Field(description="the deployer's instance")
    environment: dict[str, str] = Field(description="what markers of Python requirements ask (PEP 508)")
    abis: tuple[str, ...] = Field(description="ABI tags of wheels that its Python takes, the best first")
    platforms: tuple[str, ...] = Field(description="platform tags of wheels that it takes, the best first")
    drivers: tuple[str, ...] = Field(default=(), description="the drivers that are installed there; empty = not said")


class ReleaseUnneeded(Event):
    """A withdrawn release that no site runs or could go back to. It is never needed again: it cannot be chosen."""

    SUBJECT, TOPIC = "bundle_sha256", "deployer.facts"

    app: Name
    version: Version
    bundle_sha256: Sha256


class ReleaseUseReported(Event):
    """Whether a release that is to be deleted is needed; while it is not, no operation goes there any more."""

    SUBJECT, TOPIC = "deletion", "deployer.facts"

    deletion: Identifier = Field(description="id of the command that asked for it")
    app: Name
    version: Version
    bundle_sha256: Sha256
    sites: int = Field(ge=0, description="where it lies, or an operation goes from or to it")
    examples: tuple[SiteName, ...] = Field(default=(), description="at most ten of them")
    strategies: tuple[Name, ...] = Field(
        default=(), description="at most ten of those that lead sites there and have not ended"
    )

    @property
    def needed(self) -> bool:
        """By a site or a strategy."""
        return bool(self.sites or self.strategies)


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


class OverridesChanged(Event):
    """What is set for a component at a level is another now, all of it; where nothing is set any more it is empty."""

    SUBJECT, KEY, TOPIC = "place", "change", "deployer.facts"

    app: Name
    level: Open[Level]
    target: SiteName | None = Field(default=None, description="the group or the site; of the fleet none")
    component: Name
    values: dict[str, JsonValue] = Field(default_factory=dict, description="secrets by name")
    enabled: bool | None = None
    namespace: str | None = None
    nth: int = Field(ge=1, le=MOST, description="so many changes were made there with this one")
    at: datetime
    by: str = Field(default="", description="who asked for it; empty = nobody said")
    reason: ChangeReason = ""

    @property
    def place(self) -> str:
        """Of one history: `overrides/<app>/<level>/<target>/<component>`."""
        return f"overrides/{self.app}/{self.level}/{self.target or ''}/{self.component}"

    @property
    def change(self) -> str:
        """A key of its own for each change: the topic is compacted, and a history must not be."""
        return f"{self.place}/{self.nth}"


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
