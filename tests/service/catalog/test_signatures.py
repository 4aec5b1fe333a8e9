"""An app that has keys takes what one of them has signed, and nothing else."""

from pathlib import Path

import pytest

from services.catalog.app import wire
from shared.bundle.signer import sign_file
from shared.bundle.signing import new_key
from shared.messages.catalog import (
    CommandAccepted,
    CommandRejected,
    PublicationSettled,
    ReleaseAvailable,
    RemoveSigningKey,
    SetSigningKey,
    SigningKeyChanged,
    SigningKeyRemoved,
)
from tests.service.catalog.shelf import publication
from tests.support.bundles import bundle, manifest, written
from tests.support.world import World

pytestmark = pytest.mark.service

MINE, OTHER = new_key(), new_key()


def signed(folder: Path, private: str, version: str = "1.0.0") -> bytes:
    path = written(folder, bundle({"bundle.yaml": manifest(version)}))
    sign_file(path, path, private)
    return path.read_bytes()


async def settled(world: World, content: bytes) -> PublicationSettled:
    answer = await world.ask(await publication(world, content))
    return await world.until(PublicationSettled, lambda e: e.publication == answer.command_id)


async def trust(world: World, name: str, public: str) -> None:
    assert isinstance(await world.ask(SetSigningKey(app="lamp", name=name, public_key=public)), CommandAccepted)


async def test_what_a_trusted_key_has_signed_is_taken_and_says_so(world: World, tmp_path: Path) -> None:
    async with world.run("catalog", wire):
        await trust(world, "mine", MINE[1])
        assert (await settled(world, signed(tmp_path, MINE[0]))).state == "available"
        signature = world.events(ReleaseAvailable)[0].signature
        assert signature is not None
        assert (signature.key, signature.public_key) == ("mine", MINE[1])
        assert world.events(SigningKeyChanged)[0].public_key == MINE[1]


async def test_what_is_not_signed_or_by_another_is_refused_and_leaves_nothing(world: World, tmp_path: Path) -> None:
    async with world.run("catalog", wire) as service:
        await trust(world, "mine", MINE[1])
        for content, code in (
            (bundle(), "signature_missing"),
            (signed(tmp_path, OTHER[0]), "signature_unknown_key"),
        ):
            end = await settled(world, content)
            assert (end.state, [fault.code for fault in end.faults]) == ("rejected", [code])
        assert await service.pool.fetchval("select count(*) from release") == 0


async def test_keys_are_changed_by_having_two_for_a_while(world: World, tmp_path: Path) -> None:
    async with world.run("catalog", wire):
        await trust(world, "old", MINE[1])
        await trust(world, "new", OTHER[1])
        assert (await settled(world, signed(tmp_path, MINE[0]))).state == "available"
        removed = await world.ask(RemoveSigningKey(app="lamp", name="old"))
        assert isinstance(removed, CommandAccepted)
        assert (await settled(world, signed(tmp_path, MINE[0], "1.1.0"))).faults[0].code == "signature_unknown_key"
        assert (await settled(world, signed(tmp_path, OTHER[0], "1.2.0"))).state == "available"
        assert world.events(SigningKeyRemoved)[0].name == "old"
        unknown = await world.ask(RemoveSigningKey(app="lamp", name="old"))
        assert isinstance(unknown, CommandRejected)
        assert unknown.code == "unknown_signing_key"


async def test_settings_demand_signatures_of_all_or_of_some(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_CATALOG_SIGNED_APPS", "other, lamp")
    async with world.run("catalog", wire):
        assert (await settled(world, bundle())).faults[0].code == "signature_missing"
