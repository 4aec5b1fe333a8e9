"""The life of a delivery, by its rules alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.notifier.channels.webhook import judged, wait_of
from services.notifier.domain import (
    JITTER,
    RETRY_WAITS,
    TRANSITIONS,
    Attempt,
    DeliveryRequest,
    Result,
    judge,
    wait_after,
)
from shared.messages.notifier import DeliveryState
from shared.messages.words import NotificationTopic

NOW = datetime(2026, 10, 1, tzinfo=UTC)
WAITS = (2, 4)
REQUEST = DeliveryRequest(
    delivery_id="1:ops",
    notification_id=1,
    message_id="msg_1",
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
FAILED = Attempt(Result.FAILED, "the target answered 500")


def test_a_delivered_one_is_done() -> None:
    judgement = judge(REQUEST, Attempt(Result.DELIVERED), WAITS, NOW, 0)
    assert (judgement.state, judgement.tries, judgement.retry_at) == (DeliveryState.DELIVERED, 1, None)


def test_a_failed_try_is_repeated_later() -> None:
    judgement = judge(REQUEST, FAILED, WAITS, NOW, 0)
    assert judgement.state is DeliveryState.WAITING
    assert judgement.retry_at == NOW + timedelta(seconds=2)
    assert judgement.reason == FAILED.reason


def test_the_last_failed_try_is_the_end_and_finds_a_target_dead_that_was_never_reached() -> None:
    judgement = judge(replace(REQUEST, tries=2), FAILED, WAITS, NOW, 0)
    assert (judgement.state, judgement.tries, judgement.subscription_dead) == (DeliveryState.DEAD, 3, True)


def test_a_target_that_took_another_message_meanwhile_is_not_dead() -> None:
    request = replace(REQUEST, tries=2, first_tried_at=NOW - timedelta(hours=1), last_success_at=NOW)
    assert not judge(request, FAILED, WAITS, NOW, 0).subscription_dead


def test_a_success_before_the_first_try_does_not_save_the_subscription() -> None:
    request = replace(REQUEST, tries=2, first_tried_at=NOW, last_success_at=NOW - timedelta(days=1))
    assert judge(request, FAILED, WAITS, NOW, 0).subscription_dead


def test_a_target_that_says_gone_is_believed_at_once() -> None:
    judgement = judge(REQUEST, Attempt(Result.GONE, "410"), WAITS, NOW, 0)
    assert (judgement.state, judgement.subscription_dead) == (DeliveryState.DEAD, True)


def test_a_target_that_is_down_for_a_whole_day_still_gets_its_message() -> None:
    waits = [wait_after(tries, RETRY_WAITS, 0) for tries in range(1, len(RETRY_WAITS) + 1)]
    assert sum(waits, timedelta()) >= timedelta(hours=24)
    assert waits == sorted(waits)
    assert waits[0] <= timedelta(seconds=5)  # a moment's trouble is over within seconds


@pytest.mark.parametrize("tries", range(1, len(RETRY_WAITS) + 1))
def test_retries_are_spread_and_never_come_before_their_wait(tries: int) -> None:
    first, last = wait_after(tries, RETRY_WAITS, 0), wait_after(tries, RETRY_WAITS, 1)
    assert first == timedelta(seconds=RETRY_WAITS[tries - 1])
    assert last == first * (1 + JITTER)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("Thu, 01 Oct 2026 00:02:00 GMT", 120), ("0", None), ("soon", None), ("", None), ("-5", None),
     ("Wed, 30 Sep 2026 00:00:00 GMT", None), ("99999999999999999999", 999_999_999),
     ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None), ("Thu, 01 Jan 2026 00:00:00 +9999999999", None),
     ("Mon, 01 Jan 0001 00:00:00 +2359", None)],
)  # fmt: skip
def test_how_long_a_target_wants_to_be_left_alone(said: str, seconds: int | None) -> None:
    assert wait_of(said, NOW) == (None if seconds is None else timedelta(seconds=seconds))


def test_a_target_that_asks_for_patience_gets_it_but_for_a_day_at_most() -> None:
    for asked, waited in ((timedelta(minutes=7), timedelta(minutes=7)), (timedelta(days=9), timedelta(hours=24))):
        attempt = replace(FAILED, retry_after=asked)
        judgement = judge(REQUEST, attempt, WAITS, NOW, 0)
        assert (judgement.retry_at, judgement.quiet_until) == (NOW + waited, NOW + waited)
    shorter = judge(REQUEST, replace(FAILED, retry_after=timedelta(seconds=1)), WAITS, NOW, 0)
    assert shorter.retry_at == NOW + timedelta(seconds=2)


def test_a_test_call_is_tried_once_and_kills_nothing() -> None:
    judgement = judge(replace(REQUEST, notification_id=None), Attempt(Result.GONE, "410"), WAITS, NOW, 0)
    assert (judgement.state, judgement.subscription_dead) == (DeliveryState.DEAD, False)


def test_what_the_target_says_is_told_in_one_short_line() -> None:
    assert judged(400, b"invalid_blocks\n\x1b[31m" + b"x" * 999, "", NOW).reason == (
        "the target answered 400: invalid_blocks [31m" + "x" * 181
    )
    assert judged(503, b"", "", NOW).reason == "the target answered 503"


@pytest.mark.parametrize("attempt", [Attempt(result, "x") for result in Result])
@pytest.mark.parametrize("tries", [0, 1, 2])
def test_whatever_happens_the_table_allows_it(attempt: Attempt, tries: int) -> None:
    judgement = judge(replace(REQUEST, tries=tries), attempt, WAITS, NOW, 0.5)
    assert judgement.state in TRANSITIONS[DeliveryState.QUEUED]
    assert (judgement.retry_at is not None) == (judgement.state is DeliveryState.WAITING)


def test_the_table_in_the_readme_is_that_of_the_code() -> None:
    readme = (Path(__file__).parents[3] / "services/notifier/README.md").read_text()
    rows = [f"| {state} | {', '.join(sorted(after))} |".replace("|  |", "| |") for state, after in TRANSITIONS.items()]
    assert "\n".join(rows) in readme
