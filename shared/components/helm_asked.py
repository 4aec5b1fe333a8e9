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

MOST_TOLD = 1_000
"""Characters of what Helm says."""

_IN_TEMPLATES = re.compile(r"^templates/|/templates/")
_OF_VALUES = re.compile(r"^values\.yaml|^templates/|/templates/")
_OF_THE_CHART = re.compile(r"parse error|validation: ")
"""What Helm finds where it renders, which no value could mend."""

_TOO_MUCH = re.compile(r"rendering it|it renders")

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
        return Answer(" ".join(_reasons(helm, words, folder, Path(own)))[:MOST_TOLD])


class Alone(NamedTuple):
    """What Helm finds in a chart without the values that it is deployed with; each is empty where it finds nothing."""

    reason: str
    """What is wrong with it whatever its values are."""
    missed: str
    """What may follow from the values that are not there."""


def lint_alone(helm: str, chart: str, folder: Path) -> Alone:
    """What `helm lint` says of a chart that nothing deploys, or whose values cannot be read."""
    with tempfile.TemporaryDirectory(prefix="belay-verify-") as own:
        reasons = _reasons(helm, ("lint", "--quiet", chart), folder, Path(own))
    missed = [reason for reason in reasons if _OF_VALUES.search(reason) and not _OF_THE_CHART.search(reason)]
    wrong = [reason for reason in reasons if reason not in missed]
    return Alone(" ".join(wrong)[:MOST_TOLD], " ".join(missed)[:MOST_TOLD])


def rendered(reason: str) -> bool:
    """Whether a fault that `lint` found is one of rendering: `render` would find it a second time."""
    return bool(_IN_TEMPLATES.search(reason) or _TOO_MUCH.match(reason))


def render(helm: str, spec: HelmSpec, folder: Path) -> Answer:
    """The images that the rendered chart names in the pods of its workloads."""
    with tempfile.TemporaryDirectory(prefix="belay-verify-") as own:
        named = ("--namespace", spec.namespace, "--skip-tests", *(() if spec.hooks else ("--no-hooks",)))
        words = ("template", spec.release or "release-name", spec.chart, *named, *_values(spec, Path(own)))
        if reasons := _reasons(helm, words, folder, Path(own)):
            return Answer(" ".join(reasons)[:MOST_TOLD])
        with (Path(own) / "out").open("rb") as rendered:
            return Answer("", tuple(dict.fromkeys(_images(rendered))))


def _values(spec: HelmSpec, own: Path) -> Iterator[str]:
    file = own / "values.json"
    file.write_bytes(orjson.dumps(spec.values))
    for name in (*spec.values_files, str(file)):
        yield from ("--values", name)


def _reasons(helm: str, words: Sequence[str], folder: Path, own: Path) -> list[str]:
    """Run it, with what it says in the file `out` of `own`. Why it failed; nothing where it did not."""
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
            return [f"rendering it took more than {SECONDS} s"]
    if code == 0:
        return []
    if code == -signal.SIGXFSZ or (own / "out").stat().st_size >= OUTPUT_BYTES:
        return [f"it renders more than {OUTPUT_BYTES // MIB} MiB"]
    said = _last(own / "out") + _last(own / "err")
    if "out of memory" in said or "cannot allocate memory" in said or code < 0:
        return [f"rendering it took more than {SECONDS} s or {MEMORY_BYTES // MIB} MiB"]
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


def _told(said: str, own: str) -> list[str]:
    """Why it failed, in its own words: `lint` marks each fault, whose reason may follow; others begin with the word."""
    lines = said.splitlines()
    faults = list(_marked(lines)) or [line.strip() for line in lines if line.startswith("Error: ")] or lines[-1:]
    told = [fault.replace("[ERROR] ", "").replace("Error: ", "").replace(own, "(values)") for fault in faults]
    return [fault for fault in told if fault.strip()] or ["Helm does not take it"]


def _marked(lines: Sequence[str]) -> Iterator[str]:
    fault: list[str] = []
    for line in (*lines, ""):
        if fault and (not line.strip() or line.startswith(("[", "==>", "Error: "))):
            yield " ".join(fault)
            fault = []
        if fault or "[ERROR]" in line:
            fault.append(line.strip())


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
    for pod in pods_of(thing):
        yield from images_in(pod)


def pods_of(thing: Any) -> Iterator[dict[str, Any]]:
    """The pods that a rendered object makes, as their specs; also of a list of objects."""
    if not isinstance(thing, dict):
        return
    if thing.get("kind") == "List":
        for item in thing.get("items") or ():
            yield from pods_of(item)
    pod: Any = thing if thing.get("kind") in _PODS else None
    for step in _PODS.get(str(thing.get("kind")), ()):
        pod = pod.get(step) if isinstance(pod, dict) else None
    if isinstance(pod, dict):
        yield pod


def images_in(pod: dict[str, Any]) -> Iterator[str]:
    """The images of its containers."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(kind) or ():
            if isinstance(container, dict) and isinstance(image := container.get("image"), str) and image:
                yield image
