"""Releases are deleted by the API: refused at once where they are known to run, gone when the catalog says so."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.messages.base import Cause
from shared.messages.catalog import (
    CommandAccepted,
    DeleteRelease,
    ReleaseAvailable,
    ReleaseDeleted,
    ReleaseDeleting,
    ReleaseDeletionRefused,
    ReleaseWithdrawn,
)
from tests.service.gateway.api import Api, gateway
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = pytest.mark.service

ABOUT: dict[str, Any] = {"release_id": "r", "app": "web", "version": "1.0"}


async def test_one_that_runs_is_refused_at_once_and_one_that_is_gone_may_come_again(world: World) -> None:
    async with gateway(world) as api:
        told = ReleaseAvailable(
            **ABOUT,
            scheme="pep440",
            bundle_sha256="d" * 64,
            bundle_bytes=5,
            upgrades_from=None,
            components=(),
            published_at=datetime.now(UTC),
        )
        await world.send(told, sequence=1)
        await until_so(lambda: there(api, "1.0"))
        await api.service.pool.execute(
            "insert into deployment (site, app, version, status, at, operation_id, nth) values"
            " ('oslo', 'web', '1.0', 'operational', now(), 'o', 1)"
        )
        refused = await api.ask("DELETE", "/v1/releases/web/1.0", {})
        assert (refused.status, refused.body["code"]) == (409, "release_needed")
        assert "oslo" in refused.body["detail"]
        await api.service.pool.execute("delete from deployment")
        sent = await api.ask(
            "DELETE", "/v1/releases/web/1.0", {"reason": "old"}, Idempotency_Key="d1", Prefer="respond-async"
        )
        assert sent.status == 202
        assert (await api.command(DeleteRelease, "d1")).data.reason == "old"
        await world.send(CommandAccepted(command_id="d1", command_type=DeleteRelease.TYPE, about="web"))
        await world.send(ReleaseDeleting(deletion="d1", bundle_sha256=told.bundle_sha256, **ABOUT))
        cause = Cause(code="release_needed", message="1 site needs it: oslo")
        await world.send(ReleaseDeletionRefused(deletion="d1", cause=cause, **ABOUT))
        await until_so(lambda: kept(api))
        await world.send(ReleaseDeleted(bundle_sha256=told.bundle_sha256, **ABOUT), sequence=9)
        again = told.model_copy(update={"bundle_sha256": "e" * 64, "release_id": "new"})
        await world.send(again, sequence=1)
        await until_so(lambda: is_new(api))
        await world.send(told, sequence=1)  # all that was said of the first one, once more
        await world.send(ReleaseWithdrawn(**ABOUT), sequence=8)
        await world.send(ReleaseDeleted(bundle_sha256=told.bundle_sha256, **ABOUT), sequence=9)
        await world.send(again.model_copy(update={"version": "2.0", "release_id": "next"}), sequence=1)
        await until_so(lambda: there(api, "2.0"))
        assert await is_new(api)


async def there(api: Api, version: str) -> bool:
    return bool((await api.ask("GET", f"/v1/releases/web/{version}")).status == 200)


async def kept(api: Api) -> bool:
    shown = (await api.ask("GET", "/v1/releases/web/1.0")).body
    return bool(shown["deletion"] and shown["deletion"]["cause"])


async def is_new(api: Api) -> bool:
    shown = (await api.ask("GET", "/v1/releases/web/1.0")).body
    return bool((shown.get("release_id"), shown.get("state"), shown.get("deletion")) == ("new", "available", None))
