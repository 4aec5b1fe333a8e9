"""The devices' own journal, line by line. Its order is the order in which things happened: one file, one lock."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.faults.checker.reading import Evidence, once


@dataclass(slots=True)
class Order:
    """One order to one component: the numbers of the lines in which it began and ended.

    `began` and `due` are the device's times in epoch seconds; `due` is None for a device that never answers.
    `told` is when somebody asked and was told of the end.
    """

    key: str
    site: str
    app: str
    component: str
    action: str | None
    version: str | None
    first: int
    last: int | None = None
    effect: str = ""
    began: float = 0.0
    due: float | None = None
    told: float | None = None
    values: str = ""
    """The digest of the values that it brought."""

    @property
    def operation(self) -> str:
        return self.key.split("/")[0]

    @property
    def leg(self) -> str:
        return self.key.split("/")[1]

    @property
    def place(self) -> tuple[str, str, str]:
        return self.site, self.app, self.component


@dataclass(slots=True)
class Told:
    """The journal as a whole. `wrong`: orders that began or ended twice, or ended unbegun (key, line, what)."""

    orders: dict[str, Order]
    wrong: list[tuple[str, int, str]]

    @property
    def begun(self) -> Iterator[Order]:
        """Those that touched a device."""
        return (order for order in self.orders.values() if order.action is not None)

    def operations(self) -> dict[str, list[Order]]:
        """The orders of each operation that touched a device, in order."""
        found: dict[str, list[Order]] = defaultdict(list)
        for order in self.begun:
            found[order.operation].append(order)
        return found


BROKEN = "broken-"
"""So begin the orders of the campaign itself, which takes away what runs on devices behind everybody's back."""


def given(evidence: Evidence) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of orders that deployers gave, with their numbers."""
    return ((n, line) for n, line in enumerate(evidence.journal) if not line["order"].startswith(BROKEN))


def broken(evidence: Evidence) -> Counter[tuple[str, str]]:
    """How often the campaign broke each app on each site."""
    lines = (line for line in evidence.journal if line["order"].startswith(BROKEN))
    return Counter((line["site"], line["app"]) for line in lines)


@once
def told(evidence: Evidence) -> Told:
    """What the devices say."""
    orders: dict[str, Order] = {}
    wrong: list[tuple[str, int, str]] = []
    for number, line in given(evidence):
        order = orders.get(line["order"])
        if line["effect"] == "started":
            if order:
                wrong.append((order.key, number, "began again"))
            orders.setdefault(line["order"], _begun(line, number))
        elif order is None:
            if line["action"] is not None:
                wrong.append((line["order"], number, f"{line['effect']}, and never began"))
            orders[line["order"]] = _ended(_begun(line, number), line, number)
        elif order.last is not None:
            wrong.append((order.key, number, f"{line['effect']} after it had {order.effect}"))
        else:
            _ended(order, line, number)
    return Told(orders, wrong)


def _begun(line: dict[str, Any], number: int) -> Order:
    order, site, app, component = line["order"], line["site"], line["app"], line["component"]
    facts = {"began": line.get("began_at", 0.0), "due": line.get("ends_at"), "values": line.get("values_sha256", "")}
    return Order(order, site, app, component, line["action"], line["version"], number, **facts)


def _ended(order: Order, line: dict[str, Any], number: int) -> Order:
    order.last, order.effect = number, line["effect"]
    order.told = datetime.fromisoformat(line["at"]).timestamp()
    return order


def runs(evidence: Evidence) -> dict[tuple[str, str, str], str | None]:
    """What works on each component in the end: whatever did not end well leaves nothing."""
    found: dict[tuple[str, str, str], str | None] = {}
    for line in evidence.journal:
        if line["effect"] != "started" and line["action"] not in (None, "fetch", "discard"):
            good = line["effect"] == "ended" and line["action"] != "remove"
            found[line["site"], line["app"], line["component"]] = line["version"] if good else None
    return found
