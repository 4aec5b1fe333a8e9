"""By what rules a release is deployed: what it needs, in which order it goes, and what Belay may do by itself.

The same keys stand at the top of a bundle.yaml. What is written there is held to these models; in an event it is what
its owner said, and no rule here refuses it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, ValidationInfo, field_validator

from shared import versions
from shared.messages import triggers
from shared.messages.base import Model
from shared.messages.opening import ClosedInCommands, in_an_event
from shared.messages.words import Label, Name, OperationKind
from shared.values.paths import parsed

MOST_RULES = 100
"""The most of any one kind that a release may have."""

Importance = Literal["critical", "storage", "discovery", "optional", "reporting"]
"""In which order the apps of a site are updated: from left to right."""

Action = Literal["ignore", "warn", "error", "apply"]
"""What is done about an app that is lacking or in the way; `apply`: it is brought there first."""

_COMPARES = re.compile(r"\s*[=!<>~]")
_SCHEMES = get_args(versions.Scheme)
_KEY = r"^[^.\s]+(\.[^.\s]+)*$"


def _range(text: str, info: ValidationInfo) -> str:
    if in_an_event(info) or not _COMPARES.match(text):
        return text
    if not any(versions.is_valid_range(scheme, text) for scheme in _SCHEMES):
        raise ValueError("must be a range such as >=1.24,<1.31, or a plain text that the fact is equal to")
    return text


def _versions(text: str, info: ValidationInfo) -> str:
    if in_an_event(info) or any(versions.is_valid_range(scheme, text) for scheme in _SCHEMES):
        return text
    raise ValueError("must be a range of versions such as >=1.2.0,<2.0.0")


def _event(name: str, info: ValidationInfo) -> str:
    if in_an_event(info) or triggers.is_known(name):
        return name
    raise ValueError(f"must be one of {triggers.known()}")


def _path(text: str, info: ValidationInfo) -> str:
    """What would lead to nothing would be passed by in silence, on every site."""
    if in_an_event(info):
        return text
    if not all(isinstance(key, str) for key in parsed(text)):
        raise ValueError("a list is set as a whole: name the key of the list, such as ingress.hosts")
    return text


EventName = Annotated[Label, AfterValidator(_event)]
"""An event of a site, in our words or in StarlingX's."""

FactRange = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_range)]
"""What a fact of a site must be: comparisons of versions, separated by commas, or a plain text."""

VersionRange = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_versions)]
Seconds = Annotated[int, Field(ge=1, le=30 * 24 * 3600)]
DottedKey = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_KEY), AfterValidator(_path)]
"""The way to a value in overrides: names with dots between, such as `ingress.hosts`."""


class SiteRequirement(Model):
    """What a site must be before a release may come to it."""

    facts: dict[Label, FactRange] = Field(
        default_factory=dict,
        max_length=MOST_RULES,
        description="by name, a range of versions or a plain text that is equal",
    )
    patches: tuple[Label, ...] = Field(default=(), max_length=MOST_RULES, description="all of them must be there")
    releases: dict[Label, tuple[Label, ...]] = Field(
        default_factory=dict,
        max_length=MOST_RULES,
        description="releases of the platform (the fact platform_release) that will do, and the patches that a site of"
        " each must have; empty = any",
    )


class Dependency(Model):
    """Another app that must be on the site."""

    app: Name
    versions: VersionRange | None = Field(default=None, description="which of its releases will do; null = any")
    action: ClosedInCommands[Action] = Field(default="error", description="what is done when it is not there")


class Alternatives(Model):
    """Apps of which exactly one must be on the site."""

    any_of: tuple[Dependency, ...] = Field(min_length=2, max_length=MOST_RULES)


class Exclusion(Model):
    """Another app that must not be on the site."""

    app: Name
    versions: VersionRange | None = Field(default=None, description="which of its releases are in the way; null = any")
    action: ClosedInCommands[Action] = "error"


ONE, EITHER = "dependency", "alternatives"
"""How the two kinds of dependencies are told apart; these words also stand in pydantic's paths of their faults."""


def _kind_of_dependency(value: Any) -> str:
    either = "any_of" in value if isinstance(value, Mapping) else isinstance(value, Alternatives)
    return EITHER if either else ONE


AnyDependency = Annotated[
    Annotated[Dependency, Tag(ONE)] | Annotated[Alternatives, Tag(EITHER)], Discriminator(_kind_of_dependency)
]


class Trigger(Model):
    """An event of a site after which the release is applied once more."""

    event: EventName = Field(description=f"one of {', '.join(triggers.EVENTS)}, or what StarlingX calls them")
    filters: dict[Label, Annotated[str, Field(max_length=200)]] = Field(
        default_factory=dict, max_length=MOST_RULES, description="what the event must say, by the names of its fields"
    )

    @field_validator("filters")
    @classmethod
    def _of_the_event(cls, filters: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        never = () if in_an_event(info) else tuple(triggers.not_carried(info.data.get("event", ""), filters))
        if never:
            raise ValueError(
                f"{', '.join(never)}: {info.data['event']} carries {triggers.asked_of(info.data['event'])}"
            )
        return filters


class Behaviour(Model):
    """What is done without anybody asking, and what nobody may ask for."""

    desired_state: ClosedInCommands[Literal["deployed", "absent"]] | None = Field(
        default=None, description="an audit keeps the app so; null = none does"
    )
    auto_update: bool = Field(default=False, description="sites go to the newest release they may, by themselves")
    auto_downgrade: bool = Field(default=False, description="the same downwards, when the platform goes back")
    reapply_on: tuple[Trigger, ...] = Field(default=(), max_length=MOST_RULES)
    forbidden: tuple[ClosedInCommands[OperationKind], ...] = Field(
        default=(), max_length=20, description="operations that people may not ask for"
    )


class Rules(Model):
    """All that a release says of how it is deployed, beside what is deployed."""

    importance: ClosedInCommands[Importance] = Field(
        default="optional", description="in which order the apps of a site are updated: critical ones first"
    )
    recover: ClosedInCommands[Literal["always", "never"]] = Field(
        default="always", description="never: what failed stays as it is for a look"
    )
    timeout_seconds: Seconds | None = Field(
        default=None, description="time of an operation to this release; a request may say another"
    )
    site: SiteRequirement = SiteRequirement()
    depends_on: tuple[AnyDependency, ...] = Field(default=(), max_length=MOST_RULES)
    excludes: tuple[Exclusion, ...] = Field(default=(), max_length=MOST_RULES)
    obsolete: dict[Name, tuple[DottedKey, ...]] = Field(
        default_factory=dict,
        max_length=MOST_RULES,
        description="by component, keys of overrides that it does not know any more",
    )
    keep_overrides: bool = Field(default=True, description="false: an update to this release drops people's overrides")
    keep_attributes: bool = Field(
        default=True, description="false: an update to this release drops what people switched on and off"
    )
    behaviour: Behaviour = Behaviour()


PLAIN = Rules()
"""Of a release that says nothing of it."""
