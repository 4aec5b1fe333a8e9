"""Ways to break the recorded run in what it says of sites and of what is sent to them. See breaking.py."""

from tests.faults.checker import Evidence
from tests.unit.faults.breaking import DEPLOYER, again, line, row, told

AWAY = "site-6"


def a_page_that_shows_a_site_as_it_was(evidence: Evidence) -> None:
    row(evidence, "gateway.site_availability", site=AWAY)["availability"] = "offline"


def an_alarm_that_nobody_cleared_for_the_deployer(evidence: Evidence) -> None:
    row(evidence, "deployer.site", name=AWAY)["alarms"].append("fan")


def a_change_that_was_told_twice(evidence: Evidence) -> None:
    again(evidence, told(evidence, DEPLOYER, "availability_changed"))


def a_bucket_that_the_page_has_not_heard_of(evidence: Evidence) -> None:
    evidence.tables["gateway.check_bucket"][0]["checked_at"] = "2026-01-01T00:00:00+00:00"


def a_start_on_a_site_that_was_told_to_be_offline(evidence: Evidence) -> None:
    for record in evidence.topics[DEPLOYER]:
        if record.name == "availability_changed" and record.body["sites"][0]["availability"] == "offline":
            record.timestamp = 0.0


def a_release_that_was_prepared_twice(evidence: Evidence) -> None:
    again(evidence, told(evidence, "catalog.events", "release_prepared"))


def a_preparation_that_the_catalog_does_not_know(evidence: Evidence) -> None:
    evidence.tables["catalog.preparation"].clear()


def an_update_that_fetched_what_lay_there(evidence: Evidence) -> None:
    line(evidence, "started", "from-there/forward/web")["missing"] = {"": [0, 5_000_000]}


def a_fetch_from_the_midst_of_what_is_not_there(evidence: Evidence) -> None:
    fetched = next(x for x in evidence.journal if x["effect"] == "started" and x["action"] == "fetch")
    next(iter(fetched["missing"].values()))[0] += 1


BREAKS_OF_SITES = {
    "everybody_knows_who_answers": (
        a_page_that_shows_a_site_as_it_was,
        an_alarm_that_nobody_cleared_for_the_deployer,
        a_change_that_was_told_twice,
        a_bucket_that_the_page_has_not_heard_of,
    ),
    "offline_sites_are_left_alone": (a_start_on_a_site_that_was_told_to_be_offline,),
    "releases_are_prepared_once": (a_release_that_was_prepared_twice, a_preparation_that_the_catalog_does_not_know),
    "nothing_is_sent_twice": (an_update_that_fetched_what_lay_there, a_fetch_from_the_midst_of_what_is_not_there),
}
