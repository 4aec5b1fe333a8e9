"""What was prepared of a release is shown with it, whatever the order in which it is learned."""

from datetime import UTC, datetime

import pytest

from shared.messages import catalog
from shared.messages.base import Cause
from tests.service.gateway.api import gateway
from tests.service.gateway.told import at
from tests.support.world import World

pytestmark = pytest.mark.service

DIGEST = "a" * 64
ABOUT = {"app": "web", "version": "1.0", "bundle_sha256": DIGEST}
BEGUN = catalog.PreparationBegun(**ABOUT, begun_at=at(2))
AWAY = catalog.PreparationFailed(
    **ABOUT, cause=Cause(code="registry_unreachable", message="it is away"), on_behalf=("s/1",), failed_at=at(3)
)
PREPARED = catalog.ReleasePrepared(
    **ABOUT,
    content=(catalog.ContentItem(component="cache", kind="image", name="r:5000/c", sha256=DIGEST, bytes=70),),
    bytes=70,
    notes=(catalog.ContentNote(component="chart", text="nodes pull its images"),),
    prepared_at=at(5),
)


def release() -> catalog.ReleaseAvailable:
    return catalog.ReleaseAvailable(
        release_id="web-1.0", app="web", version="1.0", scheme="pep440", bundle_sha256=DIGEST, bundle_bytes=9,
        upgrades_from=None, components=(), published_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip


async def test_a_release_shows_how_its_preparation_stands(world: World) -> None:
    async with gateway(world) as api:
        await world.send(release(), sequence=1)
        shown = await api.shows("/v1/releases/web/1.0", lambda r: r["state"] == "available")
        assert shown["preparation"] is None
        assert "prepare" in shown["actions"]
        await world.send(BEGUN, sequence=2)
        shown = await api.shows("/v1/releases/web/1.0", lambda r: r["preparation"])
        assert (shown["preparation"]["state"], shown["preparation"]["bytes"]) == ("preparing", None)
        assert "prepare" not in shown["actions"]
        await world.send(AWAY, sequence=3)
        shown = await api.shows("/v1/releases/web/1.0", lambda r: r["preparation"]["state"] == "failed")
        assert shown["preparation"]["cause"] == {"code": "registry_unreachable", "message": "it is away"}
        assert "prepare" in shown["actions"]
        await world.send(PREPARED, sequence=5)
        await world.send(BEGUN, sequence=4)  # read in another order: what is newer stays
        shown = await api.shows("/v1/releases/web/1.0", lambda r: r["preparation"]["state"] == "prepared")
        preparation = shown["preparation"]
        assert (preparation["bytes"], preparation["site_bytes"], preparation["items"]) == (70, 70, 1)
        assert preparation["cause"] is None
        content = await api.get("/v1/releases/web/1.0.0/content")
        assert [item["name"] for item in content["items"]] == ["r:5000/c"]
        assert content["notes"] == [{"component": "chart", "text": "nodes pull its images"}]
        assert (await api.get("/v1/releases?app=web"))["items"][0]["preparation"]["state"] == "prepared"


async def test_a_person_has_a_release_prepared_and_names_nobody_on_whose_behalf(world: World) -> None:
    async with gateway(world) as api:
        await world.send(release(), sequence=1)
        await api.shows("/v1/releases/web/1.0", lambda r: r["state"] == "available")
        refused = await api.ask("POST", "/v1/releases/web/1.0/prepare", {"on_behalf": "s/1"})
        assert refused.status == 422
        assert (await api.ask("GET", "/v1/releases/web/9/content")).status == 404
