"""Orders get the values of the secrets that their connections name: in memory only, when a driver is to have them.

An order that got its values keeps them: when a secret is set again, orders that were begun go on with the value of
then, and the next get the new one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pydantic import SecretStr

from services.deployer.drivers import Broken, Order
from services.deployer.secrets import store
from services.deployer.secrets.values import looks_of
from shared.process.db import Pool
from shared.sealing import KeyPair, Unopenable
from shared.secret_references import Reference, filled, references


@dataclass(frozen=True, slots=True)
class Opened:
    """An order with the values in its connection, each a `SecretStr`, and what these look like where one is printed."""

    order: Order
    looks: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class OpenedConnection:
    """A connection with the values in it, and what these look like where one is printed."""

    connection: Mapping[str, Any]
    looks: tuple[str, ...] = field(default=(), repr=False)


Named = tuple[str, Mapping[str, Any]]
"""A driver, and what it must know."""


class SecretOpener:
    """Opens what is sealed for the deployer. Keeps nothing."""

    def __init__(self, pool: Pool, keys: KeyPair) -> None:
        self._pool = pool
        self._keys = keys

    async def open(self, orders: Sequence[Order]) -> list[Opened | Broken]:
        """Each order as its driver gets it, or why a secret cannot be had; one query for all, none if none is named."""
        opened = await self.open_connections([(order.component.driver, order.connection) for order in orders])
        return [
            one if isinstance(one, Broken) else Opened(_reached_by(order, one.connection), one.looks)
            for order, one in zip(orders, opened, strict=True)
        ]

    async def open_connections(self, connections: Sequence[Named]) -> list[OpenedConnection | Broken]:
        """The same for connections alone, each with the name of its driver."""
        found = [references(connection) for _, connection in connections]
        if not any(found):
            return [OpenedConnection(connection) for _, connection in connections]
        values = await self._values({each.name for named in found for each in named if each.sound})
        put = partial(_put, values)
        return [
            put(driver, connection, named) if named else OpenedConnection(connection)
            for (driver, connection), named in zip(connections, found, strict=True)
        ]

    async def _values(self, names: Collection[str]) -> dict[str, SecretStr | None]:
        """By name, what could be opened; None where it could not."""
        async with self._pool.acquire() as conn:
            sealed = await store.find_sealed(conn, names)
        return {name: self._opened(box) for name, box in sealed.items()}

    def _opened(self, sealed: str) -> SecretStr | None:
        try:
            return SecretStr(self._keys.open(sealed).decode())
        except (Unopenable, UnicodeDecodeError):
            return None


def _reached_by(order: Order, connection: Mapping[str, Any]) -> Order:
    return order if connection is order.connection else replace(order, connection=connection)


def _put(
    values: Mapping[str, SecretStr | None], driver: str, connection: Mapping[str, Any], named: Sequence[Reference]
) -> OpenedConnection | Broken:
    for reference in named:
        where = f"its connection `{driver}` names the secret '{reference.name}' in `{reference.path}`"
        if not reference.sound or reference.name not in values:
            return Broken("unknown_secret", f"{where}, and there is none; set it, or change the site")
        if values[reference.name] is None:
            message = f"{where}, which was sealed for another key pair than this deployer has; set it again"
            return Broken("unreadable_secret", message)
    own = {each.name: value for each in named if (value := values[each.name])}
    looks = looks_of(value.get_secret_value() for value in own.values())
    return OpenedConnection(filled(connection, own), looks)
