"""Every command to publish is told the end of exactly once, whatever that is, in the transaction that brings it."""

import pytest

from services.catalog.app import wire
from shared.messages.catalog import (
    CommandAccepted,
    CommandRejected,
    PublicationSettled,
    PublishRelease,
    ReleaseAvailable,
)
from tests.service.catalog.shelf import publication, rows
from tests.support.bundles import bundle, manifest
from tests.support.world import World

pytestmark = pytest.mark.service

GOOD = bundle()
BAD = bundle({"bundle.yaml": manifest(more="colour: red\n")})


async def test_one_that_becomes_available_is_told_after_its_release(world: World) -> None:
    async with world.run("catalog", wire) as service:
        command = await publication(world, GOOD)
        answer = await world.ask(command, actor="ada")
        settled = await world.until(PublicationSettled)
        told = PublicationSettled(
            publication=answer.command_id,
            state="available",
            bundle_sha256=command.bundle_sha256,
            app="lamp",
            version="1.0.0",
        )
        assert settled == told
        order = [type(e.data) for e in world.seen if isinstance(e.data, ReleaseAvailable | PublicationSettled)]
        assert order == [ReleaseAvailable, PublicationSettled]
        envelope = next(e for e in world.seen if e.data is settled)
        assert (envelope.correlation_id, envelope.actor) == (answer.command_id, "ada")
        assert await rows(service, "publication") == 0


async def test_one_that_is_rejected_says_why(world: World) -> None:
    async with world.run("catalog", wire):
        await world.ask(await publication(world, BAD))
        settled = await world.until(PublicationSettled)
        assert (settled.state, [fault.code for fault in settled.faults]) == ("rejected", ["unknown_field"])


async def test_what_is_published_again_is_told_again_at_once(world: World) -> None:
    async with world.run("catalog", wire):
        command = await publication(world, GOOD)
        await world.ask(command)
        await world.until(PublicationSettled)
        again = await world.ask(command)
        second = await world.until(PublicationSettled, lambda e: e.publication == again.command_id)
        assert (second.state, second.app, second.version) == ("available", "lamp", "1.0.0")


async def test_two_that_publish_the_same_content_at_once_are_both_told(world: World) -> None:
    async with world.run("catalog", wire) as service:
        command = await publication(world, GOOD)
        ids = [(await world.ask(command)).command_id for _ in range(3)]
        for one in ids:
            assert (await world.until(PublicationSettled, lambda e, one=one: e.publication == one)).state == "available"
        assert len(world.events(PublicationSettled)) == len(ids)
        assert await rows(service, "publication") == 0


async def test_a_command_that_is_refused_is_told_too(world: World) -> None:
    async with world.run("catalog", wire):
        refused = await world.ask(PublishRelease(bundle_sha256="0" * 64, bundle_bytes=5))
        assert isinstance(refused, CommandRejected)
        settled = await world.until(PublicationSettled)
        assert (settled.publication, settled.state) == (refused.command_id, "rejected")
        assert settled.faults == refused.faults


async def test_content_that_is_published_already_takes_no_other_name(world: World) -> None:
    async with world.run("catalog", wire):
        command = await publication(world, GOOD)
        named = command.model_copy(update={"app": "torch"})
        assert isinstance(await world.ask(named), CommandAccepted)
        settled = await world.until(PublicationSettled)
        assert (settled.state, settled.faults[0].code, settled.faults[0].field) == ("rejected", "published_as", "app")
        refused = await world.ask(named)
        assert isinstance(refused, CommandRejected)
        assert refused.code == "published_as"
