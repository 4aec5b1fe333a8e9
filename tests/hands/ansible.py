"""Playbooks on hosts of this machine: each site is a folder, whose log is written by the host's own shell."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.hands.hand import BROKEN, Hand, processes_with
from tests.support.ansible_sites import FILES, PLAYBOOKS

CONTENT_BYTES = 3_500_000
"""What each release brings to hosts beside its playbooks: some chunks."""


class AnsibleHand(Hand):
    driver: ClassVar[str] = "ansible"

    @classmethod
    def missing(cls) -> str | None:
        return None

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"ansible-token": "token-that-no-log-may-hold-1"}

    def connection(self, site: str) -> dict[str, Any]:
        root = self._root(site)
        root.mkdir(parents=True, exist_ok=True)
        return {"local": True, "vars": {"root": str(root), "token": {"secret": "ansible-token"}}}

    def spec(self, version: str, folder: Path) -> dict[str, Any]:
        for name, text in FILES.items():
            (folder / name).write_text(text)
        (folder / "content").mkdir()
        (folder / "content" / "payload").write_bytes(random.Random(version).randbytes(CONTENT_BYTES))  # noqa: S311
        variables = {"fails": True, "says": "{{ token }}"} if version == BROKEN else {}
        return {"playbooks": PLAYBOOKS, "vars": variables, "files": ["content/payload"]}

    def runs(self, site: str) -> str | None:
        file = self._root(site) / "release"
        return file.read_text() if file.exists() else None

    def doubled(self, operations: Sequence[Mapping[str, Any]]) -> list[str]:
        logs = [line for file in self._logs() for line in file.read_text().splitlines()]
        ran = Counter(line.split()[-1] for line in logs)
        return [f"the order {key} ran {count} times" for key, count in ran.items() if count > 1]

    def _logs(self) -> Iterable[Path]:
        return self.folder.glob("sites/*/log")

    def left_behind(self, home: Path, sites: Sequence[str]) -> list[str]:
        runs = [f"the run {path.name}" for path in (home / "ansible" / "runs").glob("*")]
        return runs + processes_with(str(home / "ansible"))

    def _root(self, site: str) -> Path:
        return self.folder / "sites" / site
