"""What a bundle says of itself: the `bundle.yaml` inside it, written by people, read by every service."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from shared.messages.base import Model
from shared.messages.words import Name, Text, Version


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in PurePosixPath(path).parts or "\\" in path:
        raise ValueError("must be a path inside the bundle: not absolute, without '..' and backslashes")
    return path


RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
"""A path inside the bundle: never absolute, never upwards."""


class Health(Model):
    """How a process proves that it is well: by answering over HTTP, with the version it is expected to be."""

    path: str = Field(default="/", pattern="^/", description="asked with GET; any 2xx is well")
    version_path: str | None = Field(default=None, pattern="^/", description="answers JSON that holds the version")
    version_pointer: str = Field(default="/version", description="JSON pointer to the version in that answer")
    version: str | None = Field(default=None, description="what must stand there; null = the release's version")
    start_seconds: float = Field(default=30, gt=0, le=3600, description="time to become healthy after a start")
    stable_seconds: float = Field(default=1, ge=0, le=600, description="must stay healthy for so long")


class ProcessComponent(Model):
    """A supervised process, installed from wheels into its own directory, serving HTTP on the site's port."""

    driver: Literal["process"] = "process"
    name: Name
    requirements: RelativePath = Field(description="requirements file with hashes; its wheels lie under wheels/")
    command: tuple[str, ...] = Field(
        min_length=1, description="argv; {port}, {data}, {release}, {site} are filled in; argv[0] is looked for in bin/"
    )
    environment: dict[str, str] = Field(default_factory=dict)
    seed: dict[str, RelativePath] = Field(
        default_factory=dict, description="file in the data folder -> file of the bundle; copied when absent"
    )
    health: Health = Health()
    stop_seconds: float = Field(default=10, gt=0, le=600, description="from SIGTERM to SIGKILL")


class SimulatedComponent(Model):
    """A device that only pretends: for tests, benches and capacity planning."""

    driver: Literal["simulated"] = "simulated"
    name: Name
    seconds: tuple[float, float] = Field(default=(0, 0), description="shortest and longest time an effect takes")
    fail: float = Field(default=0, ge=0, le=1, description="chance that the effect fails")
    hang: float = Field(default=0, ge=0, le=1, description="chance that the effect never ends")
    crash: float = Field(default=0, ge=0, le=1, description="chance that the device dies half-way")
    seed: int = Field(default=0, description="same seed, site and operation: same fate")
    sites: dict[Name, Literal["succeed", "fail", "hang", "crash"]] = Field(
        default_factory=dict, description="fate by rule, before chance"
    )


Component = Annotated[ProcessComponent | SimulatedComponent, Field(discriminator="driver")]


class Manifest(Model):
    """The metadata of a release."""

    app: Name
    version: Version
    scheme: Literal["pep440", "semver"] = "pep440"
    description: Text = ""
    upgrades_from: tuple[str, ...] | None = Field(
        default=None, description="version ranges that may be upgraded to this; null = any, empty = none"
    )
    components: tuple[Component, ...] = Field(min_length=1, max_length=100)
    annotations: dict[str, Any] = Field(default_factory=dict, description="for people and tools; Belay ignores it")

    @field_validator("components")
    @classmethod
    def _names_differ(cls, components: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [component.name for component in components]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"component names must differ, but these stand more than once: {', '.join(twice)}")
        return components
