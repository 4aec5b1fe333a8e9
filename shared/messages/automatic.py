"""Deployer: what it does by itself with apps, what is not as it should be, and whole sites brought up to date."""

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from shared.messages import triggers
from shared.messages.base import Cause, Command, Event, Model
from shared.messages.opening import ClosedInCommands, Open
from shared.messages.rules import MOST_RULES, EventName, Trigger
from shared.messages.words import Identifier, Label, Name, OperationKind, SiteName, Text, Version

MOST = 2**63 - 1

MOST_NAMED = 500
"""Sites or groups that one command or event names."""

DesiredState = Literal["deployed", "absent"]


class _OfDeployer(Command):
    OWNER: ClassVar[str] = "deployer"


class _ByDeployer(Event):
    OWNER: ClassVar[str] = "deployer"


# -- how an app behaves -------------------------------------------------------------------------------------------


class DeployedOn(Model):
    """Where an app is to be deployed although nobody has deployed it there."""

    sites: tuple[SiteName, ...] = Field(default=(), max_length=MOST_NAMED)
    groups: tuple[Name, ...] = Field(default=(), max_length=MOST_NAMED)


class Switches(Model):
    """How the deployer treats an app by itself. null = as its release says."""

    audit: bool | None = Field(
        default=None, description="ask drivers again and again whether what was deployed is there and well"
    )
    desired_state: ClosedInCommands[DesiredState] | None = Field(
        default=None, description="kept so: `deployed` where somebody deployed it or `deployed_on` says, or `absent`"
    )
    deployed_on: DeployedOn | None = None
    reapply: bool | None = Field(default=None, description="apply it again on the events that `reapply_on` names")
    reapply_on: tuple[Trigger, ...] | None = Field(default=None, max_length=50)
    auto_update: bool | None = Field(default=None, description="to the newest allowed release, by itself")
    auto_downgrade: bool | None = Field(
        default=None,
        description="back to an older release where the one that runs was withdrawn, or the platform went back",
    )
    prereleases: bool | None = Field(default=None, description="auto-update takes them, too")
    forbidden: tuple[ClosedInCommands[OperationKind], ...] | None = Field(
        default=None, max_length=20, description="kinds of operations that people may not ask for"
    )


Switch = Literal[
    "audit", "desired_state", "deployed_on", "reapply", "reapply_on", "auto_update", "auto_downgrade", "prereleases",
    "forbidden",
]  # fmt: skip


class SetAppBehaviour(_OfDeployer):
    """Switch what the deployer does by itself with an app; what a person says wins over its releases.

    What is left out stays as it was said before; `as_released` takes back what people said.
    """

    SUBJECT = "app"

    app: Name
    switches: Switches = Switches()
    as_released: tuple[Switch, ...] = Field(default=(), description="switches that are as the release says again")
    reason: Text = ""


class BehaviourChanged(_ByDeployer):
    """A person switched what is done by itself with an app; all that people said of it now."""

    SUBJECT, TOPIC = "behaviour", "deployer.facts"

    app: Name
    switches: Switches
    nth: int = Field(ge=1, le=MOST, description="so many changes of this app's behaviour with this one")
    at: datetime
    by: str = Field(default="", description="who asked for it; empty = nobody said")
    reason: str = ""

    @property
    def behaviour(self) -> str:
        """`behaviour/<app>`: in its topic nothing else has such a key."""
        return f"behaviour/{self.app}"


class ReapplyApp(_OfDeployer):
    """Have an app applied again on demand, where it is deployed: an operation of the deployer's own for each site.

    What did not change is left as it is. At most so many at once over the fleet as its settings say. With an `event`,
    as somebody tells of it who saw it happen there, it is applied again only where its behaviour asks for that.
    """

    SUBJECT = "app"

    app: Name
    sites: tuple[SiteName, ...] = Field(default=(), max_length=MOST_NAMED, description="empty = wherever it runs")
    event: EventName | None = Field(
        default=None,
        description="what happened there, by a name that `reapply_on` may have; null = whatever it says",
        json_schema_extra={"enum": [*triggers.EVENTS, *triggers.STARLINGX, None]},
    )
    carries: dict[Label, Label] = Field(
        default_factory=dict, max_length=MOST_RULES, description="what the event says, for filters of triggers"
    )
    reason: Text = ""


# -- releases that failed -----------------------------------------------------------------------------------------


class ClearFailedRelease(_OfDeployer):
    """Let operations of the deployer's own choose a release again that failed before."""

    SUBJECT = "app"

    app: Name
    version: Version
    sites: tuple[SiteName, ...] = Field(default=(), max_length=MOST_NAMED, description="only there; empty = all")


class FailedOn(Model):
    """Where a release failed, by which operation, and why."""

    site: SiteName
    operation_id: Identifier
    cause: Cause
    at: datetime


