"""Bundles become releases, or are rejected with every reason."""

import pytest

from services.catalog.app import wire
from shared.core import transaction
from shared.messages.catalog import (
    CommandAccepted,
    CommandRejected,
    PublishRelease,
    ReleaseAvailable,
    ReleaseRejected,
    ReleaseWithdrawn,
    WithdrawRelease,
)
from shared.wire.topics import LIVE, Topic
from tests.service.catalog.shelf import publication, rows
from tests.support.bundles import bundle, manifest, member
from tests.support.world import World

pytestmark = pytest.mark.service

GOOD = bundle()
OTHER = bundle({"data/more.txt": b"more"})


async def test_a_good_bundle_becomes_available(world: World) -> None:
    requires = "requires: {python: '>=3.11', platforms: [linux_aarch64]}\n"
    said = manifest("1.1.0", upgrades_from="['>=1.0,<1.1', '==0.9']", more=requires)
    content = bundle({"bundle.yaml": said})
    async with world.run("catalog", wire) as service:
        command = await publication(world, content)
        answer = await world.ask(command, actor="ada")
        assert isinstance(answer, CommandAccepted)
        assert answer.result == {"bundle_sha256": command.bundle_sha256, "state": "validating"}
        release = await world.until(ReleaseAvailable)
        assert (release.app, release.version, release.scheme) == ("lamp", "1.1.0", "pep440")
        assert release.upgrades_from == (">=1.0,<1.1", "==0.9")
        assert (release.requires.python, release.requires.platforms) == (">=3.11", ("linux_aarch64",))
        assert (release.bundle_sha256, release.bundle_bytes) == (command.bundle_sha256, len(content))
        assert [component.name for component in release.components] == ["bulb"]
        envelope = next(e for e in world.seen if e.data is release)
        assert (envelope.correlation_id, envelope.actor, envelope.sequence) == (answer.command_id, "ada", 1)
        assert [await rows(service, table) for table in ("app", "release", "component", "upgrade_edge")] == [1, 1, 1, 2]
        assert await rows(service, "job") == 0


async def test_a_bad_bundle_is_rejected_with_every_reason(world: World) -> None:
    content = bundle({"bundle.yaml": manifest(more="colour: red\n")}, extra=[member("../evil", b"x")])
    async with world.run("catalog", wire) as service:
        command = await publication(world, content, "evil.tar.gz")
        assert isinstance(await world.ask(command), CommandAccepted)
        rejected = await world.until(ReleaseRejected)
        assert [fault.code for fault in rejected.faults] == ["path_traversal", "unknown_field"]
        assert (rejected.bundle_sha256, rejected.file_name) == (command.bundle_sha256, "evil.tar.gz")
        assert (rejected.app, rejected.version) == ("lamp", "1.0.0")
        assert [await rows(service, table) for table in ("app", "release", "component")] == [0, 0, 0]


async def test_the_same_content_again_is_the_same_release(world: World) -> None:
    async with world.run("catalog", wire) as service:
        command = await publication(world, GOOD)
        await world.ask(command)
        release = await world.until(ReleaseAvailable)
        again = await world.ask(command)
        assert isinstance(again, CommandAccepted)
        assert again.result == {
            "bundle_sha256": command.bundle_sha256,
            "state": "available",
            "release_id": release.release_id,
            "app": "lamp",
            "version": "1.0.0",
        }
        assert [await rows(service, table) for table in ("bundle", "release", "job")] == [1, 1, 0]
        assert len(world.events(ReleaseAvailable)) == 1


