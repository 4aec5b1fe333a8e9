"""What will go wrong in a round, drawn from its seed before it begins: pure, so the same seed is the same campaign.

Two tracks run beside each other. On the heavy one processes die, freeze and come back; each fault there waits until
work goes on again, unless it was drawn to strike in the middle of a recovery. On the light one connections are cut and
records are doubled, replayed or hostile, whatever else happens.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.faults.saboteur import points

VICTIMS = {"deployer": 5, "strategy_orchestrator": 5, "gateway": 2, "notifier": 1, "catalog": 1, "monitor": 1}
"""How often each service is struck, in proportion."""

CORE = ("deployer", "strategy_orchestrator")
TOPICS = (
    "catalog.commands",
    "catalog.events",
    "deployer.commands",
    "deployer.events",
    "deployer.facts",
    "strategy.commands",
    "strategy.events",
    "site.state",
    "notifier.commands",
    "notifier.events",
    "monitor.events",
)
OWNERS = ("catalog", "deployer", "strategy_orchestrator", "notifier", "gateway")

CONSUMERS = {service: VICTIMS[service] for service in points.CONSUMERS}
TARGETS: dict[str, tuple[str, ...] | dict[str, int]] = {
    "kill_service": VICTIMS,
    "freeze_service": VICTIMS,
    "kill_at_point": CONSUMERS,
    "freeze_at_point": CONSUMERS,
    "kill_kafka": ("kafka",),
    "stop_postgres": ("postgres",),
    "cut_connections": OWNERS,
    "late_report": ("deployer",),
    "full_disk": ("gateway",),
    "giant_refusal": ("strategy.commands",),
    **dict.fromkeys(("duplicate_records", "reorder_records"), OWNERS),
    **dict.fromkeys(("join_replica", "skew_clock", "stall_relay"), CORE),
}
"""What a kind may strike, in proportion where it says so; all others strike a topic."""

HEAVY = {
    "kill_service": 30,
    "kill_at_point": 45,
    "freeze_service": 10,
    "freeze_at_point": 12,
    "kill_kafka": 7,
    "stop_postgres": 9,
    "join_replica": 9,
    "skew_clock": 5,
    "stall_relay": 3,
}
LIGHT = {
    "cut_connections": 50,
    "unreadable_record": 7,
    "hostile_record": 7,
    "packed_record": 5,
    "sized_record": 4,
    "odd_headers": 5,
    "giant_refusal": 3,
    "replay_records": 14,
    "duplicate_records": 6,
    "reorder_records": 6,
    "late_report": 4,
    "full_disk": 3,
}
CHEAP = frozenset(HEAVY) - {"stall_relay"} | frozenset(LIGHT)
"""Kinds that a short round can afford."""

SECONDS = {
    "freeze_service": (3.0, 5.0),
    "freeze_at_point": (3.0, 5.0),
    "join_replica": (5.0, 10.0),
    "skew_clock": (8.0, 12.0),
    "stall_relay": (10.0, 10.0),
    "late_report": (3.0, 4.0),
    "duplicate_records": (2.0, 4.0),
    "reorder_records": (2.0, 4.0),
    "full_disk": (1.0, 2.0),
}
"""How long those last that last: a freeze is longer than every session and lease of the campaign (2 s)."""


Manner = Literal["next", "on top", "alone"]
"""Of a heavy fault: after the one before has been overcome; whether or not it has; or with no other beside it until
it has been overcome itself, so that the time this takes can be measured."""

MANNERS: tuple[Manner, ...] = ("next", "on top", "alone")


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault to come, `at` seconds after the round began at the earliest. `draw` is for all else it chooses."""

    at: float
    kind: str
    target: str
    point: str = ""
    passes: int = 1
    seconds: float = 0.0
    manner: Manner = "next"
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """Mean seconds between two faults of each track."""

    heavy: float = 1.8
    light: float = 1.2


def draw(seed: int, seconds: float, pace: Pace, kinds: frozenset[str] | None = None) -> list[Planned]:
    """Every fault of a round of so many seconds, in order of time; of these kinds only, if any are given."""
    random = Random(seed)  # noqa: S311 - it must be repeatable, not secret
    heavy = _track(random, HEAVY, pace.heavy, seconds, kinds)
    light = _track(random, LIGHT, pace.light, seconds, kinds)
    return sorted([*heavy, *light], key=lambda planned: planned.at)


def _track(
    random: Random, weights: dict[str, int], gap: float, seconds: float, kinds: frozenset[str] | None
) -> list[Planned]:
    chosen = {kind: weight for kind, weight in weights.items() if kinds is None or kind in kinds}
    planned: list[Planned] = []
    at = random.uniform(0, gap)
    while chosen and at < seconds:
        kind = random.choices(list(chosen), list(chosen.values()))[0]
        planned.append(_one(random, at, kind))
        at += random.uniform(0.4, 1.6) * gap
    return planned


def _one(random: Random, at: float, kind: str) -> Planned:
    target = _target(random, kind)
    point = _point(random, kind, target)
    shortest, longest = SECONDS.get(kind, (0.0, 0.0))
    return Planned(
        at=round(at, 3),
        kind=kind,
        target=target,
        point=point,
        passes=random.randint(1, 12) if point not in points.AT_START else 1,
        seconds=round(random.uniform(shortest, longest), 2),
        manner=random.choices(MANNERS, (3, 5, 2))[0],
        draw=random.getrandbits(32),
    )


def _target(random: Random, kind: str) -> str:
    choice = TARGETS.get(kind, TOPICS)
    if isinstance(choice, tuple):
        return random.choice(choice)
    return random.choices(list(choice), list(choice.values()))[0]


def _point(random: Random, kind: str, service: str) -> str:
    if kind == "kill_at_point":
        return random.choice([*points.of_service(service), *points.at_start_of(service)])
    return random.choice(points.of_service(service)) if kind == "freeze_at_point" else ""
