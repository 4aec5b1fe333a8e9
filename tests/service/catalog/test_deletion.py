"""Releases are removed for good when nobody needs them; their version is free then for other content."""

import pytest

from services.catalog.app import wire
from shared.blobs import Blobs
from shared.messages.catalog import (
    CommandAccepted,
    CommandRejected,
    DeleteRelease,
    PublicationSettled,
    ReleaseAvailable,
    ReleaseDeleted,
    ReleaseDeleting,
    ReleaseDeletionRefused,
    ReleaseWithdrawn,
    WithdrawRelease,
)
from shared.messages.deployer import ReleaseUseReported
from shared.process.service import Service
from tests.service.catalog.shelf import publication, rows
from tests.support.bundles import bundle, manifest
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = pytest.mark.service

GOOD = bundle()
OTHER = bundle({"data/more.txt": b"more"})
NEXT = bundle({"bundle.yaml": manifest("1.1.0")})


async def published(world: World, content: bytes) -> ReleaseAvailable:
    """The release that these bytes are."""
    answer = await world.ask(await publication(world, content))
    await world.until(PublicationSettled, lambda e: e.publication == answer.command_id)
    return world.events(ReleaseAvailable)[-1]


async def asked(world: World, version: str = "1.0.0") -> ReleaseDeleting:
    """What the catalog asks the deployer about."""
    answer = await world.ask(DeleteRelease(app="lamp", version=version, reason="never used"))
    assert isinstance(answer, CommandAccepted)
    return await world.until(ReleaseDeleting, lambda e: e.deletion == answer.command_id)


def use(asked: ReleaseDeleting, *sites: str) -> ReleaseUseReported:
    """What a deployer answers."""
    about = asked.model_dump(include={"deletion", "app", "version", "bundle_sha256"})
    return ReleaseUseReported(**about, sites=len(sites), examples=sites)


def counted(world: World) -> list[tuple[str, int]]:
    """What was told of one content, by its numbers."""
    told = ReleaseAvailable | ReleaseWithdrawn | ReleaseDeleted
    return [(type(e.data).__name__, e.sequence) for e in world.seen if isinstance(e.data, told)]


async def gone(service: Service, sha256: str) -> bool:
    return await Blobs.open(service.settings).size(sha256) is None


async def test_what_nobody_needs_goes_with_its_content_and_the_last_one_with_its_app(world: World) -> None:
    async with world.run("catalog", wire) as service:
        release = await published(world, GOOD)
        await world.send(use(await asked(world, "1.0")))  # another spelling
        deleted = await world.until(ReleaseDeleted)
        assert (deleted.version, deleted.release_id, deleted.app_gone) == ("1.0.0", release.release_id, True)
        assert deleted.reason == "never used"
        assert [type(e) for e in world.events(ReleaseWithdrawn)] == [ReleaseWithdrawn]
        assert [await rows(service, table) for table in ("release", "component", "app", "deletion")] == [0, 0, 0, 0]
        await until_so(lambda: gone(service, release.bundle_sha256))


async def test_what_is_needed_stays_as_it_was(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await published(world, GOOD)
        await world.send(use(await asked(world), "oslo-1", "oslo-2"))
        kept = await world.until(ReleaseDeletionRefused)
        assert kept.cause.code == "release_needed"
        assert "oslo-1, oslo-2" in kept.cause.message
        assert await service.pool.fetchval("select state from bundle") == "available"
        assert (await asked(world)).deletion != kept.deletion  # it may be asked again
        assert world.events(ReleaseWithdrawn) == world.events(ReleaseDeleted) == []


async def test_what_a_strategy_leads_to_stays_and_the_strategy_is_named(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await published(world, GOOD)
        await world.send(use(await asked(world)).model_copy(update={"strategies": ("spring",)}))
        kept = await world.until(ReleaseDeletionRefused)
        assert (
            kept.cause.message == "strategies that have not ended lead sites there: spring; abort or delete them first"
        )
        assert await service.pool.fetchval("select state from bundle") == "available"


async def test_the_version_is_free_for_other_content_afterwards(world: World) -> None:
    async with world.run("catalog", wire):
        first = await published(world, GOOD)
        await world.send(use(await asked(world)))
        await world.until(ReleaseDeleted)
        second = await published(world, OTHER)
        assert (second.version, second.release_id != first.release_id) == ("1.0.0", True)
        assert second.bundle_sha256 != first.bundle_sha256


async def test_the_same_content_may_come_again(world: World) -> None:
    async with world.run("catalog", wire) as service:
        first = await published(world, GOOD)
        await world.send(use(await asked(world)))
        await world.until(ReleaseDeleted)
        second = await published(world, GOOD)
        assert (second.bundle_sha256, second.release_id != first.release_id) == (first.bundle_sha256, True)
        assert not await gone(service, first.bundle_sha256)
        names = ("ReleaseAvailable", "ReleaseWithdrawn", "ReleaseDeleted", "ReleaseAvailable")
        assert counted(world) == [(name, number) for number, name in enumerate(names, 1)]


async def test_an_app_with_other_releases_stays(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await published(world, GOOD)
        await published(world, NEXT)
        await world.send(use(await asked(world)))
        assert not (await world.until(ReleaseDeleted)).app_gone
        assert await rows(service, "app") == 1


async def test_a_withdrawn_one_is_deleted_without_being_withdrawn_again(world: World) -> None:
    async with world.run("catalog", wire):
        await published(world, GOOD)
        await world.ask(WithdrawRelease(app="lamp", version="1.0.0"))
        await world.send(use(await asked(world)))
        await world.until(ReleaseDeleted)
        assert counted(world) == [("ReleaseAvailable", 1), ("ReleaseWithdrawn", 2), ("ReleaseDeleted", 3)]


async def test_asked_twice_it_is_one_deletion_and_an_answer_that_comes_twice_has_one_effect(world: World) -> None:
    async with world.run("catalog", wire):
        await published(world, GOOD)
        first = await asked(world)
        again = await world.ask(DeleteRelease(app="lamp", version="1.0.0"))
        assert isinstance(again, CommandAccepted)
        for _ in range(2):
            await world.send(use(first))
        await world.until(ReleaseDeleted)
        second = await published(world, OTHER)
        await world.send(use(first))  # late, and about one that is gone
        assert isinstance(await world.ask(WithdrawRelease(app="lamp", version="1.0.0")), CommandAccepted)
        assert second.version == "1.0.0"
        assert len(world.events(ReleaseDeleting)) == len(world.events(ReleaseDeleted)) == 1


async def test_what_is_not_there_cannot_be_deleted(world: World) -> None:
    async with world.run("catalog", wire):
        refused = await world.ask(DeleteRelease(app="lamp", version="9"))
        assert isinstance(refused, CommandRejected)
        assert refused.code == "unknown_release"
