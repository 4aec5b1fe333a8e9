"""The spec of a component of the driver `process`."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from shared.components import Spec
from shared.components.content import Content, Package, files_under
from shared.components.fields import BundleFile, RelativePath, only_placeholders
from shared.messages.base import Model

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

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

    values_field: ClassVar[str | None] = "environment"
    secret_values: ClassVar[bool] = True
    secrets_seen: ClassVar[str] = "the user of the deployer, and root of its host, read the environment of a process"
    ready_field: ClassVar[str | None] = "health.start_seconds"

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

    def content(self, folder: Path) -> Sequence[Content]:
        """The wheels that it is installed from, their lock, and what its data begins with; where it may read any file
        of the bundle, all of them."""
        wheels = (f"wheels/{wheel}" for wheel in wheels_locked_by(folder / self.requirements, folder / "wheels"))
        names = [self.requirements, *sorted(wheels), *sorted(set(self.seed.values()))]
        if self.reads_bundle:
            names += sorted(path.name for path in folder.iterdir() if path.name != "wheels")
        return [Package(name) for name in files_under(folder, names)]

    @property
    def reads_bundle(self) -> bool:
        """Whether it is started from the bundle, or told where that lies."""
        words = (*self.command, *self.environment.values())
        return "/" in self.command[0] or any("{release}" in word for word in words)


def wheels_locked_by(requirements: Path, wheels: Path) -> Iterator[str]:
    """Names of the wheels in a folder that have a hash of a requirements file."""
    locked = set(_HASH.findall(requirements.read_text("utf-8-sig")))
    for wheel in wheels.glob("*.whl"):
        with wheel.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() in locked:
                yield wheel.name
