"""Charts of Helm as they come in bundles: packed ones are archives of strangers, too, and read as such."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shared.components import helm_asked
from shared.messages.base import Fault
from shared.safe_yaml import BadYaml, documents

from .archive import Kept, digest_of, read
from .faults import fault
from .stream import MIB, Limits

FOLDER = "charts/"
CHART_BYTES = 1 * MIB
LIMITS = Limits(files=5_000, file_bytes=32 * MIB, total_bytes=256 * MIB)
"""Of a packed chart. Helm itself takes less: 100 MiB, 5 MiB a file."""

UNREADABLE = frozenset({"not_gzip", "not_tar", "truncated", "corrupt"})
"""Faults of an archive that say no more than that the chart cannot be read."""


class Problem(NamedTuple):
    """What is wrong with a chart, wherever it is used."""

    code: str
    message: str


class PackedChart(NamedTuple):
    """What a chart says of itself, and what is wrong with it."""

    metadata: Any
    """The value of its Chart.yaml; None = it cannot be had."""
    problems: tuple[Problem, ...]


def read_chart(chart: Path) -> PackedChart:
    """A packed chart, or a folder. Never raises but OSError, when the disk fails."""
    if chart.is_dir():
        file = chart / "Chart.yaml"
        return _said(file.read_bytes()) if file.stat().st_size <= CHART_BYTES else _bad("Chart.yaml is too large")
    contents = read(chart, keep=Kept(_kept), limits=LIMITS)
    if contents.faults:
        return PackedChart(None, tuple(map(_problem, contents.faults)))
    tops = sorted({name.partition("/")[0] for name in contents.digests})
    if len(tops) != 1 or f"{tops[0]}/Chart.yaml" not in contents.kept:
        shown = ", ".join(tops[:3]) or "nothing"
        return _bad(f"is no chart: it must be one folder with a Chart.yaml, and this is {shown}")
    return _said(contents.kept[f"{tops[0]}/Chart.yaml"])


def _kept(name: str) -> int | None:
    return CHART_BYTES if name.count("/") == 1 and name.endswith("/Chart.yaml") else None


def _problem(found: Fault) -> Problem:
    where = f" ({found.field})" if found.field else ""
    if found.code in UNREADABLE:
        return Problem("bad_chart", f"cannot be read: {found.message}{where}")
    return Problem(found.code, f"inside of the chart{where}: {found.message}")


def _said(content: bytes) -> PackedChart:
    try:
        found = documents(content, most=5_000)
    except BadYaml as error:
        return _bad(f"Chart.yaml: {error}")
    if len(found) != 1 or not isinstance(found[0].value, dict):
        return _bad("is no chart: it has no Chart.yaml that is a mapping")
    return PackedChart(found[0].value, ())


def _bad(message: str) -> PackedChart:
    return PackedChart(None, (Problem("bad_chart", message),))


def look_into_charts(
    folder: Path,
    deployed: Collection[str],
    told: Callable[[str, int, int], None] = lambda *_: None,
    until: float = math.inf,
) -> tuple[list[Fault], list[str]]:
    """What is wrong with charts that nothing deploys, and with two of one name and version that differ; and notices.

    `deployed` are looked into by whoever deploys them. Paths are relative to the unpacked tarball, `folder`. From
    `until` on (monotonic) it is a fault that some were not looked into: there may be thousands, packed to unfold.
    """
    faults: list[Fault] = []
    notices: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    files = sorted((folder / FOLDER).glob("*.tgz"))
    for number, file in enumerate(files):
        told("charts", number, len(files))
        name = f"{FOLDER}{file.name}"
        if time.monotonic() > until:
            message = "looking into the charts took too long; from this one on none was"
            return [*faults, fault("too_slow", name, message)], notices
        chart = read_chart(file)
        if name not in deployed:
            alone = _looked_into(chart, name, folder)
            faults += [fault(problem.code, name, problem.message) for problem in alone.problems]
            notices += alone.notices
        if chart.metadata is not None:
            faults += _of_twin(chart.metadata, name, folder, seen)
    return faults, notices


class _Alone(NamedTuple):
    problems: Sequence[Problem]
    notices: Sequence[str] = ()


def _looked_into(chart: PackedChart, name: str, folder: Path) -> _Alone:
    """What is wrong with a chart that nothing deploys: Helm has no values for it but its own, so it is not rendered."""
    helm = helm_asked.found()
    if chart.problems or helm is None:
        return _Alone(chart.problems)
    reason, missed = helm_asked.lint_alone(helm, name, folder)
    notices = [f"{name}: nothing deploys it, and with its own values alone Helm says: {missed}"] if missed else []
    return _Alone([Problem("bad_chart", reason)] if reason else [], notices)


def _of_twin(metadata: Any, name: str, folder: Path, seen: dict[tuple[str, str], str]) -> list[Fault]:
    said = str(metadata.get("name")), str(metadata.get("version"))
    if (twin := seen.setdefault(said, name)) == name or digest_of(folder / name) == digest_of(folder / twin):
        return []
    message = f"has other content than {twin}, and both are {said[0]} {said[1]}; give one another version"
    return [fault("chart_differs", name, message)]
