"""What is promised about messages: current schemas, samples that are read for ever, one producer, documented topics."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas import export
from schemas.compatibility import breaks
from schemas.examples import EXAMPLES
from shared.messages import REGISTRY
from shared.messages.base import Command, Message
from shared.wire.codec import decode
from shared.wire.topics import TOPICS
from tests.support.tomorrow import sample_of_tomorrow

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "schemas/samples").glob("*.json"))
ANSWERS = {"CommandAccepted", "CommandRejected"}
FOLDED = {"belay.strategy.register_sites.v1"}
"""What its first sample says is read in today's words."""
FOR_ANYONE = {"SiteState"}
"""No service needs it: the compacted topic tells programs of others what runs on each site."""


@dataclass
class Record:
    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    partition: int = 0
    offset: int = 0


def test_what_is_committed_is_current() -> None:
    assert export.main(["--check"]) == 0


def test_every_message_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(export.said())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_every_sample_ever_published_is_still_read(path: Path) -> None:
    sample = json.loads(path.read_text())
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    record = Record(sample["topic"], sample["key"].encode(), json.dumps(sample["body"]).encode(), headers)
    read = decode(record)
    assert read.data.key == sample["key"]
    assert REGISTRY[sample["headers"]["ce_type"]].read_as() is type(read.data)
    same_words = sample["headers"]["ce_type"] in {type(read.data).TYPE} - FOLDED
    assert not same_words or subset(sample["body"], read.data.model_dump(mode="json"))


def test_a_release_of_the_first_version_is_read_as_one_of_today() -> None:
    sample = json.loads((ROOT / "schemas/samples/belay.catalog.release_available.v1.json").read_text())
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    read: Any = decode(Record(sample["topic"], b"shop", json.dumps(sample["body"]).encode(), headers)).data
    (old,), (new,) = sample["body"]["components"], read.components
    assert (new.driver, new.name, new.after) == (old["driver"], old["name"], ())
    assert new.spec == {field: value for field, value in old.items() if field not in ("driver", "name")}


@pytest.mark.parametrize("name", ["register_sites", "sites_changed"])
def test_the_driver_and_params_of_a_site_are_read_as_its_connection(name: str) -> None:
    sample = json.loads((ROOT / f"schemas/samples/belay.strategy.{name}.v1.json").read_text())
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    read: Any = decode(Record(sample["topic"], b"fleet", json.dumps(sample["body"]).encode(), headers)).data
    (old,), (new,) = sample["body"]["sites"], read.sites
    assert new.connections == {old["driver"]: old["params"]}
    assert new.labels == old["labels"]


