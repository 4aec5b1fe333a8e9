"""What the deployer knows and decides: deployments and their transitions, and whether a request may be taken."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from services.deployer.overrides.terms import PLAIN_TERMS, Terms
from services.deployer.phases import LEAVING, may_be_left
from shared.frozen import light_dataclass
from shared.messages.base import ErrorCode, Fault
from shared.messages.deployer import Cause, Prestaged, RequestOperation
from shared.messages.rules import PLAIN, Rules
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from shared.secret_references import references
from shared.versions import Scheme, may_upgrade


class Outcome(StrEnum):
    """How an operation leaves its site."""

    SUCCEEDED = "succeeded"
    UNTOUCHED = "untouched"
    """It failed before it changed anything."""
    RECOVERED = "recovered"
    """It failed, and the release that was there before runs again."""
    UNDONE = "undone"
    """It failed, there was no release before, and what it brought is gone again."""
    LOST = "lost"
    """It failed, and so did the recovery: somebody has to look, and may start any operation."""


Step = Kind | Outcome

_ANY_OPERATION: dict[Step, Status] = {
    Kind.APPLY: Status.APPLYING,
    Kind.UPDATE: Status.UPDATING,
    Kind.ROLLBACK: Status.ROLLING_BACK,
    Kind.RECOVER: Status.RECOVERING,
    Kind.REMOVE: Status.REMOVING,
}
_ANY_RESCUE: dict[Step, Status] = {Outcome.RECOVERED: Status.OPERATIONAL, Outcome.UNDONE: Status.NEW}

TRANSITIONS: dict[Status, Mapping[Step, Status]] = {
    Status.NEW: {Kind.APPLY: Status.APPLYING},
    Status.REMOVED: {Kind.APPLY: Status.APPLYING},
    Status.OPERATIONAL: _ANY_OPERATION,
    Status.APPLY_ERROR: _ANY_OPERATION,
    Status.UPDATE_ERROR: _ANY_OPERATION,
    Status.ROLLBACK_ERROR: _ANY_OPERATION,
    Status.REMOVE_ERROR: _ANY_OPERATION,
    Status.APPLYING: {**_ANY_RESCUE, Outcome.SUCCEEDED: Status.OPERATIONAL, Outcome.LOST: Status.APPLY_ERROR},
    Status.UPDATING: {**_ANY_RESCUE, Outcome.SUCCEEDED: Status.OPERATIONAL, Outcome.LOST: Status.UPDATE_ERROR},
    Status.ROLLING_BACK: {**_ANY_RESCUE, Outcome.SUCCEEDED: Status.OPERATIONAL, Outcome.LOST: Status.ROLLBACK_ERROR},
    Status.RECOVERING: {**_ANY_RESCUE, Outcome.SUCCEEDED: Status.OPERATIONAL, Outcome.LOST: Status.APPLY_ERROR},
    Status.REMOVING: {**_ANY_RESCUE, Outcome.SUCCEEDED: Status.REMOVED, Outcome.LOST: Status.REMOVE_ERROR},
}
"""From a status, by an operation that begins or by how it ends, to a status. `untouched` leads back where it began."""

AUTOMATIC = "automatic"
"""Who asks for operations that the deployer begins by itself."""

BROKEN_ON_THE_WAY = frozenset({Status.APPLY_ERROR, Status.UPDATE_ERROR, Status.REMOVE_ERROR})
"""The statuses of a site that something else than a rollback left half-way, with the release it had still recorded."""

RESTING = frozenset(status for status, steps in TRANSITIONS.items() if Kind.APPLY in steps)
"""The statuses in which no operation runs; the only ones that are stored."""


@light_dataclass(frozen=True, slots=True)
class Site:
    """What the deployer must know of a site."""

    name: str
    connections: Mapping[str, Mapping[str, Any]]
    """By driver that reaches it, what that driver must know."""
    simplex: bool = False
    managed: bool = True
    maintenance: bool = False
    alarms: tuple[str, ...] = ()
    """Those that are active and affect management."""


Overrides = Mapping[str, tuple[str, ...]]
"""By release, what was set when it came to a site (overrides/layers.py); by release and a number, what was set when it
was tried there once more, and was left half-done."""

NOTHING_SET: Overrides = {}


@light_dataclass(frozen=True, slots=True)
class Deployment:
    """An app on a site, as its last operation left it."""

    version: str | None = None
    status: Status = Status.NEW
    leftovers: tuple[str, ...] = ()
    """Releases that operations left half-done: their components may still lie there."""
    history: tuple[str, ...] = ()
    """The releases before the current one, latest last."""
    prestaged: tuple[Prestaged, ...] = ()
    """What was sent to the site before it is needed there, by release, and lies there."""
    overrides: Overrides = field(default_factory=lambda: NOTHING_SET)
    """Of the releases that lie there; of most nothing."""

    @property
    def exists(self) -> bool:
        """Whether anything was deployed, well or not."""
        return self.status not in (Status.NEW, Status.REMOVED)


@dataclass(frozen=True, slots=True)
class Release:
    """A release as a request is judged by; `Content` is what is deployed of it."""

    app: str
    version: str
    scheme: Scheme = "pep440"
    upgrades_from: tuple[str, ...] | None = None
    drivers: tuple[str, ...] = ()
    withdrawn: bool = False
    deleting: bool = False
    """It goes, unless somebody needs it."""
    rules: Rules = PLAIN
    relied_on: bool = False
    """Some release, of whatever app, needs or excludes its app."""
    forbidden: tuple[str, ...] = ()
    """Kinds of operations on it that people may not ask for."""

    @property
    def says_something(self) -> bool:
        """Whether more is to be asked before it comes or goes than most releases say."""
        return self.relied_on or self.rules is not PLAIN or bool(self.forbidden)


@light_dataclass(frozen=True, slots=True)
class Operation:
    """One job on one site, as it was accepted."""

    id: str
    site: str
    app: str
    kind: Kind
    from_version: str | None
    to_version: str | None
    timeout_seconds: int
    strategy_id: str | None = None
    correlation_id: str = ""
    actor: str = ""
    force: bool = False
    """A prestage goes on in spite of alarms."""
    run_id: str | None = None
    """The run over its site that it is part of."""
    recover: str | None = None
    """`always` or `never`: whether a failure turns it back; None = as the release says."""
    publication: str | None = None
    """The command that publishes the release to reach; until it has, `to_version` is None."""
    terms: Terms = PLAIN_TERMS


@light_dataclass(frozen=True, slots=True)
class Facts:
    """What a request is judged by."""

    site: Site | None
    deployment: Deployment = Deployment()
    version: str | None = None
    """The release to reach: what `wanted` says."""
    target: Release | None = None
    """That release, if it is known."""
    app_known: bool = True
    held_by: tuple[str, str] | None = None
    """Id and name of the strategy that holds the site."""
    busy_with: str | None = None
    """The operation that is queued or running on the site."""
    secrets: frozenset[str] = frozenset()
    """Those of the secrets that the site's connections name which are known."""
    again: bool = True
    """Whether `apply` deploys a release afresh where it runs soundly already."""
    set_now: tuple[str, ...] = ()
    """What is set for the site now, for the app that is meant (overrides/layers.py)."""
    terms: Terms = PLAIN_TERMS
    misfits: tuple[Fault, ...] = ()
    """Why the release cannot be deployed with what is set."""
    unmet: tuple[Fault, ...] = ()
    """What the releases concerned need of the site and of its other apps, and is not so (dependencies/)."""
    notices: tuple[str, ...] = ()
    """What is not as they would have it, and forbids nothing."""
    before: tuple[Release, ...] = ()
    """Releases of other apps that have to come to the site before."""


