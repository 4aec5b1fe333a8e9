"""Publications end once, and nothing comes to a site from one that failed."""

from collections import Counter
from typing import Any

from tests.faults.checker.journal import told
from tests.faults.checker.reading import Evidence, once
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import operations

PUBLISH = ("publish_release", "import_bundle")


@once
def _settled(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """By publication, the end that was told first."""
    found: dict[str, dict[str, Any]] = {}
    for record in evidence.named("catalog.events", "publication_settled"):
        found.setdefault(record.body["publication"], record.body)
    return found


def publications_settle_once(evidence: Evidence) -> RuleResult:
    """Each command to publish something has one end, however often it came; one that is available names its release."""
    result = RuleResult("publications_settle_once")
    records = evidence.named("catalog.events", "publication_settled")
    told_of = Counter(record.body["publication"] for record in records)
    available = {(r.body["app"], r.body["version"]) for r in evidence.named("catalog.events", "release_available")}
    for identifier in {r.id for r in evidence.readable("catalog.commands") if r.name in PUBLISH}:
        result.expect(told_of[identifier] == 1, identifier, f"its end was told {told_of[identifier]} times")
    for identifier, end in _settled(evidence).items():
        if end["state"] == "available":
            release = end["app"], end["version"]
            result.expect(release in available, identifier, f"made {release} available, of which nobody was told")
    return result


def failed_publications_reach_no_site(evidence: Evidence) -> RuleResult:
    """Who waits for a publication begins with its release when that is available, and else touches no site."""
    result = RuleResult("failed_publications_reach_no_site")
    waits = {
        r.id: r.body["publication"]
        for r in evidence.readable("deployer.commands")
        if r.name == "request_operation" and r.body.get("publication")
    }
    touched = told(evidence).operations()
    for operation in operations(evidence).values():
        publication = waits.get(operation.id)
        if publication is None or not operation.taken or len(operation.ends) != 1:
            continue
        settled = _settled(evidence).get(publication, {"state": "never"})
        brought = {order.version for order in touched.get(operation.id, ()) if order.leg == "forward"}
        fault = _fault(settled, brought, operation.ends[0])
        result.expect(not fault, operation.id, fault)
    return result


def _fault(settled: dict[str, Any], brought: set[str | None], end: dict[str, Any]) -> str:
    if settled["state"] == "available":
        wrong = brought - {settled["version"]}
        return f"waited for {settled['version']}, and {wrong} came" if wrong else ""
    if brought or end["succeeded"]:
        return f"its publication is {settled['state']}, and it {'succeeded' if end['succeeded'] else 'touched devices'}"
    return ""
