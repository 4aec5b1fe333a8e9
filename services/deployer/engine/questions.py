"""What plans ask of the drivers: which recorded revisions are still there, and where nobody can say that now."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from services.deployer import plan
from services.deployer.domain import Operation
from services.deployer.drivers import Order
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.plan import Ground, Recorded
from services.deployer.secrets.opening import Opened, SecretOpener

ASKED_AGAIN = 2
"""A site that does not say is asked again so often before an operation is planned without its answer."""
PAUSE_SECONDS = 1.0

Toward = tuple[Operation, Ground, str | None]
"""An operation, what it stands on, and the version that its plan leads to."""


class Questions:
    """Asks for a batch of plans, one question a driver."""

    def __init__(self, registry: DriverRegistry, secrets: SecretOpener) -> None:
        self._registry = registry
        self._secrets = secrets

    async def ask(self, planned: Sequence[Toward], again: int = ASKED_AGAIN) -> list[tuple[Ground, list[Recorded]]]:
        """For each: the ground, with what nobody says, and those of its questions that are answered with yes."""
        asked = [plan.questions(o, g, version) for o, g, version in planned]
        orders = [question(o, g, r) for (o, g, _), records in zip(planned, asked, strict=True) for r in records]
        answers = iter(await self._answers(orders, again))
        said = [[(record, next(answers)) for record in records] for records in asked]
        return [
            (_knowing(g, each), [r for r, yes in each if yes]) for (_, g, _), each in zip(planned, said, strict=True)
        ]

    async def _answers(self, orders: Sequence[Order], again: int) -> list[bool | None]:
        """Of a site whose secret cannot be had nobody knows: its order will say what is missing."""
        opened = await self._secrets.open(orders) if orders else []
        sound = [each.order for each in opened if isinstance(each, Opened)]
        known: dict[str, bool | None] = {}
        while sound:
            known |= zip((order.key for order in sound), await self._registry.has_revision(sound), strict=True)
            sound = [order for order in sound if again and known[order.key] is None and self._asks_site(order)]
            again -= 1
            await asyncio.sleep(PAUSE_SECONDS if sound else 0)
        return [known.get(order.key) for order in orders]

    def _asks_site(self, order: Order) -> bool:
        """Only such plans are made beside all else, where a pause holds up nobody."""
        return self._registry.asks_sites(order.component.driver)


def _knowing(ground: Ground, said: Sequence[tuple[Recorded, bool | None]]) -> Ground:
    silent = frozenset(record for record, answer in said if answer is None)
    return replace(ground, silent=silent) if silent else ground


def question(operation: Operation, ground: Ground, record: Recorded) -> Order:
    """Not an order to be carried out: `has_revision` reads site, component and revision."""
    content = ground.recorded_in(record) or ground.contents[record.version]
    return Order(
        key=f"{operation.id}/question/{record.component}/{record.version}",
        site=ground.site.name,
        connection=ground.site.connections.get(record.driver, {}),
        app=operation.app,
        action="rollback",
        component=content.components[record.component],
        version=record.version,
        bundle_sha256=content.bundle_sha256,
        revision=record.revision,
    )
