"""Sites for the process driver: a small real program in a real wheel, and orders to deploy it.

The program serves HTTP. By its arguments it exits at the start, starts slowly, answers wrongly, dies when asked, or
will not stop; each start leaves a line in the site's data.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import socket
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from services.deployer.drivers import Component, Item, Order, Progress, Running
from services.deployer.drivers.process.care import stop_all
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.process.keeper.folder import Folder
from shared.blobs import Blobs
from shared.components.process import Health, ProcessSpec
from tests.support.patience import patience

PROGRAM = """
import http.server, json, os, pathlib, signal, sys, time

def main():
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    data = pathlib.Path(words["data"])
    with (data / "starts").open("a") as starts:
        print(os.getpid(), words.get("says", ""), file=starts)
    print("begins")
    if words.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if status := words.get("exit"):
        print("cannot read its configuration", file=sys.stderr)
        sys.exit(int(status))
    time.sleep(float(words.get("slow", 0)))
    answers = {"/": (int(words.get("status", 200)), b"well"),
               "/version.json": (200, json.dumps({"app": {"version": words.get("says")}}).encode()),
               "/environment": (200, json.dumps(dict(os.environ)).encode())}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/die":
                os._exit(4)
            status, body = answers.get(self.path, (404, b""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *what):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(words["port"])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Bundles:
    """Unpacked bundles by digest; counts how often each was unpacked."""

    root: Path
    unpacked: list[str]

    @classmethod
    def at(cls, root: Path) -> Bundles:
        root.mkdir(parents=True, exist_ok=True)
        return cls(root, [])

    def make(self, name: str, files: Mapping[str, str] = {}) -> str:
        """A bundle with the program and some files; returns its digest."""
        digest = hashlib.sha256(name.encode()).hexdigest()
        folder = self.root / digest
        wheel = write_wheel(folder / "wheels")
        pin = hashlib.sha256(wheel.read_bytes()).hexdigest()
        texts = {"requirements.txt": f"answering==1.0 --hash=sha256:{pin}\n", **files}
        for path, text in texts.items():
            (folder / path).write_text(text)
        return digest

    async def unpack(self, sha256: str, target: Path) -> None:
        self.unpacked.append(sha256)
        await asyncio.to_thread(shutil.copytree, self.root / sha256, target)


async def content_of(folder: Path, blobs: Blobs, component: str = "web") -> tuple[Item, ...]:
    """Every file of an unpacked bundle, laid into a blob store as the catalog prepares it."""
    files = await asyncio.to_thread(_files, folder)
    return tuple([await _stored(name, content, blobs, component) for name, content in files.items()])


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def _stored(name: str, content: bytes, blobs: Blobs, component: str) -> Item:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blob = await blobs.put(chunks(), 1 << 30)
    return Item(component, "package", name, blob.sha256, blob.size)


def write_wheel(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "answering-1.0-py3-none-any.whl"
    info = "answering-1.0.dist-info"
    files = {
        "answering.py": PROGRAM,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: answering\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nanswering = answering:main\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(name), text)  # a fixed date, or two wheels would have two digests
    return path


def component(*words: str, **more: Any) -> Component:
    """The program with extra words, asked for its version, quick to be proven."""
    health = {"version_path": "/version.json", "version_pointer": "/app/version", "stable_seconds": 0.3}
    health = {**health, "start_seconds": 20, **more.pop("health", {})}
    spec = ProcessSpec(
        requirements="requirements.txt",
        command=("answering", "port={port}", "data={data}", *words),
        health=Health.model_validate(health),
        **{"stop_seconds": 5, **more},
    )
    return Component("web", "process", spec)


def order(key: str, version: str, bundle: str, port: int, *words: str, site: str = "s1", **more: Any) -> Order:
    """An apply of the program that says it is `version`."""
    made = component(*(words or (f"says={version}",)), **more)
    return Order(key, site, {"host": "host-a", "port": port}, "answering", "apply", made, version, bundle)


def rollback(key: str, to: Order, revision: str) -> Order:
    return replace(to, key=key, action="rollback", revision=revision)


def remove(key: str, of: Order) -> Order:
    return replace(of, key=key, action="remove", version=None, bundle_sha256=None)


async def finish(driver: ProcessDriver, *orders: Order, begin: bool = True) -> Sequence[Progress]:
    """Start the orders and wait for the end of all."""
    if begin:
        await driver.start(orders)
    async with patience(60):
        while True:
            found = await driver.poll(orders)
            if not any(isinstance(one, Running) for one in found):
                return found
            await driver.wait(1)


async def reach(driver: ProcessDriver, one: Order) -> Progress:
    """Start an order and wait for its end."""
    return (await finish(driver, one))[0]


async def until(happened: Callable[[], bool]) -> None:
    """Other processes ring no bell for us: look until it has happened."""
    async with patience(20):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def ask(port: int, path: str = "/version.json") -> Any:
    """What the component on a port answers."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://127.0.0.1:{port}{path}")).json()


async def kill_by_request(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            await http.get(f"http://127.0.0.1:{port}/die")
        except httpx.TransportError:
            return


def folder(home: Path, site: str = "s1") -> Folder:
    return Folder(home / "hosts/host-a/sites" / site / "answering/web")


def starts(home: Path, site: str = "s1") -> list[str]:
    """The version of each start that the site's data remembers."""
    return [line.split(" ")[1] for line in (folder(home, site).data / "starts").read_text().splitlines()]


GIVEN: set[int] = set()


def free_port() -> int:
    """A port that nobody has, and that nobody here was given before: the system may name one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def processes(home: Path, word: str = "") -> list[psutil.Process]:
    """All processes that name the home, and the word, in their command."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if any(str(home) in part for part in command) and any(word in part for part in command):
            found.append(process)
    return found


def components(home: Path) -> list[psutil.Process]:
    return [one for one in processes(home, "port=") if one.status() != psutil.STATUS_ZOMBIE]


def keepers(home: Path) -> list[psutil.Process]:
    return processes(home, "services.deployer.drivers.process.keeper")


async def end_all(home: Path) -> None:
    """End what a test started, and make sure of it."""
    await stop_all(home)
    for process in processes(home, "services.deployer.drivers.process.keeper"):  # one on its way out
        process.wait(5)
    assert components(home) == []
