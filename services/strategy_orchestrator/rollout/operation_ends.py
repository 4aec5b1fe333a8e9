"""How operations end, whether the deployer tells it of each alone or of many together."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.messages.deployer import OperationFailed, OperationsSucceeded, OperationSucceeded
from shared.messages.words import OperationKind

EndEvent = OperationSucceeded | OperationsSucceeded | OperationFailed


class OperationEnd(NamedTuple):
    """The end of one operation; `nth` counts the ends on its app of its site."""

    operation_id: str
    site: str
    app: str
    version: str | None
    status: str
    """Of the deployment; perhaps a word that only a newer deployer knows."""
    strategy_id: str | None
    nth: int
    history: tuple[str, ...] | None
    """The releases that the site can return to; None = not said."""
    before: str | None
    """The release that the operation found."""
    failed: OperationFailed | None = None
    prestaged: bool = False
    """It was a prestage: what runs on the site is as before."""

    @property
    def changed(self) -> bool:
        """Whether it left the site other than it found it: on the new release, or half-way."""
        return not self.prestaged and (self.failed is None or not self.failed.recovered)


def ends_of(event: EndEvent) -> Iterator[OperationEnd]:
    """The ends that an event tells of."""
    facts = (event.app, event.version, event.status, event.strategy_id)
    past = (event.history, event.from_version)
    prestaged = event.kind == OperationKind.PRESTAGE
    if isinstance(event, OperationsSucceeded):
        for one in event.operations:
            yield OperationEnd(one.operation_id, one.site, *facts, one.nth, *past, None, prestaged)
    else:
        failed = event if isinstance(event, OperationFailed) else None
        yield OperationEnd(event.operation_id, event.site, *facts, event.nth, *past, failed, prestaged)
