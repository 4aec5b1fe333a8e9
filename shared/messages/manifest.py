"""What a bundle says of itself: the `bundle.yaml` inside it, written by people, read by every service."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from shared import versions
from shared.messages.base import Model
from shared.messages.rules import Rules, Seconds
from shared.messages.words import Name, Sha256, Text, Version

Range = Annotated[str, StringConstraints(min_length=1, max_length=200)]

MOST_COMPONENTS = 100
MOST_IMAGES = 1_000
MOST_NOTICES = 100


class Component(Model):
    """A part of a release that one driver deploys. Only its driver knows what `spec` may hold (shared/components)."""

    driver: Name = Field(description="what brings it onto sites; the words are those of the drivers installed")
    name: Name
    after: tuple[Name, ...] = Field(
        default=(), max_length=MOST_COMPONENTS, description="components that are deployed before this one"
    )
    enabled: bool = Field(default=True, description="false: it is deployed only where overrides switch it on")
    timeout_seconds: Seconds | None = Field(
        default=None, description="time until it is ready; null = as its driver or its spec says"
    )
    files_sha256: Sha256 | None = Field(
        default=None,
        description="found at publication: of all files that it is made of; null = it stands and falls with the bundle",
    )
    spec: dict[str, Any] = Field(default_factory=dict, description="what the driver must know of it")

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, data: Any) -> Any:
        return nested(data)


def nested(component: Any) -> Any:
    """The same component in today's form: until 0.1 the fields of the spec stood beside driver and name.

    So `timeout_seconds` without a `spec` is the driver's.
    """
    if not isinstance(component, Mapping) or "spec" in component:
        return component
    own = {name: value for name, value in component.items() if name in _OWN}
    return {**own, "spec": {name: value for name, value in component.items() if name not in own}}


_OWN = ("driver", "name", "after", "enabled")

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


class Named(Model):
    """Which release it is."""

    app: Name
    scheme: versions.Scheme = Field(default="pep440", description="how versions of this app compare")
    version: Version

    @field_validator("version")
    @classmethod
    def _of_the_scheme(cls, version: str, info: ValidationInfo) -> str:
        scheme = info.data.get("scheme")
        if scheme and not versions.is_valid_version(scheme, version):
            raise ValueError(f"must be a version as {scheme} defines it, such as 1.2.0")
        return version


class Manifest(Named, Rules):
    """The metadata of a release."""

    description: Text = ""
    upgrades_from: tuple[Range, ...] | None = Field(
        default=None,
        max_length=100,
        description="version ranges that may be upgraded to this; null = any, empty = none",
    )
    requires: Requires = Requires()
    components: tuple[Component, ...] = Field(min_length=1, max_length=MOST_COMPONENTS)
    max_parallel_components: int | None = Field(
        default=None, ge=1, le=MOST_COMPONENTS, description="components of one site that change at once; null = all"
    )
    annotations: dict[str, Any] = Field(default_factory=dict, description="for people and tools; Belay ignores it")

    @property
    def rules(self) -> Rules:
        """What it says beside what is deployed."""
        return Rules.model_validate({name: getattr(self, name) for name in Rules.model_fields})

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
    def _names_differ(cls, components: tuple[Component, ...]) -> tuple[Component, ...]:
        names = [component.name for component in components]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"component names must differ, but these stand more than once: {', '.join(twice)}")
        return components


class Verified(Manifest):
    """A manifest whose bundle was looked into."""

    places: dict[str, str] = Field(
        default_factory=dict, exclude=True, description="file and line of the bundle that say a field, by its name"
    )
    images: tuple[str, ...] = Field(default=(), max_length=MOST_IMAGES, description="that its components name")
    notices: tuple[str, ...] = Field(
        default=(), max_length=MOST_NOTICES, description="what the bundle says that has no meaning here, each with why"
    )
    signed: Any = Field(default=None, exclude=True, description="its list of checksums with the signatures under it")
