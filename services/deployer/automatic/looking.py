"""Drivers are asked whether what was deployed is there and well, without changing anything."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from services.deployer.automatic.survey import Surveyed
from services.deployer.automatic.survey_store import Pair
from services.deployer.domain import Operation
from services.deployer.drivers import Broken, Order
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.engine.planner import Planner
from services.deployer.engine.questions import question
from services.deployer.plan import Ground, Recorded
from services.deployer.secrets.opening import Opened, SecretOpener
from services.deployer.secrets.rotation import told
from services.deployer.secrets.values import hide_in
from services.deployer.store import Store
from shared.messages.automatic import ComponentDrift
from shared.messages.words import OperationKind as Kind
from shared.process.db import Pool

LONGEST = 1_000

CODES: Mapping[str, Literal["differs", "stranger"]] = {"differs": "differs", "name_taken": "stranger"}
"""By the code of a driver's answer, what it is called; all others are `not_well`."""

Found = Mapping[Pair, tuple[ComponentDrift, ...]]


class Look:
    """Asks drivers, one question a driver and batch."""

    def __init__(self, pool: Pool, registry: DriverRegistry, planner: Planner, secrets: SecretOpener) -> None:
        self._pool = pool
        self._registry = registry
        self._planner = planner
        self._secrets = secrets

    async def at(self, surveyed: Sequence[Surveyed]) -> Found:
        """What of each is not as it was left; who is asked and has nothing to say is there with nothing, and of whom
        nobody says anything is not there: what was found there before may still be so."""
        if not surveyed:
            return {}
        async with self._pool.acquire() as conn:
            store = Store(conn)
            operations = [_operation(each) for each in surveyed]
            there = await store.grounds([each.pair for each in surveyed])
            grounds = await self._planner.grounds(store, operations, there)
        planned = list(zip(surveyed, operations, grounds, strict=True))
        found = {each.pair: list(_rotated(ground)) for each, _, ground in planned}
        orders = [(each.pair, order) for each, o, ground in planned for order in _orders(o, ground)]
        silent: set[Pair] = set()
        for pair, said in await self._ask(orders):
            if isinstance(said, ComponentDrift):
                found[pair].append(said)
            elif said is None:
                silent.add(pair)
        return {pair: tuple(some) for pair, some in found.items() if some or pair not in silent}

    async def _ask(self, orders: Sequence[tuple[Pair, Order]]) -> list[tuple[Pair, ComponentDrift | bool | None]]:
        """Of each what is not as it was left; True = nothing. None = its site does not say, or cannot be asked, since a
        secret cannot be had."""
        opened = await self._secrets.open([order for _, order in orders])
        sound = [(pair, each) for (pair, _), each in zip(orders, opened, strict=True) if isinstance(each, Opened)]
        asked = [each.order for _, each in sound]
        kept, looked = await self._registry.has_revision(asked), await self._registry.look(asked)
        unasked = [(pair, None) for (pair, _), each in zip(orders, opened, strict=True) if not isinstance(each, Opened)]
        return unasked + [
            (pair, _drift(each, there, broken) or there)
            for (pair, each), there, broken in zip(sound, kept, looked, strict=True)
        ]


def _operation(surveyed: Surveyed) -> Operation:
    """Not one that is carried out: the plan of an update to what runs stands on what is asked about."""
    (site, app), version = surveyed.pair, surveyed.situation.deployment.version
    return Operation(f"look/{site}/{app}", site, app, Kind.UPDATE, version, version, 60)


def _running(ground: Ground) -> list[Recorded]:
    """What was recorded of components that are to be there. One that was switched off while its release stayed is not:
    nobody can be asked of it, and that it is gone is what people wanted."""
    version = ground.deployment.version
    if (runs := ground.before(version)) is None:
        return []
    return [record for record in ground.recorded if record.version == version and record.component in runs.components]


def _orders(operation: Operation, ground: Ground) -> list[Order]:
    return [question(operation, ground, record) for record in _running(ground)]


def _rotated(ground: Ground) -> Iterator[ComponentDrift]:
    """Components that run with another version of a secret than there is. No driver need be asked."""
    for record in _running(ground):
        if changed := ground.rotated(record):
            message = told(changed)[:LONGEST]
            yield ComponentDrift(component=record.component, code="secret_rotated", message=message)


def _drift(asked: Opened, there: bool | None, broken: Broken | None) -> ComponentDrift | None:
    order = asked.order
    if broken is not None:
        hidden = hide_in(asked.looks, broken) if asked.looks else broken
        message = hidden.message if isinstance(hidden, Broken) else broken.message
        code = CODES.get(broken.code, "not_well")
        return ComponentDrift(component=order.component.name, code=code, message=message[:LONGEST])
    if there is False:
        message = f"its revision {order.revision} is gone"
        return ComponentDrift(component=order.component.name, code="revision_gone", message=message[:LONGEST])
    return None
