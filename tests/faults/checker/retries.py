"""What people have tried again is tried: each site that they name, also while its strategy goes on."""

from collections import Counter, defaultdict

from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult

Step = tuple[str, str]
"""Strategy and site."""


def retries_try_what_was_named(evidence: Evidence) -> RuleResult:
    """A step is tried once more for each retry that was accepted and names its site; a retry of all tries some."""
    result = RuleResult("retries_try_what_was_named")
    tried = _tried(evidence)
    named, of_all = _asked(evidence)
    for (strategy, site), times in named.items():
        again = tried[strategy][site] - 1
        result.expect(again >= times, strategy, f"{site} was to be tried again {times} times, and was {again}")
    for strategy, attempts in tried.items():
        again, times = sum(attempt - 1 for attempt in attempts.values()), of_all[strategy]
        result.expect(again >= times, strategy, f"was to be tried again {times} times, and its sites were {again}")
    return result


def _tried(evidence: Evidence) -> dict[str, Counter[str]]:
    """By strategy and site, the number of the last attempt."""
    tried: dict[str, Counter[str]] = defaultdict(Counter)
    for record in evidence.named("strategy.events", "steps_changed"):
        attempts = tried[record.body["strategy_id"]]
        for step in record.body["steps"]:
            attempts[step["site"]] = max(attempts[step["site"]], step["attempt"])
    return tried


def _asked(evidence: Evidence) -> tuple[Counter[Step], Counter[str]]:
    """How often it was accepted that a site, or a strategy as a whole, is tried again."""
    named: Counter[Step] = Counter()
    of_all: Counter[str] = Counter()
    bodies = {r.id: r.body for r in evidence.readable("strategy.commands") if r.name == "retry_failed"}
    for answer in evidence.answers.get("strategy", ()):
        body = bodies.get(answer.body["command_id"])
        if body is None or answer.name != "command_accepted":
            continue
        strategy = answer.body["result"]["strategy_id"]
        sites = body.get("sites") or ()
        named.update((strategy, site) for site in sites)
        of_all[strategy] += not sites
    return named, of_all
