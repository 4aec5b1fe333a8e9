"""Records the small good run that the checker's tests start from: `python -m tests.unit.faults.record`.

Eight sites; releases 1.0.0 and 1.1.0, on which one site falls; a failed site that is mended and tried again; an aborted
strategy; a command sent twice and one that nobody can read; an operation by hand; a killed deployer; a release brought
to all sites ahead of time; a site that goes offline and comes back, with alarms. Beside it what record_strands.py does.
"""

import asyncio
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from services.cli.client import Client
from shared.embedded import kafka, postgres
from tests.faults.evidence import Asked, End, Fault, Run, collect
from tests.support.bundles import bundle
from tests.support.patience import until as wait
from tests.support.system import System, running
from tests.unit.faults.record_strands import AT_ONCE, SETTINGS, Strands

HERE = Path(__file__).with_name("recorded")
SITES = [f"site-{number}" for number in range(1, 9)]
NORTH = ("site-1", "site-2", "site-5")
FALLS, BROKEN, AWAY, AHEAD = "site-3", "site-8", "site-6", "site-4"
MANIFEST = """\
app: shop
version: "{version}"
components:
  - driver: simulated
    name: web
    seconds: [{seconds}]
    packages_bytes: 3000000
    images_bytes: 2000000
    sites: {{{fates}}}
"""
BODY = re.compile(r'"body":"(?:[^"\\]|\\.)*"')
TRACE = re.compile(r'\["ce_traceparent","[^"]*"\],|\["content-type","[^"]*"\],')
EXITED = re.compile(r"(\S+ \S+) \w+ exited: (\S+) \((?:terminated by (SIG\w+)|exit status (\d+))")
ENDED = ("complete", "failed", "aborted")


def main() -> None:
    """Run it and keep it."""
    os.environ |= {"BELAY_LOG": "json", "BELAY_LEASE_SECONDS": "2", "BELAY_DEPLOYER_CHECK_SECONDS": "3600", **SETTINGS}
    with (
        tempfile.TemporaryDirectory(prefix="belay-record-") as folder,
        running(Path(folder) / "home", deployers=2) as system,
    ):
        run, faults = play(system)
        at_rest(system)
        asyncio.run(keep(system, run, faults))


def play(system: System) -> tuple[Run, list[Fault]]:
    """The run itself."""
    began = datetime.now(UTC)
    with system.client() as client:
        publish(system, client, "1.0.0", "0.1, 0.3", "")
        publish(system, client, "1.1.0", "0.1, 0.3", f"{FALLS}: fail")
        client.command("POST", "/v1/groups", {"name": "north", "max_parallel": 2}, key="group-north")
        register(client, broken=True)
        strategy(client, "first", type="apply", version="1.0.0", max_parallel=4, on_failure={"stop_on_failure": False})
        register(client, broken=False)
        client.command("POST", "/v1/strategies/first/retry", {}, key="retry-first")
        ended(client, "first")
        stages = [{"name": "canary", "take": 2}, {"name": "rest"}]
        fault = strategy(
            client, "second", lambda: killed(system), version="1.1.0", stages=stages, max_parallel=3,
            on_failure={"stop_on_failure": False}, type="update",
        )  # fmt: skip
        asyncio.run(mischief(kafka.bootstrap(system.home)))
        strategy(client, "third", lambda: stop(client, "third"), type="rollback", version="1.0.0", max_parallel=2)
        body = {"site": "site-1", "app": "shop", "kind": "apply", "version": "1.1.0"}
        client.command("POST", "/v1/operations", body, key="by-hand")
        wait(lambda: client.get("/v1/operations/by-hand")["state"] == "succeeded")
        bears = {"stop_on_failure": False}
        strategy(client, "fourth", type="prestage", version="1.1.0", max_parallel=2, on_failure=bears)
        body = {"site": AHEAD, "app": "shop", "kind": "update", "version": "1.1.0"}
        client.command("POST", "/v1/operations", body, key="from-there")
        wait(lambda: client.get("/v1/operations/from-there")["state"] == "succeeded")
        trouble(client)
        heard = Strands(client, system.home.root, wait).play()
    asked = tuple(Asked(id=f"id-{n}", name=n, max_parallel=p, sites=8) for n, p in ASKED.items())
    facts = {"heard": heard, "automatic_at_once": AT_ONCE, "strategies": asked, "quiescent": True}
    return Run(seed=1, started_at=began, ended_at=datetime.now(UTC), **facts), [fault]


ASKED = {"first": 4, "second": 3, "third": 2, "fourth": 2}


def trouble(client: Client) -> None:
    """A site that goes offline and comes back; two alarms of it, of which one is cleared."""
    path = f"/v1/sites/{AWAY}"
    online = {"selection": {"sites": [AWAY]}, "connections": {"simulated": {"online": True}}}
    offline = {**online, "connections": {"simulated": {"online": False}}}
    client.command("PATCH", "/v1/sites", offline, key="away")
    wait(lambda: client.get(path)["cause"] is not None)
    client.command("POST", f"{path}/check", {}, key="check-away")
    wait(lambda: client.get(path)["availability"] == "offline")
    for alarm in ("fan", "disk"):
        said = {"severity": "major", "management_affecting": True, "text": "hot"}
        client.command("PUT", f"{path}/alarms/{alarm}", said, key=f"alarm-{alarm}")
    client.command("DELETE", f"{path}/alarms/fan", key="clear-fan")
    client.command("PATCH", "/v1/sites", online, key="back")
    wait(lambda: client.get(path)["availability"] == "online")


