"""A saboteur does what it is ordered, at the points of the product as it stands."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.deployer.engine import runner
from tests.faults.saboteur import points
from tests.faults.saboteur.sabotage import Sabotage
from tests.faults.saboteur.skew import skew


@pytest.fixture
def struck(monkeypatch: pytest.MonkeyPatch) -> list[signal.Signals]:
    """The signals that a process would have sent to itself."""
    signals: list[signal.Signals] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: signals.append(number))
    return signals


def no_skew(_seconds: float) -> None:
    """These tests leave the clock alone."""


def test_every_point_of_the_table_is_in_the_product() -> None:
    points.check()


def test_a_point_that_is_gone_from_the_product_is_said_loudly() -> None:
    with pytest.raises(LookupError, match=r"no shared\.core\.relay:Relay\.gone any more"):
        points.found("shared.core.relay:Relay.gone")


def test_a_trap_springs_at_the_pass_that_was_ordered_and_only_once(struck: list[signal.Signals]) -> None:
    sabotage = Sabotage(no_skew)
    sabotage.obey({"do": "trap", "point": "sent", "effect": "kill", "passes": 2})
    for _ in range(4):
        sabotage.passed("sent")
        sabotage.passed("polled")
    assert struck == [signal.SIGKILL]
    assert sabotage.obey({"do": "passes"}) == {"passes": {"sent": 4, "polled": 4}}


@pytest.mark.parametrize(
    "order", [{"do": "trap", "point": "nowhere", "effect": "kill", "passes": 1}, {"do": "window", "what": "x"}, {}]
)
def test_an_order_that_makes_no_sense_is_refused(order: dict[str, object]) -> None:
    assert Sabotage(no_skew).obey(order) == {"refused": order}


def test_what_is_wrong_for_a_while_is_right_afterwards() -> None:
    sabotage = Sabotage(no_skew)
    sabotage.obey({"do": "window", "what": "stall_relay", "seconds": 60})
    assert sabotage.on("stall_relay")
    sabotage.obey({"do": "window", "what": "stall_relay", "seconds": 0})
    assert not sabotage.on("stall_relay")


def test_a_wrong_clock_is_wrong_for_our_modules_and_right_again_afterwards() -> None:
    service: Any = runner
    before, real_time = service.datetime, time.time
    skew(5)
    try:
        assert abs(service.datetime.now(UTC) - datetime.now(UTC) - timedelta(seconds=5)) < timedelta(seconds=1)
        assert abs(time.time() - real_time() - 5) < 1
        assert isinstance(datetime.now(UTC), service.datetime)
        assert type(service.datetime.now(UTC)) is datetime
        assert service.datetime.fromisoformat("2026-01-01T00:00:00+00:00") == datetime(2026, 1, 1, tzinfo=UTC)
    finally:
        skew(0)
    assert (service.datetime, time.time) == (before, real_time)
