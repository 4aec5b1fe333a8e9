"""The life of a delivery, by its rules alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.notifier.domain import (
    TRANSITIONS,
    BackOff,
    DeliveryState,
    Outcome,
    Parcel,
    Result,
    judge,
    wait_after,
)
from shared.messages.words import NotificationTopic

NOW = datetime(2026, 10, 1, tzinfo=UTC)
PATIENCE = BackOff(tries=3, first=timedelta(seconds=2), most=timedelta(seconds=60))
PARCEL = Parcel(
    delivery_id="1:ops",
    notification_id=1,
    topic=NotificationTopic.DONE,
    message="done",
    about="s-1",
    link="",
    raised_at=NOW,
    subscription="ops",
    channel="webhook",
    url="https://example.org/",
    sealed_secret=None,
    tries=0,
    first_tried_at=None,
    last_success_at=None,
)
FAILED = Outcome(Result.FAILED, "the target answered 500")


def test_a_delivered_parcel_is_done() -> None:
    verdict = judge(PARCEL, Outcome(Result.DELIVERED), PATIENCE, NOW, 0)
    assert (verdict.state, verdict.tries, verdict.retry_at) == (DeliveryState.DELIVERED, 1, None)


def test_a_failed_try_is_repeated_later() -> None:
    verdict = judge(PARCEL, FAILED, PATIENCE, NOW, 1)
    assert verdict.state is DeliveryState.QUEUED
    assert verdict.retry_at == NOW + timedelta(seconds=2)
    assert verdict.reason == FAILED.reason


def test_the_last_failed_try_is_the_end_and_finds_a_target_dead_that_was_never_reached() -> None:
    verdict = judge(replace(PARCEL, tries=2), FAILED, PATIENCE, NOW, 0)
    assert (verdict.state, verdict.tries, verdict.subscription_dead) == (DeliveryState.DEAD, 3, True)


def test_a_target_that_took_another_message_meanwhile_is_not_dead() -> None:
    parcel = replace(PARCEL, tries=2, first_tried_at=NOW - timedelta(hours=1), last_success_at=NOW)
    assert not judge(parcel, FAILED, PATIENCE, NOW, 0).subscription_dead


def test_a_success_before_the_first_try_does_not_save_the_subscription() -> None:
    parcel = replace(PARCEL, tries=2, first_tried_at=NOW, last_success_at=NOW - timedelta(days=1))
    assert judge(parcel, FAILED, PATIENCE, NOW, 0).subscription_dead


def test_a_target_that_says_gone_is_believed_at_once() -> None:
    verdict = judge(PARCEL, Outcome(Result.GONE, "410"), PATIENCE, NOW, 0)
    assert (verdict.state, verdict.subscription_dead) == (DeliveryState.DEAD, True)


@pytest.mark.parametrize(("tries", "seconds"), [(1, 2), (2, 4), (3, 8), (6, 60), (500, 60)])
def test_waits_double_up_to_the_longest(tries: int, seconds: int) -> None:
    assert wait_after(tries, PATIENCE, 1) == timedelta(seconds=seconds)
    assert wait_after(tries, PATIENCE, 0) == timedelta(seconds=seconds / 2)


@pytest.mark.parametrize("outcome", [Outcome(result, "x") for result in Result])
@pytest.mark.parametrize("tries", [0, 1, 2])
def test_whatever_happens_the_table_allows_it(outcome: Outcome, tries: int) -> None:
    verdict = judge(replace(PARCEL, tries=tries), outcome, PATIENCE, NOW, 0.5)
    assert verdict.state in TRANSITIONS[DeliveryState.QUEUED]
    assert (verdict.retry_at is not None) == (verdict.state is DeliveryState.QUEUED)


def test_the_table_in_the_readme_is_that_of_the_code() -> None:
    readme = (Path(__file__).parents[3] / "services/notifier/README.md").read_text()
    rows = [f"| {state} | {', '.join(sorted(after))} |".replace("|  |", "| |") for state, after in TRANSITIONS.items()]
    assert "\n".join(rows) in readme
