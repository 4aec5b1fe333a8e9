"""After a process died, work goes on: the time from the fault to the next finished step."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from tests.faults.checker.journal import Order, told
from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import by_strategy
from tests.faults.evidence import KINDS, Fault, Kind

LIMIT_SECONDS = 10.0
FINISHED = ("complete", "failed")
UNKNOWN = Kind("a kind that the table does not have", disturbs=True)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Of one fault: seconds until the next finished step, without the time that its device itself took.

    `seconds` is None where nothing can be said, and `why` says why not. `alone`: no other fault came between.
    `down`: how long what was killed itself was away, where the fault says so (a server until it was started again).
    """

    kind: str
    target: str
    at: float
    seconds: float | None
    why: str = ""
    alone: bool = False
    down: float = 0.0


@dataclass(frozen=True, slots=True)
class Finish:
    """When it was published that steps finished, and by which operations."""

    at: float
    operations: tuple[str, ...]


def recoveries(evidence: Evidence) -> list[Recovery]:
    """One for each fault after which the time is bounded."""
    finishes, work = _finishes(evidence), _work(evidence)
    devices = told(evidence).operations()
    disturbances = [f for f in evidence.faults if KINDS.get(f.kind, UNKNOWN).disturbs]
    measured = [f for f in evidence.faults if KINDS.get(f.kind, UNKNOWN).recovers]
    return [_recovery(f, finishes, work, devices, [o for o in disturbances if o is not f]) for f in measured]


def _recovery(
    fault: Fault,
    finishes: list[Finish],
    work: list[tuple[float, float]],
    devices: dict[str, list[Order]],
    others: list[Fault],
) -> Recovery:
    at = fault.at.timestamp()
    facts = (fault.kind, fault.target, at)
    due_until = next((end for begin, end in work if begin <= at < end), None)
    if due_until is None or _waits_for_devices(at, devices.values()):
        return Recovery(*facts, None, "no work was due")
    finish = _next(finishes, at, devices)
    if finish is None:
        return Recovery(*facts, None, "never") if due_until > at + LIMIT_SECONDS else Recovery(*facts, None, "the end")
    between = {o.kind for o in others if o.at.timestamp() < finish.at and (o.ended_at or o.at).timestamp() >= at}
    if "skew_clock" in between:
        return Recovery(*facts, None, "a clock was wrong")
    own = min(_device_seconds(devices.get(one, ()), at, finish.at) for one in finish.operations)
    seconds = max(finish.at - at - own, 0.0)
    if seconds > LIMIT_SECONDS and between:
        return Recovery(*facts, None, "another fault came between")
    return Recovery(*facts, seconds, alone=not between, down=(fault.ended_at or fault.at).timestamp() - at)


def _next(finishes: list[Finish], at: float, devices: dict[str, list[Order]]) -> Finish | None:
    """The first finish after a moment that was not on its way already: its device was asked after that moment.

    Where there is none, any that came after it.
    """
    later = finishes[bisect_right(finishes, at, key=lambda finish: finish.at) :]
    for finish in later:
        if fresh := tuple(one for one in finish.operations if _asked_after(at, devices.get(one, []))):
            return Finish(finish.at, fresh)
    return later[0] if later else None


def _asked_after(at: float, orders: list[Order]) -> bool:
    return bool(orders) and max(order.told or at for order in orders) >= at


def _waits_for_devices(at: float, devices: Iterable[list[Order]]) -> bool:
    """Whether all that was under way were devices that never answer: then only their time limit ends them."""
    open_ = [o for orders in devices for o in orders if o.began <= at and (o.told is None or o.told > at)]
    return bool(open_) and all(order.due is None for order in open_)


def _device_seconds(orders: Iterable[Order], begin: float, end: float) -> float:
    """How long the devices of an operation worked between two moments: no service could have been faster."""
    spans = ((max(o.began, begin), min(end if o.due is None else o.due, end)) for o in orders)
    return sum(max(last - first, 0.0) for first, last in spans)


def _finishes(evidence: Evidence) -> list[Finish]:
    found = []
    for record in evidence.named("strategy.events", "steps_changed"):
        ended = tuple(s["operation_id"] for s in record.body["steps"] if s["state"] in FINISHED and s["operation_id"])
        if ended:
            found.append(Finish(record.timestamp, ended))
    return sorted(found, key=lambda finish: finish.at)


def _work(evidence: Evidence) -> list[tuple[float, float]]:
    """Spans of time in which some strategy had sites running, or waiting for nothing but a slot."""
    spans = []
    for records in by_strategy(evidence).values():
        since, state, stages = None, "", {}
        for record in records:
            if record.name == "strategy_state_changed":
                state = record.body["state"]
            elif record.name == "stage_progressed":
                stages[record.body["stage"]] = record.body
            busy = any(_busy(stage, state) for stage in stages.values())
            if busy and since is None:
                since = record.timestamp
            elif not busy and since is not None:
                spans.append((since, record.timestamp))
                since = None
        if since is not None:
            spans.append((since, evidence.run.ended_at.timestamp()))
    return spans


def _busy(stage: dict[str, object], state: str) -> bool:
    counts = stage["counts"]
    assert isinstance(counts, dict)
    return bool(counts["running"]) or bool(state == "applying" and stage["state"] == "running" and counts["waiting"])


def recovery_takes_seconds(evidence: Evidence) -> RuleResult:
    """At most 10 s from SIGKILL of a service, Kafka or PostgreSQL to the next finished step.

    Measured where work was due. The time that the device itself took is not counted; that of other faults which came
    between is, and only where it made the time too long nothing is said.
    """
    result = RuleResult("recovery_takes_seconds")
    by_kind: dict[str, list[float]] = defaultdict(list)
    left: dict[str, int] = defaultdict(int)
    for recovery in recoveries(evidence):
        name = f"{recovery.kind} {recovery.target.rstrip('0123456789').rstrip('-')}"
        if recovery.seconds is None and recovery.why != "never":
            left[name] += 1
            continue
        late = recovery.seconds is None or recovery.seconds > LIMIT_SECONDS
        by_kind[name].append(recovery.seconds or 0.0)
        took = recovery.why or f"{recovery.seconds:.1f} s, of which it was itself away {recovery.down:.1f} s"
        result.expect(not late, f"{name} at {recovery.at:.3f}", f"next finished step: {took}")
    for name in sorted(by_kind.keys() | left.keys()):
        result.notes.append(f"{name}: {_summary(by_kind[name])}; {left[name]} not measured")
    return result


def _summary(seconds: list[float]) -> str:
    if not seconds:
        return "none measured"
    return f"{len(seconds)} measured, p50 {median(seconds):.1f} s, max {max(seconds):.1f} s"
