"""Drivers change a component on a site. This is their protocol and their registry.

A driver's verbs are idempotent and their state lives outside of the process, under the key of the order: a second
start of the same order does nothing, and a deployer that was restarted asks with `poll` what has become of it.
All verbs take a batch, because thousands of sites change at once. A verb raises only when the driver as a whole
cannot work; what is wrong with one order is that order's `Broken`, so that it spoils nothing for the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shared.messages.manifest import ProcessComponent, SimulatedComponent

Action = Literal["apply", "rollback", "remove"]


@dataclass(frozen=True, slots=True)
class Order:
    """One action on one component of one site."""

    key: str
    """Idempotency key: operation id, direction (forward or recover) and component."""
    site: str
    params: Mapping[str, Any]
    """What the site says its driver must know (host, port …)."""
    app: str
    action: Action
    component: ProcessComponent | SimulatedComponent
    version: str | None
    """The release to reach; None when the component is removed."""
    bundle_sha256: str | None
    revision: str | None = None
    """The recorded revision a rollback returns to."""


@dataclass(frozen=True, slots=True)
class Running:
    """The order is under way."""

    detail: str = ""
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The order reached its end and was verified: the component is healthy and of the expected version."""

    revision: str
    """What the driver needs to return here later."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """The order failed for good; the site needs recovery."""

    code: str
    message: str
    last_lines: tuple[str, ...] = ()
    """The last words of the component, kept as evidence."""


Progress = Running | Done | Broken


class Driver(Protocol):
    """How components of one kind get onto sites."""

    async def start(self, orders: Sequence[Order]) -> None:
        """Begin each order that was not begun before; returns at once, the work goes on outside."""
        ...

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        """How each order stands, in the same order; an order never begun is `Broken` with code `not_started`.

        Where several components changed, all are asked once more when the last one is `Done`: one that has fallen
        since then is `Broken`.
        """
        ...

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Stop each order as soon as it is safe; afterwards `poll` says `Broken` with code `cancelled`, or `Done`.

        An order that was never begun is cancelled too: a late `start` of it, by a deployer that was fenced off in the
        meantime, must have no effect.
        """
        ...

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        """Whether the revision each order names still exists on its site, so that a rollback to it is possible."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return as soon as an order may have moved on, at the latest after `seconds`."""
        ...
