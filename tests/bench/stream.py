"""How old an event is when a page sees it: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.messages.strategy import StageProgressed, StepsChanged, StrategyStateChanged
from tests.bench.kafka_log import Entry

TOPICS = ("catalog.events", "deployer.events", "strategy.events", "notifier.events", "monitor.events")
MUST_COME = {kind.TYPE for kind in (StageProgressed, StepsChanged, StrategyStateChanged)}
"""What the board of a strategy lives on."""


@dataclass(frozen=True, slots=True)
class View:
    """Milliseconds from Kafka to the page for each event seen; how many never came that a page needs."""

    ms: list[float]
    missed: int


def parse(notes: str) -> dict[str, float]:
    """When each event was first seen, by its id, from the notes of a page."""
    rows = [line.split(" ") for line in notes.splitlines()]
    return {identifier: float(at) for at, _, identifier in reversed(rows)}


def view(entries: Iterable[Entry], seen: dict[str, float]) -> View:
    """Each event of the log against the moment at which the page had it.

    Kafka's time of a record is in whole milliseconds, and that at which it was given to the producer.
    """
    ms, missed = [], 0
    for entry in entries:
        if entry.id in seen:
            ms.append((seen[entry.id] - entry.sent_at) * 1000)
        else:
            missed += entry.type in MUST_COME
    return View(ms, missed)
