"""The manifests of today's generation: `fluxcd-manifests/`, with a HelmRelease for each chart.

Of kustomize that is read of which StarlingX's own applications are made: resources, namespaces, secrets made of files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from shared.safe_yaml import BadYaml, Document, documents

from .charts import FOLDER, Chart, merged
from .findings import Findings, Texts
from .sections import Section

ROOT = "fluxcd-manifests"
TOP = f"{ROOT}/kustomization.yaml"
BASE = f"{ROOT}/base"

CHANGES_MORE = (
    *("patches", "patchesStrategicMerge", "patchesJson6902", "namePrefix", "nameSuffix", "images", "replacements"),
    *("vars", "transformers", "generators", "components", "helmCharts", "replicas"),
)
"""Of a kustomization: would change what is deployed, and is not carried out here."""

KUSTOMIZATION_PLAIN = ("apiVersion", "kind", "metadata", "generatorOptions")
RELEASE_PLAIN = ("interval", "apiVersion", "kind")
"""Say nothing about what is deployed."""

WITHOUT = {
    "test": "tests of Helm are not run; what was deployed is watched until it is ready",
    "rollback": "what fails is recovered by Belay's own rules",
    "uninstall": "what is removed is removed by Belay's own rules",
    "suspend": "nothing but an operation changes a site, so there is nothing to suspend",
    "maxHistory": "Belay keeps so many revisions as its own field `history` says",
    "driftDetection": "drift is found by Belay's own audit",
    "serviceAccountName": "a site's connection says who Belay is there",
    "kubeConfig": "a site's connection says which cluster is meant",
    "storageNamespace": "Helm's records lie in the namespace of the release",
    "persistentClient": "is a matter of Flux itself",
    "postRenderers": "nothing is changed behind Helm",
}
ALWAYS_WAITS = "Belay always waits until what was deployed is ready"
OF_ACTIONS = {
    "disableWait": ALWAYS_WAITS,
    "disableWaitForJobs": ALWAYS_WAITS,
    "remediation": "what fails is recovered by Belay's own rules",
    "strategy": "what fails is recovered by Belay's own rules",
    "force": "objects are changed, never replaced",
    "preserveValues": "values are always those of the release with the overrides of people over them",
    "cleanupOnFail": "what fails is recovered by Belay's own rules",
    "timeout": "the time of the release counts for both",
    "replace": "objects are changed, never replaced",
    "disableOpenAPIValidation": "what the API server refuses is refused",
    "disableSchemaValidation": "values are held to the schema of their chart",
    "createNamespace": "the namespace is made where it is missing",
}
OWN_DAY = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder that the top kustomization names, with a HelmRelease in it."""

    name: str
    kustomization: Section
    release: Section


