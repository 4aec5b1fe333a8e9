"""Gates: what must be open before sites start. One pure function of one signature each.

To add one: write its module here, and enter it in `GATES`. The first that is closed is the reason of its stage, so what
a person can do something about stands before what comes by itself. A closed gate holds no slot.
"""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.gates import earlier_stage, group_limit, max_parallel, site_busy, soak, started
from services.strategy_orchestrator.gates.gate import Check, Closed, Open, Surroundings

GATES: tuple[Check, ...] = (
    started.check,
    soak.check,
    earlier_stage.check,
    max_parallel.check,
    site_busy.check,
    group_limit.check,
)
"""In the order in which they are asked."""


def ask(stage: Stage, surroundings: Surroundings, now: datetime) -> Open | Closed:
    """The first gate that is closed; or how many sites all of them together let start."""
    least: int | None = None
    for check in GATES:
        answer = check(stage, surroundings, now)
        if isinstance(answer, Closed):
            return answer
        if answer.at_most is not None:
            least = answer.at_most if least is None else min(least, answer.at_most)
    return Open(least)


__all__ = ["GATES", "Closed", "Open", "Surroundings", "ask"]
