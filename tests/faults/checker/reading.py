"""Reads evidence into memory as it lies there, without judging it."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

import orjson

from tests.faults.checker.record import Record, answers, parse, why_not
from tests.faults.evidence import End, Fault, Run

DLQ = ".dlq"


@dataclass
class Evidence:
    """All of it. What is derived is made at the first use, so change nothing after that."""

    folder: Path
    run: Run
    faults: list[Fault]
    ends: list[End]
    topics: dict[str, list[Record]]
    tables: dict[str, list[dict[str, Any]]]
    journal: list[dict[str, Any]]
    logs: dict[str, list[str]]
    secrets: frozenset[str] = field(default=frozenset())
    derived: dict[Any, Any] = field(default_factory=dict)

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of `schema.table`. Raises KeyError for a table that is not there: nothing can be said of it."""
        return self.tables[name]

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """Records on live topics that the published schemas refuse: place -> why."""
        found = ((record.place, why_not(record)) for topic in self.live for record in self.topics[topic])
        return {place: why for place, why in found if why}

    @property
    def live(self) -> list[str]:
        """Topics that are not for dead letters."""
        return [topic for topic in self.topics if not topic.endswith(DLQ)]

    def readable(self, topic: str) -> Iterator[Record]:
        """Every readable record of a topic, repeated ones included, each partition in its order."""
        return (record for record in self.topics.get(topic, ()) if record.place not in self.unreadable)

    @cached_property
    def events(self) -> dict[str, list[Record]]:
        """By topic: events without answers, each by the first record of its id."""
        return {t: list(_once(r for r in self.readable(t) if not answers(r))) for t in self.live if _tells(t)}

    @cached_property
    def answers(self) -> dict[str, list[Record]]:
        """By owner: answers, each by the first record of its id."""
        return {
            t.split(".")[0]: list(_once(r for r in self.readable(t) if answers(r)))
            for t in self.live
            if t.endswith(".events")
        }

    def named(self, topic: str, *names: str) -> list[Record]:
        """Events of these names on a topic."""
        return [record for record in self.events.get(topic, ()) if record.name in names]


T = TypeVar("T")


def once(derive: Callable[[Evidence], T]) -> Callable[[Evidence], T]:
    """What is derived from evidence for several rules, made at the first use and kept as long as the evidence."""

    @wraps(derive)
    def kept(evidence: Evidence) -> T:
        if derive not in evidence.derived:
            evidence.derived[derive] = derive(evidence)
        found: T = evidence.derived[derive]
        return found

    return kept


def _tells(topic: str) -> bool:
    return topic.endswith((".events", ".facts")) or topic == "site.state"


def _once(records: Iterator[Record]) -> Iterator[Record]:
    seen: set[str] = set()
    for record in records:
        if record.id not in seen:
            seen.add(record.id)
            yield record


# -- files --------------------------------------------------------------------------------------------------------


def read(folder: Path) -> Evidence:
    """The evidence in a folder. Raises FileNotFoundError when it is none."""
    with _no_garbage():
        return Evidence(
            folder=folder,
            run=Run.model_validate_json((folder / "run.json").read_bytes()),
            faults=[Fault.model_validate(line) for line in _lines(folder / "faults.jsonl")],
            ends=[End.model_validate(line) for line in _lines(folder / "ends.jsonl")],
            topics={path.stem: _records(path) for path in sorted((folder / "topics").glob("*.jsonl"))},
            tables={path.stem: list(_lines(path)) for path in sorted((folder / "tables").glob("*.jsonl"))},
            journal=list(_lines(folder / "journal.jsonl")),
            logs={
                path.name: path.read_text(errors="replace").splitlines() for path in sorted((folder / "logs").iterdir())
            },
            secrets=frozenset(orjson.loads((folder / "secrets.json").read_bytes())),
        )


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Hundreds of thousands of small objects that all stay: looking for garbage among them takes most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)


def _records(path: Path) -> list[Record]:
    records = [parse(path.stem, line) for line in _lines(path)]
    return sorted(records, key=lambda record: (record.partition, record.offset))