class Flux:
    """Reads the manifests of one tarball."""

    def __init__(self, texts: Texts, files: set[str], findings: Findings) -> None:
        self._texts = texts
        self._files = files
        self._findings = findings
        self._used: set[str] = {TOP}

    def charts(self) -> list[Chart]:
        """The charts in the order of the top kustomization."""
        top = self._only(TOP)
        if not any(name.startswith(f"{BASE}/") for name in self._files):
            message = "the folder base/ is missing: it has helmrepository.yaml and the namespace"
            self._findings.blame("missing_manifest", BASE, message)
        if top is None:
            return []
        self._check(top)
        folders = [self._folder(top, position, name) for position, name in enumerate(top.names("resources"))]
        found = [folder for folder in folders if folder]
        namespace = top.text("namespace")
        releases = {self._named(folder.release) or "": folder for folder in found}
        charts = [self._chart(folder, namespace, set(releases)) for folder in found]
        if not found and not self._findings.faults:
            top.blame("resources", "names no folder with a helmrelease.yaml", code="no_charts")
        self._note_rest()
        return [chart for chart in charts if chart]

    def _only(self, file: str) -> Section | None:
        """The one document of a file; what is none is blamed."""
        self._used.add(file)
        if file not in self._texts:
            self._findings.blame("missing_manifest", file, "the tarball does not hold this file, or it is not small")
            return None
        found = [document for document in self._documents(file) if document.value is not None]
        if len(found) == 1 and isinstance(found[0].value, dict):
            return Section(file, found[0], self._findings)
        if found:
            self._findings.blame("bad_yaml", file, "must be one mapping")
        return None

    def _documents(self, file: str) -> list[Document]:
        try:
            return documents(self._texts[file])
        except BadYaml as error:
            self._findings.blame_yaml(file, error)
            return []

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
        if f"{folder}/helmrelease.yaml" not in self._files:
            code = "missing_manifest" if not name.endswith((".yaml", ".yml")) else ""
            if code:
                top.blame("resources", "there is no helmrelease.yaml in a folder of this name", position, code=code)
            else:
                self._used.add(folder)
                self._findings.note("objects beside charts are not deployed", top.place("resources", position))
            return None
        kustomization = self._only(f"{folder}/kustomization.yaml")
        release = self._only(f"{folder}/helmrelease.yaml")
        if kustomization is None or release is None:
            return None
        self._check(kustomization)
        return Folder(folder, kustomization, release)

    def _named(self, release: Section) -> str | None:
        metadata = release.section("metadata")
        return metadata.text("name") if metadata else None

    def _chart(self, folder: Folder, outer: str | None, others: set[str]) -> Chart | None:
        release, own = folder.release, folder.kustomization.text("namespace")
        name, spec = self._named(release), release.section("spec")
        if release.any("kind") != "HelmRelease":
            release.blame("kind", "must be HelmRelease")
        if name is None or spec is None:
            release.blame("spec" if name else "metadata", "is missing", code="missing_field")
            return None
        metadata = release.section("metadata")
        said = metadata.text("namespace") if metadata else None
        namespace = spec.text("targetNamespace") or outer or own or said
        if outer and own and outer != own:
            folder.kustomization.note("namespace", f"the namespace of {TOP} wins, as kustomize has it: {outer}")
        if namespace is None:
            spec.blame("targetNamespace", "no namespace is said, here or in a kustomization", code="missing_field")
        file, version_place = self._file(spec)
        if file is None or namespace is None:
            return None
        return self._whole(folder, spec, name, namespace, file, version_place, others)

    def _whole(
        self, folder: Folder, spec: Section, name: str, namespace: str, file: str, place: str, others: set[str]
    ) -> Chart:
        seconds = self._seconds(spec)
        values = self._values(folder, spec)
        release = spec.text("releaseName") or name
        told: dict[str, Any] = {
            "chart": file,
            "namespace": namespace,
            "release": release,
            "values": values,
            **self._actions(spec),
        }
        if seconds:
            told |= {"rollout": {"seconds": seconds}, "helm_seconds": seconds}
        after = self._after(spec, others)
        for key in spec.unread():
            if key not in RELEASE_PLAIN:
                spec.note(key, WITHOUT.get(key, "is no key of HelmRelease that is known here"))
        chart = PurePosixPath(file).name
        places = {
            "chart": place,
            "namespace": spec.place("targetNamespace"),
            "release": spec.place("releaseName"),
            "values": spec.place("values"),
        }
        return Chart(name, spec.place(), told, after, seconds, frozenset({chart, release}), places)

    def _file(self, spec: Section) -> tuple[str | None, str]:
        """The chart in the tarball: by name and version, or by name where no version is said."""
        outer = spec.section("chart")
        chart = outer.section("spec") if outer else None
        name = chart.text("chart") if chart else None
        if chart is None or name is None:
            spec.blame("chart", "needs spec.chart, the name of a chart", code="missing_field")
            return None, spec.place("chart")
        version = chart.text("version")
        for key in chart.unread():
            if key not in ("sourceRef", "interval", "reconcileStrategy"):
                chart.note(key, "charts are taken as they are in the tarball")
        place = chart.place("version" if version else "chart")
        wanted = f"{FOLDER}{name}-{version}.tgz" if version else ""
        own = re.compile(rf"{re.escape(FOLDER + name)}-v?\d[^/]*\.tgz")
        having = sorted(file for file in self._files if own.fullmatch(file))
        if wanted in self._files or (version is None and len(having) == 1):
            return wanted or having[0], place
        known = ", ".join(having) or "no chart of this name"
        message = f"the tarball holds {known}" + ("" if version else ": say which version")
        self._findings.blame("missing_file", place, message, wanted or name)
        return None, place

    def _seconds(self, spec: Section) -> int | None:
        text = spec.text("timeout")
        if text is None:
            return None
        match = OWN_DAY.fullmatch(text)
        seconds = sum(int(n or 0) * unit for n, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
        if not seconds:
            spec.blame("timeout", "must be a time such as 30m or 1h30m")
        return seconds or None

    def _actions(self, spec: Section) -> dict[str, bool]:
        """What is said of installing and of upgrading: here one thing."""
        install, upgrade = spec.section("install"), spec.section("upgrade")
        off = {key: bool(section and section.flag("disableHooks")) for key, section in (("i", install), ("u", upgrade))}
        if off["i"] != off["u"]:
            spec.note("install", "hooks run at both or at neither; here they run")
        crds = "Skip" not in [section.text("crds") for section in (install, upgrade) if section]
        for section in filter(None, (install, upgrade)):
            for key in section.unread():
                value = section.any(key)
                if value not in (False, None):
                    section.note(key, OF_ACTIONS.get(key, "is no key of HelmRelease that is known here"))
        test = spec.section("test")
        if test is not None and test.flag("enable"):
            spec.note("test", WITHOUT["test"])
        return {"hooks": not (off["i"] and off["u"]), "crds": crds}

    def _after(self, spec: Section, others: set[str]) -> tuple[str, ...]:
        found = []
        for number, one in enumerate(spec.sections("dependsOn")):
            name = one.text("name")
            if name in others:
                found.append(name)
            else:
                message = (
                    f"waits for the HelmRelease {name}, which is not in this tarball; say its app in dependent_apps"
                )
                self._findings.note(message, spec.place("dependsOn", number))
        return tuple(dict.fromkeys(found))

    def _values(self, folder: Folder, spec: Section) -> dict[str, Any]:
        """As Flux lays them over each other: those of the files in their order, then those of the release itself."""
        files = self._secrets(folder)
        layers = [self._layer(spec, number, one, files) for number, one in enumerate(spec.sections("valuesFrom"))]
        own = spec.section("values")
        return merged(*layers, dict(spec.any("values") or {}) if own else {})

    def _layer(
        self, spec: Section, number: int, source: Section, files: Mapping[tuple[str, str], str]
    ) -> Mapping[str, Any]:
        name, key = source.text("name") or "", source.text("valuesKey") or "values.yaml"
        file, place = files.get((name, key)), spec.place("valuesFrom", number)
        if source.text("targetPath"):
            message = "a single value is not put anywhere; write it into a file of values"
            source.blame("targetPath", message, code="unsupported_key")
        elif file is None:
            message = f"the values of {name} ({key}) lie in no file of the tarball; give them as overrides"
            self._findings.note(message, place)
        elif file not in self._texts:
            self._findings.blame("missing_file", place, f"the tarball does not hold {file}")
        else:
            return self._read_values(file)
        return {}

    def _read_values(self, file: str) -> Mapping[str, Any]:
        self._used.add(file)
        found = [document.value for document in self._documents(file) if document.value is not None]
        if not found:
            return {}
        if len(found) == 1 and isinstance(found[0], dict):
            return found[0]
        self._findings.blame("bad_values", file, "must be one mapping of values")
        return {}

    def _secrets(self, folder: Folder) -> dict[tuple[str, str], str]:
        """The files of secrets and maps that the kustomization of a chart makes, by their names and keys."""
        found = {}
        makers = [
            *folder.kustomization.sections("secretGenerator"),
            *folder.kustomization.sections("configMapGenerator"),
        ]
        for maker in makers:
            name = maker.text("name") or ""
            for entry in maker.names("files"):
                key, _, path = entry.rpartition("=")
                found[name, key or PurePosixPath(path).name] = str(PurePosixPath(folder.name, path))
        return found

    def _note_base(self) -> None:
        """Of the base only the namespace has a meaning here, and that is made by itself."""
        for file in sorted(name for name in self._texts if name.startswith(f"{BASE}/")):
            self._used.add(file)
            for document in self._documents(file):
                kind = document.value.get("kind") if isinstance(document.value, dict) else None
                if kind not in (None, "Namespace", "HelmRepository", "Kustomization"):
                    self._findings.note(f"objects beside charts are not deployed: {kind}", f"{file}:{document.line}")

    def _note_rest(self) -> None:
        why = {"helmrelease_cleanup.yaml": "what a release lacks is removed by every update to it"}
        for file in sorted(self._texts.keys() - self._used):
            name = PurePosixPath(file).name
            if file.startswith(f"{ROOT}/"):
                self._findings.note(why.get(name, "is named by nothing, so nothing is taken from it"), file)
