"""Events as a newer version would say them: a word that nobody has heard of wherever an event may have one."""

import json
from typing import Any

from schemas import export
from shared.messages.base import Message
from shared.wire.codec import Headers

WORD = "of-tomorrow"


def sample_of_tomorrow(kind: type[Message]) -> tuple[str, bytes, dict[str, Any], Headers]:
    """Topic, key, body and headers of the golden sample of an event, with the word of tomorrow."""
    sample = json.loads(export.sample_path(kind).read_text())
    schema = export.schema_of(kind)
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    return sample["topic"], sample["key"].encode(), with_new_words(sample["body"], schema, schema), headers


def with_new_words(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The value, as far as the schema knows it, with the word of tomorrow in each open place."""
    while reference := schema.get("$ref"):
        schema = root["$defs"][reference.rpartition("/")[2]]
    if "x-extensible-enum" in schema:
        return WORD
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        return {name: with_new_words(inner, fields.get(name, {}), root) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_new_words(inner, schema.get("items", {}), root) for inner in value]
    kinds = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    return with_new_words(value, kinds[0], root) if value is not None and len(kinds) == 1 else value
