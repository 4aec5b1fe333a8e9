"""What passes through the gateway as it is: bundles on their way to the blob store, dead letters on their way back."""

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from nacl.public import PrivateKey, SealedBox

from services.cli.client import Client, ProblemError
from shared.blobs import Blobs
from shared.messages.base import Fault
from shared.messages.catalog import CommandRejected, PublishRelease, ReleaseAvailable
from shared.messages.notifier import AddSubscription, NotifierKeyReported
from shared.messages.strategy import CommandAccepted, PauseStrategy
from shared.sealing import key_id
from shared.wire.topics import DEAD_LETTERS
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.told import at
from tests.support.world import World

pytestmark = pytest.mark.service

BUNDLE = b"\x1f\x8b" + bytes(range(256)) * 10_000
SHA256 = hashlib.sha256(BUNDLE).hexdigest()


async def test_a_bundle_is_stored_by_its_digest_and_its_outcome_is_shown(world: World, tmp_path: Path) -> None:
    file = tmp_path / "web-2.0.tar.gz"
    file.write_bytes(BUNDLE)
    async with gateway(world) as api:
        client = Client(api.url, api.token)
        asked = asyncio.create_task(asyncio.to_thread(client.upload, file, key="up-1"))
        await api.accept(PublishRelease, "up-1", bundle_sha256=SHA256)
        assert (await asked)["result"] == {"bundle_sha256": SHA256}
        command = (await api.command(PublishRelease, "up-1")).data
        assert command == PublishRelease(bundle_sha256=SHA256, bundle_bytes=len(BUNDLE), file_name=file.name)
        assert await Blobs.open(api.service.settings).size(SHA256) == len(BUNDLE)
        assert (await api.get(f"/v1/bundles/{SHA256}"))["state"] == "validating"
        await world.send(_available())
        await api.shows(f"/v1/bundles/{SHA256}", lambda b: (b["state"], b["version"]) == ("available", "2.0"))
        again = await asyncio.to_thread(client.upload, file, key="up-1")
        assert again["state"] == "accepted"
        assert (await api.get(f"/v1/bundles/{SHA256}"))["state"] == "available"
        client.close()


async def test_a_bundle_that_the_catalog_refuses_or_that_is_too_large_is_said_so(world: World) -> None:
    async with gateway(world, settings={"max_bundle_bytes": len(BUNDLE)}) as api:
        asked = asyncio.create_task(api.ask("POST", "/v1/releases?file_name=x", BUNDLE, Idempotency_Key="up-1"))
        await api.reject(PublishRelease, "up-1", Fault(code="hostile", field="a", message="is a link"))
        reply = await asked
        assert (reply.status, reply.codes) == (422, {("a", "hostile")})
        assert (await api.get(f"/v1/bundles/{SHA256}"))["faults"][0]["code"] == "hostile"
        assert (await api.ask("POST", "/v1/releases", BUNDLE + b"x")).status == 413
        assert (await api.ask("POST", "/v1/releases", b"")).body["code"] == "empty_bundle"
        headers = {"Authorization": f"Bearer {api.token}"}
        async with api.http.post(f"{api.url}/v1/releases", data=_twice(), headers=headers) as answer:
            assert answer.status == 413


def _available() -> ReleaseAvailable:
    named: dict[str, Any] = {"bundle_sha256": SHA256, "bundle_bytes": len(BUNDLE), "upgrades_from": None}
    return ReleaseAvailable(
        release_id="r", app="web", version="2.0", scheme="pep440", components=(), published_at=at(1), **named
    )


async def _twice() -> Any:
    yield BUNDLE
    yield BUNDLE


