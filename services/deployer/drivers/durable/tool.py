"""What the driver of a foreign tool brings: how orders are carried out with it."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from services.deployer.drivers import OBLIGATORY, Broken, Order, Verb
from services.deployer.drivers.durable.run import Run


class Tool(Protocol):
    """The hands of a driver. Its methods are called by one `DurableDriver`, in one event loop."""

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Verb]] = OBLIGATORY

    brings: ClassVar[bool] = False
    """As of a driver: whether a `fetch` of each component comes before anything on its site is touched."""

    at_once: int
    """Most batches that are carried out side by side."""
    beside_at_once: int = 0
    """Most batches of orders that go `beside` these."""

    def beside(self, order: Order) -> bool:  # noqa: ARG002 - none of most tools
        """Whether an order only sends content or lets it go. Pure.

        A slow link holds such a one for hours; behind it no order waits that changes what runs.
        """
        return False

    def batches(self, runs: Sequence[Run]) -> Sequence[Sequence[Run]]:
        """Which orders share one run of the tool. Pure: only their `order` may be looked at yet."""
        return [[run] for run in runs]

    async def carry_out(self, runs: Sequence[Run]) -> None:
        """Bring each run of a batch to its end (`run.end`).

        Called again, by whatever process takes them up, when the one before was killed at any point: what was done
        must be found out from the site itself, and not be done twice. Cancelled (asyncio's way) when others may take
        the orders over at any moment: what works for them then must have ended when this returns.

        Raises Failed for a batch of one, or for all that have not ended yet. Whatever else it raises is a defect, and
        ends them as `internal_error`.
        """
        ...

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """Orders that were `Done` some time ago, and are the last of their places: is what they deployed still well?

        None where it is.
        """
        ...

    async def audit(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """The same for audits, which have time: whatever else shows that something is not as it was left."""
        return await self.look(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        """Whether the revision that each order names still exists on its site; None where nobody can say that now."""
        ...
