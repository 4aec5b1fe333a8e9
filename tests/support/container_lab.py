"""A container engine for tests: podman with a store, networks and sockets of its own, and a registry beside it.

Nothing of the machine's own configuration is read or changed: storage, registries and settings are named by variables.
Needs root, podman, a registry and a static busybox (`.ci/packages` installs them, see PACKAGES).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.lacking import left_out
from tests.support.patience import until

PACKAGES = (
    "podman", "runc", "netavark", "aardvark-dns", "iptables", "catatonit", "docker-registry", "busybox-static",
    "mmdebstrap", "openssh-server", "sudo",
)  # fmt: skip
TOOLS = ("podman", "runc", "docker-registry", "iptables")
BUSYBOX = Path("/bin/busybox")
PREFIX = "belay-containers-"
NETS = range(64, 128)
"""The second number of the addresses of a lab. Labs beside each other must not give the same ones, nor have a default
network of one name: the rules of the host's firewall are called after it, and fall with the network of either. Names
are served to all labs by one process, too, so each lab has an app of its own."""
DEFAULT = {
    "driver": "bridge",
    "ipv6_enabled": False,
    "internal": False,
    "dns_enabled": False,
    "ipam_options": {"driver": "host-local"},
}
"""The default network beside what is a lab's own. Left to Podman, all labs have it on one bridge, `podman0`: who ends
the last container there takes the bridge away from under one that another lab starts, whose ports then never answer."""

SETTINGS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[network]
network_config_dir = "{root}/networks"
default_network = "lab{net}"
default_subnet = "10.{net}.128.0/17"
default_subnet_pools = [{{"base" = "10.{net}.0.0/17", "size" = 24}}]
[engine]
runtime = "runc"
lock_type = "file"
tmp_dir = "{root}/tmp"
env = ["BUILDAH_FORMAT=docker", "DISABLE_HC_SYSTEMD=true"]
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{root}/store"
runroot = "{root}/run"
"""
REGISTRIES = """
unqualified-search-registries = []
[[registry]]
location = "{registry}"
insecure = true
"""
REGISTRY = """
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {root}/registry}}, delete: {{enabled: true}}}}
http: {{addr: "{registry}"}}
"""


def missing() -> str | None:
    """What is needed for containers here and is not there; None = all is."""
    if os.geteuid() != 0:
        return "containers need root (podman with bridges and overlay)"
    absent = [tool for tool in TOOLS if not shutil.which(tool)] + [str(BUSYBOX)] * (not BUSYBOX.exists())
    return f"containers need {', '.join(absent)}: .ci/packages {' '.join(PACKAGES)}" if absent else None


def refuse_missing() -> None:
    """Skip on a user's machine, fail under CI: what is not tested there must not look like success."""
    if reason := missing():
        left_out(reason)


@dataclass
class Lab:
    """An engine that serves Docker's API on a socket, and a registry for its images."""

    root: Path
    registry: str
    net: int
    environment: Mapping[str, str]
    _service: subprocess.Popen[bytes] | None = None
    _registry: subprocess.Popen[bytes] | None = None
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.root / "api.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def podman(self, *words: str, check: bool = True, stdin: bytes | None = None) -> str:
        """Run podman's own client; what it says."""
        done = subprocess.run(
            ["podman", *words], env=self.environment, capture_output=True, check=False, input=stdin, timeout=300
        )
        assert not check or done.returncode == 0, f"podman {' '.join(words)}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    def start_service(self) -> None:
        """Serve the API; the containers of an earlier service are there."""
        self.socket.unlink(missing_ok=True)
        with (self.root / "service.log").open("ab") as log:
            self._service = subprocess.Popen(
                ["podman", "system", "service", "--time=0", self.url], env=self.environment, stdout=log, stderr=log
            )
        until(self._serves)

    def _serves(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return self.socket.exists() and client.connect_ex(str(self.socket)) == 0

    def kill_service(self) -> None:
        """As when the engine is killed: its containers go on."""
        assert self._service
        self._service.kill()
        self._service.wait()

    def start_registry(self) -> None:
        with (self.root / "registry.log").open("ab") as log:
            self._registry = subprocess.Popen(
                ["docker-registry", "serve", str(self.root / "registry.yml")], stdout=log, stderr=log
            )
        host, _, port = self.registry.partition(":")
        until(lambda: _answers(host, int(port)))

    def stop_registry(self) -> None:
        assert self._registry
        self._registry.kill()
        self._registry.wait()

    def push(
        self, name: str, dockerfile: str, files: Mapping[str, Path | str] = {}, platform: str = "linux/amd64"
    ) -> str:
        """Build an image, push it to the registry, and forget it here; its name with digest."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        (folder / "Dockerfile").write_text(dockerfile)
        for target, source in files.items():
            (folder / target).write_text(source) if isinstance(source, str) else shutil.copy(source, folder / target)
        local, remote = f"localhost/{name}", f"{self.registry}/{name}"
        self.podman("build", "-q", "--platform", platform, "-t", local, str(folder))
        digest = folder / "digest"
        self.podman("push", "-q", "--digestfile", str(digest), local, remote)
        self.podman("rmi", "--force", local, remote, check=False)
        return f"{remote}@{digest.read_text().strip()}"

    def containers(self, *filters: str) -> list[dict[str, Any]]:
        """All containers as podman lists them."""
        found = json.loads(self.podman("ps", "-a", "--format", "json", *[f"--filter={each}" for each in filters]))
        return list(found)

    def inspect(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.podman("inspect", name))[0])

    def clear(self) -> None:
        """Remove all containers, volumes and networks, and leave the images."""
        self.podman("rm", "--all", "--force", "--time=0", "--volumes")
        self.podman("volume", "prune", "--force")
        self.podman("network", "prune", "--force")

    def end(self) -> None:
        self.podman("rm", "--all", "--force", "--time=0", check=False)
        self.podman("network", "prune", "--force", check=False)
        for each in filter(None, (self._service, self._registry)):
            each.kill()
            each.wait()
        remove(self.root)


def _answers(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0


def remove(root: Path) -> None:
    """Unmount what podman mounted below, and delete it all."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if f"{root}/" in line]
    for point in reversed(points):
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)
    shutil.rmtree(root, ignore_errors=True)


