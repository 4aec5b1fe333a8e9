"""The spec of a component of the driver `helm`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from shared.components import ContentFault, Looked, Spec, helm_check
from shared.components.content import Content, Note, Package, RegistryFile, files_under
from shared.components.fields import BundleFile
from shared.messages.base import Model

_REFERENCE = re.compile(r"oci://[a-z0-9][a-z0-9.-]*(:\d{1,5})?(/[a-z0-9][a-z0-9._-]*)+@sha256:[0-9a-f]{64}")
"""Only by digest: what a tag stands for may be another chart on every site."""

CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
"""What the one layer of a chart in a registry is."""

NO_IMAGES = Note("a chart names its images when it is rendered: nodes of each site pull them right before an update")

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"


def _chart(chart: str, info: ValidationInfo) -> str:
    if chart.startswith("oci:"):
        if not _REFERENCE.fullmatch(chart):
            raise ValueError(
                "must be oci://REGISTRY/REPOSITORY@sha256:DIGEST: a tag may stand for another chart tomorrow"
            )
        return chart
    name = chart if chart.endswith((".tgz", ".tar.gz")) else f"{chart}/Chart.yaml"
    if name not in (info.context or {}).get("files", (name,)):
        raise PydanticCustomError("missing_file", "the bundle holds no chart here: there is no {name}", {"name": name})
    return _inside(chart)


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in PurePosixPath(path).parts or str(PurePosixPath(path)) != path:
        raise ValueError("must be a plain path inside of the bundle, or oci://REGISTRY/REPOSITORY@sha256:DIGEST")
    return path


Chart = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_chart)]
"""A chart: a folder or a .tgz of the bundle, or one in an OCI registry by its digest."""

Namespace = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}$", max_length=63)]
ReleaseName = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=53)]
WorkloadName = Annotated[
    str, StringConstraints(pattern=rf"^(deployment|statefulset|daemonset|job)/{_LABEL}(\.{_LABEL})*$", max_length=270)
]
"""Such as `deployment/web`."""

Seconds = Annotated[float, Field(gt=0, le=24 * 3600)]


class Rollout(Model):
    """When what was deployed counts as up."""

    seconds: Seconds = Field(default=300, description="time for all workloads to become ready after the change")
    stable_seconds: float = Field(default=0, ge=0, le=3600, description="must stay ready for so long")
    workloads: tuple[WorkloadName, ...] = Field(
        default=(), max_length=100, description="must be among what the chart renders: deployment/web, job/migrate"
    )


class ByLabel(Model):
    """The version is a label of a workload's pods."""

    workload: WorkloadName
    label: str = Field(default="app.kubernetes.io/version", min_length=1, max_length=317)


class ByHttp(Model):
    """The version is asked of a service, through the API server's proxy."""

    service: str = Field(min_length=1, max_length=63, pattern=rf"^{_LABEL}$")
    port: int | str = Field(description="number or name of the service's port")
    scheme: Literal["http", "https"] = "http"
    path: str = Field(default="/version", pattern="^/")
    pointer: str = Field(default="/version", pattern="^(/.*)?$", description="JSON pointer to the version")


LabelKey = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]


class Deletion(Model):
    """Objects of one kind in the namespace of the release, by their labels, all of which must fit."""

    kind: Literal["job", "pod", "cronjob"]
    labels: dict[LabelKey, LabelValue] = Field(min_length=1, max_length=20)


class VersionCheck(Model):
    """How the deployed thing says which version it is: by a label of its pods, or by HTTP."""

    label: ByLabel | None = None
    http: ByHttp | None = None
    expected: str | None = Field(default=None, description="what must be there; null = the release's version")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.label is None) == (self.http is None):
            raise ValueError("needs one of `label` and `http`")
        return self


ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*/[^/\s]+$", max_length=320)]
"""Such as `mutatingwebhookconfiguration/web`: the kind in small letters, and the name."""

FieldPath = Annotated[str, StringConstraints(pattern=r"^[^\s.\[]+(\.[^.\[]+|\[[0-9]+\])*$", max_length=500)]
"""Such as `webhooks[0].clientConfig.caBundle`, as differences are told; all below it is meant, too."""


def _nothing(value: Mapping[str, object]) -> bool:
    """Specs that say nothing of it are written, and compared, as before there was such a field."""
    return not value


def _ahead(images: str) -> bool:
    """The same."""
    return images == "ahead"


class HelmSpec(Spec):
    """A release of Helm: a chart with values, in a namespace."""

    values_field: ClassVar[str | None] = "values"
    ready_field: ClassVar[str | None] = "rollout.seconds"
    ready_most: ClassVar[int] = 24 * 3600
    namespace_field: ClassVar[str | None] = "namespace"
    nulls_travel: ClassVar[bool] = True
    secret_values: ClassVar[bool] = True

    chart: Chart = Field(description="folder or .tgz of the bundle, or oci://REGISTRY/REPOSITORY@sha256:DIGEST")
    namespace: Namespace = Field(description="the site's namespace prefix is put before it")
    create_namespace: bool = True
    release: ReleaseName | None = Field(default=None, description="name of the release; null = <app>-<component>")
    values: dict[str, JsonValue] = Field(default_factory=dict, description="over those of values_files")
    values_files: tuple[BundleFile, ...] = Field(default=(), max_length=20, description="YAML; later ones win")
    hooks: bool = Field(default=True, description="false: the chart's hooks are not run")
    crds: bool = Field(default=True, description="false: custom resource definitions of the chart are not installed")
    history: int = Field(default=10, ge=2, le=1000, description="revisions that Helm keeps; older ones are gone")
    helm_seconds: Seconds = Field(default=300, description="time for Helm itself: what it sends, and each hook")
    before_upgrade: tuple[Deletion, ...] = Field(
        default=(), max_length=100, description="what is deleted before an upgrade, as jobs that cannot be changed"
    )
    rollout: Rollout = Rollout()
    images: Literal["ahead", "require", "never"] = Field(
        default="ahead",
        description="nodes pull images before an update begins: ahead, where they can; require, or it does not begin",
        exclude_if=_ahead,
    )
    left_alone: dict[ObjectName, tuple[FieldPath, ...]] = Field(
        default_factory=dict,
        max_length=100,
        description="object (`configmap/web`) -> fields of it that others set: where they differ it is no drift",
        exclude_if=_nothing,
    )
    version: VersionCheck | None = None

    @property
    def made_of(self) -> tuple[str, ...] | None:
        """Its chart and its values; not known where the release's own version is to be found in what it deploys."""
        if self.version is not None and self.version.expected is None:
            return None
        return self.values_files if self.in_registry else (self.chart, *self.values_files)

    @property
    def reads_content(self) -> bool:
        return not self.in_registry or bool(self.values_files)

    def faults_in(self, folder: Path) -> Iterable[ContentFault]:
        """What is wrong with the chart and the values files."""
        return self.looked_into(folder).faults

    def looked_into(self, folder: Path) -> Looked:
        """The same, and the images that the chart names when it is rendered."""
        return helm_check.look(self, folder)

    def content(self, folder: Path) -> Sequence[Content]:
        """The chart and its values files. Images are no part of a chart."""
        names = self.values_files if self.in_registry else (self.chart, *self.values_files)
        chart = [RegistryFile(self.chart, CHART)] if self.in_registry else []
        return [*chart, *map(Package, files_under(folder, names)), NO_IMAGES]

    @property
    def in_registry(self) -> bool:
        """Whether the chart is none of the bundle's."""
        return self.chart.startswith("oci://")
