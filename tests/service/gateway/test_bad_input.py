"""Bad input over HTTP: each gives a clear answer with a code, all faults at once, and leaves no trace."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.messages.strategy import GroupChanged
from tests.service.gateway.api import Api, gateway
from tests.support.world import World

pytestmark = pytest.mark.service

STRATEGY: dict[str, Any] = {
    "name": "s1",
    "type": "update",
    "app": "web",
    "version": "2.0",
    "selection": {"all": True},
}
REFUSED: list[tuple[str, str, Any, int, set[tuple[str, str]]]] = [
    ("POST", "/v1/groups", b"{not json", 400, {("", "unreadable")}),
    ("POST", "/v1/groups", b"[1, 2]", 400, {("", "unreadable")}),
    ("POST", "/v1/groups", b'"text"', 400, {("", "unreadable")}),
    ("POST", "/v1/groups", b"\xff\xfe", 400, {("", "unreadable")}),
    ("POST", "/v1/groups", b"[" * 100_000, 400, {("", "unreadable")}),
    ("POST", "/v1/groups", b'{"name": ' + b"[" * 1_000 + b"]" * 1_000 + b"}", 422, {("", "invalid_field")}),
    ("POST", "/v1/groups", b"", 422, {("name", "missing_field")}),
    (
        "POST",
        "/v1/groups",
        {"name": "No Way", "max_parallel": 0, "colour": "red", "fleet": "fleet"},
        422,
        {
            ("fleet", "unknown_field"),
            ("name", "invalid_field"),
            ("max_parallel", "invalid_field"),
            ("colour", "unknown_field"),
        },
    ),
    ("POST", "/v1/groups", {"name": "a", "description": "x\x00y"}, 422, {("description", "invalid_field")}),
    ("PATCH", "/v1/groups/UPPER", {}, 422, {("name", "invalid_field")}),
    ("POST", "/v1/sites", {"sites": []}, 422, {("sites", "invalid_field")}),
    (
        "PUT",
        "/v1/sites/oslo/alarms/Fan!",
        {"severity": "awful", "management_affecting": "often", "colour": "red"},
        422,
        {
            ("alarm", "invalid_field"),
            ("severity", "invalid_field"),
            ("management_affecting", "invalid_field"),
            ("colour", "unknown_field"),
        },
    ),
    ("PUT", "/v1/sites/oslo/alarms/fan", {}, 422, {("severity", "missing_field")}),
    ("DELETE", "/v1/sites/no%20name/alarms/fan", None, 422, {("site", "invalid_field")}),
    ("POST", "/v1/sites/no%20name/check", {"soon": True}, 422, {("site", "invalid_field"), ("soon", "unknown_field")}),
    ("DELETE", "/v1/sites/no%20name", None, 422, {("names.0", "invalid_field")}),
    (
        "POST",
        "/v1/strategies",
        {**STRATEGY, "max_parallel": 5001, "type": "dance", "selection": {"everything": True}},
        422,
        {("max_parallel", "invalid_field"), ("type", "invalid_field"), ("selection.everything", "unknown_field")},
    ),
    (
        "POST",
        "/v1/operations",
        {"site": "s", "app": "web", "kind": "apply", "strategy_id": "mine"},
        422,
        {("strategy_id", "unknown_field")},
    ),
    ("POST", "/v1/operations/nowhere/cancel", {}, 404, {("operation", "unknown_operation")}),
    ("GET", "/v1/sites?limit=0&colour=red", None, 422, {("limit", "invalid_field"), ("colour", "unknown_field")}),
    ("GET", "/v1/sites?limit=1001", None, 422, {("limit", "invalid_field")}),
    ("GET", "/v1/sites?cursor=nonsense", None, 422, {("cursor", "invalid_field")}),
    ("GET", "/v1/sites?cursor=WzFd", None, 422, {("cursor", "invalid_field")}),
    ("GET", "/v1/sites?cursor=", None, 422, {("cursor", "invalid_field")}),
    ("GET", "/v1/sites?cursor=%C3%A9", None, 422, {("cursor", "invalid_field")}),
    ("GET", "/v1/sites?limit=1&limit=2&q=a&q=b", None, 422, {("limit", "invalid_field"), ("q", "invalid_field")}),
    ("GET", "/v1/sites/%FF", None, 404, {("site", "unknown_site")}),
    ("GET", "/v1/sites/a%2Fb", None, 404, {("site", "unknown_site")}),
    ("GET", "/v1/sites/%7B%7D", None, 404, {("site", "unknown_site")}),
    ("GET", "/v1/sites/" + "x" * 5_000, None, 404, {("site", "unknown_site")}),
    ("GET", "/static/" + "x" * 5_000 + ".js", None, 404, set()),
    ("GET", "/v1/sites?label=north", None, 422, {("label", "invalid_field")}),
    ("GET", "/v1/sites?q=%00", None, 422, {("q", "invalid_field")}),
    ("GET", "/v1/sites/%00", None, 422, {("name", "invalid_field")}),
    ("GET", "/v1/sites/nowhere", None, 404, {("site", "unknown_site")}),
    ("GET", "/v1/groups/nowhere", None, 404, {("group", "unknown_group")}),
    ("GET", "/v1/releases/web/9", None, 404, {("release", "unknown_release")}),
    ("GET", "/v1/strategies/nowhere", None, 404, {("strategy", "unknown_strategy")}),
    ("GET", "/v1/strategies/nowhere/steps", None, 404, {("strategy", "unknown_strategy")}),
    ("GET", "/v1/operations/nowhere", None, 404, {("operation", "unknown_operation")}),
    ("GET", "/v1/commands/nowhere", None, 404, {("command", "unknown_command")}),
    ("GET", "/v1/bundles/nowhere", None, 404, {("bundle", "unknown_bundle")}),
    ("GET", "/v1/dlq/nowhere", None, 404, {("topic", "unknown_topic")}),
    ("GET", "/v1/strategies?state=dancing", None, 422, {("state", "invalid_field")}),
    ("GET", "/v1/events?types=nonsense", None, 422, {("types", "invalid_field")}),
    ("GET", "/v1/events?last_event_id=-1", None, 422, {("Last-Event-ID", "invalid_field")}),
    ("GET", "/v1/events?last_event_id=" + "9" * 5_000, None, 422, {("Last-Event-ID", "invalid_field")}),
    ("GET", "/v1/nowhere", None, 404, set()),
    ("DELETE", "/v1/strategies", None, 405, set()),
    ("POST", "/v1/subscriptions", {"name": "a", "url": "nowhere", "secret": "short"}, 422,
     {("url", "invalid_field"), ("secret", "invalid_field")}),
    ("POST", "/v1/subscriptions", {"name": "a", "url": f"https://{'a' * 64}.com"}, 422, {("url", "invalid_field")}),
    ("POST", "/v1/subscriptions", {"name": "a", "url": "https://a..com"}, 422, {("url", "invalid_field")}),
    ("POST", "/v1/tokens", {"name": "x", "role": "king"}, 422, {("role", "invalid_field")}),
    ("POST", "/v1/dlq/strategy.commands/replay", {"offsets": []}, 422, {("offsets", "invalid_field")}),
    ("POST", "/v1/dlq/strategy.commands/replay", {"offsets": [2**63]}, 422, {("offsets.0", "invalid_field")}),
    ("POST", "/v1/dlq/strategy.commands/replay", {"offsets": [7]}, 404, {("offsets", "unknown_dead_letter")}),
]  # fmt: skip


@pytest.mark.parametrize("field", ["secret", "secert"])
async def test_a_refused_subscription_repeats_no_secret_also_where_its_name_is_misspelt(
    world: World, field: str
) -> None:
    async with gateway(world) as api:
        body = {"name": "UPPER case", "url": "https://example.org/hook/T0ken", field: "hunter2", "topics": ["nonsense"]}
        answer = await api.ask("POST", "/v1/subscriptions", body)
        assert answer.status == 422
        assert {fault["field"] for fault in answer.body["faults"]} >= {"name", field}
        assert "hunter2" not in str(answer.body)
        assert "UPPER case" in str(answer.body)


LIMITS = [0, -1, 5001, "abc", "101%", "0%", 1.5, True, None, [], {}]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/sites?group=nope", "group"),
        ("/v1/operations?site=nope", "site"),
        ("/v1/operations?app=nope", "app"),
        ("/v1/operations?strategy=nope", "strategy"),
        ("/v1/deployments?site=nope", "site"),
        ("/v1/releases?app=nope", "app"),
    ],
)
async def test_a_filter_that_names_nothing_is_refused_instead_of_an_empty_list(
    world: World, path: str, field: str
) -> None:
    async with gateway(world) as api:
        reply = await api.ask("GET", path)
        assert (reply.status, reply.codes) == (422, {(field, f"unknown_{field}")})
        await world.send(GroupChanged(name="nope", description="", apply_type="serial", max_parallel=1), sequence=1)
        if field == "group":
            assert (await api.shows(path, lambda page: page["items"] == []))["next"] is None


async def test_each_wrong_request_is_refused_with_every_reason_and_leaves_nothing(world: World) -> None:
    async with gateway(world) as api:
        for method, path, body, status, codes in REFUSED:
            reply = await api.ask(method, path, body)
            assert (reply.status, reply.codes) == (status, codes), (method, path, reply.body)
            assert reply.headers["Content-Type"].startswith("application/problem+json")
            assert reply.body["detail"]
        for limit in LIMITS:
            reply = await api.ask("POST", "/v1/strategies", {**STRATEGY, "max_parallel": limit})
            assert (reply.status, reply.codes) == (422, {("max_parallel", "invalid_field")}), limit
        await _nothing_was_done(api)


async def test_wrong_keys_and_tokens_are_refused(world: World) -> None:
    async with gateway(world) as api:
        for key in ("with space", "", "x" * 201):
            reply = await api.ask("POST", "/v1/groups", {"name": "a"}, Idempotency_Key=key)
            assert reply.codes == {("Idempotency-Key", "invalid_field")}
        wrong = ["", "nonsense", "belay_", "belay_x", "belay_x_y", "belay_é_y", api.token + "x", api.token[:-1]]
        for token in [*wrong, "x" * 5000, api.token.replace("belay_", "belay_0")]:
            reply = await api.ask("GET", "/v1/sites", token=token)
            assert (reply.status, reply.headers["WWW-Authenticate"][:6]) == (401, "Bearer"), token
            assert token not in str(reply.body) or not token
        async with api.http.get(f"{api.url}/v1/sites?access_token={api.token}") as answer:
            assert answer.status == 401  # only the stream takes it there
        await _nothing_was_done(api)


async def test_each_role_may_what_it_may_and_a_refusal_names_the_role_needed(world: World) -> None:
    async with gateway(world) as api:
        tokens = {}
        for role in ("viewer", "operator", "approver"):
            tokens[role] = (await api.ask("POST", "/v1/tokens", {"name": role, "role": role})).body["token"]
        body = {"name": "north"}
        refused = await api.ask("POST", "/v1/groups", body, token=tokens["viewer"])
        assert (refused.status, refused.body["code"]) == (403, "role_needed")
        assert "operator" in refused.body["detail"]
        assert (await api.ask("GET", "/v1/sites", token=tokens["viewer"])).status == 200
        for role in ("operator", "approver"):
            sent = await api.ask("POST", "/v1/groups", body, token=tokens[role], Prefer="respond-async")
            assert sent.status == 202
            for method, path in [("GET", "/v1/tokens"), ("GET", "/v1/audit"), ("POST", "/v1/dlq/site.state/replay")]:
                assert (await api.ask(method, path, token=tokens[role])).status == 403


async def test_a_huge_body_is_refused_without_being_read(world: World) -> None:
    async with gateway(world) as api:
        reply = await api.ask("POST", "/v1/groups", b"x" * 1_000_001)
        assert (reply.status, reply.body["code"]) == (413, "too_large")
        assert b" 413 " in await _said_to_an_announced_body(api, 100_000_000)
        async with api.http.post(f"{api.url}/v1/groups", data=_endless(), headers=_authorized(api)) as answer:
            assert answer.status == 413
        await _nothing_was_done(api)


async def _said_to_an_announced_body(api: Api, size: int) -> bytes:
    """Announce a body of `size` bytes, send a little of it, and read the first line of what is said."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = ["POST /v1/groups HTTP/1.1", "Host: x", f"Content-Length: {size}"]
    lines += [f"{name}: {value}" for name, value in _authorized(api).items()]
    writer.write("\r\n".join([*lines, "", "x" * 1000]).encode())
    said = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return said


async def _endless() -> AsyncIterator[bytes]:
    """A body without a length that stops only when nobody takes it any more."""
    for _ in range(10_000):
        yield b"x" * 10_000


def _authorized(api: Api) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}


async def _nothing_was_done(api: Api) -> None:
    pool = api.service.pool
    assert await pool.fetchval("select count(*) from command") == 0
    assert await pool.fetchval("select count(*) from audit") == 0
    assert await pool.fetchval("select count(*) from outbox") == 0
