"""The manifest of the older generation: one YAML file with documents of Armada."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.safe_yaml import BadYaml, Document, documents

from .charts import FOLDER, Chart
from .findings import Findings, Texts
from .sections import Section

MANIFEST, GROUP, CHART = "armada/Manifest/v1", "armada/ChartGroup/v1", "armada/Chart/v1"

NOT_WAITED = "Belay watches every workload of a chart until it is ready, not only those of these labels and kinds"
WITHOUT = {
    "test": "tests of Helm are not run; what was deployed is watched until it is ready",
    "delete": "the removal of a component has the time of its operation",
    "protected": "what fails is recovered by Belay's own rules",
    "dependencies": "charts are taken as they are packed, with the charts inside of them",
    "source": "charts are taken from the tarball",
}


@dataclass(slots=True)
class Manifest:
    """The documents of a file, by the names that they give themselves."""

    file: str
    tops: list[Section] = field(default_factory=list)
    groups: dict[str, Section] = field(default_factory=dict)
    charts: dict[str, Section] = field(default_factory=dict)


def manifests_in(texts: Texts, findings: Findings) -> list[Manifest]:
    """Those files of the top of a tarball that hold a document of the kind Manifest."""
    found = []
    for file, content in sorted(texts.items()):
        try:
            read = documents(content)
        except BadYaml as error:
            findings.blame_yaml(file, error)
            continue
        manifest = _sorted(file, read, findings)
        if manifest.tops:
            found.append(manifest)
        else:
            findings.note("is no manifest of Armada and no metadata, so nothing is taken from it", file)
    return found


def _sorted(file: str, read: Sequence[Document], findings: Findings) -> Manifest:
    manifest = Manifest(file)
    for document in read:
        if not isinstance(document.value, dict):
            continue
        top = Section(file, document, findings)
        kind = str(document.value.get("schema", "")).rsplit("/", 1)[0] + "/v1"
        if kind == MANIFEST:
            manifest.tops.append(top)
        elif kind in (GROUP, CHART):
            into = manifest.groups if kind == GROUP else manifest.charts
            name = _name(top)
            if name in into:
                top.blame("metadata", f"there is a document of this name already: {name}", code="duplicate_name")
            elif name:
                into[name] = top
        elif document.value:
            findings.note(f"documents of the kind {document.value.get('schema')!r} mean nothing here", top.place())
    return manifest


def _name(top: Section) -> str | None:
    metadata = top.section("metadata")
    name = metadata.text("name") if metadata else None
    if not name:
        top.blame("metadata", "needs a name", code="missing_field")
    return name


def charts_of(manifest: Manifest, findings: Findings) -> list[Chart]:
    """The charts that the manifest deploys, in order: group after group, those of a sequenced one one by one."""
    top = manifest.tops[0]
    data = top.section("data")
    if data is None:
        top.blame("data", "is missing", code="missing_field")
        return []
    prefix = data.text("release_prefix")
    names = _named(manifest)
    found: list[Chart] = []
    before: tuple[str, ...] = ()
    for position, group in enumerate(data.names("chart_groups")):
        if (section := manifest.groups.pop(group, None)) is None:
            data.blame(
                "chart_groups", "there is no document armada/ChartGroup of this name", position, code="unknown_group"
            )
        elif charts := _group(manifest, section, before, prefix, names):
            found += charts
            sequenced = _sequenced(section)
            before = (charts[-1].name,) if sequenced else tuple(chart.name for chart in charts)
    if not found and not findings.faults:
        data.blame("chart_groups", "deploys no chart", code="no_charts")
    _note_rest(manifest, findings)
    return found


def _note_rest(manifest: Manifest, findings: Findings) -> None:
    for kind, rest in (("group", manifest.groups), ("chart", manifest.charts)):
        for name, section in rest.items():
            findings.note(
                f"the {kind} {name} is deployed by no group of the manifest, so it is not deployed", section.place()
            )


def _named(manifest: Manifest) -> dict[str, str]:
    """The component of each chart: its chart's name, or where two have that, the document's own."""
    names: dict[str, str] = {}
    charts = {name: section.section("data") for name, section in manifest.charts.items()}
    said = {name: data.any("chart_name") if data else None for name, data in charts.items()}
    for name, chart in said.items():
        unique = isinstance(chart, str) and list(said.values()).count(chart) == 1
        names[name] = str(chart) if unique else name
    return names


def _sequenced(group: Section) -> bool:
    data = group.section("data")
    return bool(data and data.flag("sequenced"))


def _group(
    manifest: Manifest, group: Section, before: tuple[str, ...], prefix: str | None, names: Mapping[str, str]
) -> list[Chart]:
    if (data := group.section("data")) is None:
        group.blame("data", "is missing", code="missing_field")
        return []
    sequenced = bool(data.flag("sequenced"))
    found: list[Chart] = []
    for position, name in enumerate(data.names("chart_group")):
        if (section := manifest.charts.pop(name, None)) is None:
            data.blame(
                "chart_group", "there is no document armada/Chart of this name left", position, code="unknown_chart"
            )
        elif chart := _chart(section, names[name], prefix, (found[-1].name,) if sequenced and found else before):
            found.append(chart)
    for key in data.unread():
        if key != "description":
            data.note(key, "is no key of Armada that is known here")
    return found


def _chart(top: Section, name: str, prefix: str | None, after: tuple[str, ...]) -> Chart | None:
    if (data := top.section("data")) is None:
        top.blame("data", "is missing", code="missing_field")
        return None
    release, namespace, chart = data.text("release"), data.text("namespace"), data.text("chart_name")
    for key, value in (("release", release), ("namespace", namespace), ("chart_name", chart)):
        if value is None and key not in data:
            data.blame(key, "is missing", code="missing_field")
    file, place = _file(data)
    values = data.section("values")
    wait = data.section("wait")
    seconds = _seconds(wait)
    spec: dict[str, Any] = {
        "chart": file,
        "namespace": namespace,
        "release": f"{prefix}-{release}" if prefix and release else release,
        "values": dict(data.any("values") or {}) if values else {},
        "hooks": _hooks(data),
        "before_upgrade": _deletions(data),
    }
    if seconds:
        spec |= {"rollout": {"seconds": seconds}, "helm_seconds": seconds}
    _note_rest_of(data)
    if file is None or namespace is None or release is None:
        return None
    places = {"chart": place, **{key: data.place(key) for key in ("namespace", "release", "values")}}
    return Chart(name, data.place(), spec, after, seconds, frozenset(filter(None, (chart, release))), places)


def _note_rest_of(data: Section) -> None:
    test = data.any("test")
    if test is True or (isinstance(test, dict) and test.get("enabled")):
        data.note("test", WITHOUT["test"])
    for key in data.unread():
        if data.any(key) not in (None, [], {}):
            data.note(key, WITHOUT.get(key, "is no key of Armada that is known here"))


def _file(data: Section) -> tuple[str | None, str]:
    """The chart in the tarball: the last part of the address that it had in StarlingX's repository."""
    source = data.section("source")
    location = source.text("location") if source else None
    if source is None or location is None:
        data.blame("source", "needs a location that ends with the name of a chart's file", code="missing_field")
        return None, data.place()
    return f"{FOLDER}{location.rstrip('/').rsplit('/', 1)[-1]}", source.place("location")


def _seconds(wait: Section | None) -> int | None:
    if wait is None:
        return None
    for key in ("labels", "resources"):
        if wait.any(key):
            wait.note(key, NOT_WAITED)
    seconds = wait.whole("timeout")
    wait.note_unread("is no key of Armada that is known here")
    return seconds or None


def _hooks(data: Section) -> bool:
    said = {key: _no_hooks(data.section(key)) for key in ("install", "upgrade")}
    if said["install"] != said["upgrade"]:
        data.note("install", "hooks run at both or at neither; here they run")
    return not (said["install"] and said["upgrade"])


def _no_hooks(section: Section | None) -> bool:
    return bool(section and section.flag("no_hooks"))


def _deletions(data: Section) -> list[dict[str, Any]]:
    upgrade = data.section("upgrade")
    before = upgrade.section("pre") if upgrade else None
    found = []
    for deletion in before.sections("delete") if before else []:
        kind = deletion.word("type", ("job", "pod", "cronjob"))
        labels = deletion.section("labels")
        if kind and labels is None:
            deletion.blame("labels", "is missing: without labels everything would be deleted", code="missing_field")
        elif kind and labels:
            found.append({"kind": kind, "labels": {key: labels.text(key) or "" for key in labels.unread()}})
    return found
