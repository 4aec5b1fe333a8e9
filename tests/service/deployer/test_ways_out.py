"""No status without a way out: from each error every operation leads on, on sites that failed for real."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from services.deployer.domain import TRANSITIONS
from shared.messages.deployer import OperationFailed, Requested, RequestOperations
from shared.messages.strategy import Site, SitesChanged
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.service.deployer.fleet import Finished, Fleet, ready
from tests.support.world import World

pytestmark = pytest.mark.service

INTO: Mapping[Status, tuple[str, str | None]] = {
    Status.APPLY_ERROR: ("apply", "3.0"),
    Status.UPDATE_ERROR: ("update", "3.0"),
    Status.ROLLBACK_ERROR: ("rollback", None),
    Status.REMOVE_ERROR: ("remove", None),
}
"""By error, the operation that fails and is left where it is. All sites came from 1.0 to 2.0 before."""

OUT: Mapping[Kind, str | None] = {
    Kind.APPLY: "3.0.1",
    Kind.UPDATE: "3.0.1",
    Kind.ROLLBACK: "1.0",
    Kind.RECOVER: None,
    Kind.REMOVE: None,
}
"""Every operation, and the release that it goes to: a fixed one where it can."""

ENDS: Mapping[Kind, tuple[str | None, str]] = {
    Kind.APPLY: ("3.0.1", "operational"),
    Kind.UPDATE: ("3.0.1", "operational"),
    Kind.ROLLBACK: ("1.0", "operational"),
    Kind.RECOVER: ("2.0", "operational"),
    Kind.REMOVE: (None, "removed"),
}
VERSIONS = ["1.0", "2.0", "3.0", "3.0.1"]


async def fated(fleet: Fleet, names: list[str], fate: str) -> None:
    """All that is begun on these sites from now on ends so."""
    connections = {"simulated": {"simulated": fate}}
    await fleet.tell(SitesChanged(sites=tuple(Site(name=name, connections=connections) for name in names)))
    await fleet.known(fleet.service)


async def all_do(fleet: Fleet, names: list[str], kind: str, version: str | None = None, **more: Any) -> list[Finished]:
    operations = await fleet.request_all(names, kind, version, **more)
    return list(await asyncio.gather(*(fleet.end(operation) for operation in operations)))


def test_the_table_has_each_error_and_each_operation() -> None:
    errors = {status for status, steps in TRANSITIONS.items() if status.endswith("_error") and steps}
    assert errors == set(INTO)
    assert all(set(OUT) <= set(TRANSITIONS[error]) for error in errors)


async def test_every_operation_leads_out_of_every_error(world: World) -> None:
    pairs = {f"{error}-{kind}".replace("_", "-"): (error, kind) for error in INTO for kind in OUT}
    sites = list(pairs)
    async with ready(world, sites, VERSIONS) as fleet:
        await all_do(fleet, sites, "apply", "1.0")
        await all_do(fleet, sites, "update", "2.0")
        await fated(fleet, sites, "fail")
        for error, (kind, version) in INTO.items():
            stuck = [site for site, (into, _) in pairs.items() if into is error]
            for failed in await all_do(fleet, stuck, kind, version, recover="never"):
                assert isinstance(failed, OperationFailed)
                assert (failed.status, failed.version, failed.recovered) == (error, "2.0", False)
                assert "recover: never" in failed.cause.message
                assert not any(phase.name.startswith("recover") for phase in failed.phases)
        await fated(fleet, sites, "succeed")
        for kind, target in OUT.items():
            ways = [site for site, (_, out) in pairs.items() if out is kind]
            ended = {(end.version, str(end.status)) for end in await all_do(fleet, ways, kind, target)}
            assert ended == {ENDS[kind]}, kind
            wanted = {} if ENDS[kind][0] is None else {"web": ENDS[kind][0]}
            assert all(fleet.running(site) == wanted for site in ways)
        fleet.assert_each_order_once()


async def test_a_first_apply_that_is_left_where_it_failed_has_ways_out_too(world: World) -> None:
    sites = ["to-apply", "to-update", "to-recover", "to-remove"]
    async with ready(world, sites, VERSIONS) as fleet:
        await fated(fleet, sites, "fail")
        for failed in await all_do(fleet, sites, "apply", "3.0", recover="never"):
            assert (failed.version, failed.status) == (None, "apply_error")
        await fated(fleet, sites, "succeed")
        assert await fleet.refused("to-apply", "rollback") == ["no_previous_release"]
        ends = [
            (await fleet.do("to-apply", "apply", "3.0.1")),
            (await fleet.do("to-update", "update", "3.0.1")),
            (await fleet.do("to-recover", "recover")),
            (await fleet.do("to-remove", "remove")),
        ]
        assert [(end.version, str(end.status)) for end in ends] == [
            ("3.0.1", "operational"), ("3.0.1", "operational"), (None, "new"), (None, "removed"),
        ]  # fmt: skip


async def test_what_a_release_says_holds_unless_the_request_says_otherwise(world: World) -> None:
    sites = ["oslo", "rome"]
    async with ready(world, sites, ["1.0"]) as fleet:
        await fleet.release("3.0", rules={"recover": "never"})
        await all_do(fleet, sites, "apply", "1.0")
        await fated(fleet, ["oslo"], "fail")
        left = await fleet.do("oslo", "update", "3.0")
        assert (left.status, left.version) == ("update_error", "1.0")
        await fated(fleet, ["oslo"], "succeed")
        assert (await fleet.do("oslo", "update", "3.0")).version == "3.0"


async def test_what_a_batch_says_of_failures_holds_for_each_of_its_sites(world: World) -> None:
    sites = ["oslo", "rome"]
    async with ready(world, sites, ["1.0", "2.0"]) as fleet:
        await all_do(fleet, sites, "apply", "1.0")
        await fated(fleet, sites, "fail")
        operations = tuple(Requested(operation_id=f"s.{site}", site=site) for site in sites)
        what = {"batch": "s/1.1", "strategy_id": "s", "app": "shop", "kind": Kind.UPDATE, "version": "2.0"}
        await world.ask(RequestOperations(**what, recover="never", operations=operations))
        for one in operations:
            left = await fleet.end(one.operation_id)
            assert (left.status, left.version) == ("update_error", "1.0")
