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
from urllib.parse import quote, unquote

from pydantic import BaseModel, Field, ValidationError

from services.deployer.drivers import Order
from services.deployer.drivers.process.keeper.folder import Folder
from shared.messages.words import Name, SiteName


class BadConnection(ValueError):
    """The connection, or a name, cannot be used; the message names every fault."""


class _Connection(BaseModel):
    """What a site must say to this driver; whatever stands beside it does not matter."""

    site: SiteName
    app: Name
    host: Name = "local"
    port: int = Field(ge=1, le=65535)


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
    """The place of an order and the port of its site. Raises BadConnection with every fault."""
    try:
        connection = _Connection.model_validate({**order.connection, "site": order.site, "app": order.app})
    except ValidationError as error:
        faults = (_sentence(fault["loc"], fault["msg"], fault["input"]) for fault in error.errors())
        raise BadConnection("; ".join(faults)) from None
    return Place(home / "hosts" / connection.host, order.site, order.app, order.component.name), connection.port


def _sentence(where: tuple[int | str, ...], message: str, value: object) -> str:
    missing = isinstance(value, dict)
    name = ".".join(str(part) for part in where)
    return f"{name}: {message}" if missing else f"{name}: {message}, not {value!r}"


def places(home: Path) -> Iterator[Place]:
    """Every component that was ever put on a site under a home."""
    for folder in sorted((home.resolve() / "hosts").glob("*/sites/*/*/*")):
        if folder.is_dir():
            site, app, component = folder.parts[-3:]
            yield Place(folder.parents[3], unquote(site), app, component)
