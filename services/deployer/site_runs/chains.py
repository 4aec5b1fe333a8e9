"""What needs other apps before it begins behind them: a run whose last operation somebody asked for."""

from collections.abc import Sequence
from typing import NamedTuple

from services.deployer.domain import Facts, Operation, Release
from services.deployer.judging import Request
from services.deployer.site_runs import store
from services.deployer.site_runs.planning import Item, Run
from services.deployer.site_runs.store import Origin
from shared.core.transaction import Transaction
from shared.messages.base import Fault


class Chained(NamedTuple):
    """An operation that was asked for, and the releases that have to come before it."""

    request: Request
    operation: Operation
    before: tuple[Release, ...]


async def begin_chains(tx: Transaction, chains: Sequence[Chained]) -> dict[str, tuple[Fault, ...]]:
    """Begin them as runs; by operation, why some could not."""
    runs = {_run(each).id: each for each in chains}
    stored = await store.insert_runs(tx.conn, [(_run(each), _origin(each)) for each in chains], tx.now)
    return {each.operation.id: _late(each.operation) for run_id, each in runs.items() if run_id not in stored}


def _run(chained: Chained) -> Run:
    operation = chained.operation
    first = tuple(
        Item(place, release.app, "apply", to_version=release.version) for place, release in enumerate(chained.before)
    )
    asked = chained.request.data.model_dump(mode="json", exclude_defaults=True)
    last = Item(
        len(first), operation.app, str(operation.kind), "waiting", operation.from_version, operation.to_version,
        operation.id, asked,
    )  # fmt: skip
    return Run(f"{operation.id}.first", operation.site, str(operation.kind), "running", (*first, last))


def _origin(chained: Chained) -> Origin:
    operation = chained.operation
    who = (operation.actor, operation.correlation_id)
    return Origin(False, chained.request.data.timeout_seconds, operation.strategy_id, *who)


def _late(operation: Operation) -> tuple[Fault, ...]:
    message = f"a run has just begun on '{operation.site}'; wait for its end or cancel it"
    return (Fault(code="site_busy", field="site", message=message, value=operation.site),)


def not_there(facts: Facts) -> tuple[Fault, ...]:
    """What should be there by now and is not: within a run nothing is brought once more."""
    return tuple(
        Fault(
            code="dependency_missing",
            field="app",
            message=f"needs {release.app} {release.version} on the site, which is not there now",
            value=release.app,
        )
        for release in facts.before
    )
