"""What the topics tell of operations and strategies, put in order. Alone here it is known how messages say it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.faults.checker.reading import Evidence, once
from tests.faults.checker.record import Record

OVER = ("complete", "failed", "aborted")


class Step(NamedTuple):
    """Which step of which strategy, in which attempt."""

    strategy: str
    position: int
    attempt: int


def step_of(operation: str) -> Step | None:
    """Read from `<strategy>.<position>.<attempt>`; None for any other operation."""
    strategy, _, rest = operation.rpartition(".")
    strategy, _, position = strategy.rpartition(".")
    if strategy and position.isdigit() and rest.isdigit():
        return Step(strategy, int(position), int(rest))
    return None


@dataclass(slots=True)
class Operation:
    """All that was told of one operation.

    `taken`: the deployer said that it begins; `refused`: why it does not; `of_run`: it is part of a run over its site.
    """

    id: str
    site: str = ""
    app: str = ""
    asked: int = 0
    taken: bool = False
    of_run: bool = False
    refused: set[str] = field(default_factory=set)
    ends: list[dict[str, Any]] = field(default_factory=list)


@once
def operations(evidence: Evidence) -> dict[str, Operation]:
    """Every operation that anything was said of, by its id; previews are none."""
    found = {own.id: own for own in _own(evidence)}
    previews = set()
    for ask in _asks(evidence):
        if ask["preview"]:
            previews.add(ask["id"])
            continue
        operation = found.setdefault(ask["id"], Operation(ask["id"]))
        operation.site, operation.app, operation.asked = ask["site"], ask["app"], operation.asked + 1
    batches = _batches(evidence)
    for answer in evidence.answers.get("deployer", ()):
        for identifier, code in _answered(answer, batches):
            if code and identifier in found:
                found[identifier].refused.add(code)
            elif identifier in found:
                found[identifier].taken = True
    for end in _ends(evidence):
        found.setdefault(end["operation_id"], Operation(end["operation_id"])).ends.append(end)
    return {key: operation for key, operation in found.items() if key not in previews}


def _asks(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """Each command once: one asks for one operation, or for many of one strategy."""
    seen = set()
    for record in evidence.readable("deployer.commands"):
        body = record.body
        if record.id in seen or record.name not in ("request_operation", "request_operations"):
            continue
        seen.add(record.id)
        if record.name == "request_operation":
            preview = body.get("preview", False)
            yield {"id": record.id, "site": body["site"], "app": body["app"], "preview": preview}
            continue
        for one in body["operations"]:
            yield {"id": one["operation_id"], "site": one["site"], "app": body["app"], "preview": False}


def _own(evidence: Evidence) -> Iterator[Operation]:
    """What the deployer began without a command for each: by itself, and as part of runs over a site."""
    for record in evidence.named("deployer.events", "automatic_requested"):
        yield Operation(record.body["operation_id"], record.body["site"], record.body["app"], taken=True)
    for record in evidence.named("deployer.events", "site_run_changed"):
        for item in record.body["items"]:
            if item["operation_id"]:
                yield Operation(item["operation_id"], record.body["site"], item["app"], taken=True, of_run=True)


def _batches(evidence: Evidence) -> dict[str, list[str]]:
    return {
        record.id: [one["operation_id"] for one in record.body["operations"]]
        for record in evidence.readable("deployer.commands")
        if record.name == "request_operations"
    }


def _answered(answer: Record, batches: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Operation and code of its refusal ("" = taken) for each operation that an answer speaks of."""
    body = answer.body
    code = body["code"] if answer.name == "command_rejected" else ""
    if code == "command_id_reused":
        return
    if body["command_id"] not in batches:
        yield body["command_id"], code
        return
    refused = {r["operation_id"]: r["faults"][0]["code"] for r in body.get("result", {}).get("refused", ())}
    yield from ((one, code or refused.get(one, "")) for one in batches[body["command_id"]])


def _ends(evidence: Evidence) -> Iterator[dict[str, Any]]:
    for record in evidence.named("deployer.events", "operation_succeeded", "operation_failed"):
        yield {**record.body, "succeeded": record.name == "operation_succeeded"}
    for record in evidence.named("deployer.events", "operations_succeeded"):
        for one in record.body["operations"]:
            yield {**record.body, **one, "succeeded": True}


# -- strategies ---------------------------------------------------------------------------------------------------


@once
def by_strategy(evidence: Evidence) -> dict[str, list[Record]]:
    """The events of each strategy in the order of their sequence."""
    told: dict[str, list[Record]] = defaultdict(list)
    for record in evidence.events.get("strategy.events", ()):
        if "strategy_id" in record.body and not record.name.startswith("sites_"):
            told[record.body["strategy_id"]].append(record)
    for records in told.values():
        records.sort(key=lambda record: record.sequence)
    return told


@once
def stage_of(evidence: Evidence) -> dict[tuple[str, int], int]:
    """(strategy, position of a step) -> its stage."""
    rows = evidence.table("strategy_orchestrator.step")
    return {(row["strategy_id"], row["position"]): row["stage"] for row in rows}
