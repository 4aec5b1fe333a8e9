"""What was set by changes, looked up once: a change never changes again. Sites for which nothing is set ask nothing."""

from collections.abc import Iterable, Mapping, Sequence

from services.deployer.overrides.store import Numbered, OverrideStore
from shared.process.db import Connection
from shared.values.layers import NOTHING, Effective, Layer, read, together

Asked = tuple[str, str, tuple[str, ...]]
"""An app, a site, and what is set for it."""

KEPT = 5_000


class Book:
    """The changes that were read before."""

    def __init__(self) -> None:
        self._changes: dict[Numbered, Layer] = {}

    async def effective(self, conn: Connection, asked: Iterable[Asked]) -> Mapping[Asked, Effective]:
        """All that is set, of all levels together; one query for what is not known yet, none where nothing is set."""
        wanted = {each for each in asked if each[2]}
        if not wanted:
            return {}
        named = {each: [read(ref, each[0], each[1]) for ref in each[2]] for each in wanted}
        await self._learn(conn, {(change.place, change.nth) for some in named.values() for change in some})
        return {
            each: together((change, self._changes.get((change.place, change.nth), Layer())) for change in some)
            for each, some in named.items()
        }

    async def _learn(self, conn: Connection, wanted: set[Numbered]) -> None:
        unknown = wanted - self._changes.keys()
        if not unknown:
            return
        if len(self._changes) > KEPT:
            self._changes.clear()
            unknown = wanted
        self._changes.update(await OverrideStore(conn).changes(unknown))


def of(found: Mapping[Asked, Effective], app: str, site: str, refs: Sequence[str]) -> Effective:
    """What was found for an app on a site."""
    return found.get((app, site, tuple(refs)), NOTHING) if refs else NOTHING
