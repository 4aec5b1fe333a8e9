"""What HTTP itself asks of a server: methods, headers, media types, lengths, connections. Whatever comes, each request
gets one answer that says why, in the words of all refusals, and the log none of its bytes."""

import asyncio
import gzip
import json
import re
from urllib.parse import quote

import pytest

from services.gateway.resources.table import ROUTES
from shared.messages.strategy import CreateGroup
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.line import LATIN, Line, Said, once
from tests.support.world import World

pytestmark = pytest.mark.service

BODY = b'{"name": "north"}'


async def in_time(api: Api, start: str) -> Said:
    """The same, asked again where the answer is to come again later: a Kafka that is busy for a moment."""
    while _comes_again(said := await once(api, start)):  # noqa: ASYNC110 - time alone helps
        await asyncio.sleep(float(said.headers["retry-after"]))
    return said


def _comes_again(said: Said) -> bool:
    return said.status == 503 and "retry-after" in said.headers


def a_path_of(path: str) -> str:
    """Some path of a route."""
    return path.replace("{topic}", "site.state").replace("{offset}", "0").replace("{", "").replace("}", "")


def methods_of(path: str) -> set[str]:
    """The methods of every route that has this path."""
    patterns = [(r, re.sub("{[a-z0-9_]+}", "[^/]+", r.path.replace("{offset}", "[0-9]+"))) for r in ROUTES]
    found = {route.method for route, pattern in patterns if re.fullmatch(pattern, path)}
    return found | ({"HEAD"} if "GET" in found else set())


async def test_a_header_that_is_no_text_is_refused_by_its_name(world: World) -> None:
    async with gateway(world) as api:
        for start, header, body in (
            ("POST /v1/groups", "Idempotency-Key", BODY),
            ("POST /v1/strategies/a/apply", "Idempotency-Key", b""),
            ("POST /v1/releases", "Idempotency-Key", b"x"),
            ("DELETE /v1/sites/a", "Idempotency-Key", b""),
            ("GET /v1/events", "Last-Event-ID", b""),
        ):
            said = await once(api, start, f"{header}: a{LATIN}b", body=body)
            fault = said.problem["faults"][0]
            assert (said.status, fault["field"], fault["value"]) == (422, header, "a�b")
        for token in (LATIN, f"belay_a_{LATIN}", f"{api.token}{LATIN}"):
            said = await once(api, "GET /v1/me", f"Authorization: Bearer {token}")
            assert (said.status, said.problem["code"]) == (401, "wrong_token")
        assert (await once(api, "GET /v1/me", f"Authorization: {LATIN}")).status == 401
        for header in ("User-Agent", "Accept", "Prefer", "Cookie", "Referer", "If-None-Match"):
            assert (await once(api, "GET /v1/me", f"{header}: {LATIN}")).status == 200, header  # none of our business
        twice = await once(api, "POST /v1/groups", "Idempotency-Key: a", "Idempotency-Key: b", body=BODY)
        assert (twice.status, twice.problem["faults"][0]["field"]) == (422, "Idempotency-Key")


async def test_a_key_leads_to_its_answer_whatever_characters_it_has(world: World) -> None:
    async with gateway(world) as api:
        every = "".join(map(chr, range(0x21, 0x7F)))
        for number, key in enumerate((every, "a/../b", "%2F", "%2e%2e", "...", "{x}", "?a=b#c", "//", "a%", "x" * 200)):
            body = json.dumps({"name": f"g{number}"}).encode()
            taken = await once(api, "POST /v1/groups", f"Idempotency-Key: {key}", "Prefer: respond-async", body=body)
            assert taken.status == 202, (key, taken.body)
            assert taken.headers["location"] == f"/v1/commands/{quote(key, safe='')}"
            there = await once(api, f"GET {taken.headers['location']}")
            assert (there.status, json.loads(there.body)["command_id"]) == (200, key)
            through_a_client = await api.get(taken.headers["location"])
            assert through_a_client["command_id"] == key
        for key in (".", ".."):  # a client makes another path of these
            refused = await once(api, "POST /v1/groups", f"Idempotency-Key: {key}", body=BODY)
            assert (refused.status, refused.problem["faults"][0]["field"]) == (422, "Idempotency-Key")
        assert (await api.command(CreateGroup, every)).data.name == "g0"


async def test_head_is_get_without_its_body_and_other_methods_are_told_what_there_is(world: World) -> None:
    async with gateway(world) as api:
        for path in {route.path for route in ROUTES}:
            there, methods = a_path_of(path), methods_of(a_path_of(path))
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - methods:
                said = await once(api, f"{method} {there}")
                assert said.status == 405, (method, path)
                assert set(said.headers["allow"].split(", ")) == methods
        readable = {route.path for route in ROUTES if route.method == "GET"} - {"/v1/events"}
        for path in [*readable, "/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/main.js"]:
            there = a_path_of(path)
            got, headed = await in_time(api, f"GET {there}"), await in_time(api, f"HEAD {there}")
            same = ("content-type", "content-length") if path != "/metrics" else ("content-type",)
            assert headed.status == got.status, path
            assert [headed.headers[name] for name in same] == [got.headers[name] for name in same], path
            assert headed.body == b""
        stream = await once(api, "HEAD /v1/events")
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        assert (await once(api, "HEAD /v1/events?types=nonsense")).status == 422


