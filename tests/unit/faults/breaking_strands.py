"""Ways to break the recorded run in what is done beside strategies (record_strands.py). See breaking.py."""

from itertools import pairwise
from typing import Any

from tests.faults.checker import Evidence
from tests.unit.faults.breaking import DEPLOYER, again, line, move, told


def own(evidence: Evidence, code: str, number: int = 0) -> dict[str, Any]:
    """What was told of an operation that the deployer began by itself for this cause."""
    found = (r.body for r in evidence.topics[DEPLOYER] if r.name == "automatic_requested")
    bodies: list[dict[str, Any]] = [body for body in found if body["cause"]["code"] == code]
    return bodies[number]


def a_publication_that_ended_twice(evidence: Evidence) -> None:
    again(evidence, told(evidence, "catalog.events", "publication_settled", publication="upload-cart"))


def a_deployment_from_what_was_refused(evidence: Evidence) -> None:
    told(evidence, "catalog.events", "publication_settled", publication="upload-cart").body["state"] = "rejected"


def a_deployment_of_another_release_than_was_waited_for(evidence: Evidence) -> None:
    told(evidence, "catalog.events", "publication_settled", publication="upload-cart").body["version"] = "1.1.0"


def a_device_that_got_other_values(evidence: Evidence) -> None:
    line(evidence, "started", "reapply/forward/web")["values_sha256"] = "0" * 64


def a_device_that_got_no_values(evidence: Evidence) -> None:
    del line(evidence, "started", "reapply/forward/web")["values_sha256"]


def an_override_that_a_later_deployment_left_out(evidence: Evidence) -> None:
    evidence.run.heard["set-2"] = evidence.run.heard["set-1"]


def one_more_by_itself_than_allowed(evidence: Evidence) -> None:
    """Two that go by themselves on two sites, one after the other; now beside each other."""
    keys = {r.body["operation_id"] for r in evidence.topics[DEPLOYER] if r.name == "automatic_requested"}
    lines = [x for x in evidence.journal if x["effect"] == "started" and x["order"].split("/")[0] in keys]
    first, second = next((one, two) for one, two in pairwise(lines) if one["site"] != two["site"])
    move(evidence, second, behind=first)


def a_bad_release_that_was_tried_again_unasked(evidence: Evidence) -> None:
    for record in evidence.topics[DEPLOYER]:
        if record.name == "failed_release_changed":
            record.body["cleared_by"] = ""


def a_word_on_a_bad_release_that_nobody_heard(evidence: Evidence) -> None:
    evidence.tables["deployer.failed_release"][0]["nth"] += 1


def a_repair_that_nothing_was_found_for(evidence: Evidence) -> None:
    own(evidence, "newer_release", 0)["cause"]["code"] = "drift_found"


def a_finding_that_was_over_twice(evidence: Evidence) -> None:
    again(evidence, told(evidence, DEPLOYER, "drift_ended"))


def a_finding_of_what_nobody_broke(evidence: Evidence) -> None:
    found = (r for r in evidence.topics[DEPLOYER] if r.name == "drift_found")
    again(evidence, next(r for r in found if r.body["sites"][0]["components"][0]["code"] == "not_well"))


def a_report_that_is_not_true(evidence: Evidence) -> None:
    for record in evidence.topics[DEPLOYER]:
        if record.name == "site_run_changed" and record.body["finished_at"]:
            record.body["items"][0]["state"] = "left"


def a_run_without_its_last_word(evidence: Evidence) -> None:
    evidence.tables["deployer.site_run"][0]["nth"] += 1


BREAKS_OF_STRANDS = {
    "publications_settle_once": (a_publication_that_ended_twice,),
    "failed_publications_reach_no_site": (
        a_deployment_from_what_was_refused,
        a_deployment_of_another_release_than_was_waited_for,
    ),
    "values_deployed_are_those_set": (a_device_that_got_other_values, a_device_that_got_no_values),
    "accepted_overrides_are_in_the_next_deployment": (an_override_that_a_later_deployment_left_out,),
    "own_operations_keep_their_limit": (one_more_by_itself_than_allowed,),
    "barred_releases_are_left_alone": (
        a_bad_release_that_was_tried_again_unasked,
        a_word_on_a_bad_release_that_nobody_heard,
    ),
    "findings_are_put_right_once": (
        a_repair_that_nothing_was_found_for,
        a_finding_that_was_over_twice,
        a_finding_of_what_nobody_broke,
    ),
    "runs_end_with_one_report": (a_report_that_is_not_true, a_run_without_its_last_word),
}