def sweep() -> None:
    """End the labs of runs that were killed: each names the process that it belongs to."""
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = root / "owner"
        if owner.exists() and not psutil.pid_exists(int(owner.read_text())):
            environment = _environment(root)
            subprocess.run(
                ["podman", "rm", "--all", "--force", "--time=0"], env=environment, check=False, capture_output=True
            )
            for process in psutil.process_iter():
                _end_of(process, root)
            remove(root)


def _end_of(process: psutil.Process, root: Path) -> None:
    try:
        if f"{root}/" in " ".join(process.cmdline()):
            process.send_signal(signal.SIGKILL)
    except psutil.Error:
        pass


def _environment(root: Path) -> dict[str, str]:
    names = {
        "CONTAINERS_CONF": "settings",
        "CONTAINERS_STORAGE_CONF": "storage",
        "CONTAINERS_REGISTRIES_CONF": "registries",
    }
    return {**os.environ, **{name: str(root / f"{file}.conf") for name, file in names.items()}, "TMPDIR": str(root)}


def _default_network(net: int) -> dict[str, Any]:
    name, subnet = f"lab{net}", {"subnet": f"10.{net}.128.0/17", "gateway": f"10.{net}.128.1"}
    return {**DEFAULT, "name": name, "id": hashlib.sha256(name.encode()).hexdigest(), "network_interface": name,
            "created": "2026-01-01T00:00:00Z", "subnets": [subnet]}  # fmt: skip


@contextmanager
def lab(store_mib: int | None = None, registry: str | None = None) -> Iterator[Lab]:
    """An engine, and a registry unless another's is given, until the block is left. The store may be a small one."""
    from tests.support.process_sites import free_port  # messages must not be imported before any test is

    sweep()
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    (root / "owner").write_text(str(os.getpid()))
    at = registry or f"127.0.0.1:{free_port()}"
    net = NETS[os.getpid() % len(NETS)]
    words = {"root": root, "registry": at, "net": net}
    (root / "networks").mkdir()
    (root / "networks" / f"lab{net}.json").write_text(json.dumps(_default_network(net)))
    for file, text in (
        ("settings.conf", SETTINGS),
        ("storage.conf", STORAGE),
        ("registries.conf", REGISTRIES),
        ("registry.yml", REGISTRY),
    ):
        (root / file).write_text(text.format(**words))
    made = Lab(root, at, net, _environment(root))
    try:
        if store_mib:
            (root / "store").mkdir()
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={store_mib}m", "belay", str(root / "store")], check=True
            )
        if registry is None:
            made.start_registry()
        made.start_service()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="session")
def container_lab() -> Iterator[Lab]:
    """One for all tests of this process."""
    refuse_missing()
    with lab() as made:
        yield made


@pytest.fixture
async def containers(container_lab: Lab, deployer_database: str, tmp_path: Path) -> AsyncIterator[Any]:
    """A driver on the lab's engine, which has no container afterwards."""
    from tests.support.container_sites import driver_of

    made = driver_of(deployer_database, tmp_path, unreachable_seconds=20)
    yield made
    await made.close()
    container_lab.clear()
