"""What the deployer does by itself with an app on a site, as things stand now. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from services.deployer.automatic.behaviour import Effective
from services.deployer.automatic.triggers import Fields, Occurrence, triggered
from services.deployer.dependencies.choosing import Choice
from services.deployer.domain import Deployment
from services.deployer.site_runs.planning import ordered
from shared.messages.base import Cause
from shared.messages.rules import Rules
from shared.messages.triggers import EVENTS, ON_DEMAND, STARLINGX
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind

REAPPLY = frozenset({*EVENTS, *STARLINGX, ON_DEMAND})
"""Codes of causes that have an app applied again."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of an app on a site."""

    behaviour: Effective
    deployment: Deployment
    chosen: Choice
    """The newest release that it may go to by itself."""
    meant_here: bool = False
    """`deployed_on` names the site or its group."""
    drifted: str = ""
    """What is not as it was left, in words; empty = nothing."""
    only_secrets: bool = False
    """All of that is secrets that were set again since."""
    barred: bool = False
    """Something of others is in the place of what is deployed: only people may take it away."""
    withdrawn: bool = False
    """The release that runs was withdrawn."""
    outgrown: str = ""
    """Why the release that runs does not fit the platform of the site any more; empty = it does."""
    fitting: str | None = None
    """The last release before it that does, and was not withdrawn."""
    wish: Cause | None = None
    """Why somebody of ours looked here."""
    events: Sequence[Occurrence] = ()
    """What happened there meanwhile, the first first."""
    fields: Fields = field(default_factory=dict)
    """What filters of triggers may ask of the site."""


@dataclass(frozen=True, slots=True)
class Action:
    """An operation of the deployer's own, and why."""

    kind: Kind
    version: str | None
    cause: Cause
    only_changes: bool = False


def decided(now: Situation) -> Action | None:
    """What is to be done; None = nothing. What is gravest comes first."""
    behaviour, deployment = now.behaviour, now.deployment
    if behaviour.desired_state == "absent":
        return _because(Kind.REMOVE, None, "desired_absent", "it is to be absent") if deployment.exists else None
    if not deployment.exists:
        wanted = behaviour.desired_state == "deployed" and now.meant_here
        return _newest(now, Kind.APPLY, "desired_deployed", "it is to be deployed here") if wanted else None
    if now.barred:
        return None
    if behaviour.desired_state == "deployed" and (now.drifted or deployment.status is not Status.OPERATIONAL):
        return _put_right(now)
    return _moved(now) or _reapplied(now)


def goes_first(wanted: Mapping[str, tuple[Action, Rules]]) -> str:
    """Which app of a site is done first, by its importance and behind what it needs, as in a run over all of them.

    What comes goes before what leaves; of that, what others need leaves last.
    """
    leaving = {app: rules for app, (action, rules) in wanted.items() if action.kind is Kind.REMOVE}
    coming = {app: rules for app, (_, rules) in wanted.items() if app not in leaving}
    return ordered(coming)[0] if coming else ordered(leaving, back=True)[0]


def _put_right(now: Situation) -> Action:
    """What runs well with a secret of before is applied with the new one, and nothing else of it is touched. What a
    first apply left half-done is recovered to nothing: from there it may be deployed again."""
    status = now.deployment.status
    why = Cause(code="drift_found", message=(now.drifted or f"it is left as {status}")[:1_000])
    if now.only_secrets and status is Status.OPERATIONAL:
        return Action(Kind.APPLY, None, why, only_changes=True)
    return Action(Kind.RECOVER, None, why)


def _moved(now: Situation) -> Action | None:
    """To another release: up, or down from one that was withdrawn, or that the platform went back from."""
    if now.deployment.status is not Status.OPERATIONAL:
        return None
    if now.behaviour.auto_update and now.chosen.release:
        return _newest(now, Kind.UPDATE, "newer_release", "there is a newer release")
    if not now.behaviour.auto_downgrade or now.fitting is None:
        return None
    if now.withdrawn:
        gone = f"release {now.deployment.version} was withdrawn"
        return _because(Kind.ROLLBACK, now.fitting, "release_withdrawn", gone)
    return _because(Kind.ROLLBACK, now.fitting, "platform_went_back", now.outgrown) if now.outgrown else None


def _reapplied(now: Situation) -> Action | None:
    """By the first event that one of its triggers names; one that names none must not hide another that does.

    Without a version: who stays on what runs may do so whatever was said of that since, also that it was withdrawn.
    """
    if now.deployment.version is None:
        return None
    for event in _waiting(now):
        if event.code == ON_DEMAND or triggered(now.behaviour.reapply_on, event, now.fields):
            return Action(Kind.APPLY, None, event.cause, only_changes=True)
    return None


def _waiting(now: Situation) -> Sequence[Occurrence]:
    """What happened there. Since then somebody may have looked there for another reason, which hides no event; what an
    older version noted is a reason alone."""
    if now.wish is None or now.wish.code not in REAPPLY:
        return now.events
    return (*now.events, Occurrence(now.wish.code, now.wish.message))


def _newest(now: Situation, kind: Kind, code: str, message: str) -> Action | None:
    if now.chosen.release is None:
        return None
    return _because(kind, now.chosen.release.version, code, f"{message}: {now.chosen.release.version}")


def _because(kind: Kind, version: str | None, code: str, message: str) -> Action:
    return Action(kind, version, Cause(code=code, message=message[:1_000]))


def backoff(tries: int, first: float) -> timedelta:
    """So long after so many tries that failed: twice as long each time, at most a day."""
    return timedelta(seconds=min(first * 2 ** min(max(tries - 1, 0), 20), 86_400))
