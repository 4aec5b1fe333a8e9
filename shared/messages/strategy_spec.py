"""What a person decides about a roll-out: which sites, in which stages, and when failures stop it."""

from typing import Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from shared.messages.base import Model
from shared.messages.opening import ClosedInCommands, in_an_event
from shared.messages.words import Identifier, Label, Limit, Name, Seconds, SiteName, StrategyType, Text, Version

LONGEST = 30 * 24 * 3600
"""Seconds that a strategy may take."""

NOTHING_TO_TURN_BACK = frozenset({StrategyType.PRESTAGE, StrategyType.REHEARSE})

TAKES_SITES_TO_A_RELEASE = frozenset(
    {StrategyType.PRESTAGE, StrategyType.APPLY, StrategyType.UPDATE, StrategyType.UPGRADE, StrategyType.REHEARSE}
)


class Exclusion(Model):
    """Which sites are not meant: those named, those of the groups, and those that carry any of the labels."""

    sites: tuple[SiteName, ...] = Field(default=(), max_length=100_000)
    groups: tuple[Name, ...] = ()
    labels: dict[Label, Label] = Field(default_factory=dict)


class Selection(Model):
    """Which sites: every site that is one of `sites`, in one of `groups`, and carries all `labels`.

    What is empty is open to all, so groups and labels together mean the sites of these groups that carry the labels.
    `all` is the fleet; `exclude` takes sites away from whatever the rest selects.
    """

    sites: tuple[SiteName, ...] = Field(default=(), max_length=100_000)
    groups: tuple[Name, ...] = Field(default=(), description="a site of any of these")
    labels: dict[Label, Label] = Field(default_factory=dict, description="a site that carries all of these")
    all: bool = Field(default=False, description="the whole fleet, if nothing else is given")
    exclude: Exclusion = Exclusion()

    @property
    def empty(self) -> bool:
        """Whether nothing at all was asked for."""
        return not (self.sites or self.groups or self.labels or self.all)


class StageSpec(Model):
    """One wave. It takes from the sites that earlier stages left over: those that match, and of these `take`.

    A site matches that is one of `sites`, in one of `groups`, and carries all `labels`; what is empty is open to all.
    Sites start in the order of `sites`; where none are named they are spread over groups, or over the label `spread`.
    """

    name: Name
    sites: tuple[SiteName, ...] = ()
    groups: tuple[Name, ...] = ()
    labels: dict[Label, Label] = Field(default_factory=dict)
    take: Limit | None = Field(default=None, description="a number, or a per cent of the whole selection; null = all")
    max_parallel: Limit | None = Field(default=None, description="per cents are of the stage; null = the strategy's")
    soak_seconds: Seconds = Field(default=0, description="wait after the last site before the next stage")
    optional: bool = Field(default=False, description="it may take no site; otherwise that is a fault")