class FailedReleaseChanged(_ByDeployer):
    """A release failed in an apply or update, whoever asked for it, or what is known of that was cleared."""

    SUBJECT = "failed_release"

    app: Name
    version: Version
    failures: int = Field(ge=0, le=MOST, description="sites where it failed and that nobody has cleared")
    barred: bool = Field(description="nothing that goes by itself chooses it, on any site")
    sites: tuple[FailedOn, ...] = Field(default=(), max_length=20, description="the last of them")
    nth: int = Field(ge=1, le=MOST)
    at: datetime
    cleared_by: str = Field(default="", description="who cleared it; empty = it failed just now")

    @property
    def failed_release(self) -> str:
        """`failed/<app>/<version>`: all that is told of it keeps its order."""
        return f"failed/{self.app}/{self.version}"


# -- what is not as it should be ----------------------------------------------------------------------------------


class ComponentDrift(Model):
    """How one component is not as it was left."""

    component: str
    code: Open[Literal["revision_gone", "differs", "not_well", "missing", "unwanted", "secret_rotated", "stranger"]]
    message: str = Field(max_length=1_000)


class Drifted(Model):
    """An app on a site that is not as it was left or as it should be."""

    site: SiteName
    version: Version | None = None
    components: tuple[ComponentDrift, ...] = Field(default=(), max_length=100)
    then: Open[Literal["told", "put_right", "given_up"]] = Field(
        description="what follows: nothing, an operation, or nothing any more until it is cleared"
    )
    nth: int = Field(default=1, ge=1, le=MOST, description="of what is told of it, the highest is newest; 1 = by `at`")


class DriftFound(_ByDeployer):
    """What was deployed on these sites is not there or not well any more. Told once, and not again while it is so."""

    SUBJECT = "app"

    app: Name
    sites: tuple[Drifted, ...] = Field(min_length=1, max_length=MOST_NAMED)
    at: datetime


class DriftEnded(_ByDeployer):
    """What was found on these sites is over: it is as it should be again."""

    SUBJECT = "app"

    app: Name
    sites: tuple[SiteName, ...] = Field(min_length=1, max_length=MOST_NAMED)
    nth: int = Field(default=1, ge=1, le=MOST, description="as of what was found")
    at: datetime


class AutomaticRequested(_ByDeployer):
    """The deployer began an operation of its own. It is an ordinary one: its events tell the rest."""

    SUBJECT, KEY = "operation_id", "site"

    operation_id: Identifier
    site: SiteName
    app: Name
    kind: Open[OperationKind]
    version: Version | None
    cause: Cause = Field(description="why: such as drift_found, site_online, newer_release")
    at: datetime


# -- all apps of a site -------------------------------------------------------------------------------------------

MOST_APPS = 200
"""Apps of a site that one command brings up to date."""


class RequestAll(_OfDeployer):
    """Update every app of a site to its newest allowed release, or take each back to the one before, one by one.

    Critical apps go first, reporting ones last, and what others need before them; back it goes in reverse. The id of
    this command becomes the id of the run.
    """

    SUBJECT = "site"

    site: SiteName
    kind: Literal["update", "rollback"]
    apps: tuple[Name, ...] = Field(default=(), max_length=MOST_APPS, description="only these; empty = all")
    on_failure: Literal["stop", "go_on"] = "stop"
    prereleases: bool = False
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=7 * 24 * 3600,
        description="each operation ends by then; null = as its release says, else an hour",
    )


class CancelAll(_OfDeployer):
    """Stop a run: what it does now is stopped at the next safe point and turned back, and nothing else is begun."""

    SUBJECT = "site"

    site: SiteName
    run_id: Identifier
    reason: Text = ""


RunState = Literal["running", "stopping", "done", "failed", "aborted"]
ItemState = Literal["waiting", "running", "updated", "failed", "left"]


class RunItem(Model):
    """One app of a run, and what became of it."""

    app: Name
    kind: Open[OperationKind]
    from_version: Version | None = None
    to_version: Version | None = None
    state: Open[ItemState]
    operation_id: Identifier | None = None
    cause: Cause | None = Field(default=None, description="why it failed, or was left")


class SiteRunChanged(_ByDeployer):
    """A run over the apps of a site began, moved on or ended; with its end this is the report of all of it."""

    SUBJECT, KEY = "run_id", "site"

    run_id: Identifier
    site: SiteName
    kind: Open[Literal["update", "rollback", "apply", "remove"]]
    state: Open[RunState]
    items: tuple[RunItem, ...] = Field(default=(), max_length=MOST_APPS)
    cause: Cause | None = Field(default=None, description="why it did not come to its end")
    requested_by: str = ""
    started_at: datetime
    finished_at: datetime | None = None
    nth: int = Field(ge=1, le=MOST, description="so many times it was told of: a lower one is older")

    def in_state(self, state: ItemState) -> Iterator[RunItem]:
        """The items of which this became."""
        return (item for item in self.items if item.state == state)
