"""Read models: what people see is what the owners said last, also when events are repeated or come out of order."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from shared.messages import catalog, deployer, monitor, notifier, strategy
from shared.messages.base import Fault, Message
from shared.messages.words import NotificationTopic
from tests.service.gateway.api import gateway
from tests.service.gateway.listener import listening
from tests.service.gateway.told import (
    all_succeeded,
    at,
    failed,
    planned,
    progressed,
    running,
    sites_changed,
    state_changed,
    stepped,
    succeeded,
)
from tests.support.world import World

pytestmark = pytest.mark.service

STORY: list[Message] = [
    planned("s-1", "north-2", 1, 2),
    stepped("s-1", 1, ("a", 0, "waiting"), ("b", 1, "waiting"), ("c", 1, "waiting")),
    state_changed("s-1", "north-2", "ready", 1),
    state_changed("s-1", "north-2", "applying", 2),
    progressed("s-1", 0, "running", 2, running=1),
    stepped("s-1", 2, ("a", 0, "running")),
    stepped("s-1", 3, ("a", 0, "complete")),
    progressed("s-1", 0, "complete", 3, complete=1),
    progressed("s-1", 1, "running", 3, waiting=1, running=1),
    stepped("s-1", 4, ("b", 1, "running")),
    stepped("s-1", 5, ("b", 1, "failed")),
    progressed("s-1", 1, "running", 5, waiting=1, failed=1),
]


async def tell(world: World, story: Sequence[tuple[int, Message]]) -> None:
    """Publish events with their sequences, in this order. An event has the same id however often it is told."""
    for sequence, event in story:
        await world.send(event, message_id=f"{event.TYPE}-{sequence}", sequence=sequence)


def _told(step: dict[str, Any]) -> tuple[int, str]:
    """Attempts come from one topic, the state from another."""
    return len(step["attempts"]), step["state"]


async def test_a_step_is_shown_with_each_of_its_attempts(world: World) -> None:
    async with gateway(world) as api:
        lines = ("Traceback", "no space left")
        first = failed("s-1.1.1", "b", strategy_id="s-1", last_lines=lines)
        third = running("s-1.1.3", "b", 40, strategy_id="s-1")  # the second was refused: the site was busy
        other = succeeded("s-2.0.1", "b", strategy_id="s-2")
        await tell(world, list(enumerate([*STORY, first, other, third], 1)))
        step = await api.shows("/v1/strategies/north-2/steps/b", lambda s: _told(s) == (2, "failed"))
        assert (step["site"], step["stage"]) == ("b", 1)
        attempts = [(a["attempt"], a["state"], a["operation_id"]) for a in step["attempts"]]
        assert attempts == [(1, "failed", "s-1.1.1"), (3, "running", "s-1.1.3")]
        told = step["attempts"][0]
        assert (told["cause"]["code"], told["last_lines"], told["seconds"]) == ("unhealthy", list(lines), 3)
        waiting = await api.get("/v1/strategies/north-2/steps/c")
        assert (waiting["why"]["code"], waiting["attempts"]) == ("max_parallel", [])


async def test_a_strategy_is_shown_with_stages_steps_reasons_and_its_story(world: World) -> None:
    async with gateway(world) as api:
        await tell(world, list(enumerate(STORY, 1)))
        await world.send(
            monitor.StageForecast(
                strategy_id="s-1", stage=1, window_seconds=60, finished_in_window=2, failed_in_window=1,
                failure_rate=0.5, eta_low=at(60), eta_high=None, at=at(5),
            )
        )  # fmt: skip
        shown = await api.shows(
            "/v1/strategies/north-2", lambda s: s["counts"]["failed"] == 1 and s["stages"][1]["forecast"]
        )
        assert shown["strategy_id"] == "s-1"
        assert (shown["state"], shown["why"]["code"]) == ("applying", "why_applying")
        assert shown["counts"] == {"waiting": 1, "running": 0, "complete": 1, "failed": 1, "aborted": 0}
        assert [s["state"] for s in shown["stages"]] == ["complete", "running"]
        assert shown["stages"][1]["forecast"]["failure_rate"] == 0.5
        assert shown["stages"][1]["soak_seconds"] == 5
        steps = {s["site"]: s for s in (await api.get("/v1/strategies/s-1/steps"))["items"]}
        assert {site: step["state"] for site, step in steps.items()} == {"a": "complete", "b": "failed", "c": "waiting"}
        assert steps["b"]["why"]["code"] == "health"
        assert steps["c"]["why"]["code"] == "max_parallel"  # that of its stage
        timeline = (await api.get("/v1/strategies/s-1/timeline"))["items"]
        assert [(t["kind"], t["code"], t["stage"]) for t in timeline] == [
            ("strategy", "planned", None),
            ("strategy", "why_ready", None),
            ("strategy", "why_applying", None),
            ("stage", "running", 0),
            ("stage", "complete", 0),
            ("stage", "running", 1),
            ("site", "health", 1),
        ]
        await world.send(state_changed("s-1", "north-2", "failed", 9), sequence=20)
        await world.send(strategy.StrategyDeleted(strategy_id="s-1", name="north-2", at=at(10)), sequence=21)
        await api.shows("/v1/strategies/s-1", lambda s: s["deleted"] and s["finished_at"])
        assert (await api.get("/v1/strategies"))["items"] == []
        assert len((await api.get("/v1/strategies?deleted=true&state=failed"))["items"]) == 1


async def test_repeated_and_reordered_events_change_nothing(world: World) -> None:
    told = list(enumerate(STORY, 1))
    shaken = told + told[:8] + told[3:] + random.Random(7).sample(told, len(told))  # noqa: S311
    fleet: list[tuple[int, Message]] = [
        (1, sites_changed("a", "b", group="north")),
        (2, strategy.SitesHeld(strategy_id="s-1", strategy="north-2", names=("a", "b"))),
        (3, strategy.SitesReleased(strategy_id="s-1")),
        (4, sites_changed("a", group="south")),
        (5, strategy.SitesRemoved(names=("b",))),
    ]
    ends = [(n, succeeded(f"op-{n}", "a", version=f"{n}.0")) for n in range(1, 6)]
    async with gateway(world, "1") as api, gateway(world, "2"):
        await tell(world, shaken)
        await tell(world, fleet + fleet[:4] + fleet[1:3])
        await tell(world, ends + ends[:3])
        await world.send(state_changed("end", "end", "ready", 0), sequence=1)
        await asyncio.gather(*(world.send(succeeded(f"end-{n}", f"end-{n}")) for n in range(30)))
        await world.send(strategy.GroupChanged(name="end", description="", apply_type="serial", max_parallel="20%"),
                         sequence=9)  # fmt: skip
        await api.shows("/v1/strategies/end", bool)
        await api.shows("/v1/groups/end", lambda g: g["max_parallel"] == "20%")
        await api.shows("/v1/deployments", lambda d: len(d["items"]) == 31)
        shown = await api.get("/v1/strategies/s-1")
        assert shown["state"] == "applying"
        assert shown["counts"] == {"waiting": 1, "running": 0, "complete": 1, "failed": 1, "aborted": 0}
        steps = (await api.get("/v1/strategies/s-1/steps"))["items"]
        assert [(s["site"], s["state"]) for s in steps] == [("a", "complete"), ("b", "failed"), ("c", "waiting")]
        assert len((await api.get("/v1/strategies/s-1/timeline"))["items"]) == 7
        (site,) = (await api.get("/v1/sites"))["items"]
        assert (site["name"], site["group"], site["held_by"]) == ("a", "south", None)
        assert site["deployments"] == [
            {"app": "web", "version": "5.0", "status": "operational", "operation_id": "op-5"}
        ]


async def test_operations_are_shown_from_progress_to_their_end_and_never_back(world: World) -> None:
    async with gateway(world) as api:
        doing = {"component": "web", "detail": "1 of 5 replicas are ready", "percent": 20}
        await world.send(running("o-1", "a", 20, doing=(doing,)))
        shown = await api.shows("/v1/operations/o-1", lambda o: (o["state"], o["percent"]) == ("running", 20))
        assert shown["doing"] == [doing]
        await world.send(failed("o-1", "a"))
        await world.send(running("o-1", "a", 80))
        await world.send(succeeded("o-2", "a", strategy_id="s-1"))
        await api.shows("/v1/operations/o-2", lambda o: o["state"] == "succeeded")
        one = await api.get("/v1/operations/o-1")
        assert (one["state"], one["recovered"], one["cause"]["code"]) == ("failed", True, "unhealthy")
        assert one["doing"] == []
        for query, wanted in {"strategy=s-1": ["o-2"], "state=failed": ["o-1"], "site=a": ["o-2", "o-1"]}.items():
            listed = (await api.get(f"/v1/operations?{query}"))["items"]
            assert [o["operation_id"] for o in listed] == wanted


async def test_an_operation_names_the_publication_that_it_waits_for_from_its_request_to_its_end(world: World) -> None:
    async with gateway(world) as api:
        body = {"site": "oslo", "app": "web", "kind": "update", "publication": "p-1"}
        asked = asyncio.create_task(api.ask("POST", "/v1/operations", body, Idempotency_Key="op-1"))
        await api.accept(deployer.RequestOperation, "op-1", operation_id="op-1")
        assert (await asked).status == 202
        queued = await api.shows("/v1/operations/op-1", lambda _: True)
        assert (queued["state"], queued["publication"]) == ("queued", "p-1")
        await world.send(running("op-1", "oslo", 20))  # as a deployer of before tells it
        await world.send(running("op-2", "rome", 0, publication="p-2"))  # asked for by Kafka: nobody told the gateway
        for number in (1, 2):
            shown = await api.shows(f"/v1/operations/op-{number}", lambda o: o["state"] == "running")
            assert shown["publication"] == f"p-{number}"
        await world.send(succeeded("op-2", "rome"))
        ended = await api.shows("/v1/operations/op-2", lambda o: o["state"] == "succeeded")
        assert ended["publication"] == "p-2"
        assert (await api.get("/v1/operations?site=rome"))["items"][0]["publication"] == "p-2"


async def test_the_evidence_of_a_failure_is_shown_with_its_operation_and_not_in_lists(world: World) -> None:
    way = {"component": "web", "driver": "process", "action": "apply", "reason": "release 2.0 was not here before"}
    phase = {"name": "deploy", "component": "web", "outcome": "failed", "detail": "exited: status 1"}
    times = {"started_at": at(1), "finished_at": at(2)}
    lines = ("web: begins", "web: cannot read its configuration")
    left = {"plan": (way,), "phases": ({**phase, **times},), "last_lines": lines}
    async with gateway(world) as api:
        await world.send(failed("o-1", "a", **left))
        await world.send(failed("s-1.0.7", "b", strategy_id="s-1", **left))
        for operation_id in ("o-1", "s-1.0.7"):
            shown = await api.shows(f"/v1/operations/{operation_id}", lambda o: o["state"] == "failed")
            assert shown["last_lines"] == list(lines)
            assert shown["plan"] == [{**way, "revision": None}]
            assert [(p["name"], p["outcome"], p["detail"]) for p in shown["phases"]] == [
                ("deploy", "failed", "exited: status 1")
            ]
        assert not any("last_lines" in listed for listed in (await api.get("/v1/operations"))["items"])


async def test_hundreds_of_failures_with_all_they_may_say_are_kept_each_with_its_own(world: World) -> None:
    lines = tuple(f"{number:02} " + "x" * 300 for number in range(49))
    async with gateway(world) as api:
        for start in range(0, 600, 100):
            ends = [(f"s-1.{n}", f"site-{n}", (f"{n}", *lines)) for n in range(start, start + 100)]
            events = [failed(operation, site, strategy_id="s-1", last_lines=said) for operation, site, said in ends]
            await asyncio.gather(*map(world.send, events))
        for n in range(600):
            shown = await api.shows(f"/v1/operations/s-1.{n}", lambda o: o["state"] == "failed")
            assert shown["last_lines"] == [f"{n}", *lines]


async def test_an_old_end_told_again_does_not_set_its_site_back(world: World) -> None:
    async with gateway(world) as api, listening(api, "?types=deployments_changed") as client:
        await world.send(running("o-1", "a", 20))
        await api.shows("/v1/operations/o-1", lambda o: o["state"] == "running")
        await world.send(succeeded("o-1", "a"))
        await world.send(failed("o-2", "a", strategy_id="s-1"))
        await api.shows("/v1/deployments?site=a", lambda d: [i["operation_id"] for i in d["items"]] == ["o-2"])
        await world.send(succeeded("o-1", "a"))
        await world.send(succeeded("o-3", "a", app="db"))  # of the same site, hence read after it
        (db, web) = (await api.shows("/v1/deployments?site=a", lambda d: len(d["items"]) == 2))["items"]
        assert (db["app"], db["version"], db["status"]) == ("db", "2.0", "operational")
        assert (web["operation_id"], web["version"], web["strategy_id"]) == ("o-2", "1.0", "s-1")
        heard = await client.until(lambda h: any(d["app"] == "db" for e in h for d in e.data["deployments"]))
        told = [d["operation_id"] for event in heard for d in event.data["deployments"]]
        assert told in (["o-1", "o-2", "o-3"], ["o-2", "o-3"])  # a batch tells of its last one


async def test_what_is_read_again_from_the_beginning_gives_the_same_deployments(world: World) -> None:
    async with gateway(world) as api:
        for n in range(1, 4):
            await world.send(succeeded(f"o-{n}", "a", version=f"{n}.0"))
            await world.send(failed(f"p-{n}", "b", version=f"{n}.5", status="update_error"))
        await api.shows("/v1/deployments", lambda d: [i["version"] for i in d["items"]] == ["3.0", "3.5"])
        before = await api.get("/v1/deployments")
        await api.service.pool.execute("truncate deployment, operation, consumed")
    async with gateway(world) as api:
        await world.send(failed("p-3", "b", version="3.5", status="update_error"))  # the end of what is read again
        again = await api.shows("/v1/deployments", lambda d: [i["version"] for i in d["items"]] == ["3.0", "3.5"])
        assert again == before


async def test_a_site_is_held_by_who_took_it_last_in_whatever_order_it_is_told(world: World) -> None:
    def held(strategy_id: str) -> strategy.SitesHeld:
        return strategy.SitesHeld(strategy_id=strategy_id, strategy=f"name-{strategy_id}", names=("a", "b"))

    def released(strategy_id: str) -> strategy.SitesReleased:
        return strategy.SitesReleased(strategy_id=strategy_id)

    async with gateway(world) as api:

        async def holders(marker: int, *story: tuple[int, Message]) -> list[str | None]:
            """Who holds a and b, once the story was read."""
            await tell(world, story)
            await world.send(sites_changed(f"marker-{marker}"), sequence=100 + marker)
            await api.shows(f"/v1/sites/marker-{marker}", bool)
            sites = [await api.get(f"/v1/sites/{name}") for name in ("a", "b")]
            return [site["held_by"] and site["held_by"]["strategy"] for site in sites]

        before_the_sites = [(2, held("s-1")), (1, sites_changed("a", "b"))]
        assert await holders(1, *before_the_sites) == ["name-s-1", "name-s-1"]
        assert [s["name"] for s in (await api.get("/v1/sites?held=true"))["items"]] == ["a", "b"]
        assert await holders(2, (3, released("s-1")), (2, held("s-1"))) == [None, None]
        assert (await api.get("/v1/sites?held=true"))["items"] == []
        assert len((await api.get("/v1/sites?held=false"))["items"]) == 4
        assert await holders(3, (5, released("s-2")), (4, held("s-2"))) == [None, None]
        taken_over = [(6, held("s-3")), (8, held("s-1")), (7, released("s-3")), (3, released("s-1"))]
        assert await holders(4, *taken_over) == ["name-s-1", "name-s-1"]
        assert await holders(5, (6, held("s-3"))) == ["name-s-1", "name-s-1"]


async def test_long_lists_come_in_pages_that_miss_and_repeat_nothing(world: World) -> None:
    names = [f"site-{n:05}" for n in range(2_300)]
    async with gateway(world) as api:
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            await world.send(sites_changed(*part, labels={"zone": "n"}), sequence=start + 1)
            await world.send(stepped("s-1", 1, *((name, 0, "waiting") for name in part)), sequence=start + 1)
        await world.send(planned("s-1", "all", len(names)), sequence=9_999)
        await api.shows("/v1/sites?q=02299", lambda body: body["items"])
        await api.shows("/v1/strategies/s-1", bool)
        for path, key, params in [("/v1/sites", "name", "&label=zone=n"), ("/v1/strategies/all/steps", "site", "")]:
            found, cursor = [], ""
            while True:
                body: Any = await api.get(f"{path}?limit=1000{params}{cursor}")
                found += [item[key] for item in body["items"]]
                if body["next"] is None:
                    break
                cursor = f"&cursor={body['next']}"
            assert found == names


async def test_releases_bundles_and_notifications_are_shown(world: World) -> None:
    def release(version: str) -> catalog.ReleaseAvailable:
        return catalog.ReleaseAvailable(
            release_id=f"web-{version}", app="web", version=version, scheme="pep440", bundle_sha256="a" * 64,
            bundle_bytes=9, upgrades_from=(">=1.0",), components=(), published_at=at(1),
            requires=catalog.Required(python=">=3.11") if version == "1.9" else catalog.Required(),
        )  # fmt: skip

    fault = Fault(code="link", field="a/b", message="is a link")
    refused = catalog.ReleaseRejected(bundle_sha256="b" * 64, file_name="bad.tar.gz", faults=(fault,))
    async with gateway(world) as api:
        for sequence, version in enumerate(["1.9", "1.10", "2.0"], 1):
            await world.send(release(version), sequence=sequence)
        await world.send(catalog.ReleaseWithdrawn(release_id="web-2.0", app="web", version="2.0"), sequence=4)
        await world.send(refused)
        await api.shows(f"/v1/bundles/{'b' * 64}", lambda b: b["faults"][0]["code"] == "link")
        (app,) = (await api.get("/v1/apps"))["items"]
        assert app == {"app": "web", "releases": 3, "latest": "1.10", "deployments": 0}
        assert (await api.get("/v1/releases/web/2.0"))["state"] == "withdrawn"
        shown = await api.get("/v1/releases/web/1.9")
        assert (shown["upgrades_from"], shown["requires"]) == ([">=1.0"], {"python": ">=3.11", "platforms": []})
        assert (await api.get("/v1/releases/web/1.10"))["requires"] == {"python": None, "platforms": []}
        assert len((await api.get("/v1/releases?app=web&state=available"))["items"]) == 2
        assert (await api.get("/v1/apps/web/keys"))["items"] == []
        nowhere = await api.ask("GET", "/v1/apps/wbe/keys")
        assert (nowhere.status, nowhere.body["code"]) == (404, "unknown_app")
        for number in (1, 2):
            await world.send(
                notifier.NotificationRaised(
                    notification_id=number, topic=NotificationTopic.ERROR, message="m", about="x", raised_at=at(1)
                )
            )
        await world.send(notifier.NotificationsRead(inbox="everyone", ids=(1,)))
        await api.shows("/v1/notifications?unread=true", lambda n: [i["notification_id"] for i in n["items"]] == [2])
        cause = deployer.Cause(code="exited", message="it exited")
        broke = notifier.FailedOperation(
            operation_id="o-7", site="oslo", app="web", kind="update", recovered=True, cause=cause
        )
        await world.send(
            notifier.NotificationRaised(
                notification_id=3, topic="error", message="m", about="x", raised_at=at(1), failures=(broke,)
            )
        )
        shown = await api.shows("/v1/notifications", lambda n: n["items"][0]["notification_id"] == 3)
        assert shown["items"][0]["failed"] == [{"operation_id": "o-7", "site": "oslo"}]
        assert len((await api.get("/v1/notifications?topic=error"))["items"]) == 3


async def test_an_end_that_comes_after_a_later_one_of_its_site_does_not_set_it_back(world: World) -> None:
    async with gateway(world) as api:
        await world.send(sites_changed("oslo", "rome"), sequence=1)
        await world.send(all_succeeded("s", ("s.0.1", "oslo", 7), ("s.1.1", "rome", 1)))
        await api.shows("/v1/operations/s.0.1", lambda found: found["state"] == "succeeded")
        await world.send(failed("by-hand", "oslo", nth=6))
        await api.shows("/v1/operations/by-hand", lambda found: found["state"] == "failed")
        shown = {d["site"]: (d["operation_id"], d["version"]) for d in (await api.get("/v1/deployments"))["items"]}
        assert shown == {"oslo": ("s.0.1", "2.0"), "rome": ("s.1.1", "2.0")}


def _published(version: str, nth: int) -> catalog.ReleaseAvailable:
    digest = f"{nth:064x}"
    return catalog.ReleaseAvailable(
        release_id=f"r-{nth}", app="web", version=version, scheme="pep440", components=(), published_at=at(nth),
        bundle_sha256=digest, bundle_bytes=1, upgrades_from=None,
    )  # fmt: skip


async def test_a_pre_release_is_the_latest_of_an_app_only_when_asked_for(world: World) -> None:
    async with gateway(world) as api:
        for nth, version in enumerate(("1.9", "1.10.0", "2.0rc1"), 1):
            await world.send(_published(version, nth), sequence=1)
        (app,) = (await api.shows("/v1/apps", lambda body: body["items"] and body["items"][0]["releases"] == 3))[
            "items"
        ]
        assert app["latest"] == "1.10.0"
        assert (await api.get("/v1/apps?prereleases=true"))["items"][0]["latest"] == "2.0rc1"


async def test_a_release_is_found_by_every_spelling_of_its_version(world: World) -> None:
    async with gateway(world) as api:
        await world.send(_published("1.10.0", 1), sequence=1)
        await api.shows("/v1/releases/web/1.10.0", lambda body: body["version"] == "1.10.0")
        for spelling in ("1.10", "v1.10.0", "1.10.0.0"):
            assert (await api.get(f"/v1/releases/web/{spelling}"))["version"] == "1.10.0"
        assert (await api.ask("GET", "/v1/releases/web/1.1")).status == 404


async def test_an_operation_never_takes_longer_than_from_its_request_to_its_end(world: World) -> None:
    async with gateway(world) as api:
        await world.send(running("op-1", "a", 50, at=at(9)))  # first heard of in the middle
        await world.send(succeeded("op-1", "a", seconds=8.0, at=at(12)))
        shown = await api.shows("/v1/operations/op-1", lambda o: o["state"] == "succeeded")
        requested, finished = (datetime.fromisoformat(shown[key]) for key in ("requested_at", "finished_at"))
        assert (finished - requested).total_seconds() == shown["seconds"] == 8.0


async def test_a_deployment_is_shown_with_what_left_it_so_and_with_its_history(world: World) -> None:
    async with gateway(world) as api:
        first, second = succeeded("op-1", "b", nth=1), failed("op-2", "b", nth=2, last_lines=("no space left",))
        await tell(world, [(1, first), (2, second)])
        await api.shows("/v1/deployments/b/web", lambda d: d["operation_id"] == "op-2")
        await tell(world, [(3, running("op-3", "b", 40))])
        shown = await api.shows("/v1/deployments/b/web", lambda d: d["running"] and d["operation_id"] == "op-2")
        assert (shown["last"]["operation_id"], shown["last"]["last_lines"]) == ("op-2", ["no space left"])
        assert (shown["running"]["operation_id"], shown["running"]["percent"]) == ("op-3", 40)
        assert shown["running"]["actions"] == ["cancel"]
        history = await api.get("/v1/deployments/b/web/history")
        assert [each["operation_id"] for each in history["items"]] == ["op-3", "op-2", "op-1"]
        await tell(world, [(4, running("op-4", "c", 10))])
        first = await api.shows("/v1/deployments/c/web", lambda d: d["running"])
        assert (first["status"], first["version"], first["last"]) == ("new", None, None)
        for nobody in ("/v1/deployments/b/cart", "/v1/deployments/nowhere/web", "/v1/deployments/b/cart/history"):
            assert (await api.ask("GET", nobody)).status == 404
