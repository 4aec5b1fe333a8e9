"""The application of the demo, Datasette from PyPI, as a supervised process of this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, ClassVar

import httpx
import yaml

from tests.hands.hand import BROKEN
from tests.hands.process import ProcessHand

EXAMPLES = Path(__file__).parents[2] / "examples" / "datasette"
LINES = {"1.0.0": "0.63", "2.0.0": "0.64", "2.1.0": "0.65", "2.2.0": "0.65", BROKEN: "0.65"}
"""The folder of the demo by our release; Datasette's own version tells which of them runs."""


class DatasetteHand(ProcessHand):
    driver: ClassVar[str] = "process"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        os.environ.pop("PIP_FIND_LINKS", None)
        self.own: dict[str, str] = {}
        """By what Datasette says of itself, our release."""

    def spec(self, version: str, folder: Path) -> dict[str, Any]:
        source = EXAMPLES / LINES[version]
        told = yaml.safe_load((source / "bundle.yaml").read_text())
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("bundle.yaml"))
        shutil.copytree(EXAMPLES / "data", folder / "data", dirs_exist_ok=True)
        spec: dict[str, Any] = told["components"][0]["spec"]
        spec["health"]["version"] = told["version"]
        self.own.setdefault(told["version"], version)
        if version == BROKEN:
            spec["command"][-2] = "default_pagesize"
        return spec

    def runs(self, site: str) -> str | None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.ports[site]}/-/versions.json", trust_env=False)
        except httpx.TransportError:
            return None
        return self.own.get(str(answer.json()["datasette"]["version"]))