async def test_what_dead_letters_say_is_shown_to_admins_alone(world: World) -> None:
    async with gateway(world) as api:
        await world.send_raw("strategy.commands" + DEAD_LETTERS, b"hooks/T0ken", {"belay_dlq_code": "internal"}, b"s-1")
        made = (await api.ask("POST", "/v1/tokens", {"name": "nosy", "role": "approver"})).body["token"]
        (shown,) = (await api.ask("GET", "/v1/dlq/strategy.commands", token=made)).body["items"]
        assert [shown[name] for name in ("code", "key", "headers", "body")] == ["internal", None, {}, None]
        assert (await api.ask("GET", "/v1/dlq/strategy.commands/0", token=made)).status == 403
        (whole,) = (await api.get("/v1/dlq/strategy.commands"))["items"]
        assert (whole["key"], whole["body"]) == ("s-1", "hooks/T0ken")


async def test_dead_letters_are_shown_and_sent_once_more(world: World) -> None:
    pause = PauseStrategy(strategy="s-1")
    headers = {"ce_id": "old", "ce_type": PauseStrategy.TYPE, "belay_dlq_code": "internal"}
    dead = {**headers, "belay_dlq_reason": "it broke", "belay_dlq_origin": "strategy.commands/0/7"}
    event = {"ce_id": "e-1", "ce_type": CommandAccepted.TYPE, "belay_dlq_code": "unreadable"}
    async with gateway(world) as api:
        await world.send_raw("strategy.commands" + DEAD_LETTERS, pause.model_dump_json().encode(), dead, b"s-1")
        await world.send_raw("strategy.commands" + DEAD_LETTERS, b"\xff", headers)
        await world.send_raw("strategy.events" + DEAD_LETTERS, b"{}", event)
        counts = await api.shows("/v1/dlq", lambda body: len(body["items"]) == 2)
        assert counts["items"] == [{"topic": "strategy.commands", "count": 2}, {"topic": "strategy.events", "count": 1}]
        listed = await api.get("/v1/dlq/strategy.commands?limit=1")
        (letter,) = listed["items"]
        assert (letter["code"], letter["reason"], letter["origin"]) == ("internal", "it broke", "strategy.commands/0/7")
        assert letter["headers"] == {"ce_id": "old", "ce_type": PauseStrategy.TYPE}
        (second,) = (await api.get(f"/v1/dlq/strategy.commands?limit=1&cursor={listed['next']}"))["items"]
        assert second["body"] == "�"

        reply = await _replay(api, "strategy.commands", [0], "replay-1")
        again = await _replay(api, "strategy.commands", [0], "replay-1")
        assert reply.body == again.body
        (sent,) = reply.body["result"]["replayed"]
        command = await api.command(PauseStrategy, sent["id"])
        assert (command.data, command.causation_id) == (pause, "old")
        assert command.id != "old"
        assert len(world.events(PauseStrategy)) == 1
        other = await _replay(api, "strategy.commands", [1], "replay-1")
        assert (other.status, other.body["code"]) == (409, "command_id_reused")

        assert (await _replay(api, "strategy.events", [0], "replay-2")).body["result"]["replayed"][0]["id"] == "e-1"
        await world.dead_letter(lambda r: b"strategy.events/" in dict(r.headers).get("belay_dlq_origin", b""))
        audit = (await api.get("/v1/audit"))["items"]
        assert {(a["command_id"], a["result"]) for a in audit} == {("replay-1", "done"), ("replay-2", "done")}


async def _replay(api: Api, topic: str, offsets: list[int], key: str) -> Any:
    return await api.ask("POST", f"/v1/dlq/{topic}/replay", {"offsets": offsets}, Idempotency_Key=key)


