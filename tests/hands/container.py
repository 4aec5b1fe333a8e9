"""Containers on podman: one engine, on which each site has a container of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from services.deployer.drivers.container.names import APP, ORDER, SITE, Place
from tests.hands.hand import BROKEN, Hand
from tests.support import container_lab
from tests.support.container_sites import push


class ContainerHand(Hand):
    driver: ClassVar[str] = "container"

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        super().__init__(folder, closing)
        self.lab = closing.enter_context(container_lab.lab())

    @classmethod
    def missing(cls) -> str | None:
        return container_lab.missing()

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"container-token": "token-that-no-log-may-hold-2"}

    def connection(self, site: str) -> dict[str, Any]:
        return {"url": self.lab.url, "values": {"token": {"secret": "container-token"}}}

    def spec(self, version: str, folder: Path) -> dict[str, Any]:
        health = {
            "command": ["test", "-e", "/tmp/well"],  # noqa: S108 - in a container
            "interval_seconds": 0.2, "stable_seconds": 0.3, "start_seconds": 60,
        }  # fmt: skip
        environment = {"SAYS": version} | ({"EXIT": "7"} if version == BROKEN else {})
        volumes = [{"name": "data", "target": "/data", "shared": True}]
        whole = {"image": push(self.lab, version), "environment": environment, "health": health, "volumes": volumes}
        return {**whole, "site_environment": {"TOKEN": "token"}, "beside": True, "stop_seconds": 5}

    def runs(self, site: str) -> str | None:
        found = [one for one in self._all() if one["Labels"].get(SITE) == site and one["State"] == "running"]
        if len(found) != 1:
            return None if not found else f"{len(found)} containers"
        return self.lab.podman("exec", found[0]["Id"], "cat", "/tmp/www/version") or None  # noqa: S108

    def doubled(self, operations: Sequence[Mapping[str, Any]]) -> list[str]:
        told = self.lab.podman("events", "--stream=false", "--since=24h", "--filter=event=create", "--format=json")
        events = [json.loads(line) for line in told.splitlines()]
        made = Counter(event.get("Attributes", {}).get(ORDER) for event in events if event.get("Type") == "container")
        return [f"the order {key} made {count} containers" for key, count in made.items() if key and count > 1]

    def left_behind(self, home: Path, sites: Sequence[str]) -> list[str]:
        found = []
        for one in self._all():
            place = Place(one["Labels"].get(SITE, ""), one["Labels"].get(APP, ""), "web")
            if one["Names"] != [place.name] or one["State"] != "running":
                found.append(f"a container {one['Names']} that is {one['State']}")
        return found

    def _all(self) -> list[dict[str, Any]]:
        return [dict(one) for one in self.lab.containers(f"label={ORDER}")]
