"""The named points of the services' cycle at which a process can be killed or frozen: one table.

A point is a call that services make on their way: a named query of a .sql file, or a method. All that is known of the
inside of the product stands here; what is not there any more is said at the start of a saboteur.
"""

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

CONSUMERS = ("deployer", "strategy_orchestrator", "gateway", "notifier")
WORKERS = ("deployer", "strategy_orchestrator")
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Point:
    """Before or after a call. `query` names one of a .sql file; `call` is `module:Class.method`.

    An empty result after a call does not count as a pass: nothing was polled, claimed or taken.
    """

    between: str
    when: Literal["before", "after"]
    services: tuple[str, ...]
    query: str = ""
    call: str = ""


SEND = "shared.core.relay:Relay._send"
COMMIT = "asyncpg.transaction:Transaction.__aexit__"
POLL = "aiokafka:AIOKafkaConsumer.getmany"
START = "services.deployer.drivers.simulated.driver:SimulatedDriver.start"
HEARTBEAT = "extend_runner"
STORE = "obstore:put_async"

POINTS: dict[str, Point] = {
    "polled": Point("poll and transaction", "after", CONSUMERS, call=POLL),
    "advanced": Point("offset and effects", "after", CONSUMERS, query="advance_partitions"),
    "answered": Point("answer and commit", "after", WORKERS, query="keep_answers"),
    "filled": Point("outbox and commit", "after", WORKERS, query="put_outbox"),
    "committing": Point("effects and commit", "before", CONSUMERS, call=COMMIT),
    "committed": Point("commit and send", "after", CONSUMERS, call=COMMIT),
    "sending": Point("outbox and send", "before", WORKERS, call=SEND),
    "sent": Point("send and delete", "before", WORKERS, query="delete_outbox"),
    "cleared": Point("delete and the next batch", "after", WORKERS, query="delete_outbox"),
    "taken": Point("an operation taken up and its commit", "after", ("deployer",), query="insert_operations"),
    "claimed": Point("claim and work", "after", ("deployer",), query="claim_operations"),
    "begun": Point("the device and its result", "after", ("deployer",), call=START),
    "finished": Point("result and commit", "after", ("deployer",), query="finish_operations"),
    "extending": Point("heartbeat and lease", "before", ("deployer",), query=HEARTBEAT),
    "timed": Point("timer taken and commit", "after", ("strategy_orchestrator",), query="take_due_timers"),
    "assigned": Point("new epoch and first poll", "after", CONSUMERS, query="assign_partitions"),
}

AT_START = ("assigned", "claimed")
"""Reached when a process takes over what another left; all others again and again under load."""

WINDOWS = {
    "stall_relay": SEND,
    "duplicate_records": SEND,
    "reorder_records": SEND,
    "full_disk": STORE,
    "deaf_heartbeat": HEARTBEAT,
}
"""What can be wrong for a while, and the call or query that is then changed."""

AMISS = "put the table of tests/faults/saboteur/points.py right"


def of_service(service: str) -> list[str]:
    """The points that a service passes again and again."""
    return [name for name, point in POINTS.items() if service in point.services and name not in AT_START]


def at_start_of(service: str) -> list[str]:
    """The points that a service passes when it takes over."""
    return [name for name in AT_START if service in POINTS[name].services]


def found(call: str) -> tuple[Any, str]:
    """The owner and name of a call `module:Class.method` or `module:function`. Raises LookupError when it is gone."""
    module, _, path = call.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for part in owners:
        owner = getattr(owner, part, None)
    if not hasattr(owner, name):
        raise LookupError(f"there is no {call} any more: {AMISS}")
    return owner, name


def check() -> None:
    """Raises LookupError for points and windows that do not exist in the product any more."""
    for call in (SEND, COMMIT, POLL, START, STORE):
        found(call)
    files = (*ROOT.glob("shared/core/*.sql"), *ROOT.glob("services/*/*.sql"))
    known = {name for file in files for name in re.findall(r"^-- name: (\w+)", file.read_text(), re.MULTILINE)}
    wanted = {point.query for point in POINTS.values() if point.query} | {HEARTBEAT}
    if missing := sorted(wanted - known):
        raise LookupError(f"there are no queries {missing} any more: {AMISS}")
