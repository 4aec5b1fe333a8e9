"""How bytes get onto a site: what a driver brings for `send`."""

from collections.abc import Sequence
from typing import Protocol

from services.deployer.drivers import Item
from shared.core.errors import BelayError

WHOLE = -1
"""What `offsets` says of an item that was finished: all of it lies there, verified."""


class Damaged(BelayError):
    """What came together on the site is not what the item's digest says; the sink has thrown it away."""


class Sink(Protocol):
    """The content of one site. Items are known by their digest alone: whoever sends the same one goes on with it.

    Several items come at the same time, the chunks of one item in order. A deployer that was fenced off may still be
    sending: the same bytes at the same place must do no harm.
    """

    async def offsets(self, items: Sequence[Item]) -> Sequence[int]:
        """How many bytes of each lie there for good, in order; WHOLE for those that were finished."""
        ...

    async def append(self, item: Item, offset: int, chunk: bytes) -> None:
        """Add a chunk that begins at `offset`; durable when it returns."""
        ...

    async def finish(self, item: Item) -> None:
        """Verify all of it and let it appear, at once. Raises Damaged."""
        ...
