"""The published schemas: of each type its body, its topic and its key. The only thing shared with the services."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

SCHEMAS = Path(__file__).parents[3] / "schemas"


@dataclass(frozen=True, slots=True)
class Published:
    """A type of message as it was published."""

    type: str
    topic: str
    key: str
    """The field of the body that is the Kafka key."""
    validator: Any


@cache
def published() -> Mapping[str, Published]:
    """Every type by its name."""
    asyncapi = orjson.loads((SCHEMAS / "asyncapi.json").read_bytes())
    messages = asyncapi["components"]["messages"]
    return {
        (found := _read(topic, messages[name])).type: found
        for topic, channel in asyncapi["channels"].items()
        for name in channel["messages"]
    }


def _read(topic: str, message: dict[str, Any]) -> Published:
    _, owner, name, version = message["name"].split(".")
    schema = orjson.loads((SCHEMAS / owner / f"{name}.{version}.json").read_bytes())
    key = message["bindings"]["kafka"]["key"]["description"].split("`")[1]
    return Published(message["name"], topic, key, jsonschema_rs.validator_for(schema))
