"""What was found, and what was begun because of it, is told: many sites in one event."""

from collections.abc import Iterable, Iterator, Sequence

from services.deployer.automatic.survey_store import Drift, Pair
from shared.core.transaction import Transaction
from shared.messages.automatic import MOST_NAMED, Drifted
from shared.messages.deployer import DriftEnded, DriftFound

TOLD_BYTES = 500_000
"""Of the sites in one event."""


def tell_found(tx: Transaction, found: Iterable[Drift], nth: int) -> None:
    """One event for all sites of an app, as long as it fits."""
    apps: dict[str, list[Drifted]] = {}
    for each in found:
        facts = {"site": each.site, "version": each.version, "components": each.components}
        drifted = Drifted(**facts, then=each.follows, nth=nth)
        apps.setdefault(each.app, []).append(drifted)
    for app, sites in apps.items():
        for part in _parts(sites):
            tx.emit(DriftFound(app=app, sites=part, at=tx.now))


def _parts(sites: Sequence[Drifted]) -> Iterator[tuple[Drifted, ...]]:
    part: list[Drifted] = []
    size = 0
    for site in sites:
        own = len(site.model_dump_json().encode())
        if part and (len(part) == MOST_NAMED or size + own > TOLD_BYTES):
            yield tuple(part)
            part, size = [], 0
        part.append(site)
        size += own
    if part:
        yield tuple(part)


def tell_ended(tx: Transaction, ended: Iterable[Pair], nth: int) -> None:
    """What was found there is over."""
    apps: dict[str, list[str]] = {}
    for site, app in ended:
        apps.setdefault(app, []).append(site)
    for app, sites in apps.items():
        for start in range(0, len(sites), MOST_NAMED):
            tx.emit(DriftEnded(app=app, sites=tuple(sites[start : start + MOST_NAMED]), nth=nth, at=tx.now))