async def test_a_body_of_another_kind_is_refused_unread(world: World) -> None:
    async with gateway(world) as api:
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=b",
            f"{LATIN}/json",
        ):
            for path in ("/v1/groups", "/v1/releases"):
                if path == "/v1/releases" and kind.startswith("multipart/"):
                    continue  # a bundle may come in a form
                said = await once(api, f"POST {path}", f"Content-Type: {kind}", "Content-Length: 999999999")
                assert (said.status, said.problem["code"]) == (415, "unsupported_media_type"), (path, kind)
                assert said.headers["accept-post"] in said.problem["detail"].replace(" or ", ", ")
        for path in ("/v1/groups", "/v1/releases"):
            packed = await once(api, f"POST {path}", "Content-Encoding: gzip, gzip", body=b"x")
            assert packed.status == 415
        assert (await once(api, "POST /v1/releases", "Content-Encoding: gzip", body=gzip.compress(b"x"))).status == 415
        for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
            said = await once(api, "POST /v1/groups", f"Content-Type: {kind}", body=b"{}")
            assert (said.status, said.problem["faults"][0]["field"]) == (422, "name"), kind
        packed = await once(api, "POST /v1/groups", "Content-Encoding: gzip", body=gzip.compress(b"{}"))
        assert (packed.status, packed.problem["faults"][0]["field"]) == (422, "name")
        bomb = await once(api, "POST /v1/groups", "Content-Encoding: gzip", body=gzip.compress(b" " * 50_000_000))
        assert bomb.status == 413


async def test_what_is_no_http_gets_a_problem_and_its_bytes_stay_out_of_the_log(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong: tuple[tuple[str, tuple[str, ...], bytes], ...] = (
        ("FOO /v1/me", (), b""),
        (f"GET /v1/sites/{LATIN}", (), b""),
        ("GET /v1/sites/" + "x" * 9_000, (), b""),
        ("GET http://x:99999999/v1/me", (), b""),
        ("GET /v1/me", ("X-Long: " + "x" * 9_000,), b""),
        ("GET /v1/me", ("Idempotency-Key: a\x00b",), b""),
        ("POST /v1/groups", ("Content-Length: -1",), BODY),
        ("POST /v1/groups", ("Content-Length: 99999999999999999999",), BODY),
        ("POST /v1/groups", ("Content-Length: 2", "Content-Length: 3"), BODY),
        ("POST /v1/groups", ("Content-Length: 2", "Transfer-Encoding: chunked"), BODY),
        ("POST /v1/groups", ("Transfer-Encoding: nonsense",), BODY),
        ("POST /v1/groups", ("Transfer-Encoding: chunked",), b"zz\r\n{}\r\n0\r\n\r\n"),
        ("POST /v1/releases", ("Transfer-Encoding: chunked",), b"2\r\n{}\r\nzz\r\n"),
        ("POST /v1/groups", ("Content-Encoding: gzip",), b"no gzip"),
        ("POST /v1/groups", ("Content-Encoding: br",), b"no brotli"),
    )
    async with gateway(world) as api:
        for start, headers, body in wrong:
            said = await once(api, start, *headers, body=body)
            assert (said.status, said.problem["status"]) == (400, 400), (start, headers)
            assert api.token not in said.problem["detail"]
        async with Line.to(api) as line:
            line.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50)
            assert (await line.said()).problem["code"] == "not_http"
        expecting = await once(api, "POST /v1/groups", "Expect: nonsense", body=b"{}")
        assert expecting.problem["faults"][0]["field"] == "name"
        assert (await once(api, "GET /v1/me")).status == 200
    assert api.token not in caplog.text + capsys.readouterr().out
    assert "Traceback" not in caplog.text


async def test_requests_on_one_connection_are_answered_in_their_order(world: World) -> None:
    async with gateway(world) as api, Line.to(api) as line, Line.to(api) as expecting:
        line.send("GET /v1/me")
        line.send("POST /v1/groups", body=b"{}")
        line.send("HEAD /v1/me")
        line.send("GET /v1/sites/nowhere")
        line.send("POST /v1/groups", "Authorization: Bearer nonsense", body=b"{}")
        line.send("GET /v1/me", "Connection: close")
        answers = [await line.said(method) for method in ("GET", "POST", "HEAD", "GET", "POST", "GET")]
        assert [answer.status for answer in answers] == [200, 422, 200, 404, 401, 200]
        assert await line.closed()
        expecting.send("POST /v1/groups", "Expect: 100-continue", "Content-Length: 2")
        assert (await expecting.said()).status == 100
        expecting.write(b"{}")
        assert (await expecting.said()).status == 422


async def test_a_body_shorter_than_announced_does_nothing(world: World) -> None:
    async with gateway(world) as api:
        for path in ("/v1/groups", "/v1/releases"):
            async with Line.to(api) as line:
                line.send(f"POST {path}", f"Content-Length: {len(BODY) + 1}", body=BODY)
                line.end()
                assert await line.closed()
        assert await api.service.pool.fetchval("select count(*) from command") == 0
