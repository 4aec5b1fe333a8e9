"""What helm is called with. Pure. Nothing secret is among the arguments: every user of a host can read them."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.deployer.drivers.helm.place import ORDER_LABEL, Place, mark_of
from shared.components.helm import HelmSpec

Arguments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    """Where helm finds what it must not get as arguments."""

    kubeconfig: str
    context: str
    values: str = ""

    @property
    def access(self) -> Arguments:
        return ("--kubeconfig", self.kubeconfig, "--kube-context", self.context)


def upgrade(place: Place, spec: HelmSpec, chart: str, values_files: Sequence[str], key: str, about: str) -> "Upgrade":
    """An upgrade to a chart, or an installation where there is none yet."""
    return Upgrade(place, spec, chart, tuple(values_files), key, about)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """`helm upgrade --install`. It returns as soon as all is sent; rollouts are watched by the driver."""

    place: Place
    spec: HelmSpec
    chart: str
    values_files: tuple[str, ...]
    key: str
    about: str

    def rendered(self, paths: Paths) -> Arguments:
        """Only what it would send, as JSON, with the cluster asked for what templates ask of it."""
        return (*self._arguments(paths), "--dry-run=server", "--hide-secret")

    def alone(self, paths: Paths, kubernetes: str, api_versions: Sequence[str]) -> Arguments:
        """The same as YAML, its hooks among the rest, without a cluster."""
        known = [word for each in api_versions for word in ("--api-versions", each)]
        return (
            "template", self.place.release, self.chart, "--namespace", self.place.namespace, *self._values(paths),
            "--kube-version", kubernetes, *known, *(() if self.spec.hooks else ("--no-hooks",)),
        )  # fmt: skip

    def sent(self, paths: Paths, *, wait: bool, overrule: bool) -> Arguments:
        """`wait`: for hooks that are to run after the rollout, helm itself must wait for it; `overrule`: as below."""
        return (*self._arguments(paths), *_manner(wait=wait, overrule=overrule))

    def _arguments(self, paths: Paths) -> Arguments:
        spec = self.spec
        return (
            "upgrade", self.place.release, self.chart, "--install", *paths.access, "--namespace", self.place.namespace,
            *(("--create-namespace",) if spec.create_namespace else ()), *self._values(paths),
            "--reset-values",
            "--labels", f"{ORDER_LABEL}={mark_of(self.key)}", "--description", self.about,
            "--history-max", str(spec.history), "--output", "json", *_switches(spec),
            *(() if spec.crds else ("--skip-crds",)),
        )  # fmt: skip

    def _values(self, paths: Paths) -> Arguments:
        return tuple(word for file in (*self.values_files, paths.values) for word in ("--values", file))


def rollback(place: Place, spec: HelmSpec, revision: str, paths: Paths, *, wait: bool, overrule: bool) -> Arguments:
    """Back to a revision, as a new one."""
    return (
        "rollback", place.release, revision, *paths.access, "--namespace", place.namespace,
        "--history-max", str(spec.history), *_switches(spec), *_manner(wait=wait, overrule=overrule),
    )  # fmt: skip


def uninstall(place: Place, spec: HelmSpec, paths: Paths) -> Arguments:
    """All of a release goes, with its history."""
    return (
        "uninstall", place.release, *paths.access, "--namespace", place.namespace, "--ignore-not-found",
        *_switches(spec),
    )  # fmt: skip


def definitions(chart: str) -> Arguments:
    """The custom resource definitions of a chart and of those that it depends on, as YAML."""
    return ("show", "crds", chart)


def pull(chart: str, folder: str, registry_config: str, *, plain_http: bool) -> Arguments:
    """A chart from an OCI registry into a folder."""
    plain = ("--plain-http",) if plain_http else ()
    return ("pull", chart, "--destination", folder, "--registry-config", registry_config, *plain)


def _manner(*, wait: bool, overrule: bool) -> Arguments:
    """`overrule`: fields that others have set since become Helm's again. Only where the API server applies what Helm
    sends, which would otherwise refuse them; helms before 4 do not know the word, and need none."""
    return (*(("--wait",) if wait else ()), *(("--force-conflicts",) if overrule else ()))


def _switches(spec: HelmSpec) -> Arguments:
    return ("--timeout", f"{spec.helm_seconds:g}s", *(() if spec.hooks else ("--no-hooks",)))
