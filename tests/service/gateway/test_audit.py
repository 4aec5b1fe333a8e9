"""The audit: who did what to what, when, with which result; one command is one line, found again by any of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.messages.strategy import AbortStrategy, CreateGroup, RegisterSites
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.told import planned, state_changed
from tests.support.world import World

pytestmark = pytest.mark.service


async def _do(api: Api, method: str, path: str, body: Any, key: str, token: str | None = None) -> None:
    reply = await api.ask(method, path, body, token, Idempotency_Key=key, Prefer="respond-async")
    assert reply.status == 202, reply.body


async def _found(api: Api, query: str) -> list[tuple[str, str]]:
    return [(entry["actor"], entry["about"]) for entry in (await api.get(f"/v1/audit?{query}"))["items"]]


async def test_the_audit_names_what_was_done_to_whom_and_is_found_by_each_of_it(world: World) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    async with gateway(world) as api:
        await world.send(planned("s-1", "north-2", 3), sequence=1)
        await world.send(state_changed("s-1", "north-2", "ready", 1), sequence=2)
        await api.shows("/v1/strategies/s-1", lambda s: s["name"] == "north-2")
        ann = (await api.ask("POST", "/v1/tokens", {"name": "ann", "role": "operator"})).body["token"]
        sites = [{"name": f"site-{number}"} for number in range(5)]
        await _do(api, "POST", "/v1/sites", {"sites": sites}, "k-1")
        await _do(api, "POST", "/v1/groups", {"name": "nord"}, "k-2", ann)
        await _do(api, "POST", "/v1/strategies/s-1/abort", {"reason": "smoke"}, "k-3", ann)
        for kind, key in ((RegisterSites, "k-1"), (CreateGroup, "k-2"), (AbortStrategy, "k-3")):
            await api.command(kind, key)
        everything = [
            ("ann", "north-2"),  # by its name, though it was asked for by its id
            ("ann", "nord"),
            ("admin", "site-0, site-1, site-2 and 2 more"),
            ("admin", "ann"),
        ]
        assert await _found(api, "") == everything
        assert await _found(api, "actor=ann") == everything[:2]
        assert await _found(api, "about=NORTH") == everything[:1]
        assert await _found(api, "about=site-1") == everything[2:3]
        assert await _found(api, "action=create_") == [everything[1], everything[3]]
        assert await _found(api, "action=r_i") == []  # no pattern: the text itself is looked for
        assert await _found(api, "result=done") == everything[3:]
        assert await _found(api, f"since={began.isoformat().replace('+', '%2B')}") == everything
        assert await _found(api, f"until={began.isoformat().replace('+', '%2B')}") == []
        assert (await api.ask("GET", "/v1/audit?since=yesterday")).codes == {("since", "invalid_field")}
