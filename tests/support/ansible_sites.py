"""Sites for the ansible driver: a real playbook in a real bundle, and folders of this machine that stand for hosts.

By the variables of a site the playbook fails, hangs or changes something each time; each run leaves a line in the log
of the site, written by the host's own shell.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import psutil
import yaml

from services.deployer.drivers import Component, Driver, Item, Order, Progress, Running
from services.deployer.drivers.ansible.driver import AnsibleDriver
from services.deployer.drivers.ansible.runner.ways import MARK
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.content import Pace
from shared.blobs import Blobs
from shared.bundle import build
from shared.components.ansible import AnsibleSpec
from shared.process.settings import Settings
from tests.support.patience import patience
from tests.support.sshd_lab import Host, SshdLab
from tests.support.workshop import Workshop

APPLY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Note the run
      shell: echo "{{ belay_action }} {{ belay_version }} {{ belay_order }}" >> "{{ root }}/log"
      changed_when: false
    - name: Fail where it is told to
      shell: echo "no room for {{ says | default('nobody') }}" >&2; exit 4
      when: fails | default(false)
    - name: Hang where it is told to
      command: sleep {{ hangs }}
      when: hangs is defined
    - name: Put the release
      copy: {dest: "{{ root }}/release", content: "{{ belay_version }}"}
    - name: Change something each time
      shell: date +%N > "{{ root }}/restless"
      when: restless | default(false)
    - name: Know the schema
      set_fact: {schema: "{{ belay_version }}"}
"""

VERIFY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: It is the release
      command: grep -qx "{{ belay_version }}" "{{ root }}/release"
      changed_when: false
"""

REMOVE = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Note the run
      shell: echo "{{ belay_action }} - {{ belay_order }}" >> "{{ root }}/log"
    - name: Take the release away
      file: {path: "{{ root }}/release", state: absent}
"""

FILES = {"apply.yml": APPLY, "verify.yml": VERIFY, "remove.yml": REMOVE}
PLAYBOOKS = {"apply": "apply.yml", "verify": "verify.yml", "remove": "remove.yml"}


@dataclass
class Lab:
    """Deployers of one home and one database, and the sites they work on."""

    folder: Path
    dsn: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    drivers: list[AnsibleDriver] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def driver(self, home: Path | None = None, site_bytes: int = 0, **more: Any) -> AnsibleDriver:
        """Another deployer's driver; of this home or another, with the same bundles. `site_bytes`: a site's pace."""
        chosen = AnsibleSettings.model_validate({"grace_seconds": 1, "unattended_seconds": 30, **self.settings, **more})
        (self.home / "blobs").mkdir(parents=True, exist_ok=True)
        blobs = f"file://{self.home / 'blobs'}"
        settings = Settings(postgres=self.dsn, home=home or self.home, blobs=blobs)
        self.drivers.append(AnsibleDriver(settings, chosen, Pace(site_bytes)))
        return self.drivers[-1]

    async def bundle(self, files: Mapping[str, str | bytes] = FILES, /, **spec: Any) -> tuple[str, AnsibleSpec]:
        """A published bundle with these playbooks; its digest, and the spec of its component."""
        whole = {"playbooks": PLAYBOOKS, **spec}
        component = {"driver": "ansible", "name": "web", "spec": whole}
        manifest = {"app": "shop", "version": "1.0.0", "upgrades_from": None, "components": [component]}
        whole_files = {**files, "bundle.yaml": yaml.safe_dump(manifest)}
        packed = await asyncio.to_thread(_packed, tuple(whole_files.items()))
        blob = await Blobs.open(Settings(home=self.home)).put(_once(packed), len(packed))
        return blob.sha256, AnsibleSpec.model_validate(whole)

    def local(self, site: str, **variables: Any) -> dict[str, Any]:
        """A connection to this machine; the site is a folder."""
        root = self.folder / "sites" / site
        root.mkdir(parents=True, exist_ok=True)
        return {"local": True, "vars": {"root": str(root), **variables}}

    def log(self, site: str) -> list[str]:
        """What was done on a site, as it says itself."""
        file = self.folder / "sites" / site / "log"
        return file.read_text().splitlines() if file.exists() else []

    async def close(self) -> None:
        await asyncio.gather(*(driver.close() for driver in self.drivers))


