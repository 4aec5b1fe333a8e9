"""Why a strategy is where it is, and why a stage in which sites run is not further: one code, one line. Pure.

What stands in the rows is what happened; what is told here is what it has come to since: failures that came after the
one that stopped a strategy, and running sites that an abort still waits for. Why sites do not start say the gates.
"""

from collections.abc import Sequence
from datetime import datetime

from services.strategy_orchestrator.domain import Stage, Strategy
from services.strategy_orchestrator.rollout.policy import FAILURE_RATE, FAILURE_THRESHOLD, failures_told, rate, trips
from shared.messages.strategy import Why
from shared.messages.words import StageState, StrategyState

SITES_FAILED = "sites_failed"
"""The reason of a strategy that came to its end with sites that failed or were aborted."""


def why_now(strategy: Strategy) -> Why:
    """Why a strategy is where it is."""
    why = _counted(strategy)
    if strategy.catch_up_sites and strategy.catch_up_until:
        until = f"{strategy.catch_up_until:%Y-%m-%d %H:%M:%S} UTC"
        message = f"{why.message}; {sites(strategy.catch_up_sites)} that was offline is tried again once it is back"
        if strategy.catch_up_sites != 1:
            message = f"{why.message}; {sites(strategy.catch_up_sites)} that were offline are tried again once back"
        return Why(code=why.code, message=f"{message}, until {until}")
    if strategy.state is not StrategyState.ABORTING or not (running := strategy.counts.running):
        return why
    oldest = next((f" ({stage.oldest})" for stage in strategy.stages if stage.oldest), "")
    message = f"{why.message}; waits for {sites(running)} to end{oldest}, or to be cancelled"
    return Why(code=why.code, message=message)


def _counted(strategy: Strategy) -> Why:
    """The reason of a strategy that its own failures stopped, with all of them."""
    code = strategy.why.code
    if code == FAILURE_THRESHOLD:
        over = (s for s in strategy.stages if trips(strategy.policy, s.counts, s.accepted_failures))
        if stage := next(over, None):
            return Why(code=code, message=failures_told(strategy.policy, stage.name, stage.counts))
    if code == FAILURE_RATE:
        failing = (s for s in strategy.stages if s.state is not StageState.COMPLETE and s.counts.failed)
        if stage := next(failing, None):
            return Why(code=code, message=rate(stage.name, stage.counts))
    return strategy.why


def why_still(strategy: Strategy, stage: Stage) -> Why | None:
    """Nothing has ended for a while: the sites that run longest are the ones to look at."""
    if not stage.oldest or not stage.counts.running:
        return None
    since = f"nothing has ended since {stage.moved_at:%H:%M:%S} UTC; " if stage.moved_at else ""
    waiting = f"; {sites(stage.counts.waiting)} wait" if stage.counts.waiting else ""
    message = f"{since}{stage.oldest}{waiting}"
    if strategy.state is StrategyState.PAUSED:
        return Why(code=strategy.why.code, message=f"{why_now(strategy).message}; {message}")
    return Why(code="oldest_running", message=message)


def why_finishing(stage: Stage) -> Why | None:
    """Nothing waits any more, and the last ones run; None when it has ended."""
    if stage.counts.waiting or not stage.counts.running:
        return None
    return Why(code="finishing", message=f"waits for its last running sites: {stage.counts.running}")


def oldest(running: int, longest: Sequence[tuple[str, datetime | None]]) -> str:
    """`running longest: oslo-1 since 12:03:04 UTC, and 9 more`."""
    named = [f"{site} since {since:%H:%M:%S} UTC" if since else site for site, since in longest]
    more = running - len(named)
    return f"running longest: {', '.join(named)}" + (f", and {more} more" if more > 0 else "")


def sites(count: int) -> str:
    """`1 site`, `2 sites`."""
    return "1 site" if count == 1 else f"{count} sites"
