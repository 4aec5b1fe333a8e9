"""Counts are exact at every moment: whatever was said of how many can be counted again from what was said of each."""

from collections import Counter, defaultdict
from typing import Any

from tests.faults.checker.reading import Evidence
from tests.faults.checker.record import Record
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import by_strategy

STATES = ("waiting", "running", "complete", "failed", "aborted")


class Recount:
    """The steps of one strategy as its events tell them, one after the other."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, Any]] = {}
        self._stages: dict[int, Counter[str]] = defaultdict(Counter)

    def learn(self, steps: list[dict[str, Any]]) -> None:
        """Steps as they are from now on."""
        for step in steps:
            if before := self.steps.get(step["site"]):
                self._stages[before["stage"]][before["state"]] -= 1
            self.steps[step["site"]] = step
            self._stages[step["stage"]][step["state"]] += 1

    def counts(self, stage: int | None = None) -> dict[str, int]:
        """By state, of one stage or of all."""
        counted = [self._stages[stage]] if stage is not None else list(self._stages.values())
        return {state: sum(c[state] for c in counted) for state in STATES}


def counts_are_exact(evidence: Evidence) -> RuleResult:
    """Each `stage_progressed` and `strategy_state_changed`, and each row of a stage, says what the steps add up to."""
    result = RuleResult("counts_are_exact")
    rows = defaultdict(list)
    for row in evidence.table("strategy_orchestrator.step"):
        rows[row["strategy_id"]].append(row)
    for strategy, records in by_strategy(evidence).items():
        recount = Recount()
        for record in records:
            _compare(result, recount, record)
        told = {site: (s["state"], s.get("attempt", 1), s["stage"]) for site, s in recount.steps.items()}
        kept = {row["site"]: (row["state"], row["attempt"], row["stage"]) for row in rows[strategy]}
        differ = sorted(site for site in told.keys() | kept.keys() if told.get(site) != kept.get(site))
        result.expect(not differ, strategy, f"its events tell these steps otherwise than its rows: {differ[:10]}")
    for stage in evidence.table("strategy_orchestrator.stage"):
        _recount_row(result, stage, rows[stage["strategy_id"]])
    return result


def _compare(result: RuleResult, recount: Recount, record: Record) -> None:
    body = record.body
    if record.name == "steps_changed":
        recount.learn(body["steps"])
    elif record.name in ("stage_progressed", "strategy_state_changed"):
        said = {state: body["counts"].get(state, 0) for state in STATES}
        counted = recount.counts(body.get("stage"))
        result.expect(said == counted, record.place, f"{record.name} says {said}, counted {counted}")


def _recount_row(result: RuleResult, stage: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    counted = Counter(row["state"] for row in rows if row["stage"] == stage["position"])
    said, found = {s: stage[s] for s in STATES}, {s: counted[s] for s in STATES}
    subject = f"{stage['strategy_id']} stage {stage['position']}"
    result.expect(said == found, subject, f"the row of the stage says {said}, counted {found}")
    result.expect(stage["total"] == counted.total(), subject, f"total {stage['total']}, counted {counted.total()}")
