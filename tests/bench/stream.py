"""How old an event is when a page sees it: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.messages.strategy import SitesHeld, StageProgressed, StepsChanged, StrategyStateChanged
from tests.bench.kafka_log import Entry

TOPICS = ("catalog.events", "deployer.events", "strategy.events", "notifier.events", "monitor.events")
MUST_COME = {kind.TYPE for kind in (StageProgressed, StepsChanged, StrategyStateChanged)}
"""What the board of a strategy lives on."""


@dataclass(frozen=True, slots=True)
class View:
    """Milliseconds from Kafka to the page for each event seen, and of them for those that came after the plan and the
    holds, which tell of every site at once; how many never came that a page needs.
    """

    ms: list[float]
    running_ms: list[float]
    missed: int


def parse(notes: str) -> dict[str, float]:
    """When each event was first seen, by its id, from the notes of a page."""
    rows = [line.split(" ") for line in notes.splitlines()]
    return {identifier: float(at) for at, _, identifier in reversed(rows)}


def view(entries: Iterable[Entry], seen: dict[str, float]) -> View:
    """Each event of the log against the moment at which the page had it.

    Kafka's time of a record is in whole milliseconds, and that at which it was given to the producer.
    """
    found = list(entries)
    held_at = max((entry.sent_at for entry in found if entry.type == SitesHeld.TYPE), default=0.0)
    ages = [((seen[entry.id] - entry.sent_at) * 1000, entry.sent_at) for entry in found if entry.id in seen]
    missed = sum(entry.type in MUST_COME for entry in found if entry.id not in seen)
    return View([ms for ms, _ in ages], [ms for ms, sent_at in ages if sent_at > held_at], missed)
