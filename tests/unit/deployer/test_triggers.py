"""Events that have an app applied again: which names there are, what filters ask for, what the README says."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.deployer.automatic.behaviour import Effective
from services.deployer.automatic.deciding import Situation, decided
from services.deployer.automatic.noting import changes_told, found_changed
from services.deployer.automatic.survey_store import Before
from services.deployer.automatic.triggers import Occurrence, fields_of, occurred, triggered
from services.deployer.dependencies.choosing import Choice
from services.deployer.domain import Deployment
from shared.messages.base import Cause
from shared.messages.deployer import SetAppBehaviour
from shared.messages.opening import IN_AN_EVENT
from shared.messages.rules import Trigger
from shared.messages.site import Site
from shared.messages.triggers import EVENTS, ON_DEMAND, STARLINGX
from shared.messages.words import DeploymentStatus as Status
from tests.unit.deployer.test_deployer_readme import README, rows

OSLO = fields_of("oslo", "north", {"tier": "edge"}, {"kubernetes": "1.30.2"})


def holds(occurrence: Occurrence, event: str, **filters: str) -> bool:
    named = {name.replace("__", ":"): value for name, value in filters.items()}
    return triggered([Trigger(event=event, filters=named)], occurrence, OSLO)


def test_filters_ask_for_the_site_its_group_its_labels_its_facts_and_what_the_event_carries() -> None:
    event = occurred("facts_changed", fact=["kubernetes", "patches"])
    assert holds(event, "facts_changed")
    assert holds(event, "kube-upgrade-complete", fact="kubernetes", group="north", label__tier="edge", site="oslo")
    assert holds(event, "facts_changed", fact="patches", kubernetes=">=1.30,<1.31")
    assert not holds(event, "facts_changed", fact="platform_release")
    assert not holds(event, "facts_changed", group="south")
    assert not holds(event, "facts_changed", label__tier="core")
    assert not holds(event, "facts_changed", label__zone="edge")
    assert not holds(event, "facts_changed", kubernetes=">=1.31")
    assert not holds(event, "site_online")
    assert holds(occurred("alarm_cleared", alarm=["disk"]), "alarm_cleared", alarm="disk")
    assert not holds(occurred("alarm_cleared", alarm=["disk"]), "alarm_cleared", alarm="fan")


def test_filters_of_starlingx_hold_by_what_our_events_mean() -> None:
    online, unlocked = occurred("site_online"), occurred("maintenance_ended")
    assert holds(online, "host-availability-updated", availability="services-enabled")
    assert not holds(online, "host-availability-updated", availability="offline")
    assert holds(unlocked, "unlock", personality="controller", group="north")
    assert not holds(unlocked, "unlock", personality="controller", group="south")
    assert not holds(unlocked, "unlock", personality="worker")
    assert not holds(unlocked, "maintenance_ended", personality="controller")  # our own words ask for facts
    own = fields_of("oslo", None, {}, {"personality": "worker"})
    assert triggered([Trigger(event="unlock", filters={"personality": "worker"})], unlocked, own)


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        ("kube-upgrade", {"kubernetes"}),
        ("kube-upgrade-complete", {"kubernetes"}),
        ("platform-upgrade-complete", {"platform_release"}),
        ("usm-upgrade-complete", {"platform_release", "patches"}),
        ("host-update", {"kubernetes", "platform_release", "patches", "rack"}),
    ],
)
def test_an_upgrade_of_starlingx_is_a_change_of_its_own_facts_alone(event: str, facts: set[str]) -> None:
    named = ("kubernetes", "platform_release", "patches", "rack")
    assert {name for name in named if holds(occurred("facts_changed", fact=[name]), event)} == facts
    assert holds(occurred("facts_changed", fact=list(named)), event)


def test_an_event_that_is_told_from_outside_is_named_as_it_is_there() -> None:
    unlocked = Occurrence("host-unlock", "told at a door", {"personality": ["controller"]})
    assert holds(unlocked, "host-unlock", personality="controller", group="north")
    assert not holds(unlocked, "host-unlock", personality="worker")
    assert not holds(unlocked, "unlock")
    assert holds(Occurrence("swact", "told at a door"), "swact")


def reapplied(*events: Occurrence, wish: Cause | None = None, **trigger: Any) -> str | None:
    behaviour = Effective(reapply_on=(Trigger.model_validate(trigger),))
    deployment, wish = Deployment("1.0", Status.OPERATIONAL), wish or events[-1].cause
    now = Situation(behaviour, deployment, Choice(None), wish=wish, events=events, fields=OSLO)
    action = decided(now)
    return action.cause.message if action else None


def test_an_event_that_nobody_waits_for_hides_none_that_somebody_does() -> None:
    first, then = occurred("facts_changed", fact=["kubernetes"]), occurred("facts_changed", fact=["rack"])
    assert reapplied(first, then, event="facts_changed", filters={"fact": "kubernetes"}) == f"{first.message}"
    assert reapplied(then, event="facts_changed", filters={"fact": "kubernetes"}) is None
    asked = Occurrence(ON_DEMAND, "certificates")
    assert reapplied(asked, then, event="site_online") == "certificates"


def test_an_event_that_waits_is_hidden_by_no_other_reason_to_look_there() -> None:
    event = occurred("facts_changed", fact=["kubernetes"])
    newer = Cause(code="newer_release", message="there was a newer release")
    assert reapplied(event, wish=newer, event="facts_changed") == event.message
    assert reapplied(event, wish=newer, event="site_online") is None
    assert reapplied(wish=newer, event="facts_changed") is None


def test_what_drivers_find_is_a_change_only_where_something_was_known() -> None:
    told = [("new", {}, {"a": "1"}), ("same", {"a": "1"}, {"a": "1"}), ("oslo", {"a": "1", "b": "1"}, {"a": "2"})]
    assert list(found_changed(told)) == [("oslo", occurred("facts_changed", fact=["a", "b"]))]


@pytest.mark.parametrize(
    ("trigger", "where", "told"),
    [
        ({"event": "host-unlocked"}, ("event",), "must be one of site_online, maintenance_ended"),
        ({"event": "site_online", "filters": {"fact": "x"}}, ("filters",), "site_online carries site, group"),
        ({"event": "kube-upgrade-complete", "filters": {"alarm": "x"}}, ("filters",), "alarm: kube-upgrade-complete"),
    ],
)  # fmt: skip
def test_what_could_never_happen_is_refused_with_what_would_be_right(
    trigger: dict[str, Any], where: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        SetAppBehaviour.model_validate({"app": "web", "switches": {"reapply_on": [trigger]}})
    (fault,) = refused.value.errors()
    assert fault["loc"] == ("switches", "reapply_on", 0, *where)
    assert told in fault["msg"]
    assert Trigger.model_validate(trigger, context=IN_AN_EVENT).event == trigger["event"]  # what was said once, is


def test_names_of_starlingx_are_taken_and_mean_ours() -> None:
    assert {name for name in STARLINGX if Trigger(event=name).event != name} == set()
    assert set(STARLINGX.values()) - {None, ON_DEMAND} <= EVENTS.keys()


def test_the_readme_shows_every_event_with_what_it_carries() -> None:
    told = {row[0].strip("`"): row[1:] for row in rows(4) if row[0].strip("`") in EVENTS}
    assert told.keys() == EVENTS.keys()
    for name, happening in EVENTS.items():
        theirs = [f"`{word}`" for word, meant in STARLINGX.items() if meant == name]
        carries = ", ".join(f"`{word}`" for word in happening.carries) or "-"
        assert told[name][:2] == [happening.message, carries]
        assert sorted(told[name][2].split(", ")) == sorted(theirs or ["-"])
    assert {name for name, meant in STARLINGX.items() if meant is None and f"`{name}`" not in README} == set()


def test_a_site_that_changes_more_than_once_in_a_batch_has_each_of_its_events() -> None:
    before = {"oslo": Before("north", {"rack": "1"}, False)}
    facts = {"name": "oslo", "group": "north", "driver": "simulated"}
    changes = [
        Site.model_validate({**facts, "facts": {"rack": "1"}, "maintenance": True}),
        Site.model_validate({**facts, "facts": {"rack": "2"}}),
        Site.model_validate({**facts, "facts": {"rack": "1"}, "group": "south"}),
        Site.model_validate({**facts, "facts": {"rack": "1"}}),
    ]
    told = [occurrence.code for _, occurrence in changes_told(changes, before)]
    assert told == ["facts_changed", "maintenance_ended", "site_registered", "facts_changed", "site_registered"]
    assert list(changes_told(changes[:1], {"oslo": Before("north", {"rack": "1"}, True)})) == []
