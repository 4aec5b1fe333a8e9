"""The watchdog: it bites what stands still, and never what works or rests."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.watchdog import Grown, Unwell, Vitals, Watchdog

WELL = Vitals(joined=True, waiting=False, handled=7, restored=0, memory_mib=100)
STALLED = replace(WELL, waiting=True)
RESTORING = replace(WELL, joined=False)


def watchdog() -> Watchdog:
    return Watchdog(stall_seconds=90, restore_seconds=20, memory_mib=400)


def watch(*seen: tuple[float, Vitals]) -> None:
    dog = watchdog()
    for now, vitals in seen:
        dog.look(vitals, now)


def test_records_that_wait_unhandled_are_too_much() -> None:
    watch((0, STALLED), (90, STALLED))
    with pytest.raises(Unwell, match="records wait, but none was handled for 91 seconds"):
        watch((0, STALLED), (91, STALLED))


def test_a_restore_that_stands_still_is_too_much() -> None:
    watch((0, RESTORING), (20, RESTORING))
    with pytest.raises(Unwell, match="nothing restored, for 21 seconds"):
        watch((0, RESTORING), (21, RESTORING))


def test_a_process_that_has_grown_is_too_much() -> None:
    watch((0, replace(WELL, memory_mib=400)))
    with pytest.raises(Grown, match="grown beyond 400 MiB"):
        watch((0, replace(WELL, memory_mib=401)))


def test_losing_the_partitions_begins_a_time_of_its_own() -> None:
    watch((0, STALLED), (85, STALLED), (86, RESTORING), (106, RESTORING), (107, STALLED), (197, STALLED))


@given(st.lists(st.floats(0.1, 60), min_size=1, max_size=50))
def test_one_that_rests_or_works_is_left_alone_for_ever(waits: list[float]) -> None:
    resting, working = watchdog(), watchdog()
    now = 0.0
    for number, wait in enumerate(waits):
        now += wait
        resting.look(WELL, now)
        working.look(replace(STALLED, handled=number), now)


@given(st.lists(st.floats(0.1, 19.9), min_size=1, max_size=50))
def test_one_whose_restore_moves_is_left_alone_for_ever(waits: list[float]) -> None:
    dog = watchdog()
    for number, now in enumerate(waits):
        dog.look(replace(RESTORING, restored=number % 2), sum(waits[:number]) + now)
