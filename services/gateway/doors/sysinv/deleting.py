"""An app goes with all its releases: none of them, where any site of the fleet needs one, as far as that is known."""

from collections.abc import Mapping
from typing import Any

from services.gateway.doors.call import readable
from services.gateway.doors.sysinv import store
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.refusing import reject_answer, rejected
from services.gateway.resources.releases.store import sites_with
from shared.messages.catalog import DeleteRelease
from shared.process.db import Connection

VERDICT_SECONDS = 15.0
"""The deployer says so soon whether a release is needed; what takes longer is not shown any more, until it says no."""


async def delete_releases(call: Call, app: str) -> None:
    """Have them deleted. Raises Refused 400 with every reason."""
    async with call.gateway.pool.acquire() as conn:
        before = {row["version"]: row["deletion"] for row in await store.versions(conn, app)}
        sites = {version: await sites_with(conn, app, version) for version in before}
    if needed := [f"{app} {version} runs on {', '.join(there)}." for version, there in sites.items() if there]:
        raise rejected("delete", *needed)
    for version in before:
        reject_answer("delete", await call.ask(DeleteRelease(app=app, version=version)))
    await _verdict(call, app, before)


async def _verdict(call: Call, app: str, before: Mapping[str, Any]) -> None:
    """What was refused once before stands there still, until the new wish is told."""
    refused: dict[str, str] = {}

    async def told(conn: Connection) -> bool:
        left = {row["version"]: row["deletion"] or {} for row in await store.versions(conn, app)}
        new = {v: one for v, one in left.items() if one.get("state") == "refused" and one != before.get(v)}
        refused.update((v, one["cause"]["message"]) for v, one in new.items())
        return new.keys() == left.keys()

    await readable(call, told, VERDICT_SECONDS)
    if refused:
        raise rejected("delete", *refused.values())
