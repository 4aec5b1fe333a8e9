"""Orders get the values of the secrets that their connections name: in memory only, when a driver is to have them.

An order that got its values keeps them: when a secret is set again, orders that were begun go on with the value of
then, and the next get the new one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

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


class SecretOpener:
    """Opens what is sealed for the deployer. Keeps nothing."""

    def __init__(self, pool: Pool, keys: KeyPair) -> None:
        self._pool = pool
        self._keys = keys

    async def open(self, orders: Sequence[Order]) -> list[Opened | Broken]:
        """Each order as its driver gets it, or why a secret cannot be had; one query for all, none if none is named."""
        found = [references(order.connection) for order in orders]
        if not any(found):
            return [Opened(order) for order in orders]
        values = await self._values({each.name for named in found for each in named if each.sound})
        put = partial(_put, values)
        return [put(order, named) if named else Opened(order) for order, named in zip(orders, found, strict=True)]

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


def _put(values: Mapping[str, SecretStr | None], order: Order, named: Sequence[Reference]) -> Opened | Broken:
    for reference in named:
        where = f"its connection `{order.component.driver}` names the secret '{reference.name}' in `{reference.path}`"
        if not reference.sound or reference.name not in values:
            return Broken("unknown_secret", f"{where}, and there is none; set it, or change the site")
        if values[reference.name] is None:
            message = f"{where}, which was sealed for another key pair than this deployer has; set it again"
            return Broken("unreadable_secret", message)
    own = {each.name: value for each in named if (value := values[each.name])}
    looks = looks_of(value.get_secret_value() for value in own.values())
    return Opened(replace(order, connection=filled(order.connection, own)), looks)
