"""A deployer in a process of its own, which carries out one order and may be killed meanwhile."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from services.deployer.drivers import Component, Order
from services.deployer.drivers.container.settings import ContainerSettings
from services.deployer.drivers.container.tool import ContainerTool
from services.deployer.drivers.durable.driver import DurableDriver
from shared.components.container import ContainerSpec
from tests.support.container_sites import reach


def told(order: Order) -> str:
    """An order as text."""
    fields = {name: getattr(order, name) for name in Order.__slots__ if name != "component"}
    return json.dumps(fields | {"name": order.component.name, "spec": order.component.spec.model_dump(mode="json")})


def order_of(text: str) -> Order:
    """The order that a text tells of."""
    fields = json.loads(text)
    component = Component(fields.pop("name"), "container", ContainerSpec.model_validate(fields.pop("spec")))
    return replace(Order(**fields, component=component))


def carry_out(dsn: str, text: str) -> None:
    """Carry out the order that a text tells of, to its end."""
    asyncio.run(_carry_out(dsn, order_of(text)))


async def _carry_out(dsn: str, it: Order) -> None:
    driver = DurableDriver(dsn, ContainerTool(ContainerSettings()))
    await reach(driver, it)
    await driver.close()