class FailurePolicy(Model):
    """When failures stop the strategy, and what stopping means."""

    stop_on_failure: bool = Field(
        default=True, description="the first failed site stops it; left out beside a threshold it is off"
    )
    threshold: Limit | None = Field(
        default=None,
        description="with stop_on_failure off: stop at this many failures of a stage, or when more than this per cent "
        "of all its sites have failed; null = never, but for a stage in which every site failed",
    )
    min_sample: int = Field(
        default=1, ge=1, description="finished sites before a per cent stops a running stage; an ended one is judged"
    )
    heed_monitor: bool = Field(default=False, description="pause when the monitor finds the failure rate high")
    then: ClosedInCommands[Literal["fail", "pause"]] = Field(
        default="fail", description="end the strategy, or wait for a person"
    )

    @model_validator(mode="before")
    @classmethod
    def _a_threshold_bears_the_first_failure(cls, given: Any) -> Any:
        """Who asks for a threshold does not expect the first failed site to stop it."""
        if isinstance(given, dict) and given.get("threshold") is not None and given.get("stop_on_failure") is None:
            return {**given, "stop_on_failure": False}
        return given

    @model_serializer(mode="wrap")
    def _beside_a_threshold_it_is_said(self, dump: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        """Commands travel without defaults: a `true` left out beside a threshold would be read as `false`.

        The type of what it returns is not said, for the schema would then tell of nothing else.
        """
        said = dump(self)
        return said if self.threshold is None else {"stop_on_failure": self.stop_on_failure, **said}


def _unsaid(said: object) -> bool:
    """Left out of events then: who reads them with an older version takes no null there."""
    return said is None


class StrategySpec(Model):
    """All that a person decides about a roll-out."""

    name: Name
    type: ClosedInCommands[StrategyType]
    app: Name
    version: Version | None = Field(
        default=None, description="target release; rollback and only_changes may do without, remove does"
    )
    publication: Identifier | None = Field(
        default=None,
        description="prestage, apply, update: the command that publishes the release to reach, in place of version; "
        "the strategy waits for it, and is planned then",
    )
    undo: Identifier | None = Field(
        default=None,
        description="rollback: exactly the sites that this strategy (id or name) changed, each to what it had before; "
        "a selection narrows them",
    )
    mixed: bool = Field(
        default=False, description="a rollback without version may lead different sites to different releases"
    )
    selection: Selection = Selection()
    stages: tuple[StageSpec, ...] = Field(default=(StageSpec(name="all"),), min_length=1, max_length=500)
    max_parallel: Limit = 10
    apply_type: ClosedInCommands[Literal["parallel", "serial"]] = "parallel"
    on_failure: FailurePolicy = FailurePolicy()
    step_timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=7 * 24 * 3600,
        description="that one site may take; null = as the release says, else an hour",
        exclude_if=_unsaid,
    )
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=LONGEST,
        description="it aborts when it has not ended so long after its start; null = never",
    )
    catch_up_seconds: Seconds = Field(
        default=0, description="sites that were offline are tried again, once they are back, so long after its end"
    )
    recover: ClosedInCommands[Literal["always", "never"]] | None = Field(
        default=None,
        description="sites that fail: back to what they had, or left as they are; null = as the release says",
    )
    reset_overrides: bool | None = Field(
        default=None, description="values set for single sites are dropped there; null = as the release says"
    )
    reset_attributes: bool | None = Field(
        default=None, description="the same of whether components are on, and of namespaces; null = as the release says"
    )
    only_changes: bool = Field(
        default=False, description="apply: also where it runs already, but what is unchanged there is left (reapply)"
    )
    spread: Label | None = Field(
        default=None, description="stages take sites by the share of each value of this label; null = of each group"
    )
    force: bool = Field(default=False, description="re-deploy sites that run the release already, and pass by alarms")
    description: Text = ""

    @field_validator("stages")
    @classmethod
    def _names_differ(cls, stages: tuple[StageSpec, ...]) -> tuple[StageSpec, ...]:
        names = [stage.name for stage in stages]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"stage names must differ, but these stand more than once: {', '.join(twice)}")
        return stages

    @model_validator(mode="after")
    def _version_where_needed(self, info: ValidationInfo) -> Self:
        if in_an_event(info):
            return self
        if self.only_changes and self.type is not StrategyType.APPLY:
            raise ValueError(f"only_changes: goes with type apply, not with {self.type}")
        if self.type in TAKES_SITES_TO_A_RELEASE and not (self.version or self.publication or self.only_changes):
            raise ValueError(f"version: a strategy of type {self.type} needs the release to reach")
        if self.type is StrategyType.REMOVE and self.version is not None:
            raise ValueError("version: a strategy of type remove takes none; it takes the app off, whatever it runs")
        if self.recover is not None and self.type in NOTHING_TO_TURN_BACK:
            raise ValueError(f"recover: a strategy of type {self.type} changes nothing that runs; leave it out")
        if self.undo is not None and (self.type is not StrategyType.ROLLBACK or self.version is not None):
            raise ValueError("undo: goes with type rollback and without version; each site returns to what it had")
        return self
