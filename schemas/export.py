"""Writes schemas/: a JSON Schema and a golden sample of every message, the AsyncAPI document, and the README's table.

`python -m schemas.export` writes; with `--check` it only compares, and says what differs. A sample that exists is
never written again: old samples must be read for ever. A schema that would break who uses it is refused: make a new
version of the message instead.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from schemas.catalog_examples import AT
from schemas.compatibility import breaks
from schemas.examples import EXAMPLES
from services.gateway.http import openapi
from shared.messages import REGISTRY
from shared.messages.base import Command, Message
from shared.wire.codec import Envelope, encode
from shared.wire.topics import TOPICS

HERE = Path(__file__).parent
LISTENERS = ("catalog", "deployer", "strategy_orchestrator", "notifier", "gateway", "monitor")
OWNERS = {"strategy": "strategy-orchestrator"}


def documents() -> dict[Path, str]:
    """Every generated file with its content."""
    made = {schema_path(kind): text_of(schema_of(kind)) for kind in said()}
    made |= {sample_path(type(example)): text_of(sample_of(example)) for example in EXAMPLES}
    made[HERE / "asyncapi.json"] = text_of(asyncapi())
    made[HERE / "openapi.json"] = openapi.text()
    made[HERE / "README.md"] = readme()
    return made


def said() -> list[type[Message]]:
    """Every message but those of versions that are only read: their schemas and samples stay as they were."""
    return [kind for kind in REGISTRY.values() if kind.NEWER is None]


def schema_path(kind: type[Message]) -> Path:
    """schemas/deployer/request_operation.v1.json"""
    return HERE / kind.OWNER / (kind.TYPE.removeprefix(f"belay.{kind.OWNER}.") + ".json")


def sample_path(kind: type[Message]) -> Path:
    """schemas/samples/belay.deployer.request_operation.v1.json"""
    return HERE / "samples" / f"{kind.TYPE}.json"


def schema_of(kind: type[Message]) -> dict[str, Any]:
    """The body of a message as JSON Schema 2020-12. A newer owner's event may say more, at any depth."""
    is_command = issubclass(kind, Command)
    schema = kind.model_json_schema(mode="validation" if is_command else "serialization")
    schema = schema if is_command else _opened(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{kind.TYPE}", **schema}


def _opened(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_opened(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _opened(inner) for k, inner in schema.items() if (k, inner) != ("additionalProperties", False)}


def sample_of(example: Message) -> dict[str, Any]:
    """A whole Kafka record: topic, key, headers and body."""
    envelope = Envelope(
        data=example,
        id="sample-1",
        source="/belay/sample",
        time=AT,
        sequence=0 if isinstance(example, Command) else 1,
        correlation_id="sample-1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    key, headers, body = encode(envelope)
    named = {name: (value or b"").decode() for name, value in headers}
    return {"topic": example.TOPIC, "key": (key or b"").decode(), "headers": named, "body": json.loads(body)}


def consumers() -> dict[str, list[str]]:
    """Which services have a handler for each type."""
    found: dict[str, list[str]] = {}
    for service in LISTENERS:
        for kind in import_module(f"services.{service}.handlers").HANDLERS:
            found.setdefault(kind.TYPE, []).append(service.replace("_", "-"))
    return found


# -- AsyncAPI 3 -----------------------------------------------------------------------------------------------------


def asyncapi() -> dict[str, Any]:
    """The document by which any client can publish commands and follow events."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Belay",
            "version": "1.0.0",
            "description": "Commands and events of Belay on Kafka: CloudEvents 1.0, binary mode. "
            "Topic names carry a prefix, `belay.` unless set otherwise.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in _topics()},
        "operations": {name: operation for topic in _topics() for name, operation in _operations(topic).items()},
        "components": {
            "messages": {_name(kind): _message(kind) for kind in sorted(said(), key=lambda kind: kind.TYPE)},
            "schemas": {"cloudevent_headers": HEADERS},
        },
    }


HEADERS = {
    "type": "object",
    "required": ["ce_id", "ce_type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "maxLength": 200, "description": "of a command: answers name it"},
        "ce_type": {"type": "string"},
        "ce_source": {"type": "string"},
        "ce_subject": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_correlationid": {"type": "string"},
        "ce_causationid": {"type": "string"},
        "ce_sequence": {"type": "string", "description": "rises by one for each subject"},
        "ce_traceparent": {"type": "string"},
        "ce_actor": {"type": "string"},
    },
}


def _topics() -> list[str]:
    return sorted({kind.TOPIC for kind in said()})


def _kinds(topic: str) -> list[type[Message]]:
    return [kind for kind in said() if topic == kind.TOPIC]


def _channel(topic: str) -> dict[str, Any]:
    t = TOPICS[topic]
    configuration: dict[str, Any] = {"cleanup.policy": ["compact" if t.compacted else "delete"]}
    if not t.compacted:
        configuration["retention.ms"] = int(t.config["retention.ms"])
    return {
        "address": f"belay.{topic}",
        "messages": {_name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in _kinds(topic)},
        "bindings": {"kafka": {"partitions": t.partitions, "topicConfiguration": configuration}},
    }


def _operations(topic: str) -> dict[str, Any]:
    commands = topic.endswith(".commands")
    name = topic.replace(".", "_")
    reference = {"$ref": f"#/channels/{topic.replace('/', '~1')}"}
    action, word = ("receive", "take") if commands else ("send", "say")
    return {f"{word}_{name}": {"action": action, "channel": reference}}


def _message(kind: type[Message]) -> dict[str, Any]:
    schema = schema_of(kind)
    return {
        "name": kind.TYPE,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/cloudevent_headers"},
        "payload": {"schemaFormat": "application/schema+json;version=draft-07", "schema": _rebased(schema, kind)},
        "bindings": {"kafka": {"key": {"type": "string", "description": key_of(kind)}}},
    }


def key_of(kind: type[Message]) -> str:
    """What the Kafka key is: a field, or what a property makes of fields, in the words of its docstring."""
    name = kind.KEY or kind.SUBJECT
    if name in kind.model_fields:
        return f"the field `{name}`"
    return str(getattr(kind, name).__doc__).partition(";")[0]


def _rebased(schema: Any, kind: type[Message]) -> Any:
    """References inside a payload, which pydantic writes from the schema's root, from the document's root."""
    root = f"#/components/messages/{_name(kind)}/payload/schema/"
    if isinstance(schema, dict):
        dropped = {"$schema", "$id"}
        return {
            key: value.replace("#/", root) if key == "$ref" else _rebased(value, kind)
            for key, value in schema.items()
            if key not in dropped
        }
    return [_rebased(item, kind) for item in schema] if isinstance(schema, list) else schema


def _name(kind: type[Message]) -> str:
    return kind.TYPE.removeprefix("belay.").replace(".", "_")


# -- README -----------------------------------------------------------------------------------------------------


def readme() -> str:
    """The table of all messages, under the text that people wrote."""
    listening = consumers()
    rows = [
        f"| `{kind.TYPE}` | {kind.TOPIC} | {key_of(kind).removeprefix('the field ')} | "
        f"{'anyone' if issubclass(kind, Command) else OWNERS.get(kind.OWNER, kind.OWNER)} | "
        f"{', '.join(listening.get(kind.TYPE, [])) or 'anyone who follows'} |"
        for kind in sorted(said(), key=lambda k: (k.TOPIC, k.TYPE))
    ]
    head = (HERE / "README.head.md").read_text()
    return "\n".join(
        [head.rstrip(), "", "| type | topic | key | producer | consumers |", "|---|---|---|---|---|", *rows, ""]
    )


def text_of(value: Any) -> str:
    """JSON as it is committed."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check; 1 when something differs or would break its users."""
    stale, broken = [], []
    for path, text in documents().items():
        before = path.read_text() if path.exists() else None
        if before == text or (before is not None and path.parent.name == "samples"):
            continue
        if before is not None and path.parent.parent == HERE and path.parent.name != "samples":
            broken += [f"{path.relative_to(HERE)}: {reason}" for reason in breaks(json.loads(before), json.loads(text))]
        stale.append((path, text))
    if broken and "--force" not in arguments:
        sys.stderr.write("these changes break who uses the message; make a new version:\n" + "\n".join(broken) + "\n")
        return 1
    if "--check" in arguments:
        sys.stderr.writelines(f"not current, run `make schemas`: {path.relative_to(HERE)}\n" for path, _ in stale)
        return 1 if stale else 0
    for path, text in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
