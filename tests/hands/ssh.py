"""The same playbooks on hosts by SSH: a server of OpenSSH for each site, whose user may do nothing but that."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.hands.ansible import AnsibleHand
from tests.support import sshd_lab
from tests.support.sshd_lab import Host, SshdLab, keygen


class SshHand(AnsibleHand):
    def __init__(self, folder: Path, closing: ExitStack) -> None:
        super().__init__(folder, closing)
        self.home = closing.enter_context(sshd_lab.user())
        lab = self.home / f"lab-{os.urandom(4).hex()}"
        lab.mkdir()
        (lab / "authorized_keys").write_text(keygen(lab / "key") and (lab / "key.pub").read_text())
        self.lab = SshdLab(lab)
        closing.callback(self.lab.close)
        self.hosts: dict[str, Host] = {}

    @classmethod
    def missing(cls) -> str | None:
        return sshd_lab.missing()

    @property
    def secrets(self) -> Mapping[str, str]:
        return {**super().secrets, "ssh-key": self.lab.key}

    def connection(self, site: str) -> dict[str, Any]:
        host = self.hosts.setdefault(site, self.lab.host())
        own = self.lab.connection(host, vars={"token": {"secret": "ansible-token"}})
        return {**own, "key": {"secret": "ssh-key"}}

    def left_behind(self, home: Path, sites: Sequence[str]) -> list[str]:
        lying = [f"Ansible's file {path}" for path in self.home.glob(".ansible/tmp/*/*")]
        busy = [f"on {name} the process {process.pid}" for name in self.hosts for process in self._at_work(name)]
        return [*super().left_behind(home, sites), *lying, *busy]

    def _at_work(self, site: str) -> list[Any]:
        """What runs on its host beside the server's own."""
        return [each for each in self.hosts[site].sessions() if each.name() not in ("sshd", "sftp-server")]

    def _root(self, site: str) -> Path:
        return self.hosts[site].root

    def _logs(self) -> list[Path]:
        return [self._root(site) / "log" for site in self.hosts]
