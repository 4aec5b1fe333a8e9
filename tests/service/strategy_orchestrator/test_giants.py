"""Giant commands: answered like any other, within seconds, and nobody waits behind them."""

import pytest

from services.gateway.http.problems import MAX_SPEC_BYTES
from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.message_parts import NAMES_KEPT
from shared.messages.base import CommandAccepted, CommandRejected, count_of
from shared.messages.strategy import CreateStrategy, StepsChanged, StrategyPlanned
from tests.service.gateway.api import gateway
from tests.service.strategy_orchestrator.fleet_of_devices import learned, publish, register, spec
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

NAME = "strategy_orchestrator"
LONGEST = tuple(f"{n:06}-".ljust(99, "x") + "y" for n in range(100_000))


async def test_100_000_unknown_sites_of_the_longest_names_are_one_refusal_that_counts_them(world: World) -> None:
    await publish(world)
    async with world.run(NAME, wire) as service:
        await learned(service)
        answer = await world.ask(CreateStrategy(spec=spec(selection={"sites": LONGEST})))
        assert isinstance(answer, CommandRejected)
        assert (answer.faults_count, count_of(answer.faults), len(answer.faults)) == (100_000, 100_000, 101)
        assert answer.faults[-1].message == "and 99900 more"
        await register(world, 1)  # others are answered
        assert not await service.ledger.refused()


async def test_a_roll_out_that_names_each_of_7_000_sites_is_planned_and_told_in_parts(world: World) -> None:
    await publish(world)
    async with world.run(NAME, wire) as service:
        await learned(service)
        await register(world, 7_000)
        names = [f"s-{n:03}" for n in range(7_000)]
        answer = await world.ask(CreateStrategy(spec=spec(selection={"sites": names})))
        assert isinstance(answer, CommandAccepted), answer
        planned = await world.until(StrategyPlanned)
        kept = planned.spec.selection.sites
        assert (kept, planned.names_left_out) == (tuple(names[:NAMES_KEPT]), 7_000 - NAMES_KEPT)
        await world.until(StepsChanged, lambda event: any(step.site == "s-6999" for step in event.steps))
        assert await service.pool.fetchval("select count(*) from step") == 7_000


async def test_the_gateway_sends_a_spec_of_10_megabytes_and_refuses_at_once_what_no_topic_takes(world: World) -> None:
    body = spec(selection={"sites": LONGEST}).model_dump(mode="json")
    async with gateway(world) as api:
        sent = await api.ask("POST", "/v1/strategies", body, Idempotency_Key="giant", Prefer="respond-async")
        assert sent.status == 202
        assert (await api.command(CreateStrategy, "giant")).data.spec.selection.sites == LONGEST
        stages = [{"name": f"stage-{n}", "sites": LONGEST[:20_000]} for n in range(2)]
        over = await api.ask("POST", "/v1/strategies", {**body, "stages": stages})
        assert (over.status, over.body["code"]) == (413, "too_large")
        assert str(MAX_SPEC_BYTES) in over.body["detail"]
        assert (await api.ask("POST", "/v1/groups", {"name": "x", "description": "x" * 1_000_000})).status == 413
        assert (await api.ask("POST", "/v1/groups", {"name": "x"}, Prefer="respond-async")).status == 202
