"""Where on a host the component of a site lives: the paths, and which connections lead to them.

hosts/<host>/installed/<bundle sha256>/{bundle, env-*}         releases, once for all sites of the host
hosts/<host>/orders/<digest of the key>.json                   what has become of each order
hosts/<host>/sites/<site, a colon as %3A: lists of paths are cut at colons>/<app>/<component>/
    data/  releases/<revision>/spec.json  current -> releases/<revision>  component.log
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, unquote

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from services.deployer.drivers import Order
from services.deployer.drivers.process.keeper.folder import Folder
from shared.messages.words import Name, SiteName


class BadConnection(ValueError):
    """The connection, or a name, cannot be used; the message names every fault."""


Port = Annotated[int, Field(ge=1, le=65535)]


class _Connection(BaseModel):
    """What a site must say to this driver; whatever stands beside it does not matter."""

    site: SiteName
    app: Name
    component: str
    host: Name = "local"
    ports: dict[str, Port] = Field(default_factory=dict)
    """By app, or app/component: two that run side by side cannot share the one of the site."""
    port: Annotated[Port | None, Field(validate_default=True)] = None

    @field_validator("port")
    @classmethod
    def _of_the_component(cls, port: int | None, info: ValidationInfo) -> int | None:
        app, ports = info.data.get("app", ""), info.data.get("ports")
        if ports is None:  # what is wrong with them is told
            return port
        found: int | None = ports.get(f"{app}/{info.data.get('component')}") or ports.get(app) or port
        if found is None:
            raise PydanticCustomError("missing", "Field required, or ports.{app}", {"app": app})
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """One component of one app on one site of one host."""

    host: Path
    site: str
    app: str
    component: str

    @property
    def folder(self) -> Folder:
        return Folder(self.host / "sites" / quote(self.site) / self.app / self.component)

    @property
    def releases(self) -> Path:
        return self.folder.root / "releases"

    @property
    def current(self) -> Path:
        return self.folder.root / "current"


def place_of(home: Path, order: Order) -> tuple[Place, int]:
    """The place of an order and the port of its component. Raises BadConnection with every fault."""
    try:
        named = {"site": order.site, "app": order.app, "component": order.component.name}
        connection = _Connection.model_validate({**order.connection, **named})
    except ValidationError as error:
        faults = (_sentence(fault["loc"], fault["msg"], fault["input"]) for fault in error.errors())
        raise BadConnection("; ".join(faults)) from None
    return Place(home / "hosts" / connection.host, order.site, order.app, order.component.name), connection.port or 0


def _sentence(where: tuple[int | str, ...], message: str, value: object) -> str:
    missing = value is None or isinstance(value, dict)
    name = ".".join(str(part) for part in where)
    return f"{name}: {message}" if missing else f"{name}: {message}, not {value!r}"


def places(home: Path) -> Iterator[Place]:
    """Every component that was ever put on a site under a home."""
    for folder in sorted((home.resolve() / "hosts").glob("*/sites/*/*/*")):
        if folder.is_dir():
            site, app, component = folder.parts[-3:]
            yield Place(folder.parents[3], unquote(site), app, component)
