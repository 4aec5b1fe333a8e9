"""More clients than a replica can serve: they wait or are told to come again, and its memory stays."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest

from services.cli.client import Client
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import Site, SitesChanged
from tests.service.gateway.api import Api, gateway
from tests.service.gateway.listener import listening
from tests.service.gateway.told import state_changed
from tests.support.probe import address, until_figures, until_ready
from tests.support.replica import replica
from tests.support.world import World

pytestmark = pytest.mark.service

DEAF = 30
EVENTS, SITES_AT_ONCE = 500, 200
GROWTH_MIB = 100
"""Less than what is sent to the deaf clients would take if each had a copy of its own, or nothing were forgotten."""

LIMIT = 20
OPERATION = {"site": "oslo", "app": "lamp", "kind": "apply", "version": "1.0"}


async def test_clients_that_never_read_cost_a_bounded_memory_and_hold_nobody_up(world: World) -> None:
    async with replica(world, "gateway", gateway_port=0, gateway_stream_client_bytes=1_000_000) as running:
        await until_ready(world.home, "gateway", "1")
        url = cast("str", address(world.home, "gateway", "1"))
        process = psutil.Process(running.process.pid)
        with deaf_clients(url, (world.home / "admin.token").read_text().strip()):
            await until_figures(url, lambda found: found["belay_stream_clients"] == DEAF)
            before = process.memory_info().rss
            for number in range(EVENTS):
                await world.send(many_sites(number), sequence=number + 1)
            await until_figures(url, lambda found: found["belay_consumer_lag"] == 0)
            assert (process.memory_info().rss - before) / 2**20 < GROWTH_MIB
        assert await running.stop() < 5


async def test_who_finds_a_crowd_is_told_to_come_again_and_a_client_that_does_sees_no_error(world: World) -> None:
    async with gateway(world, requests=LIMIT, answer_seconds=0.5) as api:
        locked = await asyncpg.connect(world.database_dsn)
        transaction = locked.transaction()
        await transaction.start()
        await locked.execute("lock table gateway.command in access exclusive mode")
        asking = [asyncio.create_task(api.ask("POST", "/v1/operations", OPERATION)) for _ in range(LIMIT * 2)]
        done, waiting = await asyncio.wait(asking, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < LIMIT:
            more, waiting = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        assert {(t.result().status, t.result().body["code"]) for t in done} == {(503, "too_busy")}
        assert {t.result().headers["Retry-After"] for t in done} == {"1"}
        patient = asyncio.create_task(asyncio.to_thread(command, api, "patient"))
        await transaction.rollback()
        await locked.close()
        assert Counter(reply.status for reply in await asyncio.gather(*waiting)) == {202: LIMIT}
        assert (await patient)["state"] == "sent"


async def test_a_stop_ends_streams_cleanly_and_lets_waiting_commands_go(world: World) -> None:
    async with gateway(world, "2") as other:
        async with gateway(world, answer_seconds=60) as api, listening(api) as client:
            await world.send(state_changed("s-1", "first", "ready", 0), sequence=1)
            await client.until(lambda heard: len(heard) == 1)
            visitor = replace(other, url=api.url)  # its connections outlive the replica
            asked = asyncio.create_task(visitor.ask("POST", "/v1/operations", OPERATION, Idempotency_Key="o-1"))
            await api.command(RequestOperation, "o-1")
        reply = await asked
        assert (reply.status, reply.body["state"]) == (202, "sent")
        async with listening(other, resume_from=1) as client:
            await world.send(state_changed("s-1", "first", "applying", 1), sequence=2)
            assert [event.position for event in await client.until(lambda heard: len(heard) == 1)] == [2]


def command(api: Api, key: str) -> dict[str, object]:
    with Client(api.url, api.token) as client:
        return client.command("POST", "/v1/operations", {**OPERATION, "site": "rome"}, key, wait=False)


def many_sites(number: int) -> SitesChanged:
    connections = {"process": {"note": "x" * 300, "number": number}}
    return SitesChanged(sites=tuple(Site(name=f"site-{n}", connections=connections) for n in range(SITES_AT_ONCE)))


@contextmanager
def deaf_clients(url: str, token: str) -> Iterator[None]:
    """Clients of the event stream that ask and then read nothing."""
    parts = urlsplit(url)
    request = f"GET /v1/events HTTP/1.1\r\nHost: belay\r\nAuthorization: Bearer {token}\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(DEAF):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect((parts.hostname, parts.port))
            one.sendall(request.encode())
        yield
