"""In what order the apps of a site go, and what comes next in a run. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from services.deployer.dependencies.needs import apps_named
from shared.messages.automatic import ItemState, RunState
from shared.messages.base import Cause
from shared.messages.rules import Dependency, Importance, Rules

RANKS = {importance: rank for rank, importance in enumerate(get_args(Importance))}
"""Critical apps go first, reporting ones last; a word that nobody knows goes as an optional one."""

ENDED = frozenset[RunState]({"done", "failed", "aborted"})


@dataclass(frozen=True, slots=True)
class Item:
    """One app of a run."""

    position: int
    app: str
    kind: str
    state: ItemState = "waiting"
    from_version: str | None = None
    to_version: str | None = None
    operation_id: str | None = None
    request: Mapping[str, Any] | None = None
    """Of an operation that somebody asked for: the request itself. It is told how it ended, whatever comes before."""
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Several operations on one site, as they stand."""

    id: str
    site: str
    kind: str
    state: RunState
    items: tuple[Item, ...]
    go_on: bool = False
    """After a failure the others are done all the same."""
    cancel_reason: str | None = None
    cause: Cause | None = None

    @property
    def running(self) -> Item | None:
        """What is under way."""
        return next((item for item in self.items if item.state == "running"), None)

    def with_item(self, changed: Item) -> "Run":
        """The run with this item in place of the one at its position."""
        return replace(self, items=tuple(changed if i.position == changed.position else i for i in self.items))


def ordered(rules: Mapping[str, Rules], *, back: bool = False) -> list[str]:
    """The apps by importance and name, each right behind those that it needs; the other way round where they go `back`.

    In a circle, which nobody could publish together, the more important one goes first.
    """
    order: dict[str, None] = {}
    for app in sorted(rules, key=lambda app: (RANKS.get(rules[app].importance, RANKS["optional"]), app)):
        _behind_its_needs(app, rules, order, frozenset())
    return list(order)[::-1] if back else list(order)


def _behind_its_needs(app: str, rules: Mapping[str, Rules], order: dict[str, None], path: frozenset[str]) -> None:
    if app in order or app in path:
        return
    for needed in sorted(set(apps_needed(rules[app])) & rules.keys()):
        _behind_its_needs(needed, rules, order, path | {app})
    order[app] = None


def with_needs(rules: Rules, more: Sequence[Dependency]) -> Rules:
    """Rules of an app that needs these as well."""
    return rules.model_copy(update={"depends_on": (*rules.depends_on, *more)})


def apps_needed(rules: Rules) -> Iterable[str]:
    """The apps that have to be there before; those that are only excluded say nothing of an order."""
    excluded = {exclusion.app for exclusion in rules.excludes}
    return (app for app in apps_named(rules) if app not in excluded)


def advanced(run: Run) -> tuple[Run, Item | None]:
    """The run as it goes on, and the item that is to begin now; an ended one where nothing is left to do."""
    if run.running:
        return run, None
    failed = next((item for item in run.items if item.state == "failed"), None)
    if run.cancel_reason is not None:
        why = Cause(code="cancelled", message=run.cancel_reason or "cancelled on request")
        return _told_or_over(_left(run, why), "aborted", why)
    if failed and not run.go_on:
        reason = failed.cause.message if failed.cause else "it failed"
        return _told_or_over(_left(run, _stopped(run, failed, reason)), "failed", failed.cause)
    if waiting := next((item for item in run.items if item.state == "waiting"), None):
        return run, waiting
    cause = failed.cause if failed else None
    return replace(run, state="failed" if failed else "done", cause=cause), None


def _stopped(run: Run, failed: Item, reason: str) -> Cause:
    asked_for = any(item.request for item in run.items)
    code = (failed.cause.code if failed.cause else "failed") if asked_for else "stopped"
    needed = "is needed before, and its" if asked_for else "was to go before, and its"
    return Cause(code=code, message=f"{failed.app} {needed} {failed.kind} failed: {reason}"[:2_000])


def _left(run: Run, why: Cause) -> Run:
    """Whatever waits is left, but for the operation that somebody asked for: that one has to be told its end."""
    return replace(
        run,
        items=tuple(
            replace(item, state="left", cause=why)
            if item.state == "waiting" and not item.request
            else replace(item, cause=why)
            if item.state == "waiting"
            else item
            for item in run.items
        ),
    )


def _told_or_over(run: Run, state: RunState, cause: Cause | None) -> tuple[Run, Item | None]:
    if waiting := next((item for item in run.items if item.state == "waiting"), None):
        return run, waiting  # with its cause: it begins only to be told that it does not
    return replace(run, state=state, cause=cause), None
