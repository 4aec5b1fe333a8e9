"""Health, readiness and Prometheus metrics of one service over HTTP, and where to find them on this machine."""

import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector

from shared.core.errors import is_transient
from shared.core.transaction import SQL
from shared.process.db import Pool
from shared.process.health import Finding
from shared.process.settings import Settings

ANYWHERE = ("0.0.0.0", "::")
Probe = Callable[[], Awaitable[dict[str, bool]]]


class Metrics:
    """The figures every service has; a service adds its own to `registry`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.lag = Gauge(
            "belay_consumer_lag", "Records not yet handled", ["topic", "partition"], registry=self.registry
        )
        self.outbox = Gauge("belay_outbox_depth", "Records not yet sent", registry=self.registry)
        self.refused = Gauge(
            "belay_records_refused", "Records that Kafka refused for good, kept aside", registry=self.registry
        )
        self.jobs = Gauge("belay_jobs", "Jobs by queue and state", ["queue", "state"], registry=self.registry)
        self.up = Gauge("belay_up", "1 while the service runs", ["service"], registry=self.registry)
        self.up.labels(service).set(1)

    async def read(self, pool: Pool, lag: dict[tuple[str, int], int]) -> bytes:
        """Fresh figures in Prometheus's text format."""
        self.lag.clear()
        for (topic, part), records in lag.items():
            self.lag.labels(topic, str(part)).set(records)
        async with pool.acquire() as conn:
            self.outbox.set(await SQL.value(conn, "count_outbox"))
            self.refused.set(await SQL.value(conn, "count_refused"))
            for row in await SQL.fetch(conn, "count_jobs"):
                self.jobs.labels(row["queue"], "waiting").set(row["waiting"])
                self.jobs.labels(row["queue"], "claimed").set(row["claimed"])
        return generate_latest(self.registry)


def add_routes(
    app: web.Application,
    read: Callable[[], Awaitable[bytes]],
    probe: Probe,
    findings: Callable[[], Sequence[Finding]] = tuple,
) -> None:
    """`/healthz` (the process lives), `/readyz` (every part works; 503 and which part if not), `/metrics`.

    `/readyz` also says what is wrong, if anything is (`findings`; without it older readers see parts alone). That does
    not make it un-ready: no router or supervisor could help with it.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        parts = await probe()
        wrong = [finding.model_dump(mode="json") | {"advice": finding.advice} for finding in findings()]
        told = {"findings": wrong} if wrong else {}
        return web.json_response({**parts, **told}, status=200 if all(parts.values()) else 503)

    async def metrics(_: web.Request) -> web.Response:
        try:
            return web.Response(body=await read(), content_type="text/plain", charset="utf-8")
        except Exception as error:
            if not is_transient(error):
                raise
            return web.Response(status=503, text="# the database or Kafka is away\n")

    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])


async def serve(
    app: web.Application, settings: Settings, service: str, runs: type[web.AppRunner] = web.AppRunner
) -> web.AppRunner:
    """Listen, and leave a note of the address under the home, so that `belay doctor` finds every replica."""
    runner = runs(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, settings.http_host, settings.http_port).start()
    note = note_of(settings.home, service, settings.instance)
    note.parent.mkdir(parents=True, exist_ok=True)
    host, port = runner.addresses[0][:2]
    if host in ANYWHERE:  # in a container: others reach it by its name
        host = socket.gethostname()
    facts = {"service": service, "instance": settings.instance, "url": f"http://{host}:{port}"}
    note.write_text(json.dumps({**facts, "version": version("belay")}))
    return runner


def forget(settings: Settings, service: str) -> None:
    """Take the note away: who stopped in order is not missed."""
    note_of(settings.home, service, settings.instance).unlink(missing_ok=True)


def note_of(home: Path, service: str, instance: str) -> Path:
    """Where a replica notes its address."""
    return home / "run" / f"{service}-{instance}.json"
