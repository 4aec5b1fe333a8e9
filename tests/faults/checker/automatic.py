"""What the deployer does by itself: few at once, once for what it found, and nothing again that failed."""

from collections import Counter
from typing import Any

from tests.faults.checker.journal import broken, told
from tests.faults.checker.reading import Evidence, once
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import operations

Pair = tuple[str, str]
"""Site and app."""

MOVES = ("apply", "update")
SOUND = ("operational", "new", "removed")
WISHED = ("missing", "unwanted")
"""What is found because somebody wants an app to be somewhere, or to be nowhere: nothing is broken."""


@once
def _begun(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Its own operations, by their ids."""
    return {r.body["operation_id"]: r.body for r in evidence.named("deployer.events", "automatic_requested")}


def own_operations_keep_their_limit(evidence: Evidence) -> RuleResult:
    """At no instant more of its own operations are at devices than may be, over all apps, by the devices' journal."""
    result = RuleResult("own_operations_keep_their_limit")
    limit, moments = evidence.run.automatic_at_once, []
    for identifier, orders in told(evidence).operations().items():
        if identifier in _begun(evidence):
            moments.append((min(order.first for order in orders), 1, identifier))
            moments += (
                [(max(o.last or 0 for o in orders), -1, identifier)] if all(o.last is not None for o in orders) else []
            )
    running = 0
    for line, change, identifier in sorted(moments):
        running += change
        if change > 0:
            detail = f"journal line {line + 1}: {running} of its own at once, allowed {limit}"
            result.expect(running <= limit, identifier, detail)
    return result


def barred_releases_are_left_alone(evidence: Evidence) -> RuleResult:
    """A release that failed by itself is not chosen again before somebody clears it.

    Those that were under way beside the first may fail as well, and no others: as many as may be at once, for each time
    that it was cleared and once more.
    """
    result = RuleResult("barred_releases_are_left_alone")
    failed, cleared = Counter[Pair](), Counter[Pair]()
    for operation in operations(evidence).values():
        own = _begun(evidence).get(operation.id)
        if own and own["kind"] in MOVES and any(_blamed(end) for end in operation.ends):
            failed[own["app"], own["version"]] += 1
    for record in evidence.named("deployer.events", "failed_release_changed"):
        cleared[record.body["app"], record.body["version"]] += bool(record.body["cleared_by"])
    for release, times in failed.items():
        most = evidence.run.automatic_at_once * (1 + cleared[release])
        detail = f"failed {times} times by itself, was cleared {cleared[release]} times: at most {most} should have"
        result.expect(times <= most, " ".join(release), detail)
    _told(result, evidence)
    return result


def _blamed(end: dict[str, Any]) -> bool:
    return not end["succeeded"] and end["to_version"] != end["from_version"]


def _told(result: RuleResult, evidence: Evidence) -> None:
    """Each word on a release counts on, and the last says how many failures are kept."""
    numbers: dict[Pair, dict[int, int]] = {}
    for record in evidence.named("deployer.events", "failed_release_changed"):
        body = record.body
        numbers.setdefault((body["app"], body["version"]), {})[body["nth"]] = body["failures"]
    kept = Counter((row["app"], row["version"]) for row in evidence.table("deployer.release_failure"))
    for row in evidence.table("deployer.failed_release"):
        release = row["app"], row["version"]
        said = numbers.get(release, {})
        whole = sorted(said) == list(range(1, row["nth"] + 1)) and said[row["nth"]] == kept[release]
        detail = f"changed {row['nth']} times with {kept[release]} failures left, was told {said}"
        result.expect(whole, " ".join(release), detail)


def findings_are_put_right_once(evidence: Evidence) -> RuleResult:
    """For each finding on a site there is at most one repair that succeeds; what is found was broken, and is over.

    What broke once more in the same way before the finding was told to be over is none of its own, and put right all
    the same. A repair may also follow on an operation that failed and left its site unsound. What is found because an
    app is to be there, or is not to be, is found at most once after each time that somebody said so.
    """
    result = RuleResult("findings_are_put_right_once")
    found, wished, over = _findings(evidence), _findings(evidence, wished=True), Counter[Pair]()
    for record in evidence.named("deployer.events", "drift_ended"):
        over.update((site, record.body["app"]) for site in record.body["sites"])
    repaired, unsound = Counter[Pair](), Counter[Pair]()
    for operation in operations(evidence).values():
        own = _begun(evidence).get(operation.id)
        for end in operation.ends:
            place = operation.site, operation.app
            unsound[place] += end["status"] not in SOUND
            repaired[place] += bool(own and own["cause"]["code"] == "drift_found" and end["succeeded"])
    said = Counter(record.body["app"] for record in evidence.named("deployer.facts", "behaviour_changed"))
    stands = {(row["site"], row["app"]) for row in evidence.table("deployer.drift")}
    for place in found.keys() | wished.keys() | repaired.keys() | stands | over.keys():
        causes, times = broken(evidence)[place] + unsound[place], found[place] + wished[place]
        fault = (
            _unfounded(found[place], causes, "was broken or left unsound")
            or _unfounded(wished[place], said[place[1]], "was wished for")
            or _repaired_too_often(max(found[place], broken(evidence)[place]), repaired[place], unsound[place])
            or _untold(times, over[place], place in stands)
        )
        result.expect(not fault, " ".join(place), fault)
    return result


def _findings(evidence: Evidence, *, wished: bool = False) -> Counter[Pair]:
    """How often something broken was found where, or something unlike what somebody wishes."""
    found = Counter[Pair]()
    for record in evidence.named("deployer.events", "drift_found"):
        for each in record.body["sites"]:
            of_wish = all(one["code"] in WISHED for one in each["components"])
            found[each["site"], record.body["app"]] += of_wish == wished
    return found


def _unfounded(found: int, causes: int, how: str) -> str:
    return f"was found {found} times, and {how} {causes} times" if found > causes else ""


def _repaired_too_often(found: int, repaired: int, unsound: int) -> str:
    if repaired > found + unsound:
        return f"was repaired {repaired} times, for {found} findings or breaks and {unsound} operations that failed"
    return ""


def _untold(found: int, over: int, stands: bool) -> str:
    if stands and not found:
        return "is kept as found, and nobody was told"
    if over > found:
        return f"was told to be over {over} times, and was found {found} times"
    if found and not over and not stands:
        return "was found and is not kept any more, and nobody was told that it is over"
    return ""