def publish(system: System, client: Client, version: str, seconds: str, fates: str) -> None:
    path = system.home.root / f"{version}.tar.gz"
    path.write_bytes(bundle({"bundle.yaml": MANIFEST.format(version=version, seconds=seconds, fates=fates).encode()}))
    client.upload(path, key=f"upload-{version}")
    wait(lambda: version in [release["version"] for release in client.get("/v1/releases")["items"]])


def register(client: Client, *, broken: bool) -> None:
    params = {BROKEN: {"simulated": "fail"}} if broken else {}
    groups = dict.fromkeys(NORTH, "north")
    sites = [
        {"name": name, "group": groups.get(name), "connections": {"simulated": params.get(name, {})}} for name in SITES
    ]
    body = {"sites": sites}
    client.command("POST", "/v1/sites", body, key=f"sites-{broken}")


def strategy(client: Client, name: str, meanwhile: Callable[[], Any] = lambda: None, **spec: Any) -> Any:
    """Create, apply, disturb and await a strategy over all sites."""
    body = {"name": name, "app": "shop", "selection": {"all": True}, **spec}
    client.command("POST", "/v1/strategies", body, key=f"id-{name}")
    client.command("POST", f"/v1/strategies/{name}/apply", {}, key=f"apply-{name}")
    found = meanwhile()
    ended(client, name)
    return found


def ended(client: Client, name: str) -> None:
    wait(lambda: client.get(f"/v1/strategies/{name}")["state"] in ENDED)


def killed(system: System) -> Fault:
    """A deployer that dies in the middle of its work."""
    time.sleep(0.3)
    at = datetime.now(UTC)
    system.kill("deployer-1")
    return Fault(kind="kill_service", target="deployer-1", at=at)


def stop(client: Client, name: str) -> None:
    time.sleep(0.2)
    client.command("POST", f"/v1/strategies/{name}/abort", {"reason": "enough"}, key=f"abort-{name}")


async def mischief(bootstrap: str) -> None:
    """One command twice, and one that nobody can read."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        headers = [("ce_id", b"twice"), ("ce_type", b"belay.strategy.create_group.v1")]
        for _ in range(2):
            await producer.send_and_wait("belay.strategy.commands", b'{"name": "south"}', b"fleet", headers=headers)
        headers = [("ce_id", b"unreadable"), ("ce_type", b"belay.strategy.create_group.v1")]
        await producer.send_and_wait("belay.strategy.commands", b"\xff\xfe", b"fleet", headers=headers)
    finally:
        await producer.stop()


def at_rest(system: System) -> None:
    """Everybody has read everything and said everything; the monitor's last forecast is among it. All sites were asked:
    within a minute of the start, and not again for an hour."""
    dsn = postgres.admin_dsn(system.home).rpartition("/")[0] + "/belay"
    wait(lambda: asyncio.run(_all_asked(dsn)))
    time.sleep(4)


async def _all_asked(dsn: str) -> bool:
    conn = await asyncpg.connect(dsn)
    try:
        return bool(await conn.fetchval("select bool_and(checked_at is not null) from deployer.check_bucket"))
    finally:
        await conn.close()


async def keep(system: System, run: Run, faults: list[Fault]) -> None:
    where = {"kafka": kafka.bootstrap(system.home), "dsn": postgres.admin_dsn(system.home)}
    ends = ends_in((system.home.logs / "supervisord.log").read_text())
    await collect(**where, prefix="belay.", home=system.home.root, target=HERE, run=run, faults=faults, ends=ends)
    tidy()


def ends_in(log: str) -> list[End]:
    """What the supervisor says of processes that ended: a name, and the signal or the status."""
    ends = []
    for at, process, number, status in EXITED.findall(log):
        code = -signal.Signals[number] if number else int(status)
        ends.append(End(process=process, at=datetime.fromisoformat(at).astimezone(UTC), status=code))
    return ends


def tidy() -> None:
    """Small, and nothing of the machine in it: no bodies of the page's stream, no logs of servers, no hash."""
    for name in (
        "tables/gateway.token.jsonl",
        "logs/kafka.log",
        "logs/supervisord.log",
    ):
        (HERE / name).unlink()
    for path in HERE.rglob("*.jsonl"):
        path.write_text(TRACE.sub("", path.read_text()))
    stream = HERE / "tables" / "gateway.event_log.jsonl"
    stream.write_text(BODY.sub('"body":""', stream.read_text()))
    for path in (HERE / "logs").iterdir():
        path.write_text(
            "".join(line for line in path.read_text().splitlines(True) if str(tempfile.gettempdir()) not in line)
        )


if __name__ == "__main__":
    main()
