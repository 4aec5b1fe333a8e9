"""The command line's uploads: interrupted and given again they go on where they were, and only then."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from services.cli import client, uploading
from services.cli.answers import ProblemError, Unreachable
from services.cli.client import Client
from services.cli.uploading import cache_folder, file_of, upload
from shared.messages.catalog import PublishRelease
from tests.service.gateway.api import Api, gateway
from tests.support.world import World

pytestmark = pytest.mark.service

BUNDLE = b"\x1f\x8b" + bytes(range(256)) * 2_000
LIMIT = {"max_bundle_bytes": len(BUNDLE)}


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture(autouse=True)
def of_this_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(uploading, "PART", 100_000)
    monkeypatch.setattr(uploading, "WAITS", (0.05,) * 5)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def send(api: Api, path: Path, most: int = 1 << 30) -> list[int]:
    """Where it was, each time it went on; interrupted once more than `most` bytes lie there."""
    heard: list[int] = []

    def told(here: int) -> None:
        heard.append(here)
        if here > most:
            raise Interrupted

    with Client(api.url, api.token) as belay:
        shown = upload(belay, file_of(path), told, {})
        heard.append(-1 if shown["state"] != "complete" else shown["offset"])
    return heard


async def test_given_again_it_sends_only_what_is_missing_and_leaves_no_note(world: World, tmp_path: Path) -> None:
    file = tmp_path / "lamp.tar.gz"
    file.write_bytes(BUNDLE)
    async with gateway(world, settings=LIMIT) as api:
        with pytest.raises(Interrupted):
            await asyncio.to_thread(send, api, file, 150_000)
        assert len(list(cache_folder().iterdir())) == 1
        assert (await asyncio.to_thread(send, api, file))[0] == 200_000
        assert list(cache_folder().iterdir()) == []
        upload_id = await api.service.pool.fetchval("select id from upload")
        assert (await api.command(PublishRelease, upload_id)).data.file_name == "lamp.tar.gz"


async def test_a_gateway_that_is_away_for_longer_than_one_request_is_tried_is_waited_for(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "WAITS", (0.05,) * 2_000)
    monkeypatch.setattr(client, "RETRY_SECONDS", (0.01,))
    file = tmp_path / "lamp.tar.gz"
    file.write_bytes(BUNDLE)
    half, stopped, in_vain = (threading.Event() for _ in range(3))

    class Impatient(Client):
        def get(self, path: str, **params: Any) -> dict[str, Any]:
            try:
                return super().get(path, **params)
            except Unreachable:
                in_vain.set()
                raise

    def told(here: int) -> None:
        if here == 200_000:
            half.set()
            assert stopped.wait(60)

    def sends(url: str, token: str) -> dict[str, Any]:
        with Impatient(url, token) as impatient:
            return upload(impatient, file_of(file), told, {})

    async with gateway(world, settings=LIMIT) as api:
        sending = asyncio.create_task(asyncio.to_thread(sends, api.url, api.token))
        assert await asyncio.to_thread(half.wait, 60)
    stopped.set()
    assert await asyncio.to_thread(in_vain.wait, 60)
    async with gateway(world, settings=LIMIT, port=int(api.url.rpartition(":")[2])):
        assert (await sending)["state"] == "complete"


async def test_a_file_that_was_changed_is_another_upload(world: World, tmp_path: Path) -> None:
    file = tmp_path / "lamp.tar.gz"
    file.write_bytes(BUNDLE)
    async with gateway(world, settings=LIMIT) as api:
        with pytest.raises(Interrupted):
            await asyncio.to_thread(send, api, file, 150_000)
        file.write_bytes(BUNDLE[:-1] + b"x")
        assert (await asyncio.to_thread(send, api, file))[0] == 100_000
        assert await api.service.pool.fetchval("select count(*) from upload") == 2


async def test_a_file_that_changes_while_it_is_sent_is_refused(world: World, tmp_path: Path) -> None:
    file = tmp_path / "lamp.tar.gz"
    file.write_bytes(BUNDLE)

    def change(api: Api) -> None:
        with Client(api.url, api.token) as belay:
            known = file_of(file)
            file.write_bytes(BUNDLE[:-1] + b"x")
            upload(belay, known, lambda _: None, {})

    async with gateway(world, settings=LIMIT) as api:
        with pytest.raises(ProblemError) as refused:
            await asyncio.to_thread(change, api)
        assert (refused.value.status, refused.value.code) == (422, "wrong_digest")


async def test_an_upload_that_is_forgotten_there_begins_anew(world: World, tmp_path: Path) -> None:
    file = tmp_path / "lamp.tar.gz"
    file.write_bytes(BUNDLE)
    async with gateway(world, settings=LIMIT) as api:
        with pytest.raises(Interrupted):
            await asyncio.to_thread(send, api, file, 150_000)
        await api.service.pool.execute("delete from upload")
        assert (await asyncio.to_thread(send, api, file))[0] == 100_000
