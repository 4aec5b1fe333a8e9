"""What a bundle says of itself: the `bundle.yaml` inside it, written by people, read by every service."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shared import versions
from shared.messages.base import Model
from shared.messages.opening import ClosedInCommands
from shared.messages.words import Name, SiteName, Text, Version

PLACEHOLDERS = ("port", "data", "release", "site")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def _inside(path: str) -> str:
    plain = PurePosixPath(path)
    if path.startswith("/") or ".." in plain.parts or "\\" in path or str(plain) != path or not path.isprintable():
        raise ValueError("must be a plain relative path: without '..', '.', backslashes and a slash at either end")
    return path


def _present(path: str, info: ValidationInfo) -> str:
    """Known only where a whole bundle is checked: the context then names its files."""
    if path not in (info.context or {}).get("files", (path,)):
        raise PydanticCustomError("missing_file", "the bundle holds no file of this name")
    return path


def _known_placeholders(text: str) -> str:
    if unknown := [name for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS]:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"{{{unknown[0]}}} is never filled in; known: {known}")
    return text


RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
"""A path that stays inside: never absolute, never upwards."""

BundleFile = Annotated[RelativePath, AfterValidator(_present)]
"""A file of the bundle."""

Filled = Annotated[str, Field(max_length=2_000), AfterValidator(_known_placeholders)]
"""Text in which {port}, {data}, {release} and {site} are filled in."""

Range = Annotated[str, StringConstraints(min_length=1, max_length=200)]


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


class ProcessComponent(Model):
    """A supervised process, installed from wheels into its own directory, serving HTTP on the site's port."""

    driver: Literal["process"] = "process"
    name: Name
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


Duration = Annotated[float, Field(ge=0, le=24 * 3600)]


class SimulatedComponent(Model):
    """A device that only pretends: for tests, benches and capacity planning."""

    driver: Literal["simulated"] = "simulated"
    name: Name
    seconds: tuple[Duration, Duration] = Field(default=(0, 0), description="shortest and longest time an effect takes")
    fail: float = Field(default=0, ge=0, le=1, description="chance that the effect fails")
    hang: float = Field(default=0, ge=0, le=1, description="chance that the effect never ends")
    crash: float = Field(default=0, ge=0, le=1, description="chance that the device dies half-way")
    seed: int = Field(default=0, description="same seed, site and operation: same fate")
    sites: dict[SiteName, ClosedInCommands[Literal["succeed", "fail", "hang", "crash"]]] = Field(
        default_factory=dict, description="fate by rule, before chance"
    )

    @model_validator(mode="after")
    def _shortest_first(self) -> Self:
        if self.seconds[0] > self.seconds[1]:
            raise ValueError("seconds: the shortest time comes first, then the longest")
        return self


Component = Annotated[ProcessComponent | SimulatedComponent, Field(discriminator="driver")]


_PLATFORM = re.compile(r"(?:manylinux_2_\d{1,2}|musllinux_1_\d{1,2}|linux)_[a-z0-9_]{2,20}")


class Requires(Model):
    """On which hosts the wheels of a release can be installed. What is left open is as on the hosts that there are."""

    python: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="range of Pythons as PEP 440 writes it, such as >=3.11,<3.14"
    )
    platforms: tuple[Annotated[str, Field(max_length=60)], ...] = Field(
        default=(),
        max_length=20,
        description="platform tags of wheels, such as manylinux_2_28_x86_64: this libc or a newer one",
    )

    @field_validator("python")
    @classmethod
    def _a_range(cls, text: str | None) -> str | None:
        if text is not None and not versions.is_valid_range("pep440", text):
            raise ValueError("must be a range of versions as PEP 440 writes it, such as >=3.11,<3.14")
        return text

    @field_validator("platforms")
    @classmethod
    def _platforms(cls, platforms: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [text for text in platforms if not _PLATFORM.fullmatch(text)]:
            right = "manylinux_2_28_x86_64, musllinux_1_2_aarch64 or linux_x86_64 (which means manylinux_2_17)"
            raise ValueError(f"must be platform tags such as {right}, but not: {', '.join(wrong)}")
        return platforms


class Manifest(Model):
    """The metadata of a release."""

    app: Name
    scheme: versions.Scheme = Field(default="pep440", description="how versions of this app compare")
    version: Version
    description: Text = ""
    upgrades_from: tuple[Range, ...] | None = Field(
        default=None,
        max_length=100,
        description="version ranges that may be upgraded to this; null = any, empty = none",
    )
    requires: Requires = Requires()
    components: tuple[Component, ...] = Field(min_length=1, max_length=100)
    annotations: dict[str, Any] = Field(default_factory=dict, description="for people and tools; Belay ignores it")

    @field_validator("version")
    @classmethod
    def _of_the_scheme(cls, version: str, info: ValidationInfo) -> str:
        scheme = info.data.get("scheme")
        if scheme and not versions.is_valid_version(scheme, version):
            raise ValueError(f"must be a version as {scheme} defines it, such as 1.2.0")
        return version

    @field_validator("upgrades_from")
    @classmethod
    def _ranges_of_the_scheme(cls, ranges: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        scheme = info.data.get("scheme")
        wrong = [text for text in ranges or () if scheme and not versions.is_valid_range(scheme, text)]
        if wrong:
            raise ValueError(f"must be ranges of {scheme} such as '>=1.0.0,<2.0.0', but not: {', '.join(wrong)}")
        return ranges

    @field_validator("components")
    @classmethod
    def _names_differ(cls, components: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [component.name for component in components]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"component names must differ, but these stand more than once: {', '.join(twice)}")
        return components
