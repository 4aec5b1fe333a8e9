"""The event stream: every replica shows every event once, in one order, and resumes where a client was."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.gateway.events import hub, stream
from services.gateway.events import store as events
from services.gateway.events.stream_events import StreamEvent
from shared.messages.deployer import RequestOperation
from tests.service.gateway.api import gateway
from tests.service.gateway.listener import listening
from tests.service.gateway.told import progressed, running, sites_changed, state_changed, succeeded
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_both_replicas_tell_every_event_at_the_same_position(world: World) -> None:
    async with (
        gateway(world, "1") as one,
        gateway(world, "2") as two,
        listening(one) as first,
        listening(two) as second,
    ):
        for number in range(20):  # over all partitions, so that both replicas read some
            await world.send(state_changed(f"s-{number}", f"s-{number}", "ready", number), sequence=1)
            await world.send(running(f"o-{number}", f"site-{number}", 50))
        here, there = await first.until(lambda h: len(h) >= 40), await second.until(lambda h: len(h) >= 40)
        assert [(h.position, h.type, h.subject) for h in here] == [(h.position, h.type, h.subject) for h in there]
        assert [h.position for h in here] == list(range(1, 41))
        assert {h.subject for h in here} == {f"{kind}-{n}" for kind in "so" for n in range(20)}


async def test_a_client_that_comes_back_gets_exactly_what_it_missed(world: World) -> None:
    async with gateway(world) as api:
        async with listening(api) as client:
            await world.send(sites_changed("a"), sequence=1)
            await client.until(lambda h: len(h) == 1)
        for number in range(2, 1_202):
            await world.send(progressed("s-1", 0, "running", number, running=1), sequence=number)
        async with listening(api, resume_from=1) as client:
            heard = await client.until(lambda h: len(h) >= 1_200)
            assert [h.position for h in heard] == list(range(2, 1_202))
        async with listening(api, "?types=sites_changed", resume_from=0) as client:
            await world.send(sites_changed("b"), sequence=2)
            heard = await client.until(lambda h: len(h) == 2)
            assert [h.type for h in heard] == ["sites_changed"] * 2
            assert heard[1].data["sites"][0]["name"] == "b"


async def test_a_client_whose_place_is_forgotten_or_unknown_is_told_to_read_anew(world: World) -> None:
    async with gateway(world) as api:
        async with listening(api) as client:
            for number in range(10):
                await world.send(state_changed("s-1", "s", "ready", number), sequence=number + 1)
            await client.until(lambda h: len(h) == 10)
        async with api.service.pool.acquire() as conn:
            await events.prune(conn, keep=3, before=datetime.min.replace(tzinfo=UTC))
        for place, wanted in [(3, ["reset"]), (99, ["reset"]), (10, []), (7, ["strategy_state_changed"] * 3)]:
            async with listening(api, resume_from=place) as client:
                await client.until(lambda h, wanted=wanted: len(h) >= len(wanted))
                assert [h.type for h in client.heard] == wanted, place


async def test_only_what_was_asked_for_is_told(world: World) -> None:
    async with gateway(world) as api:
        await world.send(state_changed("s-1", "north-2", "ready", 1), sequence=1)
        await api.shows("/v1/strategies/north-2", bool)
        async with listening(api, "?strategy=north-2&types=stage_progressed,strategy_state_changed") as client:
            await world.send(progressed("s-2", 0, "running", 1, running=1), sequence=1)
            await world.send(succeeded("o-1", "a", strategy_id="s-1"))
            await world.send(progressed("s-1", 0, "running", 1, running=1), sequence=2)
            heard = await client.until(lambda h: len(h) == 1)
            assert (heard[0].type, heard[0].data["strategy_id"]) == ("stage_progressed", "s-1")


async def test_what_strategies_do_site_by_site_comes_in_batches(world: World) -> None:
    async with gateway(world) as api, listening(api) as client:
        for number in range(50):
            await world.send(succeeded(f"o-{number}", f"a-{number}", strategy_id="s-1"))

        def told_of(heard: list[object]) -> set[str]:
            return {d["site"] for h in client.heard if h.type == "deployments_changed" for d in h.data["deployments"]}

        await client.until(lambda h: len(told_of(list(h))) == 50)
        assert {h.type for h in client.heard} == {"deployments_changed"}
        await world.send(succeeded("o-single", "a-1"))
        await client.until(lambda h: "operation_succeeded" in {heard.type for heard in h})


async def test_our_own_answers_are_told(world: World) -> None:
    async with gateway(world) as api, listening(api) as client:
        body = {"site": "a", "app": "web", "kind": "recover"}
        asked = asyncio.create_task(api.ask("POST", "/v1/operations", body, Idempotency_Key="o-1"))
        await api.accept(RequestOperation, "o-1")
        await asked
        heard = await client.until(lambda h: len(h) == 1)
        assert (heard[0].type, heard[0].data["command_id"]) == ("command_accepted", "o-1")


async def test_a_client_that_reads_too_slowly_is_reset_and_goes_on(world: World) -> None:
    async with gateway(world, stream_client_bytes=2_000) as api:
        with door_hub(api).subscribe(hub.Interest()) as mailbox:
            async with listening(api) as reader:
                for number in range(100):
                    await world.send(state_changed("s-1", "s", "ready", number), sequence=number + 1)
                await reader.until(lambda h: bool(h) and h[-1].position == 100)
            kept = await mailbox.take(0)
            assert kept[0].type == "reset"
            assert sum(len(item.frame) for item in kept) <= 2_500
            assert [item.position for item in kept] == list(range(kept[0].position, 101))


async def test_a_quiet_stream_beats_and_moves_the_place_to_resume_from(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    async with gateway(world) as api, listening(api) as all_of_it, listening(api, "?types=group_changed") as none:
        await world.send(sites_changed("a"), sequence=1)
        await all_of_it.until(lambda h: len(h) == 1)
        async with patience(10), none.news:
            await none.news.wait_for(lambda: none.position == 1)
        assert none.heard == []


async def test_a_stream_ends_when_its_token_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    async with gateway(world, "1") as one, gateway(world, "2", token_cache_seconds=0.1) as two:
        made = (await one.ask("POST", "/v1/tokens", {"name": "ci", "role": "viewer"})).body
        headers = {"Authorization": f"Bearer {made['token']}"}
        async with two.http.get(f"{two.url}/v1/events", headers=headers) as answer:
            assert answer.status == 200
            assert (await one.ask("DELETE", f"/v1/tokens/{made['id']}")).status == 200
            async with patience(10):
                await answer.read()  # to its end
        assert (await two.ask("GET", "/v1/me")).status == 200


async def test_the_token_may_stand_in_the_query_for_the_stream_alone(world: World) -> None:
    async with gateway(world) as api:
        async with api.http.get(f"{api.url}/v1/events?access_token={api.token}") as answer:
            assert answer.status == 200
        async with api.http.get(f"{api.url}/v1/events?access_token=belay_x_y") as answer:
            assert answer.status == 401


async def test_positions_are_given_in_the_order_of_the_commits(world: World) -> None:
    """A slow transaction cannot get a lower position than one that a reader has already seen."""
    now, story = datetime.now(UTC), [StreamEvent("sites_changed", None, "{}")]
    async with gateway(world) as api:
        pool = api.service.pool
        async with pool.acquire() as slow, pool.acquire() as quick:
            change = slow.transaction()
            await change.start()
            await events.write(slow, story * 3, now)
            waiting = asyncio.create_task(events.write(quick, story * 2, now))
            async with pool.acquire() as reader:
                assert await events.last_position(reader) == 0
                while not await reader.fetchval("select exists (select from pg_locks where not granted)"):
                    pass
                assert await events.after(reader, 0, 2**62) == ([], False)
                await change.rollback()
                await waiting
                rows, _ = await events.after(reader, 0, 2**62)
                assert [row["position"] for row in rows] == [1, 2]


def door_hub(api: object) -> hub.Hub:
    """The hub of a replica, by way of the part that follows the log."""
    parts = api.service.parts  # type: ignore[attr-defined]
    return next(part.__self__ for part in parts if isinstance(getattr(part, "__self__", None), hub.Hub))
