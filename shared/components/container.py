"""The spec of a component of the driver `container`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.components import Spec
from shared.components.content import Content, ImageRef
from shared.components.fields import PLACEHOLDER, only_placeholders
from shared.components.images import PinnedImage
from shared.messages.base import Model

T = TypeVar("T")

PLACEHOLDERS = ("site", "app", "component", "version")


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the placeholders that `values` names filled in; anything else in braces stays."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


Filled = Annotated[str, Field(max_length=8_000), AfterValidator(only_placeholders(PLACEHOLDERS))]
"""Text in which {site}, {app}, {component} and {version} are filled in."""

Words = Annotated[tuple[Filled, ...], Field(min_length=1, max_length=100)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,200}$")]
PlainName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$")]
Absolute = Annotated[str, StringConstraints(pattern=r"^/[^:\x00]*$", max_length=1_000)]
Size = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,12}[kmg]?$")]
"""Bytes; k, m and g stand for powers of 1024."""


class Port(Model):
    """A port of the container, reached through one of the host."""

    container: int = Field(ge=1, le=65535)
    protocol: Literal["tcp", "udp"] = "tcp"
    host: int | None = Field(default=None, ge=1, le=65535, description="null = the site's connection says it (`ports`)")
    address: str = Field(default="0.0.0.0", max_length=45, description="address of the host to listen on")


class Volume(Model):
    """What lasts longer than a container: a named volume of this app on this site, or a folder of the host."""

    target: Absolute = Field(description="where it is found in the container")
    name: PlainName | None = Field(default=None, description="components of one app on a site share it by its name")
    folder: Absolute | None = Field(default=None, description="a folder of the host in place of a volume")
    external: bool = Field(default=False, description="the name is the engine's own: the volume is there already")
    read_only: bool = False
    shared: bool = Field(default=False, description="containers that are none of ours may write to it, too")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.name is None) == (self.folder is None):
            raise ValueError("either `name` (a named volume) or `folder` (a folder of the host), not both")
        if self.external and self.name is None:
            raise ValueError("`external` goes with `name`")
        return self


class Network(Model):
    """A network that the container joins."""

    name: PlainName
    aliases: tuple[PlainName, ...] = Field(default=(), description="empty = the name of the component")
    external: bool = Field(default=False, description="the name is the engine's own: the network is there already")


class Limits(Model):
    """How much of the host the container may use; null = as much as there is."""

    memory: Size | None = None
    cpus: float | None = Field(default=None, gt=0, le=1024)
    pids: int | None = Field(default=None, ge=1)


class Health(Model):
    """How a container proves that it is well. Without `command` the health check of its image counts."""

    command: Words | None = Field(default=None, description="argv, run in the container; 0 is well")
    version_command: Words | None = Field(default=None, description="argv, run once it is well; prints the version")
    version: Filled = Field(default="{version}", description="what must be printed there")
    interval_seconds: float = Field(default=2, ge=0.2, le=600)
    timeout_seconds: float = Field(default=10, gt=0, le=600)
    retries: int = Field(default=3, ge=1, le=100)
    start_seconds: float = Field(default=60, gt=0, le=3600, description="time to become healthy after a start")
    stable_seconds: float = Field(default=1, ge=0, le=600, description="must stay healthy for so long")


class Restart(Model):
    """What the engine does when the container ends by itself, once it was proven."""

    policy: Literal["no", "on-failure", "unless-stopped"] = "unless-stopped"
    most: int = Field(default=0, ge=0, description="on-failure: so many times; 0 = always")


class ContainerSpec(Spec):
    """A container of one image, replaced as a whole when anything of it changes."""

    values_field: ClassVar[str | None] = "environment"
    secret_values: ClassVar[bool] = True
    secrets_seen: ClassVar[str] = "whoever may ask its engine reads the environment of a container, secrets too"
    ready_field: ClassVar[str | None] = "health.start_seconds"
    image_fields: ClassVar[tuple[str, ...]] = ("image",)

    image: PinnedImage
    platform: str | None = Field(default=None, pattern=r"^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$", description="linux/arm64")
    pull: Literal["missing", "always", "never"] = "missing"
    entrypoint: Words | None = None
    command: Words | None = None
    environment: dict[Variable, Filled] = Field(default_factory=dict)
    site_environment: dict[Variable, str] = Field(
        default_factory=dict, description="variable -> key under `values` of the site's connection: secrets come so"
    )
    ports: tuple[Port, ...] = ()
    volumes: tuple[Volume, ...] = ()
    networks: tuple[Network, ...] = ()
    temporary: tuple[Absolute, ...] = Field(default=(), description="folders in memory")
    user: str | None = Field(default=None, max_length=200, description="uid, name, or either with :group")
    working_folder: Absolute | None = None
    hostname: PlainName | None = None
    read_only: bool = False
    init: bool = Field(default=False, description="a small init as the first process: passes on signals, reaps")
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    new_privileges: bool = Field(default=True, description="false: no program of it gains privileges by setuid")
    limits: Limits = Limits()
    health: Health = Health()
    restart: Restart = Restart()
    stop_seconds: int = Field(default=10, ge=1, le=600, description="from the signal to stop to SIGKILL")
    stop_signal: str | None = Field(default=None, pattern=r"^SIG[A-Z0-9+-]+$")
    beside: bool | None = Field(
        default=None,
        description="whether the new container may run beside the old one; null = where they share no host port and"
        " no volume that both write to",
    )
    remove_volumes: bool = Field(default=False, description="removing the component removes its named volumes, too")

    def reached_by(self, path: str) -> bool:
        """By the values of its site that its environment takes."""
        return path in {f"values.{key}" for key in self.site_environment.values()}

    def content(self, folder: Path) -> Sequence[Content]:  # noqa: ARG002 - the bundle holds nothing of it
        """Its image."""
        return [ImageRef(self.image, self.platform)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if twice := _twice([(port.container, port.protocol) for port in self.ports]):
            raise ValueError(f"ports: {twice[0]}/{twice[1]} is given twice")
        if target := _twice([*(volume.target for volume in self.volumes), *self.temporary]):
            raise ValueError(f"volumes and temporary: two are to be found at {target}")
        if network := _twice([network.name for network in self.networks]):
            raise ValueError(f"networks: {network} is given twice")
        if both := sorted(self.environment.keys() & self.site_environment.keys()):
            raise ValueError(f"{', '.join(both)} stands in environment and in site_environment")
        if self.beside and any(port.host for port in self.ports):
            raise ValueError("beside: two containers cannot hold one port of the host; leave it out")
        return self


def _twice(values: list[T]) -> T | None:
    return next((value for value in values if values.count(value) > 1), None)
