"""What is worth telling people, and in which words: one table from events to notes. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.messages.automatic import Drifted, ItemState
from shared.messages.base import Event, count_of
from shared.messages.catalog import (
    PreparationFailed,
    ReleaseAvailable,
    ReleaseDeleted,
    ReleaseDeletionRefused,
    ReleaseRejected,
    ReleaseWithdrawn,
)
from shared.messages.deployer import (
    AvailabilityChanged,
    DriftFound,
    FailedReleaseChanged,
    OperationFailed,
    OperationSucceeded,
    SiteAvailability,
    SiteRunChanged,
)
from shared.messages.monitor import FailureRateHigh, StrategySilent, TroubleFound, TroubleOver
from shared.messages.notifier import FailedOperation
from shared.messages.strategy import AlarmRaised, SitesChanged, StrategyStateChanged
from shared.messages.words import Availability, OperationKind, Severity, StrategyState
from shared.messages.words import NotificationTopic as Topic

Names = Mapping[str, str]
"""Names of strategies by their ids, as far as they are known."""


FAILURES_TOLD = 3
"""Of those that a strategy, or a note of many, speaks for: the first ones explain the others."""

PHASES_TOLD = 20


@dataclass(frozen=True, slots=True)
class Note:
    """A notification before it has a number. Notes with the same `quiet_key` are raised once in a quiet time; one that
    `ends_quiet` ends that time for another key."""

    topic: Topic
    message: str
    about: str
    link: str = ""
    quiet_key: str = ""
    ends_quiet: str = ""
    family: str = ""
    """Of which kind it is, where many of the kind may come at once: see `FAMILIES`."""
    item: str = ""
    """What it is called among others of its family."""
    count: int = 1
    failures: tuple[FailedOperation, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """Notes of one kind, caused by one actor, that are told as one when they are many. Times in seconds."""

    topic: Topic
    link: str
    words: str
    """What is said of them, after their number."""
    alone: int
    """So many are told one by one before the others are batched."""
    quiet: float
    """Those of a batch are told when none has come for so long,"""
    most: float
    """or when the first of them is so old."""


REST_SECONDS = 60.0
"""After a family has been quiet for so long its next ones are told one by one again."""

FAMILIES: dict[str, Family] = {
    # An import comes as many commands; nobody is waked up by it, so all of it is awaited.
    "sites": Family(Topic.DISCOVER, "/v1/sites", "sites registered or changed", alone=0, quiet=3, most=600),
    "releases": Family(Topic.RELEASE, "/v1/releases", "more releases are available", alone=3, quiet=5, most=300),
    "withdrawn": Family(Topic.RELEASE, "/v1/releases", "more releases were withdrawn", alone=3, quiet=5, most=300),
    "deleted": Family(Topic.RELEASE, "/v1/releases", "more releases were deleted", alone=3, quiet=5, most=300),
    "kept": Family(Topic.WARNING, "/v1/releases", "more releases were not deleted", alone=3, quiet=5, most=300),
    "rejected": Family(Topic.ERROR, "/v1/releases", "more bundles were rejected", alone=3, quiet=5, most=60),
    "unprepared": Family(Topic.ERROR, "/v1/releases", "more releases could not be prepared", alone=3, quiet=5, most=60),
    "succeeded": Family(
        Topic.DONE, "/v1/operations?state=succeeded", "more operations succeeded", alone=5, quiet=10, most=300
    ),
    "failed": Family(Topic.ERROR, "/v1/operations?state=failed", "more operations failed", alone=5, quiet=5, most=60),
    # The sites of a lost network are found one after another, within a minute: all of it is awaited.
    "offline": Family(
        Topic.WARNING, "/v1/sites?availability=offline", "sites went offline", alone=0, quiet=10, most=180
    ),
    "online": Family(
        Topic.DONE, "/v1/sites?availability=online", "sites are online again", alone=0, quiet=10, most=180
    ),
    # What broke a thousand sites is found within some minutes, bucket by bucket.
    "drift": Family(Topic.WARNING, "/v1/drift", "sites are not as they were left", alone=0, quiet=20, most=300),
    "alarms": Family(
        Topic.ERROR, "/v1/alarms?severity=critical", "more critical alarms were raised", alone=3, quiet=5, most=60
    ),
    "complete": Family(
        Topic.DONE, "/v1/strategies?state=complete", "more strategies are complete", alone=10, quiet=10, most=300
    ),
}
"""What a script does by the thousand. Strategies that fail or are stopped are always told one by one: each waits for
somebody."""


def summary_of(name: str, first: Sequence[Note], count: int) -> Note:
    """The note that speaks for `count` of a family, the first of which are called by their names."""
    family = FAMILIES[name]
    examples = ", ".join(note.item for note in first) + (" and others" if count > len(first) else "")
    failures = tuple(failure for note in first for failure in note.failures)
    return Note(
        family.topic, f"{count:,} {family.words}: {examples}", name, family.link, count=count, failures=failures
    )


def note_of(event: Event, names: Names) -> Note | None:
    """What to tell people about one event, if anything."""
    return RULES[type(event)](event, names)


def notes_of_sites(change: SitesChanged) -> list[Note]:
    """One for each site, to be batched."""
    return [
        Note(Topic.DISCOVER, f"Site {name} registered or changed", name, f"/v1/sites/{name}", family="sites", item=name)
        for name in dict.fromkeys(site.name for site in change.sites)
    ]


def notes_of_availability(change: AvailabilityChanged) -> list[Note]:
    """One for each site that went offline or came back, to be batched; a first answer is no news."""
    return [note for site in change.sites if (note := _answering(site))]


def _answering(site: SiteAvailability) -> Note | None:
    link = f"/v1/sites/{site.site}"
    if site.availability == Availability.OFFLINE and site.was != Availability.OFFLINE:
        why = f": {site.cause.message}" if site.cause else ""
        return Note(
            Topic.WARNING, f"Site {site.site} is offline{why}", site.site, link, family="offline", item=site.site
        )
    if site.availability == Availability.ONLINE and site.was == Availability.OFFLINE:
        return Note(Topic.DONE, f"Site {site.site} is online again", site.site, link, family="online", item=site.site)
    return None


def notes_of_drift(event: DriftFound) -> list[Note]:
    """One for each site, to be batched."""
    return [
        Note(
            Topic.WARNING,
            f"{event.app} on {each.site} is not as it was left: {_of_components(each)}{FOLLOWS.get(each.then, '')}",
            each.site,
            f"/v1/sites/{each.site}",
            family="drift",
            item=f"{event.app} on {each.site}",
        )
        for each in event.sites
    ]


FOLLOWS = {"put_right": "; it is put right", "given_up": "; that was tried often enough, and is left to you"}


def _of_components(drifted: Drifted) -> str:
    said = [f"{each.component}: {each.message}".removeprefix(": ") for each in drifted.components]
    return "; ".join(said[:FAILURES_TOLD])[:500]


def _barred(event: FailedReleaseChanged, _: Names) -> Note | None:
    """Told when it is barred, once; that somebody cleared it is no news."""
    if not event.barred or event.cleared_by:
        return None
    what, first = f"{event.app} {event.version}", next(iter(event.sites), None)
    why = f" on {first.site}: {first.cause.message}" if first else ""
    then = "nothing that goes by itself chooses it until it is cleared"
    message = f"Release {event.version} of {event.app} failed{why}; {then}"
    link = f"/v1/releases/{event.app}/{event.version}"
    return Note(Topic.ERROR, message, what, link, quiet_key=f"{event.TYPE}/{event.app}/{event.version}", item=what)


RUN_TOPICS: dict[str, Topic] = {"done": Topic.DONE, "failed": Topic.ERROR, "aborted": Topic.WARNING}


def _run_over(event: SiteRunChanged, _: Names) -> Note | None:
    """The report of a run; what an operation needed before it is told by that operation."""
    topic = RUN_TOPICS.get(event.state)
    if topic is None or event.kind not in ("update", "rollback") or event.run_id.endswith(".first"):
        return None
    counts = f"{_count(event, 'updated')} done, {_count(event, 'failed')} failed, {_count(event, 'left')} left"
    why = f": {event.cause.message}" if event.cause else ""
    message = f"The {event.kind} of all apps on {event.site} is {event.state} ({counts}){why}"
    return Note(topic, message, event.run_id, f"/v1/site-runs/{event.run_id}", item=event.site)


def _count(event: SiteRunChanged, state: ItemState) -> int:
    return sum(item.state == state for item in event.items)


def note_of_dead(subscription: str, reason: str) -> Note:
    """A webhook that nothing reaches any more: whoever relies on it must learn of it in another way."""
    message = (
        f"The webhook {subscription} is dead, nothing is delivered to it any more: {reason}. "
        "When it is mended, enable it and deliver again what it missed"
    )
    return Note(Topic.WARNING, message, subscription, f"/v1/subscriptions/{subscription}")


def with_failures(note: Note, failures: Sequence[FailedOperation]) -> Note:
    """A note of a strategy that has come to a stop, with the first of its failures."""
    return replace(note, failures=tuple(failures[:FAILURES_TOLD]))


def failure_of(event: OperationFailed) -> FailedOperation:
    """What is told of a failed operation beside the sentence."""
    facts = {name: getattr(event, name) for name in FailedOperation.model_fields if name != "phases"}
    return FailedOperation(**facts, phases=event.phases[-PHASES_TOLD:])


def _available(event: ReleaseAvailable, _: Names) -> Note:
    message = f"Release {event.version} of {event.app} is available"
    link = f"/v1/releases/{event.app}/{event.version}"
    return Note(Topic.RELEASE, message, event.release_id, link, family="releases", item=f"{event.app} {event.version}")


def _rejected(event: ReleaseRejected, _: Names) -> Note:
    what = event.file_name or event.bundle_sha256[:12]
    more = f" (and {count_of(event.faults) - 1} more faults)" if len(event.faults) > 1 else ""
    why = f": {event.faults[0].message}{more}" if event.faults else ""
    message, link = f"Bundle {what} was rejected{why}", f"/v1/bundles/{event.bundle_sha256}"
    return Note(Topic.ERROR, message, event.bundle_sha256, link, family="rejected", item=what)


def _unprepared(event: PreparationFailed, _: Names) -> Note | None:
    if event.cause.code == "release_withdrawn":
        return None  # whoever withdrew it is told of that
    what, link = f"{event.app} {event.version}", f"/v1/releases/{event.app}/{event.version}"
    message = f"Release {event.version} of {event.app} could not be prepared for sites: {event.cause.message}"
    return Note(Topic.ERROR, message, event.bundle_sha256, link, family="unprepared", item=what)


def _withdrawn(event: ReleaseWithdrawn, _: Names) -> Note:
    message = f"Release {event.version} of {event.app} was withdrawn" + (f": {event.reason}" if event.reason else "")
    link = f"/v1/releases/{event.app}/{event.version}"
    return Note(Topic.RELEASE, message, event.release_id, link, family="withdrawn", item=f"{event.app} {event.version}")


def _deleted(event: ReleaseDeleted, _: Names) -> Note:
    more = " with the last of its releases" if event.app_gone else ""
    message = f"Release {event.version} of {event.app} was deleted{more}" + (
        f": {event.reason}" if event.reason else ""
    )
    return Note(
        Topic.RELEASE, message, event.release_id, "/v1/releases", family="deleted", item=f"{event.app} {event.version}"
    )


def _kept(event: ReleaseDeletionRefused, _: Names) -> Note:
    message = f"Release {event.version} of {event.app} was not deleted: {event.cause.message}"
    link = f"/v1/releases/{event.app}/{event.version}"
    return Note(Topic.WARNING, message, event.release_id, link, family="kept", item=f"{event.app} {event.version}")


def _succeeded(event: OperationSucceeded, _: Names) -> Note | None:
    if event.strategy_id:
        return None  # the strategy speaks for its sites
    runs = f"it runs {event.version}" if event.version else "it is gone from there"
    message = f"The {event.kind} of {event.app} on {event.site} succeeded: {runs}"
    link = f"/v1/operations/{event.operation_id}"
    return Note(Topic.DONE, message, event.operation_id, link, family="succeeded", item=f"{event.app} on {event.site}")


def _failed(event: OperationFailed, _: Names) -> Note | None:
    if event.strategy_id:
        return None
    message = f"The {event.kind} of {event.app} on {event.site} failed: {event.cause.message}; {_left(event)}"
    return Note(
        Topic.ERROR,
        message,
        event.operation_id,
        f"/v1/operations/{event.operation_id}",
        family="failed",
        item=f"{event.app} on {event.site}",
        failures=(failure_of(event),),
    )


def _left(event: OperationFailed) -> str:
    """Where the failure left the site."""
    if event.kind == OperationKind.PRESTAGE:
        return "what runs on the site is as it was"
    if not event.recovered:
        return "the site was NOT recovered"
    return f"the site is back on {event.version}" if event.version else "nothing of it is left on the site"


def _alarmed(event: AlarmRaised, _: Names) -> Note | None:
    """Only critical ones: others are looked at, or lead somewhere by themselves."""
    if event.severity != Severity.CRITICAL:
        return None
    text = f": {event.text}" if event.text else ""
    return Note(
        Topic.ERROR,
        f"Site {event.site} has the critical alarm {event.alarm}{text}",
        event.site,
        f"/v1/sites/{event.site}",
        f"{event.TYPE}/{event.site}/{event.alarm}",
        family="alarms",
        item=f"{event.alarm} on {event.site}",
    )


STRATEGY_TOPICS: dict[str, Topic] = {
    StrategyState.COMPLETE: Topic.DONE,
    StrategyState.FAILED: Topic.ERROR,
    StrategyState.PAUSED: Topic.WARNING,
    StrategyState.NEEDS_INSPECTION: Topic.ERROR,
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
    family = "complete" if event.state is StrategyState.COMPLETE else ""
    return Note(
        topic, message, event.strategy_id, f"/v1/strategies/{event.strategy_id}", family=family, item=event.name
    )


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


def _trouble(event: TroubleFound, _: Names) -> Note:
    advice = f". What to do: {event.advice}" if event.advice else ""
    return _of_belay(event, Topic.ERROR, f"{_service(event)}: {event.message}{advice}")


def _over(event: TroubleOver, _: Names) -> Note:
    minutes = max(round((event.at - event.found_at).total_seconds() / 60), 1)
    about = f" ({event.about})" if event.about else ""
    words = f"{_service(event)}: over after {minutes} min: {event.code.replace('_', ' ')}{about}"
    # Who was told that it is over must hear of it when it comes back, however soon.
    return replace(_of_belay(event, Topic.DONE, words), ends_quiet=_quiet_key(TroubleFound, event))


def _of_belay(event: TroubleFound | TroubleOver, topic: Topic, message: str) -> Note:
    """The same trouble again within the quiet time is one."""
    return Note(topic, message, event.service, "/v1/system", _quiet_key(type(event), event))


def _quiet_key(kind: type[Event], event: TroubleFound | TroubleOver) -> str:
    """Of what it is about only the beginning: a foreign client's name may be longer than an index takes."""
    return f"{kind.TYPE}/{event.service}/{event.code}/{event.about[:400]}"


def _service(event: TroubleFound | TroubleOver) -> str:
    return f"Belay's {event.service.replace('_', ' ')}"


def _stage(event: FailureRateHigh | StrategySilent, names: Names) -> str:
    return f"stage {event.stage + 1} of strategy {names.get(event.strategy_id, event.strategy_id)}"


def _sites(count: int) -> str:
    return "1 site" if count == 1 else f"{count} sites"


RULES: dict[type[Event], Callable[[Any, Names], Note | None]] = {
    ReleaseAvailable: _available,
    ReleaseRejected: _rejected,
    ReleaseWithdrawn: _withdrawn,
    ReleaseDeleted: _deleted,
    ReleaseDeletionRefused: _kept,
    PreparationFailed: _unprepared,
    OperationSucceeded: _succeeded,
    OperationFailed: _failed,
    AlarmRaised: _alarmed,
    FailedReleaseChanged: _barred,
    SiteRunChanged: _run_over,
    StrategyStateChanged: _moved,
    FailureRateHigh: _failing,
    StrategySilent: _silent,
    TroubleFound: _trouble,
    TroubleOver: _over,
}
"""Which events are news, and what they say; for those that list sites, `notes_of_sites`,
`notes_of_availability` and `notes_of_drift`."""
