"""What people set is what devices got: all of it, of every level, with the next deployment."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from tests.faults.checker.journal import told
from tests.faults.checker.reading import Evidence, once
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import operations, step_of

Values = dict[str, Any]
BRING = ("apply", "rollback")
BRING_WHAT_IS_SET = ("apply", "update", "rollback")
CHANGES = ("set_overrides", "restore_overrides", "clear_overrides")


class Place(NamedTuple):
    """Where something is set."""

    app: str
    level: str
    target: str
    component: str


Change = tuple[Place, int]


@once
def _set(evidence: Evidence) -> dict[Change, dict[str, Any]]:
    """What was told to be set after each change."""
    found = {}
    for record in evidence.named("deployer.facts", "overrides_changed"):
        body = record.body
        place = Place(body["app"], body["level"], body["target"] or "", body["component"])
        found[place, body["nth"]] = body
    return found


def _named(ref: str, app: str, site: str) -> tuple[Change, str]:
    """The change that `fleet/web/3`, `group:north/web/1` or `site/web/2/values` names, and the part of it."""
    level, component, nth, *part = ref.split("/")
    level, _, target = level.partition(":")
    return (Place(app, level, site if level == "site" else target, component), int(nth)), (part or [""])[0]


# -- what devices got ---------------------------------------------------------------------------------------------


def values_deployed_are_those_set(evidence: Evidence) -> RuleResult:
    """An order brings the values of its release with those over them that its operation says were set: none else."""
    result = RuleResult("values_deployed_are_those_set")
    touched, released = told(evidence).operations(), _released(evidence)
    for operation in operations(evidence).values():
        if len(operation.ends) != 1 or (end := operation.ends[0])["version"] is None:
            continue
        leg = "forward" if end["succeeded"] else "recover"
        for order in touched.get(operation.id, ()):
            release = released.get((order.app, order.version or ""), {}).get(order.component)
            if order.leg == leg and order.action in BRING and order.version == end["version"] and release is not None:
                wanted = _digest(_together(evidence, end, order.component, release))
                refs = end.get("overrides") or []
                detail = f"brought other values than those of {order.version} with {refs or 'nothing set'}"
                result.expect(order.values == wanted, order.key, detail)
    return result


def _released(evidence: Evidence) -> dict[tuple[str, str], dict[str, Values]]:
    """The values of each simulated component of each release. One that came twice may have had two: it is left out."""
    found: dict[tuple[str, str], dict[str, Values]] = {}
    for record in evidence.named("catalog.events", "release_available"):
        body = record.body
        values = {c["name"]: c["spec"].get("values") or {} for c in body["components"] if c["driver"] == "simulated"}
        if found.setdefault((body["app"], body["version"]), values) != values:
            found[body["app"], body["version"]] = {}
    return found


def _together(evidence: Evidence, end: dict[str, Any], component: str, release: Values) -> Values:
    """The values of a release with those of all levels over them; nulls take away in the end."""
    merged: Values = {}
    for ref in sorted(end.get("overrides") or (), key=_rank):
        change, part = _named(ref, end["app"], end["site"])
        if change[0].component == component and part in ("", "values"):
            merged = _over(merged, _set(evidence)[change]["values"], keep_nulls=True)
    return _over(release, merged, keep_nulls=False)


def _rank(ref: str) -> int:
    return ("fleet", "group", "site").index(ref.partition("/")[0].partition(":")[0])


def _over(below: Mapping[str, Any], above: Mapping[str, Any], *, keep_nulls: bool) -> Values:
    """Mappings deeply, anything else in place of what was there."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if value is None and not keep_nulls:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _over(under if isinstance(under, dict) else {}, value, keep_nulls=keep_nulls)
        else:
            merged[key] = value
    return merged


def _digest(values: Values) -> str:
    """As devices say it; of no values they say nothing."""
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest() if values else ""


# -- with the next deployment -------------------------------------------------------------------------------------


def accepted_overrides_are_in_the_next_deployment(evidence: Evidence) -> RuleResult:
    """What somebody heard to be accepted before an operation was asked for, that operation brings, or what came after.

    By the clock of the one client that asked for both.
    """
    result = RuleResult("accepted_overrides_are_in_the_next_deployment")
    heard, groups, changes = _heard(evidence), _groups(evidence), _set(evidence)
    last: dict[Place, int] = defaultdict(int)
    for place, nth in changes:
        last[place] = max(last[place], nth)
    for operation in operations(evidence).values():
        asked = _asked_at(evidence, operation.id)
        if asked is None or len(operation.ends) != 1 or not _brings(end := operation.ends[0]):
            continue
        named = dict(_named(ref, end["app"], end["site"])[0] for ref in end.get("overrides") or ())
        for place in _over_site(heard, operation.app, operation.site, groups.get(operation.site)):
            known = max((nth for at, nth in heard[place] if at < asked), default=0)
            if known:
                fault = _missing(place, known, named.get(place), last[place], changes)
                result.expect(not fault, operation.id, fault)
    return result


def _brings(end: dict[str, Any]) -> bool:
    return bool(end["succeeded"]) and end["kind"] in BRING_WHAT_IS_SET


def _asked_at(evidence: Evidence, operation: str) -> float | None:
    """When it was asked for, or the strategy whose step it is; None for what nobody of the run asked for."""
    step = step_of(operation)
    times = evidence.run.heard.get(step.strategy if step else operation)
    return times[0] if times else None


@once
def _heard(evidence: Evidence) -> dict[Place, list[tuple[float, int]]]:
    """By place, when which change was heard to be accepted."""
    found: dict[Place, list[tuple[float, int]]] = defaultdict(list)
    answers = {record.body["command_id"]: record.body for record in evidence.answers.get("deployer", ())}
    for record in evidence.readable("deployer.commands"):
        if record.name in CHANGES and record.id in evidence.run.heard:
            body, nth = record.body, answers[record.id]["result"]["nth"]
            place = Place(body["app"], body["level"], body.get("target") or "", body["component"])
            found[place].append((evidence.run.heard[record.id][1], nth))
    return found


def _groups(evidence: Evidence) -> dict[str, str | None]:
    return {row["name"]: row["site_group"] for row in evidence.table("deployer.site")}


def _over_site(places: Mapping[Place, Any], app: str, site: str, group: str | None) -> Iterator[Place]:
    targets = {"fleet": "", "group": group, "site": site}
    return (place for place in places if place.app == app and place.target == targets.get(place.level))


def _missing(place: Place, known: int, used: int | None, last: int, changes: Mapping[Change, dict[str, Any]]) -> str:
    """What speaks against it; something that was used must be as new, and nothing only where nothing was set then."""
    where = f"{place.level} {place.target}".strip()
    if used is not None:
        return "" if used >= known else f"was deployed with change {used} of {where}, and {known} was accepted before"
    empty = any(_empty(changes.get((place, nth))) for nth in range(known, last + 1))
    return "" if empty else f"was deployed without what change {known} set for {where}"


def _empty(body: dict[str, Any] | None) -> bool:
    return body is not None and not body["values"] and body["enabled"] is None and body["namespace"] is None
