"""What is worth telling people, and in which words: one table from events to notes. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.messages.base import Event
from shared.messages.catalog import ReleaseAvailable, ReleaseRejected, ReleaseWithdrawn
from shared.messages.deployer import OperationFailed, OperationSucceeded
from shared.messages.monitor import FailureRateHigh, StrategySilent
from shared.messages.strategy import SitesChanged, StrategyStateChanged
from shared.messages.words import NotificationTopic as Topic
from shared.messages.words import StrategyState

Names = Mapping[str, str]
"""Names of strategies by their ids, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Note:
    """A notification before it has a number. Notes with the same `quiet_key` are raised once in a quiet time."""

    topic: Topic
    message: str
    about: str
    link: str = ""
    quiet_key: str = ""


def note_of(event: Event, names: Names) -> Note | None:
    """What to tell people about one event, if anything."""
    return RULES[type(event)](event, names)


def note_of_sites(changes: Sequence[SitesChanged]) -> Note:
    """One note for all changes that came together: registering 10,000 sites tells people one thing, not 20."""
    count = len({site.name for change in changes for site in change.sites})
    return Note(Topic.DISCOVER, f"{_sites(count)} registered or changed", "fleet", "/v1/sites")


def _available(event: ReleaseAvailable, _: Names) -> Note:
    message = f"Release {event.version} of {event.app} is available"
    return Note(Topic.RELEASE, message, event.release_id, f"/v1/releases/{event.app}/{event.version}")


def _rejected(event: ReleaseRejected, _: Names) -> Note:
    what = event.file_name or event.bundle_sha256[:12]
    more = f" (and {len(event.faults) - 1} more faults)" if len(event.faults) > 1 else ""
    why = f": {event.faults[0].message}{more}" if event.faults else ""
    return Note(
        Topic.ERROR, f"Bundle {what} was rejected{why}", event.bundle_sha256, f"/v1/bundles/{event.bundle_sha256}"
    )


def _withdrawn(event: ReleaseWithdrawn, _: Names) -> Note:
    message = f"Release {event.version} of {event.app} was withdrawn" + (f": {event.reason}" if event.reason else "")
    return Note(Topic.RELEASE, message, event.release_id, f"/v1/releases/{event.app}/{event.version}")


def _succeeded(event: OperationSucceeded, _: Names) -> Note | None:
    if event.strategy_id:
        return None  # the strategy speaks for its sites
    runs = f"it runs {event.version}" if event.version else "it is gone from there"
    message = f"The {event.kind} of {event.app} on {event.site} succeeded: {runs}"
    return Note(Topic.DONE, message, event.operation_id, f"/v1/operations/{event.operation_id}")


def _failed(event: OperationFailed, _: Names) -> Note | None:
    if event.strategy_id:
        return None
    back = f"the site is back on {event.version}" if event.recovered else "the site was NOT recovered"
    message = f"The {event.kind} of {event.app} on {event.site} failed: {event.cause.message}; {back}"
    return Note(Topic.ERROR, message, event.operation_id, f"/v1/operations/{event.operation_id}")


STRATEGY_TOPICS = {
    StrategyState.COMPLETE: Topic.DONE,
    StrategyState.FAILED: Topic.ERROR,
    StrategyState.PAUSED: Topic.WARNING,
    StrategyState.ABORTED: Topic.WARNING,
}
PAUSED_BY_A_PERSON = "paused"
"""The orchestrator's code for a pause that somebody asked for: no news to people. Any other pause is a policy's."""


def _moved(event: StrategyStateChanged, _: Names) -> Note | None:
    topic = STRATEGY_TOPICS.get(event.state)
    if topic is None or event.renewed or (event.state is StrategyState.PAUSED and event.why.code == PAUSED_BY_A_PERSON):
        return None
    counts = f"{event.counts.complete} of {_sites(event.counts.total)} done, {event.counts.failed} failed"
    message = f"Strategy {event.name} is {event.state}: {event.why.message} ({counts})"
    return Note(topic, message, event.strategy_id, f"/v1/strategies/{event.strategy_id}")


def _failing(event: FailureRateHigh, names: Names) -> Note:
    share = f"{event.failed_in_window} of the last {event.finished_in_window} sites failed"
    message = f"Many failures in {_stage(event, names)}: {share} ({event.failure_rate:.0%})"
    return _warning(event, message)


def _silent(event: StrategySilent, names: Names) -> Note:
    running = f"{_sites(event.running)} still running"
    message = f"Nothing was heard of {_stage(event, names)} for {event.silent_seconds} seconds, with {running}"
    return _warning(event, message)


def _warning(event: FailureRateHigh | StrategySilent, message: str) -> Note:
    link, quiet_key = f"/v1/strategies/{event.strategy_id}", f"{event.TYPE}/{event.strategy_id}/{event.stage}"
    return Note(Topic.WARNING, message, event.strategy_id, link, quiet_key)


def _stage(event: FailureRateHigh | StrategySilent, names: Names) -> str:
    return f"stage {event.stage + 1} of strategy {names.get(event.strategy_id, event.strategy_id)}"


def _sites(count: int) -> str:
    return "1 site" if count == 1 else f"{count} sites"


RULES: dict[type[Event], Callable[[Any, Names], Note | None]] = {
    ReleaseAvailable: _available,
    ReleaseRejected: _rejected,
    ReleaseWithdrawn: _withdrawn,
    OperationSucceeded: _succeeded,
    OperationFailed: _failed,
    StrategyStateChanged: _moved,
    FailureRateHigh: _failing,
    StrategySilent: _silent,
}
"""Which events are news, and what they say. `SitesChanged` is apart: `note_of_sites` coalesces it."""
