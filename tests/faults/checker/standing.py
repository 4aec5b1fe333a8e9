"""How sites are: everybody says the same of it, and nothing is begun on those that are known not to answer."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.waits import disturbed, overlap

NOTICED_SECONDS = 10.0
"""Of time in which nothing disturbs: so soon everybody heeds that a site was told to be offline."""

Said = tuple[Any, ...]


def everybody_knows_who_answers(evidence: Evidence) -> RuleResult:
    """Deployer, orchestrator and the page say the same of whether a site answers, and of its alarms."""
    result = RuleResult("everybody_knows_who_answers")
    sites = {row["name"] for row in evidence.table("strategy_orchestrator.site")}
    truth = _answers(evidence, "deployer.availability", "site", sites)
    for table, name in (("strategy_orchestrator.site", "name"), ("gateway.site_availability", "site")):
        _compare(result, "deployer.availability", truth, table, _answers(evidence, table, name, sites))
    alarms = _alarms(evidence, "strategy_orchestrator.alarm", sites)
    _compare(result, "strategy_orchestrator.alarm", alarms, "gateway.alarm", _alarms(evidence, "gateway.alarm", sites))
    affecting = {site: (sorted(name for name, affects in found if affects),) for site, found in alarms.items()}
    kept = {r["name"]: (sorted(r["alarms"]),) for r in evidence.table("deployer.site") if r["alarms"]}
    affecting = {site: names for site, names in affecting.items() if names[0]}
    _compare(result, "strategy_orchestrator.alarm", affecting, "deployer.site", kept)
    _told(result, evidence)
    return result


def _told(result: RuleResult, evidence: Evidence) -> None:
    """Each change is told, and once; so is when the sites of a bucket had all answered, which the page shows."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for record in evidence.named("deployer.events", "availability_changed"):
        for site in record.body["sites"]:
            numbers[site["site"]].append(site["nth"])
    for row in evidence.table("deployer.availability"):
        found = sorted(numbers[row["site"]])
        wanted = list(range(1, row["nth"] + 1))
        result.expect(found == wanted, row["site"], f"changed {row['nth']} times, and {found} were told")
    shown = {row["bucket"]: _time(row["checked_at"]) for row in evidence.table("gateway.check_bucket")}
    checked: dict[int, float] = defaultdict(float)
    for record in evidence.named("deployer.events", "sites_checked"):
        checked[record.body["bucket"]] = max(checked[record.body["bucket"]], _time(record.body["at"]))
    for bucket in shown.keys() | checked.keys():
        detail = f"was told to be checked at {checked.get(bucket)}, the page shows {shown.get(bucket)}"
        result.expect(shown.get(bucket) == checked.get(bucket), f"bucket {bucket}", detail)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _answers(evidence: Evidence, table: str, name: str, sites: set[str]) -> dict[str, Said]:
    """What was told of each site: nothing of one that nobody has heard of yet."""
    rows = (row for row in evidence.table(table) if row["nth"] and row[name] in sites)
    return {row[name]: (row["availability"], row["nth"]) for row in rows}


def _alarms(evidence: Evidence, table: str, sites: set[str]) -> dict[str, Said]:
    found: dict[str, set[tuple[str, bool]]] = defaultdict(set)
    for row in evidence.table(table):
        if not row.get("cleared") and row["site"] in sites:
            found[row["site"]].add((row["alarm"], row["management_affecting"]))
    return {site: tuple(sorted(alarms)) for site, alarms in found.items()}


def _compare(result: RuleResult, who: str, truth: dict[str, Said], other: str, shown: dict[str, Said]) -> None:
    for site in truth.keys() | shown.keys():
        detail = f"{who} says {truth.get(site)}, {other} {shown.get(site)}"
        result.expect(truth.get(site) == shown.get(site), site, detail)


def offline_sites_are_left_alone(evidence: Evidence) -> RuleResult:
    """No step begins on a site that was told to be offline, once there were 10 s of calm to hear of it."""
    result = RuleResult("offline_sites_are_left_alone")
    spans, disturbances = _offline(evidence), disturbed(evidence)
    result.checked = sum(map(len, spans.values()))
    for record in evidence.named("strategy.events", "steps_changed"):
        for step in record.body["steps"]:
            if step["state"] != "running":
                continue
            for begin, end in spans.get(step["site"], ()):
                since = record.timestamp - begin
                late = begin < record.timestamp < end and since - overlap(disturbances, (begin, record.timestamp))
                detail = f"{record.place}: began {since:.1f} s after it was told to be offline"
                result.expect(not late or late <= NOTICED_SECONDS, step["site"], detail)
    return result


def _offline(evidence: Evidence) -> dict[str, list[tuple[float, float]]]:
    """By site, from when to when it was told to be offline, by the topic's own times."""
    told: dict[str, list[tuple[int, float, str]]] = defaultdict(list)
    for record in evidence.named("deployer.events", "availability_changed"):
        for site in record.body["sites"]:
            told[site["site"]].append((site["nth"], record.timestamp, site["availability"]))
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for site, turns in told.items():
        turns.sort()
        ends = [at for _, at, _ in turns[1:]] + [float("inf")]
        spans[site] = [(at, end) for (_, at, is_now), end in zip(turns, ends, strict=True) if is_now == "offline"]
    return spans
