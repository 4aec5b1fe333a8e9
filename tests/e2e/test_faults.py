"""A minute of `make faults`: every kind of fault that a short round can afford, and the whole check afterwards."""

from pathlib import Path

import pytest

from tests.faults.campaign import play
from tests.faults.plan import CHEAP, Pace, draw
from tests.faults.saboteur.points import POINTS

pytestmark = pytest.mark.e2e

SEED = 11
SECONDS = 25.0
"""Of faults; the start, the work that is left and the check take as long again."""

SITES = (200, 250)
RECOVERY = "recovery_takes_seconds"
RECOVERY_SECONDS = 30.0
"""Three times what `make faults` allows: tests share their cores with others."""


async def test_whatever_breaks_for_a_while_every_promise_is_kept(tmp_path: Path) -> None:
    planned = draw(SEED, SECONDS, Pace(), CHEAP)
    round_ = await play(SEED, planned, SITES, tmp_path / "evidence", print)
    violations = [v for result in round_.results if result.rule != RECOVERY for v in result.violations]
    assert not round_.problems
    assert not violations, f"{len(violations)} violations, the first: {violations[:5]}"
    assert max(r.seconds for r in round_.recoveries if r.seconds is not None) < RECOVERY_SECONDS
    assert len(round_.faults) >= len(planned) / 2, "most faults were done, not missed"
    idle = sorted(result.rule for result in round_.results if not result.checked)
    assert not idle, f"rules that had nothing to look at: {idle}"
    known = {(service, point) for service, passed in round_.passed.items() for point in passed}
    wanted = {(service, name) for name, point in POINTS.items() for service in point.services}
    assert known >= wanted, f"never passed: {sorted(wanted - known)}"
