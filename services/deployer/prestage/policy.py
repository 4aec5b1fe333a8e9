"""What of the content on a site stays, and what may go. Pure."""

from collections.abc import Sequence
from datetime import datetime

from services.deployer.course import Course
from services.deployer.domain import Deployment, Operation, way_back
from services.deployer.phases import PHASES, Leg, Phase
from services.deployer.plan import KIND_OF, Ground, Prepared
from shared.messages.deployer import MOST_PRESTAGED, Prestaged
from shared.messages.words import OperationKind as Kind

FETCHING = [row for row in PHASES[Kind.PRESTAGE][Leg.FORWARD] if row.verb == "fetch"]


def leaving(deployment: Deployment, target: str | None, keep: int) -> tuple[str, ...]:
    """Releases whose content goes once `target` is prestaged: all but the `keep` newest, and but those that run, are to
    come, were left half-done, or are the way back."""
    used = {deployment.version, target, way_back(deployment), *deployment.leftovers}
    others = [each for each in _oldest_first(deployment.prestaged) if each.version != target]
    newest = {each.version for each in others[len(others) - keep + 1 :]} if keep > 1 else set()
    return tuple(each.version for each in others if each.version not in used | newest)


def _oldest_first(prestaged: Sequence[Prestaged]) -> list[Prestaged]:
    return sorted(prestaged, key=lambda each: (each.at, each.version))


def left_by(operation: Operation, ground: Ground, course: Course, now: datetime) -> tuple[Prestaged, ...]:
    """What lies prestaged on the site after a prestage that has ended."""
    before = ground.deployment.prestaged
    prepared = ground.prepared.get(operation.to_version or "")
    if prepared is None or (course.cause and not course.plan):  # it was refused: nothing was sent
        return before
    fresh = _brought(operation.to_version or "", prepared, course, now)
    if not fresh.complete and any(e.complete and e.version == fresh.version for e in before):
        return before  # it lies there from before
    cleaned = {each.outcome for each in course.phases if each.name == Phase.CLEAN}
    gone = {fresh.version, *(ground.leaving if course.cause is None and "failed" not in cleaned else ())}
    stay = [_left_half(each, ground, cleaned) for each in before if each.version not in gone]
    return tuple(_oldest_first([*stay, fresh])[-MOST_PRESTAGED:])


def _left_half(lies: Prestaged, ground: Ground, cleaned: set[str]) -> Prestaged:
    """Some of what was to go may have gone: nobody counts on it any more, and the next prestage takes it away."""
    halved = lies.version in ground.leaving and cleaned & {"done", "failed"}
    return lies.model_copy(update={"complete": False}) if halved else lies


def _brought(version: str, prepared: Prepared, course: Course, now: datetime) -> Prestaged:
    sent = [way for way in course.plan if way.action in KIND_OF]
    found = [i for way in sent for i in prepared.items_of(way.component, KIND_OF[way.action], course.sent.platform)]
    items = {item.sha256: item for item in found}.values()
    done = {(result.name, result.component) for result in course.phases if result.outcome == "done"}
    return Prestaged(
        version=version,
        bundle_sha256=prepared.bundle_sha256,
        bytes=sum(item.bytes for item in items),
        items=len(items),
        complete=all(
            (row.phase, way.component) in done for row in FETCHING for way in sent if way.action in row.actions
        ),
        at=now,
        platform=next((item.platform for item in items if item.platform), None),
    )
