"""What releases bring to sites: made ready once, and sent once."""

from collections import Counter, defaultdict
from typing import Any

from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult

Release = tuple[str, str]
"""App and version."""


def releases_are_prepared_once(evidence: Evidence) -> RuleResult:
    """A release is prepared once, whoever asks for it and whatever is killed meanwhile, and the catalog knows of it.

    Of one that was deleted it knows nothing any more; the same content may come again and is prepared anew.
    """
    result = RuleResult("releases_are_prepared_once")
    told = Counter(r.body["bundle_sha256"] for r in evidence.named("catalog.events", "release_prepared"))
    gone = Counter(r.body["bundle_sha256"] for r in evidence.named("catalog.events", "release_deleted"))
    known = {row["bundle_sha256"]: row["state"] for row in evidence.table("catalog.preparation")}
    for record in evidence.named("catalog.events", "release_prepared"):
        body, digest = record.body, record.body["bundle_sha256"]
        name = f"{body['app']} {body['version']}"
        result.expect(told[digest] <= 1 + gone[digest], name, "was prepared more than once")
        state = known.get(digest)
        result.expect(state == "prepared" or gone[digest] > 0, name, f"was prepared, and the catalog says {state}")
    return result


def nothing_is_sent_twice(evidence: Evidence) -> RuleResult:
    """What lies on a site is not sent there again: neither by a fetch, nor by what deploys a release from there."""
    result = RuleResult("nothing_is_sent_twice")
    content = _content(evidence)
    holds: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(evidence.journal):
        here = holds[line["site"]]
        if line["effect"] == "started":
            fault = _sent_again(line, here, content.get((line["app"], str(line["version"])), {}))
            result.expect(not fault, line["order"], f"journal line {number + 1}: {fault}")
        here.update(line.get("holds") or {})
        for digest in line.get("dropped", ()):
            here.pop(digest, None)
    return result


def _content(evidence: Evidence) -> dict[Release, dict[str, int]]:
    """By release, the bytes of all that it brings, by digest."""
    return {
        (r.body["app"], r.body["version"]): {item["sha256"]: item["bytes"] for item in r.body["content"]}
        for r in evidence.named("catalog.events", "release_prepared")
    }


def _sent_again(line: dict[str, Any], here: dict[str, int], release: dict[str, int]) -> str:
    missing = line.get("missing") or {}
    for digest, (there, _) in missing.items():
        if digest and there != here.get(digest, 0):
            return f"sends {digest[:12]} from byte {there} on, and {here.get(digest, 0)} lie there"
    lies_there = release and all(here.get(digest, 0) >= size for digest, size in release.items())
    if lies_there and missing and line["action"] in ("fetch", "apply", "rollback"):
        return f"sends something, and all of {line['app']} {line['version']} lies there"
    return ""
