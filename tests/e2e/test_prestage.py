"""A prestage strategy on a whole Belay: never more sites at once than its limit, by the devices' own journals."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.cli.client import Client
from tests.support.bundles import bundle
from tests.support.system import System, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(0)]  # it waits for progress

SITES = {1: 4, 2: 8, 50: 120, 500: 520}
"""So many sites for each limit."""

PATIENCE = 120.0
"""So long nothing may move."""

MANIFEST = """\
app: shop
version: "1.0"
components:
  - driver: simulated
    name: web
    packages_bytes: 1000000
    images_bytes: 1000000
    bytes_a_second: 5000000
"""


def most_at_once(system: System, seen: int) -> tuple[int, int, int]:
    """By the devices: the most sites that got content at the same instant, how many did, and where the journal ends."""
    path = system.home.root / "devices/journal.jsonl"
    with path.open() as file:
        file.seek(seen)
        lines = [json.loads(line) for line in file]
    begun = {line["order"]: line for line in lines if line["effect"] == "started"}
    marks = [(line["began_at"], 1, line["site"]) for line in begun.values()]
    marks += [(_seconds(line["at"]), -1, line["site"]) for line in lines if line["effect"] == "ended"]
    busy: dict[str, int] = {}
    most = 0
    for _, step, site in sorted(marks):
        busy[site] = busy.get(site, 0) + step
        most = max(most, sum(1 for count in busy.values() if count > 0))
    return most, len({line["site"] for line in begun.values()}), path.stat().st_size


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def published(system: System, folder: Path) -> None:
    path = folder / "shop-1.0.tar.gz"
    path.write_bytes(bundle({"bundle.yaml": MANIFEST.encode()}))
    with system.client() as client:
        client.upload(path)
    system.until_published("shop", "1.0")


def prestage(client: Client, name: str, sites: list[str], limit: int) -> None:
    """Plan a strategy for these sites, and start it."""
    spec = {"name": name, "type": "prestage", "app": "shop", "version": "1.0", "max_parallel": limit}
    client.command("POST", "/v1/strategies", {**spec, "selection": {"sites": sites}})
    client.command("POST", f"/v1/strategies/{name}/apply", {})


def until(client: Client, name: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The strategy once it is so; while anything of it moves on, it may take its time."""
    last, since = {}, time.monotonic()
    while not wanted(found := client.get(f"/v1/strategies/{name}")):
        if found["counts"] != last:
            last, since = found["counts"], time.monotonic()
        assert time.monotonic() - since < PATIENCE, found
        time.sleep(0.2)
    return found


def test_no_more_sites_than_the_limit_get_content_at_once_whoever_is_killed(tmp_path: Path) -> None:
    names = [f"s-{number:04}" for number in range(sum(SITES.values()))]
    with running(tmp_path / "home") as system, system.client() as client:
        for start in range(0, len(names), 500):
            system.register(*names[start : start + 500])
        published(system, tmp_path)
        seen = 0
        for limit, count in SITES.items():
            name, sites, names = f"limit-{limit}", names[:count], names[count:]
            prestage(client, name, sites, limit)
            until(client, name, lambda found: found["counts"]["complete"] > 0)
            system.kill("strategy_orchestrator-1")
            done = until(client, name, lambda found: found["finished_at"] is not None)
            assert (done["state"], done["counts"]["complete"]) == ("complete", count), done
            most, touched, seen = most_at_once(system, seen)
            assert (most <= limit, touched) == (True, count), most
            if limit <= 2:
                assert most == limit
        again = client.get("/v1/operations", strategy="limit-2")["items"]
        assert len({operation["site"] for operation in again}) == len(again) == SITES[2], "nobody was asked twice"
