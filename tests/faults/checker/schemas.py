"""The published schemas: of each type its body, its topic and its key. The only thing shared with the services."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

FIELD = re.compile(r"<(\w+)>")
SCHEMAS = Path(__file__).parents[3] / "schemas"


@dataclass(frozen=True, slots=True)
class Published:
    """A type of message as it was published."""

    type: str
    topic: str
    key: str
    """What the Kafka key is made of: `<site>/<app>`, with fields of the body; "" where only words say it."""
    validator: Any

    def key_of(self, body: dict[str, Any]) -> str | None:
        """The key that a body must have; None where that cannot be said."""
        fields = FIELD.findall(self.key)
        if not fields or any(field not in body for field in fields):
            return None
        return FIELD.sub(lambda field: str(body[field[1]]), self.key)


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
    return Published(message["name"], topic, _key(message), jsonschema_rs.validator_for(schema))


def _key(message: dict[str, Any]) -> str:
    said = re.search("`(.+)`", message["bindings"]["kafka"]["key"]["description"])
    return "" if said is None else said[1] if "<" in said[1] else f"<{said[1]}>"
