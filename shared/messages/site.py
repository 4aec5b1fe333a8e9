"""A site, as it is registered and told of."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, GetJsonSchemaHandler, TypeAdapter, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.messages.base import Model
from shared.messages.words import Label, Name, SiteName

MOST_FACTS = 64
"""That people may tell of one site."""

DRIVER = "process"
"""The driver of a site that names none."""

_OF_ONE = "of a single connection"
SINGLE: dict[str, Any] = {
    "driver": {**TypeAdapter(Name).json_schema(), "default": DRIVER, "deprecated": True, "description": _OF_ONE},
    "params": {"type": "object", "deprecated": True, "description": _OF_ONE},
}
"""What is read in place of `connections`, in JSON Schema."""


def _by_default() -> dict[str, dict[str, Any]]:
    return {DRIVER: {}}


class Site(Model):
    """What is upgraded as one: a cluster, an edge cloud, a node."""

    name: SiteName
    group: Name | None = None
    labels: dict[Label, Label] = Field(default_factory=dict, max_length=64)
    connections: dict[Name, dict[str, Any]] = Field(
        default_factory=_by_default,
        max_length=20,
        description="by driver that reaches it, what that driver must know: host, port …",
        json_schema_extra={"additionalProperties": False},
    )
    managed: bool = Field(default=True, description="an unmanaged site is left alone by strategies")
    maintenance: bool = Field(default=False, description="somebody works on it: nothing is begun there meanwhile")
    simplex: bool = Field(default=False, description="always apply here, never roll back to a revision")
    facts: dict[Label, Label] = Field(
        default_factory=dict,
        max_length=MOST_FACTS,
        description="of its platform, as people tell them, over what its drivers found: kubernetes, patches …",
    )

    @model_validator(mode="before")
    @classmethod
    def _connected(cls, data: Any) -> Any:
        return connected(data)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if handler.mode == "validation":
            handler.resolve_ref_schema(schema)["properties"] |= SINGLE
        return schema


def connected(site: Any) -> Any:
    """The same site in today's form: `driver` and `params`, as they were written until 0.1, mean one connection."""
    if not isinstance(site, Mapping) or not {"driver", "params"} & site.keys():
        return site
    if "connections" in site:
        raise ValueError("connections: give these, or `driver` and `params` for a single one")
    rest = {name: value for name, value in site.items() if name not in ("driver", "params")}
    return {**rest, "connections": {site.get("driver", DRIVER): site.get("params", {})}}
