"""A whole tarball of StarlingX: from its small files, names and sums to a manifest of Belay."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from shared.messages.base import Fault, details_of, fault_in
from shared.messages.manifest import Component, Manifest

from . import armada, flux
from .charts import FOLDER, Chart, components_of
from .checksums import check_sums
from .findings import Findings, Texts
from .metadata import FILE, Metadata, read_metadata

MIB = 1 << 20
MOST_BYTES_OF_A_TEXT = 1 * MIB
UNNAMED, NO_VERSION = "unnamed", "0"
"""Of a tarball that does not say it, where nobody needs it: who unpacks it knows which release it is."""

PLUGINS = "plugins of sysinv are not run: nothing here computes values from the platform; give them as overrides"
IMAGES = "images in the tarball are not loaded anywhere: nodes pull theirs from registries"


@dataclass(frozen=True, slots=True)
class Application:
    """What a tarball says. With faults there may be no manifest."""

    manifest: Manifest | None
    components: tuple[Component, ...]
    """As many as can be read, also of a tarball that is refused."""
    faults: tuple[Fault, ...]
    notices: tuple[str, ...]
    app: str | None = None
    version: str | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    """File and line that say a field of the manifest, by its name."""
    named: Mapping[str, Any] = field(default_factory=dict)
    """Which release it is and what it needs, as it says it, also where the rest is refused."""


def is_application(names: Collection[str]) -> bool:
    """Whether files of these names are an application tarball of StarlingX, or seem meant to be one."""
    return any(name == FILE or _is_list(name) or name.startswith((FOLDER, f"{flux.ROOT}/")) for name in names)


def text_files(name: str) -> int | None:
    """The most bytes that a file may have which is read as a text; None for all others."""
    top = "/" not in name and name.endswith((".yaml", ".yml", ".md5"))
    return MOST_BYTES_OF_A_TEXT if top or (name.startswith(f"{flux.ROOT}/") and _is_yaml(name)) else None


def read_application(
    texts: Texts, sums: Mapping[str, str], app: str | None = None, version: str | None = None
) -> Application:
    """What a tarball of StarlingX says, with every fault; `app` and `version` are what it is asked to be called.

    `texts`: the files that `text_files` names; `sums`: the MD5 sum of every file, by name. Pure.
    """
    findings = Findings()
    check_sums({name: content for name, content in texts.items() if _is_list(name)}, sums, findings)
    metadata = read_metadata(texts.get(FILE), findings)
    files = set(sums)
    charts = _charts(texts, files, findings)
    components = components_of(charts, metadata.disabled, files, findings)
    _note_files(files, charts, findings)
    asked = {field_: field_ for field_, value in (("app", app), ("version", version)) if value}
    app, version = _name(metadata, app, version, findings)
    manifest = _manifest(metadata, components, app, version, findings)
    broken = findings.faults or manifest is None
    said = tuple(findings.faults), findings.notices()
    places = {**metadata.places(), **asked, "components": charts[0].place if charts else FOLDER}
    named = {"app": app, "version": version, "scheme": "natural", "depends_on": metadata.rules.get("depends_on")}
    return Application(None if broken else manifest, tuple(components), *said, app, version, places, named)


def _charts(texts: Texts, files: set[str], findings: Findings) -> list[Chart]:
    packed = [name for name in files if name.startswith(FOLDER) and name.endswith(".tgz")]
    if not packed:
        findings.blame("no_charts", FOLDER, "the tarball holds no chart: charts/*.tgz")
    top = {name: content for name, content in texts.items() if "/" not in name and name != FILE and _is_yaml(name)}
    manifests = armada.manifests_in(top, findings)
    if any(name.startswith(f"{flux.ROOT}/") for name in files):
        for manifest in manifests:
            findings.note(f"the manifests in {flux.ROOT} are taken, not this one of Armada", manifest.file)
        return flux.Flux(texts, files, findings).charts()
    tops = [section for manifest in manifests for section in manifest.tops]
    if len(tops) > 1:
        places = ", ".join(section.place() for section in tops)
        findings.blame("two_manifests", tops[-1].place(), f"one manifest is taken, these are {len(tops)}: {places}")
    if not tops:
        message = f"there is neither {flux.ROOT}/ nor a YAML file with a document of the schema {armada.MANIFEST}"
        findings.blame("missing_manifest", flux.ROOT, message)
    return armada.charts_of(manifests[0], findings) if len(tops) == 1 else []


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _is_list(name: str) -> bool:
    return "/" not in name and name.endswith(".md5")


def _note_files(files: set[str], charts: list[Chart], findings: Findings) -> None:
    used = {str(chart.spec["chart"]) for chart in charts}
    for name in sorted(files - used):
        if name.startswith(FOLDER):
            findings.note("is deployed by nothing", name)
    for folder, why in (("plugins/", PLUGINS), ("images/", IMAGES)):
        if inside := sorted(name for name in files if name.startswith(folder)):
            findings.note(why, inside[0] if len(inside) == 1 else f"{folder} ({len(inside)} files)")


def _name(
    metadata: Metadata, app: str | None, version: str | None, findings: Findings
) -> tuple[str | None, str | None]:
    """What it is called: as it was asked to be, or else as it says itself."""
    for asked, said, key in ((app, metadata.app, "app_name"), (version, metadata.version, "app_version")):
        if asked and said and asked != said:
            findings.note(f"{key}: says {said}; it is published as {asked}, as was asked", FILE)
    return app or metadata.app, version or metadata.version


def _manifest(
    metadata: Metadata, components: list[Component], app: str | None, version: str | None, findings: Findings
) -> Manifest | None:
    for value, key, option in ((app, "app_name", "--name"), (version, "app_version", "--version")):
        if not value:
            message = f"neither the tarball says it nor the request; give it with the request ({option})"
            findings.blame("missing_name", metadata.place(key), message)
    said: dict[str, Any] = {
        "app": app or UNNAMED,
        "version": version or NO_VERSION,
        "scheme": "natural",
        "upgrades_from": metadata.upgrades_from,
        **metadata.rules,
        "components": tuple(components),
    }
    try:
        return Manifest.model_validate(said)
    except ValidationError as error:
        for detail in details_of(error):
            told, first = fault_in(detail), str(detail["loc"][0])
            if first != "components" or not findings.faults:
                findings.blame(told.code, metadata.place_of(first), f"{told.field}: {told.message}", told.value)
        return None