async def test_a_release_that_its_topic_does_not_take_is_rejected_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(transaction.BODY_LIMITS, "catalog.events", 0)
    narrow = {"catalog.events": Topic("catalog.events", 1, max_bytes=2_000)}
    monkeypatch.setattr(transaction, "LIVE", {**LIVE, **narrow})
    content = bundle({"bundle.yaml": manifest(upgrades_from=str([f"=={n}.0.0" for n in range(100)]))})
    async with world.run("catalog", wire) as service:
        await world.ask(await publication(world, content))
        rejected = await world.until(ReleaseRejected)
        assert [fault.code for fault in rejected.faults] == ["too_large"]
        assert "belay.catalog.release_available.v2" in rejected.faults[0].message
        assert (rejected.app, rejected.version) == ("lamp", "1.0.0")
        assert next(e for e in world.seen if e.data is rejected).sequence == 1
        assert [await rows(service, table) for table in ("release", "component", "upgrade_edge")] == [0, 0, 0]
        await world.ask(await publication(world, GOOD))
        assert (await world.until(ReleaseAvailable)).version == "1.0.0"
        assert await service.pool.fetchval("select count(*) from job where queue = 'validation'") == 0


@pytest.mark.parametrize("version", ["1.0.0", "1.0"])
async def test_a_version_never_changes_its_content(world: World, version: str) -> None:
    other = bundle({"bundle.yaml": manifest(version), "data/more.txt": b"more"})
    async with world.run("catalog", wire) as service:
        await world.ask(await publication(world, GOOD))
        await world.until(ReleaseAvailable)
        assert isinstance(await world.ask(await publication(world, other)), CommandAccepted)
        rejected = await world.until(ReleaseRejected)
        assert [fault.code for fault in rejected.faults] == ["version_exists"]
        assert await rows(service, "release") == 1


async def test_of_two_bundles_of_one_version_published_at_once_one_wins(world: World) -> None:
    async with world.run("catalog", wire) as service, world.run("catalog", wire, instance="2"):
        for content in (GOOD, OTHER):
            await world.send(await publication(world, content))
        available, rejected = await world.until(ReleaseAvailable), await world.until(ReleaseRejected)
        assert rejected.faults[0].code == "version_exists"
        assert available.bundle_sha256 != rejected.bundle_sha256
        assert await rows(service, "release") == 1


async def test_an_app_keeps_the_scheme_of_its_first_release(world: World) -> None:
    async with world.run("catalog", wire):
        await world.ask(await publication(world, GOOD))
        await world.until(ReleaseAvailable)
        semver = bundle({"bundle.yaml": manifest("2.0.0", more="scheme: semver\n")})
        await world.ask(await publication(world, semver))
        assert [fault.code for fault in (await world.until(ReleaseRejected)).faults] == ["scheme_differs"]


