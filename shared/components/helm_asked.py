"""Helm asked about a chart of a bundle: whether it is sound, and which images it names when it is rendered.

Helm runs templates, which are a program of a stranger's: without network and files of ours, in bounded time, memory and
output.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import orjson

from shared import safe_yaml

if TYPE_CHECKING:
    from shared.components.helm import HelmSpec

BINARY = "BELAY_HELM_BINARY"
"""The driver's own setting: where catalog and deployer share a machine they share their Helm."""

MIB = 1 << 20
SECONDS = 60
MEMORY_BYTES = 768 * MIB
OUTPUT_BYTES = 64 * MIB
DOCUMENT_BYTES = 2 * MIB
"""Of one rendered object; larger ones are no workloads."""

LINE_BYTES = 64 * 1024
"""That lie in memory at once: a template may render all in one line."""

NO_HELM = "Helm is not on this machine: charts were neither linted nor rendered, and their images are not known"
NEEDS_A_SITE = re.compile(r"execution error at|kubeVersion", re.IGNORECASE)
"""What a template demands of the values, or of the cluster: a site may bring it."""

WITH_PODS = re.compile(
    rb"^kind:\s*[\"']?(Pod|PodTemplate|Deployment|StatefulSet|DaemonSet|ReplicaSet|ReplicationController|Job|CronJob"
    rb"|List)\b",
    re.MULTILINE,
)


class Answer(NamedTuple):
    """What a run of Helm said; the reason why it failed is empty where it did not."""

    reason: str
    images: tuple[str, ...] = ()


def found() -> str | None:
    """The helm of this machine."""
    return shutil.which(os.environ.get(BINARY) or "helm")


def lint(helm: str, spec: HelmSpec, folder: Path) -> Answer:
    """What `helm lint` calls an error, with the values of the spec. Values that only a site has are not missed."""
    with tempfile.TemporaryDirectory(prefix="belay-verify-") as own:
        words = ("lint", "--quiet", spec.chart, *_values(spec, Path(own)))
        return Answer(_reason(helm, words, folder, Path(own)))


def render(helm: str, spec: HelmSpec, folder: Path) -> Answer:
    """The images that the rendered chart names in the pods of its workloads."""
    with tempfile.TemporaryDirectory(prefix="belay-verify-") as own:
        named = ("--namespace", spec.namespace, "--skip-tests", *(() if spec.hooks else ("--no-hooks",)))
        words = ("template", spec.release or "release-name", spec.chart, *named, *_values(spec, Path(own)))
        reason = _reason(helm, words, folder, Path(own))
        if reason:
            return Answer(reason)
        with (Path(own) / "out").open("rb") as rendered:
            return Answer("", tuple(dict.fromkeys(_images(rendered))))


def _values(spec: HelmSpec, own: Path) -> Iterator[str]:
    file = own / "values.json"
    file.write_bytes(orjson.dumps(spec.values))
    for name in (*spec.values_files, str(file)):
        yield from ("--values", name)


def _reason(helm: str, words: Sequence[str], folder: Path, own: Path) -> str:
    """Run it, with what it says in the file `out` of `own`. Why it failed; empty where it did not."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(own), "LC_ALL": "C.UTF-8"}
    with (own / "out").open("wb") as out, (own / "err").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - no shell
            [helm, *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _bound(process.pid)
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"rendering it took more than {SECONDS} s"
    if code == 0:
        return ""
    if code == -signal.SIGXFSZ or (own / "out").stat().st_size >= OUTPUT_BYTES:
        return f"it renders more than {OUTPUT_BYTES // MIB} MiB"
    said = _last(own / "out") + _last(own / "err")
    if "out of memory" in said or "cannot allocate memory" in said or code < 0:
        return f"rendering it took more than {SECONDS} s or {MEMORY_BYTES // MIB} MiB"
    return _told(said, str(own))


def _bound(pid: int) -> None:
    """Set from outside, the moment it has begun: nothing may run between fork and exec of a process with threads."""
    limits = {resource.RLIMIT_DATA: MEMORY_BYTES, resource.RLIMIT_FSIZE: OUTPUT_BYTES, resource.RLIMIT_CPU: SECONDS}
    for what, most in limits.items():
        try:
            resource.prlimit(pid, what, (most, most))
        except ProcessLookupError:
            return


def _last(file: Path) -> str:
    """The end of what was said: there stands why."""
    with file.open("rb") as said:
        said.seek(max(0, file.stat().st_size - 64 * 1024))
        return said.read().decode(errors="replace")


def _told(said: str, own: str) -> str:
    """Why it failed, in its own words: `lint` marks each fault, others begin with the word."""
    lines = [line.strip() for line in said.splitlines()]
    faults = [line for line in lines if "[ERROR]" in line] or [line for line in lines if line.startswith("Error: ")]
    told = " ".join(faults or lines[-1:]).replace("[ERROR] ", "").replace("Error: ", "")
    return told.replace(own, "(values)")[:1_000] or "Helm does not take it"


def _images(rendered: IO[bytes]) -> Iterator[str]:
    for text in _documents(rendered):
        if WITH_PODS.search(text):
            try:
                for document in safe_yaml.documents(text):
                    yield from images_of(document.value)
            except safe_yaml.BadYaml:
                continue  # Helm takes it, so it is its own; the images of this one are not known


def _documents(rendered: IO[bytes]) -> Iterator[bytes]:
    """One object after the other; those that are too large are passed by."""
    lines: list[bytes] = []
    size = 0
    whole = True
    for line in iter(partial(rendered.readline, LINE_BYTES), b""):
        begins, whole = whole, line.endswith(b"\n")
        if begins and line.rstrip() == b"---":
            if size <= DOCUMENT_BYTES:
                yield b"".join(lines)
            lines, size = [], 0
            continue
        size += len(line)
        if size <= DOCUMENT_BYTES:
            lines.append(line)
    if size <= DOCUMENT_BYTES:
        yield b"".join(lines)


_PODS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"),
        ("spec", "template", "spec"),
    ),
}
"""Where the pod of a workload stands. Resources of other kinds name images as only their own operators know."""


def images_of(thing: Any) -> Iterator[str]:
    """The images of the containers of a rendered object, also of a list of them."""
    if not isinstance(thing, dict):
        return
    if thing.get("kind") == "List":
        for item in thing.get("items") or ():
            yield from images_of(item)
    pod: Any = thing if thing.get("kind") in _PODS else None
    for step in _PODS.get(str(thing.get("kind")), ()):
        pod = pod.get(step) if isinstance(pod, dict) else None
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in (pod.get(kind) if isinstance(pod, dict) else None) or ():
            if isinstance(container, dict) and isinstance(image := container.get("image"), str) and image:
                yield image
