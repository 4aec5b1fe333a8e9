"""A journal of simulated devices in short: how each device stands, and the orders that may still be asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from services.deployer.drivers.simulated.values import Begun, Device, Line, Over, Place

STANDS = "stands"
"""The effect of a line that tells how a device stands: site, app, component, runs, kept."""

HOLDS = "holds"
"""The effect of a line that tells what content lies on a site: site, holds."""


def operation_of(key: str) -> str:
    """The operation of an order: its key is operation, leg and component."""
    return key.rsplit("/", 2)[0]


def shortened(
    devices: Mapping[Place, Device],
    content: Mapping[str, Mapping[str, int]],
    orders: Mapping[str, Begun | Over],
    of_site: Mapping[str, Sequence[str]],
) -> Iterator[bytes]:
    """The lines of a journal that says the same of devices and of these orders, with less."""
    for (site, app, component), device in devices.items():
        about = {"site": site, "app": app, "component": component}
        yield _line({"effect": STANDS, **about, "runs": device.runs, "kept": device.kept})
    for site, holds in content.items():
        yield _line({"effect": HOLDS, "site": site, "holds": holds})
    for site, keys in of_site.items():
        for key in keys:
            yield _line(_told(site, key, orders[key]))


def _told(site: str, key: str, order: Begun | Over) -> Line:
    """One that is under way as it began; of one that is over, only how: its device is told of above."""
    if isinstance(order, Begun):
        return order.line
    facts: dict[str, Any] = {
        "effect": order.effect,
        "site": site,
        "order": key,
        "version": order.version,
        "action": None,
    }
    if order.fetched_bytes:
        facts["fetched_bytes"] = order.fetched_bytes
    return facts | ({"code": order.code, "message": order.message} if order.code else {})


def _line(facts: Line) -> bytes:
    return orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE)
