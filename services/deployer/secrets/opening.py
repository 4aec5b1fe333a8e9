"""Orders get the values of the secrets that their connections name: in memory only, when a driver is to have them.

An order that got its values keeps them: when a secret is set again, orders that were begun go on with the value of
then, and the next get the new one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from pydantic import SecretStr, ValidationError

from services.deployer.drivers import Broken, Component, Order
from services.deployer.overrides.fitting import opened as with_secrets
from services.deployer.overrides.fitting import secrets_of
from services.deployer.secrets import store
from services.deployer.secrets.rotation import NO_SECRETS, Kept, Versions, oldest, reaching, versions_of
from services.deployer.secrets.values import longest_first, looks_of
from shared.process.db import Pool
from shared.sealing import KeyPair, Unopenable
from shared.secret_references import Reference, filled, references
from shared.values.paths import Path, written


@dataclass(frozen=True, slots=True)
class Opened:
    """An order with the values in its connection, each a `SecretStr`, and what these look like where one is printed."""

    order: Order
    looks: tuple[str, ...] = field(default=(), repr=False)
    versions: Versions = NO_SECRETS
    """Of the secrets that come to lie in what is deployed."""


@dataclass(frozen=True, slots=True)
class OpenedConnection:
    """A connection with the values in it, and what these look like where one is printed."""

    connection: Mapping[str, Any]
    looks: tuple[str, ...] = field(default=(), repr=False)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    """Which versions of its secrets these are."""


class Value(NamedTuple):
    """A secret that was looked up; no value where it could not be opened."""

    opened: SecretStr | None
    kept: Kept


Values = Mapping[str, Value]

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
        reached = [
            one if isinstance(one, Broken) else _reached(order, one) for order, one in zip(orders, opened, strict=True)
        ]
        return await self._with_values(reached) if any(order.component.sealed for order in orders) else reached

    async def _with_values(self, reached: Sequence[Opened | Broken]) -> list[Opened | Broken]:
        """The same, with the secrets that the values of components name."""
        sealed = [each for each in reached if isinstance(each, Opened) and each.order.component.sealed]
        secrets = await self._looked_up({name for each in sealed for _, name in _named_in(each.order.component)})
        return [each if isinstance(each, Broken) else _with_values(each, secrets) for each in reached]

    async def open_connections(self, connections: Sequence[Named]) -> list[OpenedConnection | Broken]:
        """The same for connections alone, each with the name of its driver."""
        found = [references(connection) for _, connection in connections]
        if not any(found):
            return [OpenedConnection(connection) for _, connection in connections]
        values = await self._looked_up({each.name for named in found for each in named if each.sound})
        put = partial(_put, values)
        return [
            put(driver, connection, named) if named else OpenedConnection(connection)
            for (driver, connection), named in zip(connections, found, strict=True)
        ]

    async def _looked_up(self, names: Collection[str]) -> Values:
        """By name, those that are there."""
        async with self._pool.acquire() as conn:
            found = await store.find_sealed(conn, names)
        return {name: Value(self._opened(each.sealed), each.kept) for name, each in found.items()}

    def _opened(self, sealed: str) -> SecretStr | None:
        try:
            return SecretStr(self._keys.open(sealed).decode())
        except (Unopenable, UnicodeDecodeError):
            return None


def _reached(order: Order, by: OpenedConnection) -> Opened:
    if by.connection is order.connection:
        return Opened(order, by.looks)
    versions = versions_of(reaching(order.component, order.connection), by.kept)
    return Opened(replace(order, connection=by.connection), by.looks, versions)


def _put(
    values: Values, driver: str, connection: Mapping[str, Any], named: Sequence[Reference]
) -> OpenedConnection | Broken:
    for reference in named:
        where = f"its connection `{driver}` names the secret '{reference.name}' in `{reference.path}`"
        if not reference.sound or reference.name not in values:
            return Broken("unknown_secret", f"{where}, and there is none; set it, or change the site")
        if values[reference.name].opened is None:
            message = f"{where}, which was sealed for another key pair than this deployer has; set it again"
            return Broken("unreadable_secret", message)
    own = {each.name: value for each in named if (value := values[each.name].opened)}
    looks = looks_of(value.get_secret_value() for value in own.values())
    return OpenedConnection(filled(connection, own), looks, {name: values[name].kept for name in own})


def _named_in(component: Component) -> list[tuple[Path, str]]:
    return secrets_of(component.driver, component.sealed) if component.sealed else []


def _with_values(opened: Opened, secrets: Values) -> Opened | Broken:
    component = opened.order.component
    if component.sealed is None:
        return opened
    own: dict[str, str] = {}
    for path, name in _named_in(component):
        value = secrets[name].opened if name in secrets else None
        if value is None:
            known = "which was sealed for another key pair" if name in secrets else "and there is none"
            where = f"the overrides of `{component.name}` name the secret '{name}' in `{written(path)}`, {known}"
            code = "unreadable_secret" if name in secrets else "unknown_secret"
            return Broken(code, f"{where}; set it, or change the overrides")
        own[name] = value.get_secret_value()
    try:
        spec = with_secrets(component.driver, component.sealed, own)
    except ValidationError as error:  # its texts may hold the value
        fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors(include_input=False))
        return Broken("overrides_invalid", f"`{component.name}` takes no such secret in: {fields[:500]}")
    order = replace(opened.order, component=replace(component, spec=spec, sealed=None, named=component.sealed))
    versions = versions_of(own, {name: secrets[name].kept for name in own})
    looks = longest_first({*opened.looks, *looks_of(own.values())})
    return Opened(order, looks, oldest([opened.versions, versions]))
