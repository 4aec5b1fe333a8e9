"""Charts of a bundle checked before anybody waits for them: what any chart must be, and by Helm itself where it is.

Helm runs templates, which are a program of the bundle's, without network and files of ours, and in bounded time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import semver
import yaml

from shared import safe_yaml
from shared.components import ContentFault

if TYPE_CHECKING:
    from shared.components.helm import HelmSpec

SECONDS = 60
CHART_BYTES = 1 << 20
BINARY = "BELAY_HELM_BINARY"
"""The driver's own setting: where catalog and deployer share a machine they share their Helm."""


def faults_of(spec: HelmSpec, folder: Path) -> list[ContentFault]:
    """What is wrong with the chart of a component, and with its values files; Helm is asked when nothing else is."""
    faults = [*_of_values(spec, folder), *(() if spec.in_registry else _of_chart(spec, folder))]
    if not faults and not spec.in_registry and (message := lint(spec, folder)):
        faults.append(ContentFault(("chart",), "bad_chart", message, spec.chart))
    return faults


def _of_values(spec: HelmSpec, folder: Path) -> Iterator[ContentFault]:
    for number, name in enumerate(spec.values_files):
        try:
            # Composed only: Helm takes aliases, and unfolding them is how bombs go off.
            root = yaml.compose((folder / name).read_text(), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            message = " ".join(str(error).split()).replace('in "<unicode string>", ', "")
            yield ContentFault(("values_files", number), "bad_values", message, name)
        else:
            if root is not None and not isinstance(root, yaml.MappingNode):
                yield ContentFault(("values_files", number), "bad_values", "must be a mapping of values", name)


def _of_chart(spec: HelmSpec, folder: Path) -> Iterator[ContentFault]:
    try:
        content = _chart_yaml(folder / spec.chart)
        chart = None if content is None else safe_yaml.load(content)
    except (safe_yaml.BadYaml, tarfile.TarError, OSError, EOFError) as error:
        yield ContentFault(("chart",), "bad_chart", f"cannot be read: {error}", spec.chart)
        return
    if not isinstance(chart, dict):
        yield ContentFault(("chart",), "bad_chart", "is no chart: it has no Chart.yaml that is a mapping", spec.chart)
        return
    for message in _of_metadata(chart):
        yield ContentFault(("chart",), "bad_chart", f"Chart.yaml: {message}", spec.chart)


def _of_metadata(chart: dict[str, Any]) -> Iterator[str]:
    if chart.get("apiVersion") not in ("v1", "v2"):
        yield f"apiVersion: must be v1 or v2, not {chart.get('apiVersion')!r}"
    if not isinstance(chart.get("name"), str) or not chart["name"]:
        yield "name: is missing"
    if not semver.Version.is_valid(str(chart.get("version", "")).removeprefix("v")):
        yield f"version: must be a semantic version, not {chart.get('version')!r}"
    if chart.get("type") == "library":
        yield "type: a library chart deploys nothing"


def _chart_yaml(chart: Path) -> bytes | None:
    """Of a folder or of a packed chart, in which everything lies in one folder. Raises OSError and TarError."""
    if chart.is_dir():
        return (chart / "Chart.yaml").read_bytes()
    with tarfile.open(chart) as archive:
        for member in archive:
            if member.isfile() and member.name.count("/") == 1 and member.name.endswith("/Chart.yaml"):
                file = archive.extractfile(member)
                return file.read(CHART_BYTES) if file else None
    return None


def lint(spec: HelmSpec, folder: Path) -> str | None:
    """What `helm lint` calls an error, with the values of the spec; None also where there is no helm to ask.

    Values that a template demands may come from a site: lint does not miss them.
    """
    helm = shutil.which(os.environ.get(BINARY) or "helm")
    if helm is None:
        return None
    with tempfile.TemporaryDirectory(prefix="belay-verify-") as own:
        values = Path(own) / "values.json"
        values.write_bytes(orjson.dumps(spec.values))
        files = [word for file in (*spec.values_files, str(values)) for word in ("--values", file)]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": own, "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(  # noqa: S603 - no shell
                [helm, "lint", "--quiet", spec.chart, *files], cwd=folder, env=environment, capture_output=True,
                text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"rendering it took more than {SECONDS} s"
    return None if done.returncode == 0 else _told(done.stdout + done.stderr, own)


def _told(said: str, own: str) -> str:
    lines = [line.strip() for line in said.splitlines() if "[ERROR]" in line] or said.strip().splitlines()[-1:]
    return " ".join(lines).replace("[ERROR] ", "").replace(own, "(values)")[:1_000] or "helm lint does not take it"
