"""Limits hold at every instant, by the devices' own journal: how many at once, which stage, and not after a stop."""

from collections import Counter, defaultdict
from itertools import groupby
from typing import Any

from tests.faults.checker.journal import told
from tests.faults.checker.reading import Evidence
from tests.faults.checker.record import Record
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import by_strategy, operations, stage_of, step_of

Place = tuple[str, int]
"""Strategy and stage."""


def _moments(evidence: Evidence) -> list[tuple[int, int, str, Place]]:
    """Begin (1) and end (-1) of each step's operation at the devices, in the order of the journal.

    An operation goes on from the first line of its first order to the last line of its last one, the way back included.
    """
    stages = stage_of(evidence)
    moments = []
    for identifier, orders in told(evidence).operations().items():
        step = step_of(identifier)
        if step and (step.strategy, step.position) in stages:
            place = (step.strategy, stages[step.strategy, step.position])
            moments.append((min(o.first for o in orders), 1, identifier, place))
            if all(o.last is not None for o in orders):
                moments.append((max(o.last or 0 for o in orders), -1, identifier, place))
    return sorted(moments)


def max_parallel_holds(evidence: Evidence) -> RuleResult:
    """At no instant more sites of a stage are being changed than its limit allows, nor does a stage ever say so."""
    result = RuleResult("max_parallel_holds")
    limits = {
        (r["strategy_id"], r["position"]): r["max_parallel"] for r in evidence.table("strategy_orchestrator.stage")
    }
    running: Counter[Place] = Counter()
    for line, change, identifier, place in _moments(evidence):
        running[place] += change
        if change > 0:
            detail = (
                f"journal line {line + 1}: {running[place]} of stage {place[1]} at once, allowed {limits.get(place)}"
            )
            result.expect(running[place] <= limits.get(place, 0), identifier, detail)
    for record in evidence.named("strategy.events", "stage_progressed"):
        count, limit = record.body["counts"]["running"], record.body["max_parallel"]
        result.expect(count <= limit, record.place, f"says that {count} run, of {limit}")
    return result


def group_limits_hold(evidence: Evidence) -> RuleResult:
    """At no instant strategies change more sites of a group than its limit allows, whichever strategies they are.

    The widest limit that was ever told of a group counts, of all sites that were ever in it; a site that went from one
    group to another is nobody's. What a person does to a single site does not count.
    """
    result = RuleResult("group_limits_hold")
    groups = _groups(evidence)
    limits = _widest(evidence, Counter(groups.values()))
    sites = {identifier: orders[0].site for identifier, orders in told(evidence).operations().items()}
    running: Counter[str] = Counter()
    for line, change, identifier, _ in _moments(evidence):
        if (group := groups.get(sites[identifier])) is None:
            continue
        running[group] += change
        if change > 0:
            detail = f"journal line {line + 1}: {running[group]} of {group} at once, allowed {limits.get(group)}"
            result.expect(running[group] <= limits.get(group, 0), identifier, detail)
    return result


def _groups(evidence: Evidence) -> dict[str, str]:
    """The group of each site that was never in another one."""
    known: dict[str, set[str | None]] = defaultdict(set)
    for record in evidence.named("strategy.events", "sites_changed"):
        for site in record.body["sites"]:
            known[site["name"]].add(site["group"])
    return {site: group for site, groups in known.items() if len(groups) == 1 and (group := next(iter(groups)))}


def _widest(evidence: Evidence, sizes: Counter[str]) -> dict[str, int]:
    limits: Counter[str] = Counter()
    for record in evidence.named("strategy.events", "group_changed"):
        name, limit = record.body["name"], record.body["max_parallel"]
        if record.body["apply_type"] == "serial":
            limit = 1
        elif isinstance(limit, str):
            limit = max(1, -(-sizes[name] * int(limit[:-1]) // 100))
        limits[name] = max(limits[name], limit)
    return dict(limits)


def stages_come_in_order(evidence: Evidence) -> RuleResult:
    """While a site of one stage is being changed, none of another stage of that strategy begins.

    So the limit of the stage is the limit of the strategy.
    """
    result = RuleResult("stages_come_in_order")
    running: dict[str, Counter[int]] = defaultdict(Counter)
    for line, change, identifier, (strategy, stage) in _moments(evidence):
        here = running[strategy]
        here[stage] += change
        if change > 0:
            others = sorted(number for number, count in here.items() if count and number != stage)
            result.expect(not others, identifier, f"journal line {line + 1}: began while stages {others} went on")
    return result


def stopped_means_stopped(evidence: Evidence) -> RuleResult:
    """No step begins in a strategy that is not being applied: ready, paused, being aborted, or ended."""
    result = RuleResult("stopped_means_stopped")
    for strategy, records in by_strategy(evidence).items():
        state = ""
        for _, turn in groupby(records, key=lambda record: record.body.get("at")):
            told_now = list(turn)  # of one transaction, which may move a strategy several times: steps before state
            for number, record in enumerate(told_now):
                begun, after = _begun(record), _next_state(told_now[number:]) or state
                allowed = "applying" in (state, after)
                result.expect(allowed or not begun, strategy, f"{record.place}: began {begun} while it was {after}")
                state = _next_state([record]) or state
    return result


def _next_state(records: list[Record]) -> str:
    return next((str(r.body["state"]) for r in records if r.name == "strategy_state_changed"), "")


def _begun(record: Record) -> list[str]:
    return [step["site"] for step in _steps(record)]


def _steps(record: Record) -> list[dict[str, Any]]:
    """The steps that a record says have begun."""
    steps = record.body["steps"] if record.name == "steps_changed" else []
    return [step for step in steps if step["state"] == "running"]


def what_begins_is_asked_for(evidence: Evidence) -> RuleResult:
    """Each step that begins asks the deployer for its operation, and nothing else does: no order lost, none made up."""
    result = RuleResult("what_begins_is_asked_for")
    known = {row["id"] for row in evidence.table("strategy_orchestrator.strategy")}
    begun = {s["operation_id"] for records in by_strategy(evidence).values() for r in records for s in _steps(r)}
    found = ((step_of(o.id), o) for o in operations(evidence).values() if o.asked)
    asked = {o.id for step, o in found if step and step.strategy in known}
    for operation in begun | asked:
        detail = f"its step began: {operation in begun}, the deployer was asked: {operation in asked}"
        result.expect(operation in begun and operation in asked, operation, detail)
    return result


def one_strategy_a_site(evidence: Evidence) -> RuleResult:
    """A site is never held by two strategies, by the order of the fleet's own events."""
    result = RuleResult("one_strategy_a_site")
    holder: dict[str, str] = {}
    for record in sorted(evidence.named("strategy.events", "sites_held", "sites_released"), key=lambda r: r.sequence):
        strategy = record.body["strategy_id"]
        if record.name == "sites_released":
            holder = {site: held for site, held in holder.items() if held != strategy}
            continue
        for site in record.body["names"]:
            other = holder.setdefault(site, strategy)
            result.expect(other == strategy, site, f"{record.place}: {strategy} holds it while {other} does")
    return result
