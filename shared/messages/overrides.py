"""Overrides: what people set over the values of a release, for the fleet, a group or a site.

The values of commands and events; the messages themselves are the deployer's.
"""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from shared.messages.base import Command, Model
from shared.messages.words import Name, SiteName, Text

Level = Literal["fleet", "group", "site"]
"""For whom; a later one of them is stronger."""

LONGEST_VALUES = 65_536
"""Characters of the values of one component at one level, in JSON."""

DEEPEST = 32
"""Levels of mappings and lists in values."""

MOST_UNSET = 1_000

DottedKey = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"^[^\x00-\x1f]+$")]
"""The path of a value: `image.tag`, `hosts[0].name`; a dot, comma or bracket within a key is written with a backslash
before it."""

Namespace = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


def _bounded(values: dict[str, Any]) -> dict[str, Any]:
    if _depth(values) > DEEPEST:
        raise ValueError(f"must be at most {DEEPEST} mappings and lists deep")
    if len(text := json.dumps(values, ensure_ascii=False)) > LONGEST_VALUES:
        raise ValueError(f"must have at most {LONGEST_VALUES} characters in JSON, not {len(text)}")
    if "\\u0000" in text:
        raise ValueError("must not contain the character U+0000")
    return values


def _depth(value: Any) -> int:
    """How many mappings and lists stand within each other; level by level, for what is deep breaks a recursion."""
    depth, layer = 0, [value]
    while layer := [each for each in layer if isinstance(each, dict | list)]:
        depth += 1
        layer = [inner for each in layer for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


Values = Annotated[dict[str, JsonValue], AfterValidator(_bounded)]
"""Values over those of a release: mappings are merged, anything else replaces, null takes a key away. A value
`{"secret": NAME}` stands for a secret that the deployer keeps."""


class AtALevel(Command):
    """A command about what is set for one component of an app at one level."""

    KEY: ClassVar[str] = "app"

    app: Name
    level: Level
    target: SiteName | None = Field(default=None, description="the group or the site; of the fleet none")
    component: Name

    @model_validator(mode="after")
    def _target_where_one_is_meant(self) -> Self:
        if (self.level == "fleet") != (self.target is None):
            right = "the fleet has none" if self.level == "fleet" else f"name the {self.level}"
            raise ValueError(f"target: {right}")
        return self


class ValueChange(Model):
    """A value of a component that an operation changes."""

    path: str = Field(max_length=200, description="dotted; cut where it is long")
    before: str | None = Field(default=None, max_length=200, description="as JSON, cut; null = it was not there")
    after: str | None = Field(default=None, max_length=200, description="as JSON, cut; null = it is not there")


class Overridden(Model):
    """What is set for one component at one level."""

    values: dict[str, JsonValue] = Field(default_factory=dict)
    enabled: bool | None = Field(default=None, description="whether it is deployed; null = as below")
    namespace: str | None = Field(default=None, description="where, for drivers that know namespaces; null = as below")


ChangeReason = Text
