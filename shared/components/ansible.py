"""The spec of a component of the driver `ansible`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from shared.components import ContentFault, Spec, ansible_check
from shared.components.content import Content, Note, Package, files_under
from shared.components.fields import BundleFile, BundleFolder, BundlePath
from shared.messages.base import Model

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
"""The name of a variable, as Ansible takes it."""

NO_FILES = Note("names no `files`: what its playbooks fetch by themselves is not known")

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
"""A tag or a step."""


class Playbooks(Model):
    """The playbook of each verb, a file of the bundle."""

    apply: BundleFile = Field(description="brings the component to this release, from whatever is there")
    remove: BundleFile = Field(description="takes the component away; its data it should keep")
    fetch: BundleFile | None = Field(
        default=None, description="brings to the hosts what apply would otherwise load; changes nothing that runs"
    )
    verify: BundleFile | None = Field(
        default=None, description="fails where the component is not healthy, or of another version; changes nothing"
    )
    rollback: BundleFile | None = Field(
        default=None, description="brings the component back to this release; without it apply does"
    )
    tasks: dict[Word, BundleFile] = Field(default_factory=dict, description="step -> playbook, run in this sequence")

    def named(self) -> dict[str, tuple[str, ...]]:
        """Every playbook once, with the fields of the spec that name it."""
        verbs = ("fetch", "apply", "verify", "rollback", "remove")
        fields: dict[tuple[str, ...], str | None] = {(name,): getattr(self, name) for name in verbs}
        fields |= {("tasks", step): file for step, file in self.tasks.items()}
        found: dict[str, tuple[str, ...]] = {}
        for field, file in fields.items():
            if file:
                found.setdefault(file, ("playbooks", *field))
        return found


class AnsibleSpec(Spec):
    """Playbooks that the bundle brings, with their roles and collections, run on the hosts of a site."""

    values_field: ClassVar[str | None] = "vars"
    secret_values: ClassVar[bool] = True
    ready_field: ClassVar[str | None] = "timeout_seconds"
    ready_most: ClassVar[int] = 7 * 86400

    playbooks: Playbooks
    roles: tuple[BundleFolder, ...] = Field(default=(), description="folders of the bundle that hold roles")
    collections: tuple[BundleFolder, ...] = Field(
        default=(), description="folders of the bundle that hold `ansible_collections`"
    )
    files: tuple[BundlePath, ...] = Field(
        default=(),
        max_length=1_000,
        description="files and folders of the bundle that are to lie on the hosts before apply: these are prestaged",
    )
    vars: dict[Name, Any] = Field(default_factory=dict, description="extra vars, stronger than all others")
    tags: tuple[Word, ...] = Field(default=(), description="of apply, rollback and fetch: these tasks alone")
    skip_tags: tuple[Word, ...] = Field(default=(), description="of apply, rollback and fetch: not these tasks")
    check_idempotent: bool = Field(
        default=False, description="run apply (rollback) a second time, which must change nothing"
    )
    revision_facts: tuple[Name, ...] = Field(
        default=(), max_length=20, description="facts that playbooks set, kept in the revision that a rollback gets"
    )
    together: bool = Field(
        default=False,
        description="sites that begin together share a run: its playbooks must treat each host by itself",
    )
    timeout_seconds: int = Field(default=1800, ge=1, le=7 * 86400, description="a run is ended after so long")
    task_timeout_seconds: int = Field(
        default=0, ge=0, le=7 * 86400, description="a task that lasts longer on a host fails there; 0 = no limit"
    )

    @property
    def reads_content(self) -> bool:
        return True

    def faults_in(self, folder: Path) -> Iterable[ContentFault]:
        return ansible_check.faults_of(self, folder)

    def reached_by(self, path: str) -> bool:
        """By variables for its playbooks, of the site or of one of its hosts: what they make of these nobody knows."""
        first, *rest = path.split(".")
        return first == "vars" or (first == "hosts" and rest[1:2] == ["vars"])

    def content(self, folder: Path) -> Sequence[Content]:
        """What is to lie on the hosts. Playbooks, roles and collections are read where Ansible runs."""
        return [Package(name) for name in files_under(folder, self.files)] or [NO_FILES]

    @model_validator(mode="after")
    def _nothing_of_ours(self) -> Self:
        if taken := sorted(name for name in self.vars if name.startswith(("belay_", "ansible_"))):
            raise ValueError(
                f"vars: {', '.join(taken)}: names that begin with belay_ are set by the driver, "
                "and how a host is reached (ansible_…) is said by the connection of its site"
            )
        return self
