"""A deployer in a process of its own, which carries out one order and may be killed meanwhile."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from services.deployer.drivers import Component, Item, Order
from shared.components.container import ContainerSpec
from tests.support.container_sites import driver_of, reach


def told(order: Order) -> str:
    """An order as text."""
    fields = {name: getattr(order, name) for name in Order.__slots__ if name not in ("component", "items")}
    fields["items"] = [asdict(item) for item in order.items]
    return json.dumps(fields | {"name": order.component.name, "spec": order.component.spec.model_dump(mode="json")})


def order_of(text: str) -> Order:
    """The order that a text tells of."""
    fields = json.loads(text)
    component = Component(fields.pop("name"), "container", ContainerSpec.model_validate(fields.pop("spec")))
    items = tuple(Item(**item) for item in fields.pop("items"))
    return Order(**fields, component=component, items=items)


def carry_out(dsn: str, text: str, home: str, site_bytes: int = 0) -> None:
    """Carry out the order that a text tells of, to its end."""
    asyncio.run(_carry_out(dsn, order_of(text), Path(home), site_bytes))


async def _carry_out(dsn: str, it: Order, home: Path, site_bytes: int) -> None:
    driver = driver_of(dsn, home, site_bytes)
    await reach(driver, it)
    await driver.close()
