"""All of Belay in a home of its own, started as a user starts it, for tests from the outside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.gateway.client import Client
from shared.embedded import postgres, process, stack
from shared.embedded.home import Home
from shared.embedded.programs import SERVICES
from tests.support.bundles import bundle
from tests.support.runtime import JARS

PATIENCE = 60.0
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

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.home.read_json('ports.json')['gateway-1-page']}"

    @property
    def token(self) -> str:
        return (self.home.root / "admin.token").read_text().strip()

    def client(self) -> Client:
        return Client(self.url, self.token)

    def kill(self, name: str) -> None:
        """End a process without a word; the supervisor starts it again."""
        process.recorded(self.home)[name].kill()

    def bundle(self, app: str, version: str, seconds: tuple[float, float] = (0, 0)) -> Path:
        """The file of a simulated release that takes so long on each site."""
        manifest = MANIFEST.format(app=app, version=version, fastest=seconds[0], slowest=seconds[1])
        path = self.home.root / f"{app}-{version}.tar.gz"
        path.write_bytes(bundle({"bundle.yaml": manifest.encode()}))
        return path

    def register(self, *names: str) -> None:
        """Simulated sites of these names."""
        with self.client() as client:
            client.command("POST", "/v1/sites", {"sites": [{"name": name} for name in names]})


@contextmanager
def running(folder: Path) -> Iterator[System]:
    """Start Belay in a folder, and leave no process and no database behind."""
    home = Home.open(folder, os.environ.get("BELAY_JARS") or JARS)
    try:
        environment = {**os.environ, "BELAY_HOME": str(home.root), "BELAY_JARS": str(home.jars)}
        command = [sys.executable, "-m", "shared.embedded", "up", "--detach"]
        started = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert started.returncode == 0, started.stdout + started.stderr
        await_ready(home)
        yield System(home)
    finally:
        stack.stop(home)
        postgres.remove(home)


def await_ready(home: Home) -> None:
    """Until the gateway answers and every replica says that it is ready."""
    until = time.monotonic() + PATIENCE
    replicas: object = "the gateway wrote no token"
    while time.monotonic() < until:
        if (home.root / "admin.token").exists():
            with System(home).client() as client:
                replicas = client.get("/v1/system")["items"]
            if len(replicas) == len(SERVICES) and all(replica["ready"] for replica in replicas):
                return
        time.sleep(0.1)
    raise AssertionError(f"not ready after {PATIENCE:g} s: {json.dumps(replicas, default=str)}")
