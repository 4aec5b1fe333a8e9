"""What happened to devices was asked for, happened once, and one thing at a time."""

from collections import defaultdict

from tests.faults.checker.journal import Order, given, told
from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import Operation, operations, step_of

BACK = "recover"
"""The leg of orders that turn an operation back."""


def no_effect_twice(evidence: Evidence) -> RuleResult:
    """A device begins and ends each order once, however often it was told to begin.

    A worker that takes up another's operation gives the same order again; the device does nothing at that.
    """
    result = RuleResult("no_effect_twice")
    journal = told(evidence)
    result.checked = len(journal.orders)
    for key, line, what in journal.wrong:
        result.refuse(key, f"journal line {line + 1}: {what}")
    return result


def one_operation_at_a_site(evidence: Evidence) -> RuleResult:
    """While an order of one operation is under way on a site, no other operation touches it, nor the same component."""
    result = RuleResult("one_operation_at_a_site")
    under_way: dict[str, dict[str, Order]] = defaultdict(dict)
    for number, line in given(evidence):
        here, key = under_way[line["site"]], line["order"]
        if line["effect"] != "started":
            here.pop(key, None)
            continue
        operation, place = key.split("/")[0], (line["app"], line["component"])
        others = [o.key for o in here.values() if o.operation != operation or o.place[1:] == place]
        result.expect(not others, line["site"], f"journal line {number + 1}: {key} began while {others} went on")
        here[key] = Order(key, line["site"], *place, line["action"], line["version"], number)
    return result


def devices_come_to_rest(evidence: Evidence) -> RuleResult:
    """In the end no device is still busy with an order: each was ended, or stopped."""
    result = RuleResult("devices_come_to_rest")
    for order in told(evidence).orders.values():
        result.expect(order.last is not None, order.key, f"began on {order.site} and never ended")
    return result


def every_effect_was_asked_for(evidence: Evidence) -> RuleResult:
    """Each order belongs to an operation that somebody asked for, on that site and app, and that the deployer took."""
    result = RuleResult("every_effect_was_asked_for")
    known = operations(evidence)
    for order in told(evidence).begun:
        operation = known.get(order.operation)
        asked = operation and operation.taken and (operation.site, operation.app) == (order.site, order.app)
        detail = f"{order.action} of {order.app} {order.version} on {order.site} was never asked for"
        result.expect(asked, order.key, detail)
    return result


def one_end_an_operation(evidence: Evidence) -> RuleResult:
    """Each operation that was taken ends once, as its row says and as the devices say."""
    result = RuleResult("one_end_an_operation")
    states = {row["id"]: row["state"] for row in evidence.table("deployer.operation")}
    touched = told(evidence).operations()
    for operation in operations(evidence).values():
        ends = operation.ends
        detail = f"taken: {operation.taken}, ends: {[end['succeeded'] for end in ends]}"
        result.expect(len(ends) == int(operation.taken), operation.id, detail)
        if ends:
            wanted = "succeeded" if ends[0]["succeeded"] else "failed"
            row = states.get(operation.id)
            result.expect(row == wanted, operation.id, f"it {wanted}, its row says {row}")
            fault = _against(operation, touched.get(operation.id, []))
            result.expect(not fault, operation.id, fault)
    return result


def _against(operation: Operation, orders: list[Order]) -> str:
    """What speaks against the end that was told, by the devices."""
    end = operation.ends[0]
    if end["succeeded"]:
        wrong = [o.key for o in orders if o.effect != "ended" or o.leg == BACK]
        missing = _changed(end) - {o.component for o in orders}
        return f"it succeeded, but {wrong} did not end well, and {missing} were not touched" if wrong or missing else ""
    back = [o for o in orders if o.leg == BACK]
    lost = [o.key for o in back if o.effect != "ended"]
    if end["recovered"] and lost:
        return f"it says recovered, but {lost} did not end well"
    return ""


def _changed(end: dict[str, list[dict[str, str]]]) -> set[str]:
    return {way["component"] for way in end.get("plan", ()) if way["action"] != "keep" and way["driver"] == "simulated"}


def one_effective_operation_a_step(evidence: Evidence) -> RuleResult:
    """A complete step is so by exactly one operation, that of its last attempt; any other failed or was refused.

    One whose site was where it should be is complete without any, and its last attempt was refused.
    """
    result = RuleResult("one_effective_operation_a_step")
    known: dict[tuple[str, int], list[tuple[int, Operation]]] = defaultdict(list)
    for operation in operations(evidence).values():
        if step := step_of(operation.id):
            known[step.strategy, step.position].append((step.attempt, operation))
    for row in evidence.table("strategy_orchestrator.step"):
        made = known.pop((row["strategy_id"], row["position"]), [])
        needed = row["state"] == "complete" and row.get("why_code") != "already_there"
        fault = _step_fault(row["state"], row["attempt"], row["site"], made, needed)
        result.expect(not fault, f"{row['strategy_id']}.{row['position']}", fault)
    for (strategy, position), made in known.items():
        result.refuse(f"{strategy}.{position}", f"there is no such step, but {[o.id for _, o in made]}")
    return result


KEPT_OUT = ("unmanaged", "in_maintenance", "site_offline")
"""What the precheck of a prestage finds of its site: nothing was begun there."""


def _kept_out(operation: Operation) -> bool:
    codes = [end["cause"]["code"] for end in operation.ends if not end["succeeded"] and end["kind"] == "prestage"]
    return bool(codes) and all(code in KEPT_OUT for code in codes)


def _step_fault(state: str, attempt: int, site: str, made: list[tuple[int, Operation]], needed: bool) -> str:
    good = [number for number, o in made if any(end["succeeded"] for end in o.ends)]
    last = next((o for number, o in made if number == attempt), None)
    if elsewhere := [o.id for _, o in made if o.site != site]:
        return f"its site is {site}, but {elsewhere} went elsewhere"
    if good != ([attempt] if needed else []):
        return f"it is {state} in attempt {attempt}, but these attempts succeeded: {good}"
    without = state == "complete" and not needed
    if (state == "failed" or without) and not (last and (last.refused or (last.ends and not without))):
        return f"it is {state}, but its attempt {attempt} neither ended nor was refused"
    if state == "aborted" and last and last.taken and not _kept_out(last):
        return f"it was aborted, but its attempt {attempt} ran"
    if late := [number for number, _ in made if number > attempt]:
        return f"it is in attempt {attempt}, but attempts {late} were asked for"
    return ""
