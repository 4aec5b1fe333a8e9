"""`belay app behaviour`: lists that are empty on purpose are not the same as lists of which nothing was said."""

from typing import Any

import pytest

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub


@pytest.mark.parametrize(
    ("options", "switches"),
    [
        (("--forbid", "none"), {"forbidden": []}),
        (("--reapply-on", "none"), {"reapply_on": []}),
        (("--forbid", "remove", "--forbid", "rollback"), {"forbidden": ["remove", "rollback"]}),
        (
            ("--reapply-on", "facts_changed,fact=kubernetes"),
            {"reapply_on": [{"event": "facts_changed", "filters": {"fact": "kubernetes"}}]},
        ),
        (("--audit",), {"audit": True}),
    ],
)
def test_nothing_may_be_forbidden_and_no_event_heeded_although_the_release_says_otherwise(
    gateway: Stub, belay: Belay, options: tuple[str, ...], switches: dict[str, Any]
) -> None:
    gateway.accept("PATCH /v1/behaviours/shop", nth=1)
    done = belay("app", "behaviour", "shop", *options)
    assert done.exit_code == 0, done.output
    assert gateway.sent("PATCH")[0].body["switches"] == switches


def test_none_beside_something_is_refused_before_anything_is_sent(gateway: Stub, belay: Belay) -> None:
    refused = belay("app", "behaviour", "shop", "--forbid", "none", "--forbid", "remove")
    assert refused.exit_code == 2
    assert "contradict" in refused.stderr
    assert gateway.asked == []


def test_what_is_empty_on_purpose_is_shown_so(gateway: Stub, belay: Belay) -> None:
    said = {"app": "shop", "switches": {"forbidden": []}, "changed_at": None, "changed_by": "ada", "reason": ""}
    gateway.items("/v1/behaviours", said)
    lines = [line.split() for line in belay("app", "behaviour", "shop").stdout.splitlines()]
    assert ["forbidden", "none"] in lines
    assert ["reapply", "on", "-"] in lines


def test_what_nobody_may_ask_for_is_a_refusal_and_no_want_of_a_better_token(gateway: Stub, belay: Belay) -> None:
    gateway.refuse("POST /v1/operations", 403, "operation_forbidden")
    refused = belay("operation", "run", "oslo", "shop", "remove")
    assert refused.exit_code == 3
    assert "belay app behaviour" in refused.stderr