def published(lab: Lab, files: Mapping[str, str | bytes] = FILES, /, **spec: Any) -> tuple[str, AnsibleSpec]:
    """Like `Lab.bundle`, for those who may not wait in their event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, lab.bundle(files, **spec)).result()


@cache
def _packed(files: tuple[tuple[str, str | bytes], ...]) -> bytes:
    """Built, and so verified, once for all tests of a process."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files:
            (Path(folder) / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / "in" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return build(Path(folder) / "in", Path(folder) / "out.tar.gz", Path(folder)).path.read_bytes()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def order(key: str, made: tuple[str, AnsibleSpec], connection: Mapping[str, Any], **more: Any) -> Order:
    """An order to apply the component `web`."""
    facts = {"site": "s1", "version": "1.0", "action": "apply", **more}
    component = Component("web", "ansible", made[1])
    return Order(
        key=key, connection=connection, app="shop", component=component, bundle_sha256=made[0], **facts
    )  # fmt: skip


def rollback(key: str, to: Order, revision: str) -> Order:
    return replace(to, key=key, action="rollback", revision=revision)


def remove(key: str, of: Order) -> Order:
    return replace(of, key=key, action="remove", version=None)


async def ends(driver: AnsibleDriver, *orders: Order, seconds: float = 60) -> Sequence[Progress]:
    async with patience(seconds):
        while True:
            found = await driver.poll(orders)
            if not any(isinstance(one, Running) for one in found):
                return found
            await driver.wait(0.2)


async def reach(driver: AnsibleDriver, *orders: Order, seconds: float = 60) -> Sequence[Progress]:
    """Start orders and wait for their ends."""
    await driver.start(orders)
    return await ends(driver, *orders, seconds=seconds)


BRINGS, CONTENT = "files/shop.bin", b"what lies on hosts before it is needed" * 1_000
"""A file that the component of the workshops brings."""


class AnsibleWorkshop(Workshop):
    """For the contract: sites of this machine."""

    asks: ClassVar[tuple[str, ...]] = ("deployer_database",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lab = Lab(folder)
        files = {**FILES, BRINGS: CONTENT}
        books = {"apply": "apply.yml", "remove": "remove.yml"}
        self.made = published(self.lab, files, playbooks=books, files=[BRINGS])

    def driver(self) -> Driver:
        self.lab.dsn = self.given["deployer_database"]
        return self.lab.driver()

    async def content(self) -> tuple[Item, ...]:
        blob = await Blobs.open(Settings(home=self.lab.home)).put(_once(CONTENT), len(CONTENT))
        return (Item("web", "package", BRINGS, blob.sha256, len(CONTENT)),)

    def connection(self, site: str, **variables: Any) -> dict[str, Any]:
        return self.lab.local(site, **variables)

    def answers(self, site: str) -> str:
        return Path(self.connection(site)["vars"]["root"], "release").read_text()

    def good(self, key: str, version: str = "1.0", site: str = "s1") -> Order:
        return order(key, self.made, self.connection(site), site=site, version=version)

    def failing(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), connection=self.connection(site, fails=True))

    def endless(self, key: str, site: str = "s1") -> Order:
        return replace(self.good(key, site=site), connection=self.connection(site, hangs=600))

    async def close(self) -> None:
        await self.lab.close()


class AnsibleSshWorkshop(AnsibleWorkshop):
    """The same over SSH, with a server for each site."""

    asks: ClassVar[tuple[str, ...]] = ("deployer_database", "sshd_lab")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hosts: dict[str, Host] = {}

    def connection(self, site: str, **variables: Any) -> dict[str, Any]:
        servers: SshdLab = self.given["sshd_lab"]
        host = self.hosts[site] if site in self.hosts else self.hosts.setdefault(site, servers.host())
        # All hosts of the lab have one user, whose home would keep content from one test to the next.
        return servers.connection(host, vars=variables, content_folder=str(host.folder / "site" / "content"))


def marked() -> list[psutil.Process]:
    """What runs have under way on this machine, or have left: by the variable that all of it inherits."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if MARK in process.environ():
                found.append(process)
    return found


def of_runs(lab: Lab) -> list[psutil.Process]:
    """Those of the runs of this lab: their variables, or their command, name its home."""
    found = []
    for process in marked():
        with suppress(psutil.Error, OSError):
            if any(str(lab.home) in word for word in [*process.environ().values(), *process.cmdline()]):
                found.append(process)
    return found


def running_folders(lab: Lab) -> list[Path]:
    """Where its runs have their sockets and Ansible's own files."""
    found = []
    for file in Path(tempfile.gettempdir()).glob("belay-ansible-*/run"):
        with suppress(FileNotFoundError):
            if file.read_text().startswith(str(lab.home)):
                found.append(file.parent)
    return found


def kept_connections() -> list[psutil.Process]:
    """Those of anybody's runs that are over: each keeps a socket in its run's folder, which is gone."""
    titles = {process: " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])}
    kept = {
        process: title for process, title in titles.items() if title.startswith("ssh:") and "belay-ansible-" in title
    }
    return [process for process, title in kept.items() if not Path(title.split()[1]).parents[1].exists()]


async def nothing_left(lab: Lab) -> bool:
    """No folder of a run, no process, no connection; all runs have ended."""
    folders = list((lab.home / "ansible" / "runs").iterdir())
    return not folders and not of_runs(lab) and not running_folders(lab) and not kept_connections()


def seen_in_processes(values: Sequence[str]) -> list[str]:
    """Processes whose command or variables, which others can read, hold one of them."""
    seen = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            words = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(value in word for word in words for value in values):
                seen.append(f"{process.pid} {process.name()}")
    return seen


def seen_in_files(values: Sequence[str], *folders: Path) -> list[str]:
    """Files that hold one of them, as it is."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path) for path in files if any(value.encode() in path.read_bytes() for value in values)]
