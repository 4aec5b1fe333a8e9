"""A control plane for a test run: started once, with an administrator's kubeconfig and an authority of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme
import yaml

from tests.support.kubernetes import build
from tests.support.lacking import left_out
from tests.support.patience import until
from tests.support.process_sites import free_port

PREFIX = "belay-kubernetes-"


@dataclass
class Lab:
    """A control plane, and the helm to use with it."""

    root: Path
    helm: Path
    authority: trustme.CA
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; where it ran before it goes on from there."""
        authority = self.root / "clients.crt"
        self.authority.cert_pem.write_to_path(authority)
        output = self.root / "output"
        output.unlink(missing_ok=True)
        command = [build.kubelab(), "-dir", self.root / "state", "-port", str(self.port), "-client-ca", authority]
        with output.open("ab") as out, (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=out, stderr=log, env={**os.environ, "GOGC": "40"})
        process = self._process
        until(lambda: process.poll() is not None or b"ready" in output.read_bytes())
        assert process.poll() is None, (self.root / "log").read_text()[-2000:]

    def stop(self) -> None:
        """At once, as when its machine loses power."""
        if self._process:
            self._process.kill()
            self._process.wait()

    @property
    def kubeconfig(self) -> str:
        """The administrator's."""
        return (self.root / "state/kubeconfig").read_text()

    @property
    def config(self) -> dict[str, Any]:
        """The same, to be changed."""
        config: dict[str, Any] = yaml.safe_load(self.kubeconfig)
        return config

    def namespace(self) -> str:
        """A name that no other test has. Deleting one takes seconds, so they stay until the lab goes."""
        return f"t-{uuid.uuid4().hex[:10]}"


@contextmanager
def folder() -> Iterator[Path]:
    """One for a lab. It names its owner: any other run that begins meanwhile would otherwise sweep it away."""
    sweep()
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    (root / "owner").write_text(str(os.getpid()))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def sweep() -> None:
    """Clear away what runs that were killed have left: 124 MB each. A young one may be about to name its owner."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = left / "owner"
        pid = int(owner.read_text()) if owner.exists() else 0
        if time.time() - left.stat().st_mtime > 60 and not (pid and psutil.pid_exists(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _built(build_it: Callable[[], Path]) -> Path:
    """Skipped with the reason where it cannot be built, which is a failure under CI."""
    try:
        return build_it()
    except build.Missing as missing:
        left_out(str(missing))


@pytest.fixture(scope="session")
def helm() -> Path:
    """The helm of this machine, or one of our own."""
    return _built(build.helm)


@pytest.fixture(scope="session")
def kubernetes(helm: Path) -> Iterator[Lab]:
    """The run's control plane."""
    _built(build.kubelab)
    with folder() as root:
        lab = Lab(root, helm, trustme.CA())
        try:
            lab.start()
            yield lab
        finally:
            lab.stop()


@dataclass
class Registry:
    """An OCI registry without TLS; what is pushed to it goes with it."""

    address: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def registry() -> Iterator[Registry]:
    port = free_port()
    with subprocess.Popen([_built(build.registry), "-port", str(port)], stderr=subprocess.DEVNULL) as process:
        until(lambda: _answers(port))
        yield Registry(f"127.0.0.1:{port}", process)
        process.kill()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
