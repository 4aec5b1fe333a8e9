"""A release is prepared once for all sites, whoever asks and however often."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.catalog.app import wire
from shared.messages.catalog import (
    CommandAccepted,
    CommandRejected,
    PreparationFailed,
    PrepareRelease,
    ReleasePrepared,
    ReleaseWithdrawn,
    WithdrawRelease,
)
from tests.service.catalog.preparing import SWITCH, available, failed, lies, prepare, prepared, with_image, with_wheels
from tests.service.catalog.shelf import rows
from tests.support.bundles import bundle
from tests.support.images import BreakingRegistry, breaking_registry, image, listed, noise, sha
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = pytest.mark.service


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come soon."""
    monkeypatch.setenv("BELAY_CATALOG_RETRY_SECONDS", "0.1")


@pytest.fixture
async def registry() -> AsyncIterator[BreakingRegistry]:
    async with breaking_registry() as running:
        yield running


async def test_what_a_process_is_installed_from_lies_in_the_store_by_its_digests(world: World) -> None:
    async with world.run("catalog", wire):
        release = await available(world, with_wheels())
        answer = await prepare(world)
        assert answer.result["state"] == "preparing"
        told = await prepared(world)
    assert told.bundle_sha256 == release.bundle_sha256
    names = {item.name: item.sha256 for item in told.content}
    assert set(names) == {"switch.lock", "wheels/switch-1.0-py3-none-any.whl", "data/first.db"}
    assert names["wheels/switch-1.0-py3-none-any.whl"] == sha(SWITCH)
    assert {(item.component, item.kind) for item in told.content} == {("switch", "package")}
    assert all(lies(world, item.sha256) for item in told.content)
    assert told.bytes == sum(item.bytes for item in told.content)


async def test_an_image_is_had_by_its_digest_with_all_its_blobs(world: World, registry: BreakingRegistry) -> None:
    made = image(noise(3_000_000), noise(100_000, seed=1))
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("team/app", made)))
        await prepare(world)
        told = await prepared(world)
    [item] = told.content
    assert (item.kind, item.sha256, item.platform, item.index) == ("image", made.sha256, "linux/amd64", None)
    assert item.bytes == told.bytes == made.bytes
    assert all(lies(world, digest) for digest in (made.sha256, *made.blobs))
    assert registry.sent == {digest: len(content) for digest, content in made.blobs.items()}


async def test_asked_for_again_it_is_there_and_nothing_is_fetched_or_told_again(
    world: World, registry: BreakingRegistry
) -> None:
    async with world.run("catalog", wire) as service:
        await available(world, with_image(registry.add("app", image(noise(1000)))))
        await prepare(world, on_behalf="s1/1")
        await prepared(world)
        asked = len(registry.asked)
        again = await prepare(world, version="1.0", on_behalf="s2/1")  # another spelling of the version
        assert (again.result["state"], again.result["version"]) == ("prepared", "1.0.0")
        assert await rows(service, "job where queue = 'preparation'") == 0
    assert len(registry.asked) == asked
    assert len(world.events(ReleasePrepared)) == 1


async def test_who_has_lost_what_was_told_long_ago_is_told_once_more(world: World, registry: BreakingRegistry) -> None:
    async with world.run("catalog", wire) as service:
        await available(world, with_image(registry.add("app", image(noise(1000)))))
        await prepare(world)
        first = await prepared(world)
        await service.pool.execute("update preparation set settled_at = settled_at - interval '25 hours'")
        await prepare(world)  # a person reads the answer
        await prepare(world, on_behalf="s9/1")
        await world.until(ReleasePrepared, lambda _: len(world.events(ReleasePrepared)) == 2)
    again = world.events(ReleasePrepared)[1]
    assert again == first.model_copy(update={"prepared_at": again.prepared_at})


async def test_asked_for_by_two_at_the_same_moment_it_runs_once(world: World, registry: BreakingRegistry) -> None:
    made, registry.stalls_after = image(noise(2_000_000)), 100_000
    async with world.run("catalog", wire) as service, world.run("catalog", wire, instance="2"):
        await available(world, with_image(registry.add("app", made)))
        ids = [await world.send(PrepareRelease(app="lamp", version="1.0.0", on_behalf=f"s{n}/1")) for n in range(10)]
        answers = [await world.answer(one) for one in ids]
        registry.goes_on.set()
        await prepared(world)
        assert await service.pool.fetchval("select cardinality(on_behalf) from preparation") == 10
    assert all(isinstance(answer, CommandAccepted) for answer in answers)
    assert registry.sent == {digest: len(content) for digest, content in made.blobs.items()}
    assert len(world.events(ReleasePrepared)) == 1


async def test_what_two_releases_share_is_fetched_once(world: World, registry: BreakingRegistry) -> None:
    shared, own = noise(500_000), noise(1000, seed=2)
    first, second = image(shared), image(shared, own)
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("app", first)))
        await available(world, with_image(registry.add("app", second), "2.0.0"), "2.0.0")
        await prepare(world)
        await prepared(world)
        await prepare(world, "2.0.0")
        told = await prepared(world, "2.0.0")
    assert told.bytes == second.bytes
    assert registry.sent[sha(shared)] == len(shared)


async def test_of_a_list_the_wanted_platforms_are_chosen(
    world: World, registry: BreakingRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_IMAGE_PLATFORMS", "linux/amd64, linux/arm64")
    amd, arm, s390 = (
        image(noise(900, n), platform=f"linux/{name}") for n, name in enumerate(("amd64", "arm64", "s390x"))
    )
    many = listed([("linux/amd64", amd), ("linux/arm64/v8", arm), ("linux/s390x", s390)])
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("app", many)))
        await prepare(world)
        told = await prepared(world)
    assert {item.sha256 for item in told.content} == {amd.sha256, arm.sha256}
    assert {item.index for item in told.content} == {many.sha256}
    assert lies(world, many.sha256)
    assert not lies(world, s390.sha256)


