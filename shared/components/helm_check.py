"""Charts of a bundle checked before anybody waits for them: what any chart must be, and by Helm itself where it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import semver

from shared.bundle.packed_charts import read_chart
from shared.components import ContentFault, Looked, helm_asked
from shared.safe_yaml import BadYaml
from shared.values.files import values_in

if TYPE_CHECKING:
    from shared.components.helm import HelmSpec

VALUES_BYTES = 1 << 20
"""Of one values file: it lies in memory to be read, and Helm keeps all of them in a Secret of 1 MiB, packed."""

IN_REGISTRY = "its chart lies in a registry, and is not looked into: its images are not known"


def look(spec: HelmSpec, folder: Path) -> Looked:
    """What is wrong with the chart of a component and its values files, and which images it names.

    Helm is asked where there is one, about a chart that can be read; with its values where these can be.
    """
    values = tuple(_of_values(spec, folder))
    if spec.in_registry:
        return Looked(values, notices=(IN_REGISTRY,))
    if chart := tuple(_of_chart(spec, folder)):
        return Looked((*values, *chart))
    if (helm := helm_asked.found()) is None:
        return Looked(values, notices=(helm_asked.NO_HELM,))
    if values:
        return Looked((*values, *_bad_chart(helm_asked.lint_alone(helm, spec.chart, folder).reason, spec)))
    return _asked(helm, spec, folder)


def _bad_chart(reason: str, spec: HelmSpec) -> tuple[ContentFault, ...]:
    return (ContentFault(("chart",), "bad_chart", reason, spec.chart),) if reason else ()


def _asked(helm: str, spec: HelmSpec, folder: Path) -> Looked:
    linted = helm_asked.lint(helm, spec, folder).reason
    if helm_asked.rendered(linted):
        return Looked(_bad_chart(linted, spec))
    found = _rendered(helm, spec, folder)
    return found._replace(faults=(*_bad_chart(linted, spec), *found.faults))


def _rendered(helm: str, spec: HelmSpec, folder: Path) -> Looked:
    reason, images = helm_asked.render(helm, spec, folder)
    if helm_asked.NEEDS_A_SITE.search(reason):
        where = f"{spec.chart}: is rendered only with what a site brings, so its images are not known"
        return Looked(notices=(f"{where} ({reason})",))
    faults = (ContentFault(("chart",), "bad_template", reason, spec.chart),) if reason else ()
    return Looked(faults, images)


def _of_values(spec: HelmSpec, folder: Path) -> Iterator[ContentFault]:
    for number, name in enumerate(spec.values_files):
        where, size = ("values_files", number), (folder / name).stat().st_size
        if size > VALUES_BYTES:
            yield ContentFault(
                where, "file_too_large", f"a file of values has {VALUES_BYTES} bytes at most", size, name
            )
            continue
        try:
            values_in((folder / name).read_bytes())
        except BadYaml as error:
            yield ContentFault(where, "bad_values", str(error), name, f"{name}:{error.line or 1}")


def _of_chart(spec: HelmSpec, folder: Path) -> Iterator[ContentFault]:
    chart = read_chart(folder / spec.chart)
    for problem in chart.problems:
        yield ContentFault(("chart",), problem.code, problem.message, spec.chart)
    if chart.metadata is not None:
        for message in _of_metadata(chart.metadata):
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
