"""What goes by itself, as it was told last: behaviour, failed releases, drift, causes, and runs over whole sites."""

from typing import Any

import pytest

from shared.messages import catalog, deployer
from shared.messages.automatic import ComponentDrift, Drifted, FailedOn, RunItem, Switches
from shared.messages.base import Cause
from tests.service.gateway.api import gateway
from tests.service.gateway.told import at, sites_changed
from tests.support.world import World

pytestmark = pytest.mark.service
WHY = Cause(code="fallen", message="its process ended")


def run(nth: int, state: str, **facts: Any) -> deployer.SiteRunChanged:
    item = {"app": "shop", "kind": "update", "state": facts.pop("item", "running")}
    about = {"run_id": "r1", "site": "oslo", "kind": "update", "started_at": at(1), "nth": nth}
    return deployer.SiteRunChanged.model_validate({**about, "state": state, "items": [RunItem(**item)], **facts})


async def test_what_people_said_of_an_app_and_releases_that_failed_are_shown_as_told_last(world: World) -> None:
    async with gateway(world) as api:
        for nth, switches in ((2, Switches(audit=True)), (1, Switches(auto_update=True))):
            said = deployer.BehaviourChanged(app="shop", switches=switches, nth=nth, at=at(nth), by="ada")
            await world.send(said, sequence=nth)
        shown = await api.shows("/v1/behaviours", lambda page: page["items"])
        assert [(b["app"], b["switches"]["audit"], b["changed_by"]) for b in shown["items"]] == [("shop", True, "ada")]
        await world.send(
            catalog.ReleaseAvailable(
                release_id="shop-2.0.0", app="shop", version="2.0.0", scheme="pep440", bundle_sha256="0" * 64,
                bundle_bytes=1, upgrades_from=None, components=(), published_at=at(0),
            ),
            sequence=1,
        )  # fmt: skip
        where = FailedOn(site="oslo", operation_id="o", cause=WHY, at=at(3))
        about = {"app": "shop", "version": "2.0.0", "at": at(3)}
        failed = deployer.FailedReleaseChanged.model_validate(
            {**about, "failures": 1, "barred": True, "nth": 1, "sites": [where]}
        )
        await world.send(failed, sequence=1)
        (one,) = (await api.shows("/v1/failed-releases", lambda page: page["items"]))["items"]
        assert (one["version"], one["barred"], one["sites"][0]["cause"]["code"]) == ("2.0.0", True, "fallen")
        cleared = deployer.FailedReleaseChanged.model_validate({**about, "failures": 0, "barred": False, "nth": 2})
        await world.send(cleared, sequence=2)
        await api.shows("/v1/failed-releases", lambda page: not page["items"])


def found(*sites: str, app: str = "shop", nth: int = 1, minute: int = 1) -> deployer.DriftFound:
    component = ComponentDrift(component="web", code="not_well", message="its process ended")
    one = Drifted(site="oslo", version="1.0.0", components=(component,), then="told", nth=nth)
    return deployer.DriftFound(app=app, sites=tuple(one.model_copy(update={"site": s}) for s in sites), at=at(minute))


async def test_drift_is_shown_until_it_is_over_and_an_operation_says_why_it_was_begun(world: World) -> None:
    async with gateway(world) as api:
        await world.send(sites_changed("oslo", "bern"), sequence=1)
        await world.send(found("bern", "oslo"))
        shown = await api.shows("/v1/drift", lambda page: len(page["items"]) == 2)
        assert [(d["site"], d["components"][0]["code"], d["then"]) for d in shown["items"]] == [
            ("bern", "not_well", "told"), ("oslo", "not_well", "told"),
        ]  # fmt: skip
        await world.send(deployer.DriftEnded(app="shop", sites=("bern",), at=at(2)))
        await api.shows("/v1/drift?app=shop", lambda page: [d["site"] for d in page["items"]] == ["oslo"])
        why = Cause(code="drift_found", message="web: its process ended")
        facts = {"operation_id": "o1", "site": "oslo", "app": "shop", "kind": "apply", "version": "1.0.0"}
        await world.send(deployer.AutomaticRequested.model_validate({**facts, "cause": why, "at": at(3)}))
        shown = await api.shows("/v1/operations/o1", lambda o: o["because"])
        assert (shown["because"]["code"], shown["state"]) == ("drift_found", "queued")


async def test_of_what_two_deployers_tell_of_drift_the_number_counts_and_not_their_clocks(world: World) -> None:
    async with gateway(world) as api:
        await world.send(sites_changed("oslo", "bern"), sequence=1)
        await world.send(found("bern", "oslo", nth=5, minute=9))
        await api.shows("/v1/drift", lambda page: len(page["items"]) == 2)
        await world.send(deployer.DriftEnded(app="shop", sites=("bern",), nth=6, at=at(1)))
        await api.shows("/v1/drift", lambda page: [d["site"] for d in page["items"]] == ["oslo"])
        await world.send(found("bern", nth=5, minute=9))  # once more
        await world.send(
            deployer.DriftEnded(app="shop", sites=("oslo",), at=at(10))
        )  # a deployer of before has no number
        await api.shows("/v1/drift", lambda page: not page["items"])


async def test_a_run_over_a_site_is_shown_with_its_report_and_an_older_word_changes_nothing(world: World) -> None:
    async with gateway(world) as api:
        await world.send(sites_changed("oslo"), sequence=1)
        await world.send(run(2, "failed", item="failed", finished_at=at(5)), sequence=2)
        await world.send(run(1, "running"), sequence=1)
        shown = await api.shows("/v1/site-runs/r1", lambda r: r["state"] == "failed")
        assert (shown["items"][0]["state"], shown["actions"]) == ("failed", [])
        assert [r["run_id"] for r in (await api.get("/v1/site-runs?site=oslo"))["items"]] == ["r1"]