def wanted(request: RequestOperation, deployment: Deployment) -> str | None:
    """The release that the operation is to reach; None = no release (or none that could be meant)."""
    if request.kind is Kind.REMOVE:
        return None
    if request.kind is Kind.RECOVER:
        return deployment.version
    if request.kind is Kind.ROLLBACK and request.version is None:
        return way_back(deployment)
    if request.only_changes and request.version is None:
        return deployment.version
    return request.version


def returns_to(deployment: Deployment) -> tuple[str, ...]:
    """The releases that a rollback may lead to; the last one is what one without version leads to.

    These are those before the current one. Where something broke, the one that is still recorded is among them: the
    last of them if an update or apply broke, since one further would be a release too far.
    """
    history, recorded = deployment.history, deployment.version
    if recorded is None or deployment.status is Status.OPERATIONAL:
        return history
    return (*history, recorded) if deployment.status in BROKEN_ON_THE_WAY else (recorded, *history)


def way_back(deployment: Deployment) -> str | None:
    """What a rollback without version leads to."""
    possible = returns_to(deployment)
    return possible[-1] if possible else None


def faults_of(request: RequestOperation, facts: Facts) -> tuple[Fault, ...]:
    """Everything that forbids the operation, not only the first thing; empty when it may begin."""
    return tuple(fault for check in _CHECKS for fault in check(request, facts))


