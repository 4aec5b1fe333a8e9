"""All of Belay in a home of its own, started as a user starts it, for tests from the outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from services.cli.client import Client
from shared.embedded import postgres, process, stack
from shared.embedded.home import Home
from shared.embedded.programs import SERVICES
from tests.support.bundles import bundle
from tests.support.patience import stretched
from tests.support.runtime import JARS

PATIENCE = 150.0
"""On a machine that does much else, twelve services take long to start."""
MANIFEST = """\
app: {app}
version: "{version}"
components:
  - driver: simulated
    name: web
    seconds: [{fastest}, {slowest}]
"""


@dataclass(frozen=True)
class System:
    """A running Belay: where its page is, and who may do everything."""

    home: Home
    replicas: int = 1
    deployers: int | None = None
    """Where there are more or less of them than of the others."""

    @property
    def expected(self) -> int:
        """So many processes of services."""
        return len(SERVICES) * self.replicas + (0 if self.deployers is None else self.deployers - self.replicas)

    @property
    def url(self) -> str:
        """Where the page is; of several gateways all addresses, as the client takes them."""
        ports = self.home.read_json("ports.json")
        return ",".join(f"http://127.0.0.1:{ports[f'gateway-{n}-page']}" for n in range(1, self.replicas + 1))

    @property
    def token(self) -> str:
        return (self.home.root / "admin.token").read_text().strip()

    def client(self) -> Client:
        return Client(self.url, self.token)

    def kill(self, name: str) -> None:
        """End a process without a word; the supervisor starts it again."""
        process.recorded(self.home)[name].kill()

    def stop(self, name: str) -> float:
        """Stop a process as a supervisor does, which starts it again; how many seconds it took to end."""
        found, begun = process.recorded(self.home)[name], time.monotonic()
        found.terminate()
        with suppress(psutil.NoSuchProcess):
            while found.status() != psutil.STATUS_ZOMBIE:  # until the supervisor sees it
                time.sleep(0.01)
        return time.monotonic() - begun

    def until_ready(self, patience: float = PATIENCE) -> None:
        """Until the gateway answers and every replica says that it is ready."""
        until = time.monotonic() + stretched(patience)
        replicas: list[dict[str, Any]] = []
        while time.monotonic() < until:
            if (self.home.root / "admin.token").exists():
                with self.client() as client:
                    replicas = client.get("/v1/system")["items"]
                if len(replicas) == self.expected and all(replica["ready"] for replica in replicas):
                    return
            time.sleep(0.1)
        raise AssertionError(
            f"not ready after {patience:g} s: {json.dumps([one for one in replicas if not one['ready']], default=str)}"
        )

    def bundle(self, app: str, version: str, seconds: tuple[float, float] = (0, 0)) -> Path:
        """The file of a simulated release that takes so long on each site."""
        manifest = MANIFEST.format(app=app, version=version, fastest=seconds[0], slowest=seconds[1])
        path = self.home.root / f"{app}-{version}.tar.gz"
        path.write_bytes(bundle({"bundle.yaml": manifest.encode()}))
        return path

    def until_published(self, app: str, version: str, patience: float = PATIENCE) -> None:
        """Until a release can be rolled out."""
        until = time.monotonic() + patience
        with self.client() as client:
            while not any((one["app"], one["version"]) == (app, version) for one in client.pages("/v1/releases")):
                assert time.monotonic() < until, f"{app} {version} is not published after {patience:g} s"
                time.sleep(0.05)

    def register(self, *names: str) -> None:
        """Simulated sites of these names."""
        with self.client() as client:
            client.command("POST", "/v1/sites", {"sites": [{"name": name, "driver": "simulated"} for name in names]})


@contextmanager
def running(folder: Path, replicas: int = 1, deployers: int | None = None, **settings: str) -> Iterator[System]:
    """Start Belay in a folder, so many replicas of each service, and leave no process and no database behind.

    `settings`: environment variables of its own.
    """
    home = Home.open(folder, os.environ.get("BELAY_JARS") or JARS)
    try:
        environment = {**os.environ, "BELAY_HOME": str(home.root), "BELAY_JARS": str(home.jars), **settings}
        counts = dict.fromkeys(SERVICES, replicas) | ({} if deployers is None else {"deployer": deployers})
        wished = [word for name, count in counts.items() for word in ("--replicas", f"{name}={count}")]
        command = [sys.executable, "-m", "shared.embedded", "up", "--detach", *wished]
        started = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert started.returncode == 0, started.stdout + started.stderr
        system = System(home, replicas, deployers)
        system.until_ready()
        yield system
    finally:
        stack.stop(home)
        postgres.remove(home)
