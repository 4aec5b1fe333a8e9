"""The manifests of today's generation: `fluxcd-manifests/`, with a HelmRelease for each chart.

Of kustomize that is read of which StarlingX's own applications are made: resources, namespaces, secrets made of files,
and patches of HelmReleases.
"""

from dataclasses import replace
from pathlib import PurePosixPath

from .charts import Chart
from .findings import Findings, Texts
from .helmrelease import Folder, HelmReleases, name_of
from .patches import Patches
from .sections import Section
from .small_files import SmallFiles

ROOT = "fluxcd-manifests"
TOP = f"{ROOT}/kustomization.yaml"
BASE = f"{ROOT}/base"

CHANGES_MORE = (
    *("namePrefix", "nameSuffix", "images", "replacements"),
    *("vars", "transformers", "generators", "components", "helmCharts", "replicas"),
)
"""Of a kustomization: would change what is deployed, and is not carried out here."""

KUSTOMIZATION_PLAIN = (
    *(
        "apiVersion",
        "kind",
        "metadata",
        "generatorOptions",
        "commonLabels",
        "labels",
        "commonAnnotations",
        "sortOptions",
    ),
)
"""Say nothing about what is deployed: labels are those of the HelmRelease itself."""


class Flux:
    """Reads the manifests of one tarball."""

    def __init__(self, texts: Texts, files: set[str], findings: Findings) -> None:
        self._findings = findings
        self._small = SmallFiles(texts, files, findings)

    def charts(self) -> list[Chart]:
        """The charts in the order of the top kustomization."""
        top = self._small.only(TOP)
        if not any(name.startswith(f"{BASE}/") for name in self._small.files):
            message = "the folder base/ is missing: it has helmrepository.yaml and the namespace"
            self._findings.blame("missing_manifest", BASE, message)
        if top is None:
            return []
        self._check(top)
        patches = Patches(self._small, ROOT, top)
        folders = [self._folder(top, position, name) for position, name in enumerate(top.names("resources"))]
        found = [replace(folder, release=patches.carried_out(folder.release)) for folder in folders if folder]
        patches.note_unmet()
        namespace = top.text("namespace")
        releases = {name_of(folder.release) or "": folder for folder in found}
        reader = HelmReleases(self._small)
        charts = [reader.read(folder, namespace, set(releases)) for folder in found]
        if not found and not self._findings.faults:
            top.blame("resources", "names no folder with a helmrelease.yaml", code="no_charts")
        _note_unread(top)
        for folder in found:
            _note_resources(folder.kustomization)
            _note_unread(folder.kustomization)
        self._note_rest()
        return [chart for chart in charts if chart]

    def _check(self, kustomization: Section) -> None:
        for key in CHANGES_MORE:
            if kustomization.any(key):
                message = "is not carried out here; write what it does into helmrelease.yaml and the values"
                kustomization.blame(key, message, code="unsupported_key")

    def _folder(self, top: Section, position: int, name: str) -> Folder | None:
        path = PurePosixPath(ROOT, name)
        folder = str(path)
        if folder == BASE:
            self._note_base()
            return None
        if ".." in path.parts or name.startswith("/"):
            top.blame("resources", "must be a folder beside this file", position, code="path_traversal")
            return None
        if f"{folder}/helmrelease.yaml" not in self._small.files:
            code = "missing_manifest" if not name.endswith((".yaml", ".yml")) else ""
            if code:
                top.blame("resources", "there is no helmrelease.yaml in a folder of this name", position, code=code)
            else:
                self._small.used.add(folder)
                self._findings.note("objects beside charts are not deployed", top.place("resources", position))
            return None
        kustomization = self._small.only(f"{folder}/kustomization.yaml")
        release = self._small.only(f"{folder}/helmrelease.yaml")
        if kustomization is None or release is None:
            return None
        self._check(kustomization)
        patches = Patches(self._small, folder, kustomization)
        release = patches.carried_out(release)
        patches.note_unmet()
        return Folder(folder, kustomization, release)

    def _note_base(self) -> None:
        """Of the base only the namespace has a meaning here, and that is made by itself."""
        for file in sorted(name for name in self._small.texts if name.startswith(f"{BASE}/")):
            for document in self._small.documents(file) or ():
                kind = document.value.get("kind") if isinstance(document.value, dict) else None
                if kind not in (None, "Namespace", "HelmRepository", "Kustomization"):
                    self._findings.note(f"objects beside charts are not deployed: {kind}", f"{file}:{document.line}")

    def _note_rest(self) -> None:
        why = {"helmrelease_cleanup.yaml": "what a release lacks is removed by every update to it"}
        for file in sorted(self._small.texts.keys() - self._small.used):
            name = PurePosixPath(file).name
            if file.startswith(f"{ROOT}/"):
                self._findings.note(why.get(name, "is named by nothing, so nothing is taken from it"), file)


OWN_FILES = frozenset({"helmrelease.yaml", "helmrelease_cleanup.yaml"})


def _note_resources(kustomization: Section) -> None:
    for name in kustomization.names("resources"):
        if name.removeprefix("./") not in OWN_FILES:
            kustomization.note("resources", f"objects beside charts are not deployed: {name}")


def _note_unread(kustomization: Section) -> None:
    for key in kustomization.unread():
        if key not in KUSTOMIZATION_PLAIN:
            kustomization.note(key, "is no key of kustomize that is carried out here")
