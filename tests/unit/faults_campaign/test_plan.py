"""The plan of a campaign is drawn from its seed, and from nothing else."""

from tests.faults import plan
from tests.faults.evidence import KINDS
from tests.faults.foreign import ODD
from tests.faults.plan import HEAVY, LIGHT, Pace, draw
from tests.faults.saboteur import points
from tests.faults.stage import SHORT
from tests.faults.strike import STRIKES

LONG = 3_000.0


def test_the_same_seed_draws_the_same_plan_and_another_seed_another() -> None:
    assert draw(7, 100, Pace()) == draw(7, 100, Pace())
    assert draw(7, 100, Pace()) != draw(8, 100, Pace())


def test_a_long_plan_has_every_kind_in_order_of_time_within_its_time() -> None:
    planned = draw(1, LONG, Pace())
    assert {each.kind for each in planned} == HEAVY.keys() | LIGHT.keys()
    assert [each.at for each in planned] == sorted(each.at for each in planned)
    assert 0 <= planned[0].at <= planned[-1].at < LONG


def test_about_one_fault_a_second_is_planned_and_most_strike_processes_servers_and_connections() -> None:
    planned = draw(1, LONG, Pace())
    assert 1.2 < len(planned) / LONG < 1.6
    records = {"unreadable_record", "hostile_record", "replay_records", "duplicate_records", "reorder_records", *ODD}
    assert sum(each.kind not in records for each in planned) > 0.7 * len(planned)


def test_only_the_kinds_that_were_asked_for_are_drawn() -> None:
    kinds = frozenset({"kill_kafka", "cut_connections"})
    assert {each.kind for each in draw(3, 300, Pace(), kinds)} == kinds


def test_a_service_is_struck_only_at_points_that_it_passes() -> None:
    struck = [each for each in draw(1, LONG, Pace()) if each.point]
    assert all(each.target in points.POINTS[each.point].services for each in struck)
    assert {each.point for each in struck} == points.POINTS.keys()


def test_a_freeze_is_longer_than_every_lease_and_session() -> None:
    longest = max(float(SHORT["BELAY_LEASE_SECONDS"]), int(SHORT["BELAY_SESSION_TIMEOUT_MS"]) / 1000)
    assert all(each.seconds > longest for each in draw(1, LONG, Pace()) if each.kind.startswith("freeze"))


def test_every_kind_can_be_done_and_is_known_to_the_checker() -> None:
    assert HEAVY.keys() | LIGHT.keys() == STRIKES.keys()
    assert STRIKES.keys() <= KINDS.keys()
    assert STRIKES.keys() >= plan.CHEAP