def _site_known(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    if facts.site is None:
        yield _fault("unknown_site", "site", f"there is no site '{request.site}'; register it first", request.site)


def _site_free(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    if facts.busy_with:
        message = f"operation {facts.busy_with} runs on '{request.site}'; wait for its end or cancel it"
        yield _fault("site_busy", "site", message, request.site)
    if facts.held_by and facts.held_by[0] != request.strategy_id:
        identifier, name = facts.held_by
        message = f"strategy '{name}' ({identifier}) holds '{request.site}' until it ends"
        yield _fault("site_held", "site", message, request.site)


def _version_fits_kind(request: RequestOperation, _: Facts) -> Iterator[Fault]:
    known = _awaits(request) or (request.kind is Kind.APPLY and request.only_changes)
    if request.kind in (Kind.APPLY, Kind.UPDATE, Kind.PRESTAGE) and request.version is None and not known:
        yield _fault(ErrorCode.MISSING_FIELD, "version", f"{request.kind} needs the release to reach")
    if request.only_changes and request.kind is not Kind.APPLY:
        message = f"{request.kind} does as it must: leave it out, or apply"
        yield _fault(ErrorCode.INVALID_FIELD, "only_changes", message, value=True)
    if request.kind in (Kind.RECOVER, Kind.REMOVE) and request.version is not None:
        message = f"{request.kind} takes no version: leave it out"
        yield _fault(ErrorCode.INVALID_FIELD, "version", message, request.version)
    if request.recover and not may_be_left(request.kind):
        message = f"{request.kind} has no way back that could be left out: leave it out"
        yield _fault(ErrorCode.INVALID_FIELD, "recover", message, request.recover)


def _publication_fits(request: RequestOperation, _: Facts) -> Iterator[Fault]:
    if request.publication is None:
        return
    wrong = (
        "goes in place of a version: leave one of them out"
        if request.version
        else "cannot be planned before it has ended: leave out preview"
        if request.preview
        else f"says which release apply and update reach; {request.kind} takes none"
        if request.kind not in (Kind.APPLY, Kind.UPDATE)
        else ""
    )
    if wrong:
        yield _fault(ErrorCode.INVALID_FIELD, "publication", f"a publication {wrong}", request.publication)


def _awaits(request: RequestOperation) -> bool:
    return request.publication is not None


def _release_known(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    version = facts.version
    if version is None and _awaits(request):
        return
    if not facts.app_known:
        yield _fault("unknown_app", "app", f"no release of '{request.app}' was ever published", request.app)
    elif version and facts.target is None:
        message = f"there is no release {version} of '{request.app}'; publish it first"
        yield _fault("unknown_release", "version", message, version)
    elif facts.target and facts.target.deleting:
        message = f"release {version} of '{request.app}' is being deleted; choose another"
        yield _fault("release_deleting", "version", message, version)
    elif facts.target and facts.target.withdrawn and not _stays(request):
        message = f"release {version} of '{request.app}' was withdrawn; choose another"
        yield _fault("release_withdrawn", "version", message, version)


def _stays(request: RequestOperation) -> bool:
    """Whether it stays on the release that is there, which it may have whatever was said of it since."""
    return request.kind is Kind.RECOVER or (request.only_changes and request.version is None)


def _deployed(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    possible = request.kind in LEAVING or request.kind in TRANSITIONS[facts.deployment.status]
    nothing = request.only_changes and facts.version is None  # of what runs there, only changes
    if facts.site and (nothing or not possible):
        message = f"'{request.app}' is not deployed on '{request.site}', so there is nothing to {request.kind}"
        yield _fault("nothing_deployed", "app", f"{message}; apply it first", request.app)


def _not_there_yet(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    deployment, version = facts.deployment, facts.version
    current = deployment.status is Status.OPERATIONAL and version == deployment.version
    afresh = facts.again or request.only_changes
    if current and (request.kind in (Kind.UPDATE, Kind.ROLLBACK) or (request.kind is Kind.APPLY and not afresh)):
        message = f"'{request.site}' runs release {version} already; `apply` deploys it again"
        yield _fault("already_current", "version", message, version)


def _edge_allowed(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    target, version = facts.target, facts.deployment.version
    if target is None or version is None or version == target.version or request.kind not in (Kind.APPLY, Kind.UPDATE):
        return
    if not _may_upgrade(target.scheme, target.upgrades_from, version):
        ranges = " or ".join(target.upgrades_from or ()) or "no other release"
        message = f"release {target.version} may be reached from {ranges}, but '{request.site}' runs {version}"
        yield _fault("not_upgradable", "version", message, target.version)


def _was_there_before(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    deployment = facts.deployment
    if request.kind is not Kind.ROLLBACK or not deployment.exists:
        return
    version = facts.version
    if version is None or (version not in returns_to(deployment) and version != deployment.version):
        before = ", ".join(deployment.history) or "none"
        message = f"before the current one '{request.site}' had: {before}; use `update` to reach any other release"
        yield _fault("no_previous_release", "version", message, request.version)


def _drivers_match(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    if not facts.site or not facts.target:
        return
    if lacking := sorted(set(facts.target.drivers) - facts.site.connections.keys()):
        reached = ", ".join(sorted(facts.site.connections)) or "none"
        message = f"the release needs {', '.join(lacking)}, but the drivers that reach '{request.site}' are: {reached}"
        yield _fault("driver_mismatch", "site", message, request.site)


def _secrets_known(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    for driver, told in facts.site.connections.items() if facts.site else ():
        for reference in references(told):
            if reference.sound and reference.name not in facts.secrets:
                where = f"'{request.site}' names the secret '{reference.name}' in `{driver}.{reference.path}`"
                message = f"{where}, and there is none; set it, or change the site"
                yield _fault("unknown_secret", "site", message, request.site)


def _overrides_fit(_: RequestOperation, facts: Facts) -> Iterator[Fault]:
    yield from facts.misfits


def _ready_for_content(request: RequestOperation, facts: Facts) -> Iterator[Fault]:
    if request.kind is Kind.PRESTAGE and facts.site:
        for cause in hindrances(facts.site, force=request.force):
            yield _fault(cause.code, "site", cause.message, request.site)


def _needs_met(_: RequestOperation, facts: Facts) -> Iterator[Fault]:
    yield from facts.unmet


def hindrances(site: Site, *, force: bool) -> Iterator[Cause]:
    """Why nothing is sent to a site that may be reached: what is known of it without asking it."""
    if not site.managed:
        yield Cause(code="unmanaged", message=f"'{site.name}' is not managed; manage it first")
    if site.maintenance:
        yield Cause(code="in_maintenance", message=f"'{site.name}' is in maintenance; wait for the end of it")
    if site.alarms and not force:
        named = ", ".join(site.alarms[:10])
        message = f"'{site.name}' has alarms that affect management: {named}; mend what they say, or use force"
        yield Cause(code="alarms_active", message=message)


_CHECKS: Sequence[Callable[[RequestOperation, Facts], Iterator[Fault]]] = (
    _site_known,
    _site_free,
    _version_fits_kind,
    _publication_fits,
    _release_known,
    _deployed,
    _not_there_yet,
    _edge_allowed,
    _was_there_before,
    _drivers_match,
    _secrets_known,
    _overrides_fit,
    _ready_for_content,
    _needs_met,
)

_may_upgrade = lru_cache(maxsize=4096)(may_upgrade)  # a fleet asks the same few questions thousands of times


def _fault(code: str, where: str, message: str, value: Any = None) -> Fault:
    return Fault(code=code, field=where, message=message, value=value)


def status_during(deployment: Deployment, kind: Kind) -> Status:
    """What the deployment is doing while the operation runs."""
    if kind in LEAVING:
        return deployment.status
    return TRANSITIONS[deployment.status][kind]


def after(deployment: Deployment, operation: Operation, outcome: Outcome, history_kept: int) -> Deployment:
    """The deployment that an operation leaves behind."""
    if outcome is Outcome.UNTOUCHED or operation.kind in LEAVING:
        return deployment
    if outcome is Outcome.SUCCEEDED and operation.to_version is None and operation.kind is Kind.RECOVER:
        outcome = Outcome.UNDONE  # recovered to what was there before: nothing
    status = TRANSITIONS[status_during(deployment, operation.kind)][outcome]
    match outcome:
        case Outcome.LOST:
            left = _leftovers(deployment, operation.to_version)
            return replace(deployment, status=status, leftovers=left, overrides=_set_for_all(deployment, operation))
        case Outcome.RECOVERED:
            overrides = _set_for(deployment.overrides, deployment.version)
            return replace(deployment, status=status, leftovers=(), overrides=overrides)
        case Outcome.SUCCEEDED if operation.to_version:
            history = history_after(deployment, operation.to_version)[-history_kept:]
            overrides = _set_for({operation.to_version: operation.terms.used}, operation.to_version)
            return Deployment(operation.to_version, status, (), history, deployment.prestaged, overrides)
    return Deployment(None, status, prestaged=deployment.prestaged)


def _set_for(overrides: Overrides, version: str | None) -> Overrides:
    """Of one release alone, if anything was set for it."""
    refs = overrides.get(version or "")
    return {version: refs} if version and refs else NOTHING_SET


def _set_for_all(deployment: Deployment, operation: Operation) -> Overrides:
    """Of all that may lie there. What was there keeps what it came with, and nothing where nothing was set: a recovery
    leads there. What else it was tried with is kept beside it, for the components that it has with that alone."""
    version, used, kept = operation.to_version, operation.terms.used, deployment.overrides
    if version is None:
        return kept
    if version != deployment.version and version not in deployment.leftovers:
        return {**kept, **_set_for({version: used}, version)}
    known = (kept.get(version, ()), *(refs for of, refs in tried(kept) if of == version))
    return kept if any(set(used) == set(refs) for refs in known) else {**kept, f"{version} {len(kept)}": used}


def tried(overrides: Overrides) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Releases with what they were tried with beside what they came with. Versions hold no spaces."""
    return ((name.partition(" ")[0], refs) for name, refs in overrides.items() if " " in name)


def _leftovers(deployment: Deployment, version: str | None) -> tuple[str, ...]:
    if version is None or version == deployment.version or version in deployment.leftovers:
        return deployment.leftovers
    return (*deployment.leftovers, version)


def history_after(deployment: Deployment, version: str) -> tuple[str, ...]:
    """The releases before `version`, once it is the current one: going back forgets what came after it."""
    history, current = deployment.history, deployment.version
    if version == current or current is None:
        return history
    if version in history:
        return history[: len(history) - 1 - history[::-1].index(version)]
    return (*history, current)