async def test_without_any_content_it_is_prepared_at_once(world: World) -> None:
    async with world.run("catalog", wire):
        await available(world, bundle())
        await prepare(world)
        told = await prepared(world)
    assert (told.content, told.bytes) == ((), 0)


# -- refusals and failures --------------------------------------------------------------------------------------------


async def test_a_release_that_is_not_there_or_withdrawn_is_refused_with_the_reason(world: World) -> None:
    async with world.run("catalog", wire):
        unknown = await world.ask(PrepareRelease(app="lamp", version="9.9.9"))
        await available(world, bundle())
        await world.ask(WithdrawRelease(app="lamp", version="1.0.0"))
        withdrawn = await world.ask(PrepareRelease(app="lamp", version="1.0.0", on_behalf="s1/1"))
        told = await failed(world)  # who waits for an event hears of it by one
    assert isinstance(unknown, CommandRejected)
    assert isinstance(withdrawn, CommandRejected)
    assert (unknown.code, withdrawn.code) == ("unknown_release", "release_withdrawn")
    assert (told.cause.code, told.on_behalf) == ("release_withdrawn", ("s1/1",))


async def test_a_failed_one_is_tried_again_for_somebody_new_or_a_person_and_for_nobody_else(
    world: World, registry: BreakingRegistry
) -> None:
    made = image(noise(1000))
    reference = f"{registry.host}/app@sha256:{made.sha256}"
    async with world.run("catalog", wire):
        await available(world, with_image(reference))
        await prepare(world, on_behalf="s1/1")
        first = await failed(world)
        assert (first.cause.code, first.on_behalf) == ("image_unavailable", ("s1/1",))
        asked = len(registry.asked)
        refused = await world.ask(PrepareRelease(app="lamp", version="1.0.0", on_behalf="s1/1"))
        assert isinstance(refused, CommandRejected)
        assert refused.code == "preparation_failed"
        assert (await failed(world, nth=2)).cause == first.cause
        assert len(registry.asked) == asked
        await prepare(world)
        assert (await failed(world, nth=3)).on_behalf == ("s1/1",)
        assert len(registry.asked) > asked
        registry.add("app", made)
        await prepare(world, on_behalf="s2/1")
        await prepared(world)
    assert len(world.events(PreparationFailed)) == 3


async def test_a_registry_that_is_ill_is_asked_again_later(world: World, registry: BreakingRegistry) -> None:
    async with world.run("catalog", wire) as service:
        await available(world, with_image(registry.add("app", image(noise(1000)))))
        registry.statuses = [503, 429, 502]
        await prepare(world)
        await prepared(world)
        assert await service.pool.fetchval("select trouble_since is null from preparation")


async def test_a_registry_that_is_away_for_long_is_not_waited_for_any_longer(
    world: World, registry: BreakingRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_PREPARE_PATIENCE_SECONDS", "1")
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("app", image(noise(1000)))))
        registry.statuses = [503] * 1000
        await prepare(world)
        told = await failed(world)
    assert told.cause.code == "registry_unreachable"
    assert "503" in told.cause.message


@pytest.mark.parametrize(("status", "code"), [(404, "image_unavailable"), (403, "registry_refused")])
async def test_what_a_registry_refuses_fails_at_once(
    world: World, registry: BreakingRegistry, status: int, code: str
) -> None:
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("app", image(noise(1000)))))
        registry.statuses = [status]
        await prepare(world)
        assert (await failed(world)).cause.code == code


async def test_a_release_withdrawn_in_the_middle_ends_with_that_cause(world: World, registry: BreakingRegistry) -> None:
    registry.stalls_after = 0
    async with world.run("catalog", wire) as service:
        await available(world, with_image(registry.add("app", image(noise(200_000), noise(200_000, 1)))))
        await prepare(world, on_behalf="s1/1")
        await until_so(lambda: service.pool.fetchval("select exists (select from prepared_blob)"))
        await world.ask(WithdrawRelease(app="lamp", version="1.0.0"))
        told = await failed(world)
        registry.goes_on.set()
        await until_so(lambda: service.pool.fetchval("select not exists (select from job where queue = 'preparation')"))
    assert (told.cause.code, told.on_behalf) == ("release_withdrawn", ("s1/1",))
    sequences = [e.sequence for e in world.seen if isinstance(e.data, ReleaseWithdrawn | PreparationFailed)]
    assert sequences == sorted(sequences) == list(range(sequences[0], sequences[0] + 2))
    assert world.events(ReleasePrepared) == []


WRONG = (
    "update preparation set state = 'prepared'",
    "update preparation set state = 'preparing'",
    "update preparation set cause = null",
    "update preparation set trouble_since = now()",
    "update preparation set state = 'odd'",
    "insert into prepared_blob values (repeat('0', 64), repeat('1', 64), 1)",
    "insert into prepared_item select bundle_sha256, 1, 'a', 'odd', 'n', bundle_sha256, 1 from preparation",
)


async def test_what_must_not_be_is_refused_by_the_tables_too(world: World, registry: BreakingRegistry) -> None:
    async with world.run("catalog", wire) as service:
        await available(world, with_image(f"{registry.host}/app@sha256:{'d' * 64}"))
        await prepare(world)
        await failed(world)
        for wrong in WRONG:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await service.pool.execute(wrong)
