"""The product's own docker-compose.yml on a real engine: up, roll-outs, kills, down and up again with its data."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import compose_images, compose_lab
from tests.support.compose_images import ROOT
from tests.support.compose_lab import Compose
from tests.support.container_lab import lab, missing
from tests.support.lacking import left_out
from tests.support.patience import until_so
from tests.support.process_sites import free_port

pytestmark = [pytest.mark.containers, pytest.mark.e2e]

OURS = {"catalog", "deployer", "strategy_orchestrator", "notifier", "monitor", "gateway"}
ALL = OURS | {"kafka", "postgres"}
SITES = 12


class Belay:
    """The command line, on what runs in containers."""

    def __init__(self, compose: Compose, home: Path) -> None:
        self.compose, self.home = compose, home

    def __call__(self, *words: str) -> str:
        token = self.compose.lab.podman("exec", self.compose.container("gateway"), "cat", "/var/lib/belay/admin.token")
        url = f"http://127.0.0.1:{self.compose.page_port}"
        done = subprocess.run(
            [Path(sys.executable).with_name("belay"), *words, "--json", "--url", url, "--token", token],
            env={**os.environ, "BELAY_HOME": str(self.home)}, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"belay {' '.join(words)}: {done.stdout[-1000:]}{done.stderr[-3000:]}"
        return done.stdout

    def roll(self, name: str, version: str, kind: str) -> None:
        """Roll a release out over all sites, and stay until it has ended well."""
        create = ("strategy", "create", name, "--type", kind, "--app", "beacon", "--version", version)
        self(*create, "--all", "--stage", "first:1", "--stage", "rest", "--max-parallel", "4", "--apply", "--watch")

    def versions(self) -> set[str]:
        """What runs, by all deployments."""
        found = json.loads(self("deployment", "list"))
        assert len(found) == SITES
        return {each["version"] for each in found}


@pytest.fixture
async def compose(tmp_path: Path) -> AsyncIterator[Compose]:
    if reason := missing() or compose_images.missing():
        left_out(reason)
    with lab() as made:
        await asyncio.to_thread(compose_images.make_images, made)
        async with compose_lab.checked(made):
            yield Compose(made, compose_lab.client(), free_port())


async def test_it_comes_up_rolls_out_survives_kills_and_keeps_its_data(compose: Compose, tmp_path: Path) -> None:
    await asyncio.to_thread(compose, "up", "--detach", "--wait")
    assert compose.healthy() == ALL
    belay = Belay(compose, tmp_path)
    for version in ("1.0.0", "1.1.0"):
        built = json.loads(
            belay("bundle", "build", str(ROOT / f"examples/simulated/{version}"), "--output", str(tmp_path))
        )
        belay("release", "publish", built["path"])
    sites = "".join(f"s{number},simulated\n" for number in range(SITES))
    (tmp_path / "sites.csv").write_text(f"name,driver\n{sites}")
    belay("site", "import", str(tmp_path / "sites.csv"))
    await asyncio.to_thread(belay.roll, "install", "1.0.0", "apply")
    assert belay.versions() == {"1.0.0"}

    for service in ("deployer", "kafka"):
        await killed(compose, service)
    await asyncio.to_thread(belay.roll, "upgrade", "1.1.0", "update")
    assert belay.versions() == {"1.1.0"}

    before = sorted(each["name"] for each in json.loads(belay("strategy", "list")))
    await asyncio.to_thread(compose, "down")
    assert compose.lab.containers() == []
    await asyncio.to_thread(compose, "up", "--detach", "--wait")
    assert sorted(each["name"] for each in json.loads(belay("strategy", "list"))) == before == ["install", "upgrade"]
    assert belay.versions() == {"1.1.0"}


async def killed(compose: Compose, service: str) -> None:
    """Kill what runs in the container of a service, and wait until the engine has started it again, healthy."""
    container = compose.container(service)
    before = compose.lab.inspect(container)["State"]["Pid"]
    os.kill(before, signal.SIGKILL)

    async def again() -> bool:
        state = compose.lab.inspect(container)["State"]
        return state["Pid"] not in (0, before) and service in compose.healthy()

    await until_so(again, seconds=120)
