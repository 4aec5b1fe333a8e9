"""`python -m tests.support.kubernetes.build` builds what tests on Kubernetes need, where the user's cache has it not.

A control plane (kubelab/, 4 minutes on two cores) and Helm (2 minutes): from Go modules alone, whichever Go is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).parent / "kubelab"
GO = "1.26.8"
"""A Go that is older has the Go module proxy bring this one."""
HELM = "v4.3.1"
HELM_MODULE = f"helm.sh/helm/{HELM.partition('.')[0]}/cmd/helm@{HELM}"
REGISTRY = "v0.20.6"
REGISTRY_MODULE = f"github.com/google/go-containerregistry/cmd/registry@{REGISTRY}"
PACKAGE = "golang-go"
PODINFO = "github.com/stefanprodan/podinfo@v1.8.1-0.20250910200901-e86405a8674e"
METRICS_SERVER = "sigs.k8s.io/metrics-server@v0.9.0"
"""Modules that hold public charts."""


class Missing(Exception):
    """What is needed and is not there, and how to get it."""


def cache() -> Path:
    """Where what was built is kept, for all checkouts of the user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "belay" / "go"


def kubelab() -> Path:
    """The control plane as one program; built if need be. Raises Missing."""
    digest = hashlib.sha256(f"{GO} {_stamp()}".encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return _built(f"kubelab-{digest.hexdigest()[:16]}", _build_kubelab)


def helm() -> Path:
    """The helm on the PATH, or else one of our own; built if need be. Raises Missing."""
    found = shutil.which("helm")
    return Path(found) if found else _built(f"helm-{HELM}-{GO}", _build_helm)


def registry() -> Path:
    """A registry for charts and images that keeps all in memory; built if need be, in seconds. Raises Missing."""
    return _built(f"registry-{REGISTRY}-{GO}", lambda target: _install(REGISTRY_MODULE, "registry", target))


def module(name: str) -> Path:
    """The folder of a Go module, whatever it holds, such as `example.org/charts@v1.0.0`. Raises Missing."""
    return _downloaded(_program(), name)


def _downloaded(program: str, module: str) -> Path:
    done = subprocess.run([program, "mod", "download", "-json", module], cwd="/", capture_output=True, check=False)
    if done.returncode:
        raise Missing(f"the module {module} could not be had: {done.stdout.decode()} {done.stderr.decode()}")
    return Path(json.loads(done.stdout)["Dir"])


def _built(name: str, build: Callable[[Path], None]) -> Path:
    target = cache() / name
    if target.exists():
        return target
    cache().mkdir(parents=True, exist_ok=True)
    with _alone(target.with_name(f".{name}.lock")):
        if not target.exists():  # else another run has built it while we waited
            sys.stderr.write(f"{name} is built by Go, once for this user; that takes minutes\n")
            draft = target.with_name(f".{name}.{os.getpid()}")
            try:
                build(draft)
                draft.rename(target)
            finally:
                draft.unlink(missing_ok=True)
    return target


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_kubelab(target: Path) -> None:
    _go(["build", "-trimpath", f"-ldflags=-s -w {_stamp()}", "-o", str(target), "."], SOURCES, {})


def _stamp() -> str:
    """The version that the API server says it is: charts ask for it."""
    required = re.search(r"k8s.io/kubernetes (v(\d+)\.(\d+)\S*)", (SOURCES / "go.mod").read_text())
    assert required
    named = zip(("gitVersion", "gitMajor", "gitMinor"), required.groups(), strict=True)
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in named)


def _build_helm(target: Path) -> None:
    _install(HELM_MODULE, "helm", target)


def _install(module: str, program: str, target: Path) -> None:
    folder = target.with_suffix(".bin")
    try:
        _go(["install", "-trimpath", "-ldflags=-s -w", module], Path.home(), {"GOBIN": str(folder)})
        (folder / program).rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _go(arguments: list[str], folder: Path, more: Mapping[str, str]) -> None:
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", **more}
    done = subprocess.run([*nice, _program(), *arguments], cwd=folder, env=environment, check=False)
    if done.returncode:
        raise Missing(f"go {arguments[0]} failed with status {done.returncode}; see above")


def _program() -> str:
    """A go that is new enough. Raises Missing."""
    program = shutil.which("go")
    if program is None:
        raise Missing(f"Go is missing, which builds Kubernetes and Helm: install it (Debian: .ci/packages {PACKAGE})")
    said = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    found = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    return program if found >= tuple(int(part) for part in GO.split(".")[:2]) else _newer(program)


def _newer(program: str) -> str:
    """The toolchain as a module. An old go unpacks it, but does not know that its programs are to be run."""
    system = subprocess.run([program, "env", "GOOS", "GOARCH"], capture_output=True, text=True, check=True).stdout
    module = f"golang.org/toolchain@v0.0.1-go{GO}.{'-'.join(system.split())}"
    folder = _downloaded(program, module)
    for each in [*(folder / "bin").iterdir(), *(folder / "pkg/tool").rglob("*")]:
        if each.is_file():
            each.chmod(0o555)
    return str(folder / "bin/go")


if __name__ == "__main__":
    try:
        for each in (helm, kubelab):
            sys.stdout.write(f"{each()}\n")
    except Missing as error:
        sys.exit(str(error))