async def test_a_subscriptions_secret_leaves_the_gateway_sealed(world: World, capsys: Any) -> None:
    key, secret = PrivateKey.generate(), "correct horse battery"
    body = {"name": "hook", "url": "https://example.org/hook", "topics": ["error"], "secret": secret}
    async with gateway(world) as api:
        assert (await api.ask("POST", "/v1/subscriptions", body)).status == 503  # no key to seal it to
        public = base64.b64encode(bytes(key.public_key)).decode()
        await world.send(NotifierKeyReported(key_id=key_id(public), public_key=public))
        await api.until_written("select count(*) = 1 from sealing_key")
        now = {"Idempotency_Key": "sub-1", "Prefer": "respond-async"}
        for _ in range(2):
            assert (await api.ask("POST", "/v1/subscriptions", body, **now)).status == 202
        other = await api.ask("POST", "/v1/subscriptions", {**body, "secret": secret + "!"}, **now)
        assert (other.status, other.body["code"]) == (409, "command_id_reused")
        sealed = (await api.command(AddSubscription, "sub-1")).data.sealed_secret
        assert SealedBox(key).decrypt(base64.b64decode(sealed)).decode() == secret
        dump = await api.service.pool.fetchval("select string_agg(c::text, '') from command c")
        assert secret not in dump + str(await api.get("/v1/audit"))
    assert secret not in capsys.readouterr().out


async def test_the_typed_client_reads_pages_sends_commands_and_says_what_was_refused(world: World) -> None:
    async with gateway(world) as api:
        with Client(api.url, api.token) as client:
            assert (await asyncio.to_thread(client.get, "/v1/me"))["role"] == "admin"
            assert await asyncio.to_thread(lambda: list(client.pages("/v1/tokens", limit=1)))
            sent = await asyncio.to_thread(client.command, "POST", "/v1/strategies/s/pause", {}, "p-1", wait=False)
            assert sent == {"command_id": "p-1", "state": "sent", "result": {}}
            with pytest.raises(ProblemError) as refused:
                await asyncio.to_thread(client.command, "POST", "/v1/groups", {"name": "No"})
            assert (refused.value.status, refused.value.faults[0].field) == (422, "name")
            stream: Any = client.stream(types="command_rejected")
            first = asyncio.create_task(asyncio.to_thread(next, stream))
            rejected = CommandRejected(
                command_id="up-1", command_type=PublishRelease.TYPE, about="x", code="c", faults=()
            )
            asked = asyncio.create_task(api.ask("POST", "/v1/releases", BUNDLE, Idempotency_Key="up-1"))
            await api.command(PublishRelease, "up-1")
            await world.send(rejected, causation_id="up-1", correlation_id="up-1")
            assert (await asked).body["code"] == "c"
            event = await first
            assert (event.type, event.subject) == ("command_rejected", "up-1")
            await asyncio.to_thread(stream.close)
        with Client("http://127.0.0.1:1") as nobody, pytest.raises(Exception, match="no gateway answers"):
            await asyncio.to_thread(nobody.get, "/v1/me")


async def test_the_page_is_served_under_a_strict_policy_and_nothing_else_of_the_disk(world: World) -> None:
    async with gateway(world) as api:
        async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
            index = await http.get("/")
            assert index.status_code == 200
            assert "default-src 'none'" in index.headers["Content-Security-Policy"]
            assert index.headers["Cache-Control"] == "no-cache"
            for path in ("../settings.py", "..%2fsettings.py", "%2e%2e/settings.py", "/etc/passwd", "a%00b", ""):
                assert (await http.get(f"/static/{path}")).status_code == 404
            metrics = (await http.get("/metrics")).text
            assert 'belay_http_request_seconds_count{method="GET",route="/",status="200"} 1.0' in metrics
            assert (await http.get("/openapi.json")).json()["openapi"] == "3.1.0"
        (replica,) = (await api.get("/v1/system"))["items"]
        assert (replica["service"], replica["ready"], replica["outbox"]) == ("gateway", True, 0)
        gone = world.home / "run" / "notifier-1.json"
        gone.write_text('{"service": "notifier", "instance": "1", "url": "http://127.0.0.1:1"}')
        (_, dead) = (await api.get("/v1/system"))["items"]
        assert (dead["service"], dead["ready"]) == ("notifier", False)
        assert "no answer" in dead["error"]
