"""A HelmRelease of Flux: which chart of the tarball it deploys, with which values, in which namespace and order."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .charts import FOLDER, Chart
from .sections import Section
from .small_files import SmallFiles
from .value_sources import ValueSources

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
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder that the top kustomization names, with a HelmRelease in it."""

    name: str
    kustomization: Section
    release: Section


def name_of(release: Section) -> str | None:
    """How a HelmRelease calls itself."""
    metadata = release.section("metadata")
    return metadata.text("name") if metadata else None


class HelmReleases:
    """Reads those of one tarball."""

    def __init__(self, small: SmallFiles) -> None:
        self._small = small

    def read(self, folder: Folder, outer: str | None, others: set[str]) -> Chart | None:
        """The chart of a HelmRelease; `outer`: the namespace that the top kustomization gives, `others`: all names."""
        release = folder.release
        name, spec = name_of(release), release.section("spec")
        if release.any("kind") != "HelmRelease":
            release.blame("kind", "must be HelmRelease")
        if name is None or spec is None:
            release.blame("spec" if name else "metadata", "is missing", code="missing_field")
            return None
        namespace = self._namespace(folder, spec, outer)
        file, place = self._file(spec)
        if file is None or namespace is None:
            return None
        return self._whole(folder, spec, name, namespace, file, place, others)

    def _namespace(self, folder: Folder, spec: Section, outer: str | None) -> str | None:
        metadata, own = folder.release.section("metadata"), folder.kustomization.text("namespace")
        if outer and own and outer != own:
            why = f"the namespace of the top kustomization wins, as kustomize has it: {outer}"
            folder.kustomization.note("namespace", why)
        said = metadata.text("namespace") if metadata else None
        namespace = spec.text("targetNamespace") or outer or own or said
        if namespace is None:
            spec.blame("targetNamespace", "no namespace is said, here or in a kustomization", code="missing_field")
        return namespace

    def _whole(
        self, folder: Folder, spec: Section, name: str, namespace: str, file: str, place: str, others: set[str]
    ) -> Chart:
        seconds = self._seconds(spec)
        values = ValueSources(self._small, folder.name, folder.kustomization).values(spec)
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
        having = sorted(file for file in self._small.files if own.fullmatch(file))
        if wanted in self._small.files or (version is None and len(having) == 1):
            return wanted or having[0], place
        known = ", ".join(having) or "no chart of this name"
        message = f"the tarball holds {known}" + ("" if version else ": say which version")
        self._small.findings.blame("missing_file", place, message, wanted or name)
        return None, place

    def _seconds(self, spec: Section) -> int | None:
        text = spec.text("timeout")
        if text is None:
            return None
        match = DURATION.fullmatch(text)
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
                self._small.findings.note(message, spec.place("dependsOn", number))
        return tuple(dict.fromkeys(found))
