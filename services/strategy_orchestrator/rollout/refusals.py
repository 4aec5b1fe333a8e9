"""What the deployer's refusal of a step means for it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.strategy_orchestrator.strategies.remove import ALREADY_REMOVED
from services.strategy_orchestrator.strategies.site import ALREADY_THERE
from shared.messages.base import Fault
from shared.messages.words import OperationKind

SITE_BUSY = "site_busy"
LAGGING = frozenset({"unknown_site", "unknown_app", "unknown_release", "site_held", "operation_exists"})
"""Refusals of what our own rows allow: the deployer reads sites, releases and holds from other topics than commands.
And the id of the operation may be that of one that somebody else asked for; the next attempt has another."""

ALREADY_CURRENT = "already_current"
"""The site runs the release, and its status is operational: that is the deployer's rule for this refusal."""

UNFIT = frozenset({"platform_unfit", "patches_missing", "dependency_missing", "excluded", "operation_forbidden"})
"""The site is not what the release needs, or may not be given it: a plan that had known would have left it out. It says
nothing against the release, so that it must not stop a strategy."""

MOST_TEXT = 1_000


class RefusalEffect(StrEnum):
    """What becomes of a step whose operation was refused."""

    COMPLETE = "complete"
    """The site is where it should be."""
    LATER = "later"
    """It is tried again."""
    ABORTED = "aborted"
    """Nothing was done, and nothing of the release failed."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepAfterRefusal:
    """An outcome with its reason."""

    effect: RefusalEffect
    code: str
    message: str


NOTHING_DEPLOYED = "nothing_deployed"
"""The app is not on the site: who asks for it to be removed has what they want."""


def step_after(
    faults: Sequence[Fault], attempt: int, most: int, operation: OperationKind = OperationKind.APPLY
) -> StepAfterRefusal:
    """Busy sites become free; what we know and the deployer does not yet, it will have read in a moment.

    A site on which something runs, or whose hold is not known yet, is not settled: it is asked again, and not taken for
    being there because of what it ran before. `most` bounds the attempts that wait for the deployer to catch up.
    """
    codes = [fault.code for fault in faults]
    message = "; ".join(fault.message for fault in faults)[:MOST_TEXT]
    if SITE_BUSY in codes:
        return StepAfterRefusal(RefusalEffect.LATER, SITE_BUSY, message)
    if ALREADY_CURRENT in codes and not LAGGING.intersection(codes):
        return StepAfterRefusal(RefusalEffect.COMPLETE, ALREADY_THERE, _there(faults[codes.index(ALREADY_CURRENT)]))
    if operation is OperationKind.REMOVE and NOTHING_DEPLOYED in codes and not LAGGING.intersection(codes):
        return StepAfterRefusal(RefusalEffect.COMPLETE, ALREADY_REMOVED, "the app was not there; nothing was done")
    lagging = next((code for code in codes if code in LAGGING), None)
    if lagging and attempt < most:
        return StepAfterRefusal(RefusalEffect.LATER, lagging, message)
    effect = RefusalEffect.ABORTED if UNFIT.issuperset(codes) else RefusalEffect.FAILED
    return StepAfterRefusal(effect, codes[0], message)


def _there(fault: Fault) -> str:
    release = f"release {fault.value}" if fault.value else "the release"
    return f"it runs {release} already; nothing was done"
