"""A run of Restate: one node of its server, one process with a service made with one of its SDKs, both made anew.

Everything goes through sockets in the server's folder, so that it needs no port but the service's own. Each site is one
call over its ingress; the caller is the bench itself, whose CPU is not counted.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.pace import Pace, timed
from tests.bench.peer_environments import PEERS, lacks_node, node_modules_of, python_of
from tests.bench.rig import Rig, wait

PEER = "restate"
SDKS = ("node", "python")
SITES = 4_000
"""Of one run: it is several times as fast as the libraries."""

WARM = 500
"""Sites that go through before: node compiles its code while it runs."""

AT_ONCE = 200
"""Sites on their way at once, for one of its connections takes 128; more were no faster here."""

PARTITIONS = "2"
"""Instead of its 24, which took more CPU here and were no faster."""

STEPS = 4
NODE = "bench"
RECORDED = "select count(*) as n from sys_journal where entry_type = 'Command: Run'"
START_SECONDS, STOP_SECONDS, CALL_SECONDS = 60.0, 30.0, 300.0


def lacks() -> str | None:
    """Make its environments; returns why it can not run here, None when it can."""
    if reason := lacks_node():
        return reason
    try:
        python_of(PEER)
        _binary()
    except (subprocess.CalledProcessError, RuntimeError) as error:
        return str(error)
    return None


def run(rig: Rig, sdk: str) -> Pace:
    """One run. Raises RuntimeError when it does not start, or unless every step was recorded."""
    with _server(rig) as (server, sockets), _service(sdk) as (service, url):
        asyncio.run(_register(sockets, url))
        asyncio.run(_calls(sockets, range(WARM)))
        sites = range(WARM, WARM + SITES)
        pace = timed(rig, (server.pid, service.pid), SITES, lambda: asyncio.run(_calls(sockets, sites)))
        asyncio.run(_check(sockets))
    return pace


# -- its processes ------------------------------------------------------------------------------------------------


@contextmanager
def _server(rig: Rig) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A node that nobody else knows, and the folder of its sockets; its data is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="restate-", dir=rig.work))
    program = _binary()
    asked = ("--base-dir", str(folder), "--node-name", NODE, "--listen-mode", "unix")
    told = ("--default-num-partitions", PARTITIONS, "--no-logo")
    with (rig.home.logs / "restate.log").open("w") as log:
        server = subprocess.Popen((program, *asked, *told), env=_quiet(), stdout=log, stderr=log)
        try:
            yield server, folder / NODE
        finally:
            _end(server)
            shutil.rmtree(folder, ignore_errors=True)


def _binary() -> str:
    """The server itself: npm only unpacks the package that is for this machine."""
    found = next(node_modules_of(PEER).glob("node_modules/@restatedev/restate-server-*/bin/restate-server"), None)
    if found is None:
        raise RuntimeError("Restate's server has no package for this machine")
    return str(found)


def _quiet() -> dict[str, str]:
    """Its logger at errors only, and nothing reported anywhere."""
    return {**os.environ, "RESTATE_LOG_FILTER": "error", "RESTATE_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}


@contextmanager
def _service(sdk: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process that serves the four steps, and its address."""
    programs = {"node": ("node", "service.cjs"), "python": (str(python_of(PEER).absolute()), "service.py")}
    interpreter, name = programs[sdk]
    service = subprocess.Popen(
        (interpreter, str(PEERS / PEER / name)),
        cwd=node_modules_of(PEER),
        env={**os.environ, "NODE_ENV": "production"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert service.stdout is not None
        if not (port := service.stdout.readline().strip()).isdigit():
            raise RuntimeError(f"Restate's service said {port!r} instead of its port; status {service.poll()}")
        yield service, f"http://127.0.0.1:{port}"
    finally:
        _end(service)


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# -- what is asked of it ------------------------------------------------------------------------------------------


@asynccontextmanager
async def _session(socket: Path) -> AsyncIterator[aiohttp.ClientSession]:
    timeout, connector = aiohttp.ClientTimeout(total=CALL_SECONDS), aiohttp.UnixConnector(str(socket), limit=0)
    async with aiohttp.ClientSession("http://restate", timeout=timeout, connector=connector) as session:
        yield session


async def _register(sockets: Path, url: str) -> None:
    """Tell the server where the service is; it asks the service what it can do. Waits until the server takes it."""
    await asyncio.to_thread(wait, (sockets / "admin.sock").exists, START_SECONDS)
    async with _session(sockets / "admin.sock") as admin, asyncio.timeout(START_SECONDS):
        while True:
            async with admin.post("/deployments", json={"uri": url}) as response:
                if response.status < 300:
                    return
            await asyncio.sleep(0.2)


async def _calls(sockets: Path, numbers: range) -> None:
    """Bring these sites through, AT_ONCE at a time."""
    left = iter(numbers)
    async with _session(sockets / "ingress.sock") as ingress, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_some(ingress, left))


async def _some(ingress: aiohttp.ClientSession, left: Iterator[int]) -> None:
    for number in left:
        site = f"site-{number:06}"
        async with ingress.post("/sites/upgrade", json=site) as response:
            if response.status != 200 or await response.json() != site:
                raise RuntimeError(f"Restate answered {response.status} for {site}: {await response.text()}")


async def _check(sockets: Path) -> None:
    """By the journals that it keeps of what has ended."""
    expected = STEPS * (WARM + SITES)
    async with (
        _session(sockets / "admin.sock") as admin,
        admin.post("/query", json={"query": RECORDED}, headers={"Accept": "application/json"}) as response,
    ):
        recorded = (await response.json())["rows"][0]["n"]
    if recorded != expected:
        raise RuntimeError(f"Restate recorded {recorded} steps instead of {expected}")
