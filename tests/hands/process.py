"""Supervised processes of this machine: each site a folder, and a small program that answers over HTTP."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import httpx

from tests.hands.hand import BROKEN, Hand
from tests.support.process_sites import free_port, write_wheel


class ProcessHand(Hand):
    driver: ClassVar[str] = "process"

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        super().__init__(folder, closing)
        self.ports: dict[str, int] = {}
        os.environ["PIP_FIND_LINKS"] = str(write_wheel(folder / "wheels").parent)  # no index has this program
        closing.callback(os.environ.pop, "PIP_FIND_LINKS", None)

    @classmethod
    def missing(cls) -> str | None:
        return None

    def connection(self, site: str) -> dict[str, Any]:
        return {"host": site, "port": self.ports.setdefault(site, free_port())}

    def spec(self, version: str, folder: Path) -> dict[str, Any]:
        wheel = write_wheel(self.folder / "wheels")
        pin = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (folder / "requirements.txt").write_text(f"# {version}\nanswering==1.0 --hash=sha256:{pin}\n")
        words = [f"says={version}", *(["exit=7"] if version == BROKEN else [])]
        return {
            "requirements": "requirements.txt",
            "command": ["answering", "port={port}", "data={data}", *words],
            "health": {"version_path": "/version.json", "version_pointer": "/app/version", "stable_seconds": 0.3},
        }

    def runs(self, site: str) -> str | None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.ports[site]}/version.json", trust_env=False)
        except httpx.TransportError:
            return None
        return str(answer.json()["app"]["version"])

    def spoil(self, home: Path, site: str, version: str) -> str | None:
        for told in home.glob(f"hosts/{site}/**/releases/{version}-*/spec.json"):
            spec = json.loads(told.read_bytes())
            name = spec["component"]["command"][0]
            for program in home.glob(f"hosts/{site}/installed/{spec['bundle_sha256']}/env-*/bin/{name}"):
                program.unlink()
                program.write_text("#!/bin/sh\necho spoilt\nexit 9\n")
                program.chmod(0o755)
                return name
        return None

    def doubled(self, operations: Sequence[Mapping[str, Any]]) -> list[str]:
        ended = Counter((o["site"], o["operation_id"]) for o in operations)
        return [f"the operation {name} of {site} was told {n} times" for (site, name), n in ended.items() if n > 1]

    def left_behind(self, home: Path, sites: Sequence[str]) -> list[str]:
        return [f"half an installation {path}" for path in home.glob("hosts/*/installed/*/.building-*")]
