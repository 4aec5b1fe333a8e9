"""Webhooks on the command line: what a person does with one that is wrong, dead or new."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub

SLACK = {"format": "slack", "template": {"text": "{{ message | slack }}"}}


def test_a_test_call_says_what_the_webhook_answered_and_its_status_is_the_outcome(gateway: Stub, belay: Belay) -> None:
    outcome = {"delivery": "test:1", "state": "delivered", "status": 200, "milliseconds": 87, "reason": ""}
    gateway.accept("POST /v1/subscriptions/ops/test", **outcome)
    taken = belay("subscription", "test", "ops")
    assert (taken.exit_code, taken.stdout) == (0, "ops took it: HTTP 200 after 87 ms\n")
    refused = {**outcome, "state": "dead", "status": 400, "reason": "the target answered 400: invalid_blocks"}
    gateway.accept("POST /v1/subscriptions/ops/test", **refused)
    result = belay("subscription", "test", "ops")
    assert result.exit_code == 1
    assert "ops did not take it (HTTP 400): the target answered 400: invalid_blocks" in result.stderr


def test_enabling_says_what_was_missed_and_how_to_send_it(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/subscriptions/ops/enable", subscription="ops", missed=7)
    assert (
        "`belay subscription redeliver ops --undelivered` sends the 7" in belay("subscription", "enable", "ops").stdout
    )


def test_deliveries_are_sent_again_by_their_ids_or_all_that_never_arrived(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/subscriptions/ops/redeliver", deliveries=2)
    assert belay("subscription", "redeliver", "ops", "1:ops", "2:ops").stdout == "2 are delivered again\n"
    belay("subscription", "redeliver", "ops", "--undelivered")
    assert [asked.body for asked in gateway.sent("POST")] == [
        {"deliveries": ["1:ops", "2:ops"], "undelivered": False}, {"deliveries": [], "undelivered": True}
    ]  # fmt: skip
    assert belay("subscription", "redeliver", "ops").exit_code == 2


def test_the_template_of_a_format_is_printed_to_begin_with_and_taken_back_as_ones_own(
    gateway: Stub, belay: Belay, tmp_path: Path
) -> None:
    gateway.items("/v1/webhook-formats", SLACK)
    printed = belay("subscription", "formats", "slack").stdout
    own = tmp_path / "own.json"
    own.write_text(printed)
    gateway.accept("POST /v1/subscriptions")
    added = belay("subscription", "add", "chat", "https://hooks.example.org/x", "--template", str(own))
    assert added.exit_code == 0
    assert gateway.sent("POST")[0].body == {
        "name": "chat", "url": "https://hooks.example.org/x", "format": "custom", "template": SLACK["template"]
    }  # fmt: skip
    assert belay("subscription", "formats", "irc").exit_code == 2


@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), ("{", "is not JSON")])
def test_a_template_that_is_none_is_told_before_anything_is_sent(
    gateway: Stub, belay: Belay, tmp_path: Path, content: str | None, why: str
) -> None:
    path = tmp_path / "template.json"
    if content is not None:
        path.write_text(content)
    result = belay("subscription", "add", "chat", "https://hooks.example.org/x", "--template", str(path))
    assert result.exit_code == 2
    assert why in result.stderr
    assert gateway.sent("POST") == []


def test_deliveries_are_listed_with_their_tries_and_answers(gateway: Stub, belay: Belay) -> None:
    one = {
        "delivery_id": "1:ops", "topic": "error", "message": "It failed", "state": "waiting", "tries": 3, "status": 503,
        "milliseconds": 12, "reason": "the target answered 503", "next_try_at": None, "at": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    gateway.items("/v1/subscriptions/ops/deliveries", one)
    assert "the target answered 503" in belay("subscription", "deliveries", "ops").stdout
    assert json.loads(belay("subscription", "deliveries", "ops", "--json").stdout) == [one]
