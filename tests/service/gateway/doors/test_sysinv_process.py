"""A whole life of an app through the sysinv door on the real thing: a supervised process that answers over HTTP."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.bundle import build
from tests.hands.hand import BROKEN
from tests.hands.process import ProcessHand
from tests.service.gateway.doors.sysinv_door import APPS, SITE, DoorClient, everything, sending
from tests.support.process_sites import end_all
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]


async def built(hand: ProcessHand, version: str, home: Path) -> bytes:
    out = hand.folder / f"{version}.tar.gz"
    await asyncio.to_thread(build, hand.release(version), out, home)
    return out.read_bytes()


async def shows(door: DoorClient, hand: ProcessHand, version: str | None, status: str = "applied") -> None:
    """Both the door and the process itself."""
    await door.shows(lambda app: (app["status"], app["app_version"]) == (status, version or "1.0.0"), hand.app)
    assert await asyncio.to_thread(hand.runs, SITE) == version


async def test_an_app_is_applied_updated_recovered_taken_back_and_removed(world: World, tmp_path: Path) -> None:
    with ExitStack() as closing:
        hand = ProcessHand(tmp_path, closing)
        files = {version: sending(await built(hand, version, world.home)) for version in ("1.0.0", "2.0.0", BROKEN)}
        async with everything(world) as door:
            try:
                sites = [{"name": SITE, "connections": {"process": hand.connection(SITE)}}]
                assert (await door.api.ask("POST", "/v1/sites", {"sites": sites})).status == 202
                await door.made("POST", APPS, files["1.0.0"])
                await door.shows("uploaded", hand.app)
                await door.direct("apply", hand.app)
                await shows(door, hand, "1.0.0")
                await door.made("POST", f"{APPS}/update", files["2.0.0"])
                await shows(door, hand, "2.0.0")
                broken = await door.ask("POST", f"{APPS}/update", files[BROKEN])
                assert broken.status == 200, broken.body
                failed = await door.shows(lambda app: "aborted" in (app["progress"] or ""), hand.app)
                assert "Application recover to version 2.0.0 completed." in failed["progress"]
                await shows(door, hand, "2.0.0")
                await door.made("POST", f"{APPS}/update", files["1.0.0"])
                await shows(door, hand, "1.0.0")
                await door.direct("remove", hand.app)
                await door.shows("uploaded", hand.app)
                await shows(door, hand, None, "uploaded")
            finally:
                await end_all(world.home)