async def test_what_is_wrong_inside_and_beside_other_releases_is_told_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.run("catalog", wire):
        await world.ask(await publication(world, GOOD))
        await world.until(ReleaseAvailable)
    monkeypatch.setenv("BELAY_CATALOG_SIGNED_APPS", "lamp")
    more = "scheme: semver\ndepends_on: [{app: lamp}]\nobsolete: 7\n"
    faulty = bundle({"bundle.yaml": manifest(more=more)}, extra=[member("../out", b"x")])
    async with world.run("catalog", wire, instance="2"):
        await world.ask(await publication(world, faulty))
        rejected = await world.until(ReleaseRejected)
        assert {fault.code for fault in rejected.faults} == {
            "path_traversal", "invalid_field", "scheme_differs", "version_exists", "dependency_cycle",
            "signature_missing",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "codes"), [("", {"signature_missing"}), ("obsolete: 7\n", {"signature_missing", "invalid_field"})]
)
async def test_a_bundle_that_is_refused_fixes_no_scheme_for_its_app(
    world: World, monkeypatch: pytest.MonkeyPatch, more: str, codes: set[str]
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_SIGNED_APPS", "lamp")
    async with world.run("catalog", wire) as service:
        await world.ask(await publication(world, bundle({"bundle.yaml": manifest(more=f"scheme: semver\n{more}")})))
        assert {fault.code for fault in (await world.until(ReleaseRejected)).faults} == codes
        assert await rows(service, "app") == 0


async def test_a_bundle_that_was_not_uploaded_cannot_be_published(world: World) -> None:
    async with world.run("catalog", wire) as service:
        answer = await world.ask(PublishRelease(bundle_sha256="0" * 64, bundle_bytes=1))
        assert isinstance(answer, CommandRejected)
        assert answer.code == "unknown_bundle"
        command = await publication(world, GOOD)
        answer = await world.ask(command.model_copy(update={"bundle_bytes": command.bundle_bytes + 1}))
        assert isinstance(answer, CommandRejected)
        assert (answer.code, answer.faults[0].field) == ("wrong_size", "bundle_bytes")
        assert [await rows(service, table) for table in ("bundle", "job")] == [0, 0]


async def test_a_repeated_record_is_answered_alike_and_has_no_second_effect(world: World) -> None:
    async with world.run("catalog", wire):
        command = await publication(world, GOOD)
        for _ in range(3):
            await world.send(command, message_id="publish-1")
        await world.until(ReleaseAvailable)
        last = await world.ask(await publication(world, OTHER))
        assert isinstance(last, CommandAccepted)
        assert len(world.answers("publish-1")) == 3
        assert len({answer.model_dump_json() for answer in world.answers("publish-1")}) == 1
        await world.until(ReleaseRejected)
        assert len(world.events(ReleaseAvailable)) == 1


async def test_an_id_used_for_other_content_is_refused(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await world.send(await publication(world, GOOD), message_id="publish-1")
        await world.until(ReleaseAvailable)
        await world.send(await publication(world, OTHER), message_id="publish-1")
        reused = await world.until(CommandRejected)
        assert reused.code == "command_id_reused"
        assert await rows(service, "bundle") == 1


async def test_one_bundle_under_many_ids_is_validated_once(world: World) -> None:
    command = await publication(world, GOOD)
    ids = [await world.send(command) for _ in range(20)]  # one batch: the service does not run yet
    async with world.run("catalog", wire) as service:
        for command_id in ids:
            assert isinstance(await world.answer(command_id), CommandAccepted)
        await world.until(ReleaseAvailable)
        assert [await rows(service, table) for table in ("bundle", "release", "job")] == [1, 1, 0]
    assert len(world.events(ReleaseAvailable)) == 1


async def test_a_withdrawn_release_stays_withdrawn(world: World) -> None:
    async with world.run("catalog", wire):
        command = await publication(world, GOOD)
        await world.ask(command)
        release = await world.until(ReleaseAvailable)
        withdraw = WithdrawRelease(app="lamp", version="1.0.0", reason="it flickers")
        answer = await world.ask(withdraw)
        assert isinstance(answer, CommandAccepted)
        withdrawn = await world.until(ReleaseWithdrawn)
        assert (withdrawn.release_id, withdrawn.reason) == (release.release_id, "it flickers")
        assert next(e for e in world.seen if e.data is withdrawn).sequence == 2
        for again in (withdraw, command):
            refused = await world.ask(again)
            assert isinstance(refused, CommandRejected)
            assert refused.code == "wrong_state"
        assert "it flickers" in refused.faults[0].message


async def test_a_release_is_withdrawn_by_any_spelling_of_its_version(world: World) -> None:
    async with world.run("catalog", wire):
        await world.ask(await publication(world, GOOD))
        await world.until(ReleaseAvailable)
        assert isinstance(await world.ask(WithdrawRelease(app="lamp", version="v1.0")), CommandAccepted)
        assert (await world.until(ReleaseWithdrawn)).version == "1.0.0"


async def test_withdrawing_twice_in_one_batch_is_done_once(world: World) -> None:
    async with world.run("catalog", wire):
        await world.ask(await publication(world, GOOD))
        await world.until(ReleaseAvailable)
    ids = [await world.send(WithdrawRelease(app="lamp", version="1.0.0")) for _ in range(2)]
    async with world.run("catalog", wire):
        kinds = {type(await world.answer(command_id)) for command_id in ids}
    assert kinds == {CommandAccepted, CommandRejected}
    assert len(world.events(ReleaseWithdrawn)) == 1


@pytest.mark.parametrize(("app", "version"), [("lamp", "1.0.0"), ("nobody", "1")])
async def test_a_release_that_is_not_there_cannot_be_withdrawn(world: World, app: str, version: str) -> None:
    async with world.run("catalog", wire):
        answer = await world.ask(WithdrawRelease(app=app, version=version))
    assert isinstance(answer, CommandRejected)
    assert answer.code == "unknown_release"
