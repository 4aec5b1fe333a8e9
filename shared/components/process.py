"""The spec of a component of the driver `process`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.components import Spec
from shared.components.fields import BundleFile, RelativePath, only_placeholders
from shared.messages.base import Model

PLACEHOLDERS = ("port", "data", "release", "site")


Filled = Annotated[str, Field(max_length=2_000), AfterValidator(only_placeholders(PLACEHOLDERS))]
"""Text in which {port}, {data}, {release} and {site} are filled in."""


class Health(Model):
    """How a process proves that it is well: by answering over HTTP, with the version it is expected to be."""

    path: str = Field(default="/", pattern="^/", description="asked with GET; any 2xx is well")
    version_path: str | None = Field(default=None, pattern="^/", description="answers JSON that holds the version")
    version_pointer: str = Field(
        default="/version", pattern="^(/.*)?$", description="JSON pointer to the version in that answer"
    )
    version: str | None = Field(default=None, description="what must stand there; null = the release's version")
    start_seconds: float = Field(default=30, gt=0, le=3600, description="time to become healthy after a start")
    stable_seconds: float = Field(default=1, ge=0, le=600, description="must stay healthy for so long")


class ProcessSpec(Spec):
    """A supervised process, installed from wheels into its own directory, serving HTTP on the site's port."""

    requirements: BundleFile = Field(description="requirements file with hashes; its wheels lie under wheels/")
    command: tuple[Filled, ...] = Field(
        min_length=1,
        max_length=100,
        description="argv; {port}, {data}, {release}, {site} are filled in; argv[0] is looked for in bin/",
    )
    environment: dict[str, Filled] = Field(default_factory=dict)
    seed: dict[RelativePath, BundleFile] = Field(
        default_factory=dict, description="file in the data folder -> file of the bundle; copied when absent"
    )
    health: Health = Health()
    stop_seconds: float = Field(default=10, gt=0, le=600, description="from SIGTERM to SIGKILL")

    @property
    def requirement_files(self) -> tuple[str, ...]:
        return (self.requirements,)