def subset(old: Any, new: Any) -> bool:
    """Whether all that the sample says is still said; fields may have been added since."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(key in new and subset(value, new[key]) for key, value in old.items())
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(subset, old, new))
    return bool(old == new)


@pytest.mark.parametrize("kind", export.said(), ids=lambda k: k.TYPE)
def test_a_sample_fits_its_schema(kind: type[Message]) -> None:
    schema = json.loads(export.schema_path(kind).read_text())
    sample = json.loads(export.sample_path(kind).read_text())
    jsonschema.Draft202012Validator(schema).validate(sample["body"])


def test_the_asyncapi_document_is_valid_asyncapi_3() -> None:
    document = json.loads((ROOT / "schemas/asyncapi.json").read_text())
    rules = json.loads((ROOT / "tests/contract/data/asyncapi-3.0.0.json").read_text())
    jsonschema.Draft7Validator(rules).validate(document)
    assert {f"belay.{name}" for name in TOPICS if not name.endswith(".dlq")} == {
        channel["address"] for channel in document["channels"].values()
    }


def test_references_in_the_asyncapi_document_lead_somewhere() -> None:
    text = (ROOT / "schemas/asyncapi.json").read_text()
    document = json.loads(text)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        here = document
        for part in reference.split("/"):
            here = here[part.replace("~1", "/")]


def test_every_message_travels_on_a_topic_that_is_created() -> None:
    assert {kind.TOPIC for kind in REGISTRY.values()} <= set(TOPICS)


def test_every_command_has_exactly_one_taker_and_every_event_one_owner() -> None:
    listening = export.consumers()
    for kind in export.said():
        if issubclass(kind, Command):
            assert len(listening.get(kind.TYPE, [])) == 1, kind.TYPE
        elif kind.__name__ not in ANSWERS | FOR_ANYONE:
            assert listening.get(kind.TYPE), f"nobody listens to {kind.TYPE}"


def test_only_the_owner_says_an_event() -> None:
    owners = {"strategy": "strategy_orchestrator"}
    events = {k.__name__: owners.get(k.OWNER, k.OWNER) for k in REGISTRY.values() if not issubclass(k, Command)}
    for path in (ROOT / "services").rglob("*.py"):
        service = path.relative_to(ROOT / "services").parts[0]
        made = set(re.findall(r"\b([A-Z]\w+)(?:\.model_construct)?\(", path.read_text()))
        imported = set(
            re.findall(
                r"\b([A-Z]\w+)\b",
                "\n".join(re.findall(r"from shared\.messages\.[^\n]*(?:\([^)]*\))?", path.read_text())),
            )
        )
        wrong = {n for n in made & imported & events.keys() if events[n] != service and n not in ANSWERS}
        assert not wrong, f"{path.relative_to(ROOT)} makes {wrong}"


OLD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "a": {"type": "string"},
        "b": {"$ref": "#/$defs/B"},
        "c": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["a"],
    "$defs": {"B": {"type": "object", "properties": {"x": {"enum": ["one", "two"]}}}},
}
OLD_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "closed": {"enum": ["one", "two"]},
        "perhaps": {"anyOf": [{"enum": ["one"]}, {"type": "null"}]},
        "open": {"type": "string", "x-extensible-enum": ["one"]},
    },
}


def event(**properties: Any) -> dict[str, Any]:
    return {**OLD_EVENT, "properties": {**OLD_EVENT["properties"], **properties}}


def changed(**properties: Any) -> dict[str, Any]:
    return {**OLD, "properties": {**OLD["properties"], **properties}}


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (changed(d={"type": "string"}), None),
        ({**OLD, "properties": {"a": {"type": "string"}}}, "the field is gone"),
        ({**changed(d={"type": "string"}), "required": ["a", "d"]}, "became required"),
        (changed(a={"type": "integer"}), "type string became integer"),
        (changed(c={"type": "array", "items": {"type": "string"}}), "type integer became string"),
        ({**OLD, "$defs": {"B": {"type": "object", "properties": {"x": {"enum": ["one"]}}}}}, "no longer takes two"),
    ],
)
def test_a_change_that_breaks_who_uses_a_message_is_found(new: dict[str, Any], reason: str | None) -> None:
    found = breaks(OLD, new)
    assert bool(found) is (reason is not None)
    assert reason is None or reason in found[0]


def test_an_owner_may_take_a_new_word_in_a_command() -> None:
    assert not breaks(
        OLD, {**OLD, "$defs": {"B": {"type": "object", "properties": {"x": {"enum": ["one", "two", "3"]}}}}}
    )


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (event(closed={"enum": ["one", "two", "three"]}), "closed: says three, which older readers refuse"),
        (event(perhaps={"anyOf": [{"enum": ["one", "two"]}, {"type": "null"}]}), "perhaps: says two"),
        (event(open={"type": "string", "enum": ["one"]}), "open: was open, and is closed now"),
        (event(closed={"type": "string", "x-extensible-enum": ["one", "two", "three"]}), None),
        (event(open={"type": "string", "x-extensible-enum": ["one", "two"]}), None),
    ],
)
def test_a_word_is_added_to_an_event_only_where_its_readers_know_that_words_come(
    new: dict[str, Any], reason: str | None
) -> None:
    found = breaks(OLD_EVENT, new)
    assert bool(found) is (reason is not None)
    assert reason is None or found[0].startswith(reason)


def test_no_event_has_a_closed_list_of_words() -> None:
    closed = {
        kind.TYPE: list(closed_words(export.schema_of(kind))) for kind in REGISTRY.values() if not kind.IS_COMMAND
    }
    assert not {name: words for name, words in closed.items() if words}


def closed_words(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if "enum" in schema:
            yield schema["enum"]
        for inner in schema.values():
            yield from closed_words(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from closed_words(inner)


@pytest.mark.parametrize("kind", [k for k in export.said() if not k.IS_COMMAND], ids=lambda k: k.TYPE)
def test_the_reader_of_today_takes_the_words_of_tomorrow_and_keeps_them(kind: type[Message]) -> None:
    topic, key, body, headers = sample_of_tomorrow(kind)
    read = decode(Record(topic, key, json.dumps(body).encode(), headers))
    assert subset(body, json.loads(read.data.model_dump_json()))
