"""Rules of the gateway."""

import pytest

from services.gateway.auth.tokens import id_of, mint
from services.gateway.domain import Role
from services.gateway.events.hub import Interest, Item, Mailbox
from services.gateway.http.pages import Paging, cursor, start
from services.gateway.http.problems import Problem
from services.gateway.http.statuses import STATUS_OF_CODE, http_status
from shared.process.replicas import figures_in


def test_each_role_may_what_the_ones_before_it_may() -> None:
    assert [[role.may(needed) for needed in Role] for role in Role] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]


STATUSES = {
    400: {"unreadable"},
    404: {"unknown_site", "unknown_release", "unknown_strategy", "unknown_delivery"},
    409: {
        "already_current", "already_finished", "command_id_reused", "group_exists", "group_not_empty", "last_admin",
        "no_previous_release", "nothing_deployed", "secret_in_use", "site_busy", "site_exists", "site_held",
        "strategy_exists", "subscription_exists", "token_exists", "version_conflict", "wrong_state",
    },
    422: {"unknown_field", "unknown_type", "unknown_host", "not_upgradable", "invalid_field", "missing_field"},
    500: {"internal"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"), [(code, status) for status in STATUSES for code in sorted(STATUSES[status])]
)
def test_a_code_has_one_status(code: str, status: int) -> None:
    assert http_status(code) == status


def test_every_code_with_a_status_of_its_own_is_among_these() -> None:
    assert set(STATUS_OF_CODE) <= set().union(*STATUSES.values())


def test_tokens_differ_and_name_their_id() -> None:
    one, two = mint(), mint()
    assert one.secret != two.secret
    assert id_of(one.secret) == one.id
    for wrong in ("", "belay_", f"belay_{one.id}", f"belay_{one.id}_", "bearer", "belay_../x_y", "belay_é_y"):
        assert id_of(wrong) is None


def test_a_cursor_goes_only_into_the_list_it_came_from() -> None:
    assert start(Paging(), -1, "") == (-1, "")
    assert start(Paging(cursor=cursor([3, "oslo"])), -1, "") == (3, "oslo")
    for wrong in ("x", cursor([]), cursor(["3", "oslo"]), cursor([3]), cursor([2**63, "a"]), cursor([True, "a"])):
        with pytest.raises(Problem) as refused:
            start(Paging(cursor=wrong), -1, "")
        assert refused.value.faults[0].field == "cursor"


async def test_a_full_mailbox_is_emptied_and_asks_to_read_anew() -> None:
    mailbox = Mailbox(Interest(), limit=25)
    for position in range(1, 6):
        mailbox.put(Item(position, "x", None, b"0123456789"))
    taken = await mailbox.take(0)
    assert [(item.type, item.position) for item in taken] == [("reset", 3), ("x", 4), ("x", 5)]
    assert await mailbox.take(0) == []


async def test_a_mailbox_takes_only_what_is_of_interest() -> None:
    mailbox = Mailbox(Interest("s-1", frozenset({"x"})), limit=100)
    mailbox.put(Item(1, "x", "s-2", b""))
    mailbox.put(Item(2, "y", "s-1", b""))
    mailbox.put(Item(3, "x", "s-1", b""))
    assert [item.position for item in await mailbox.take(0)] == [3]


def test_figures_are_summed_over_partitions_and_absent_ones_are_none() -> None:
    text = 'belay_consumer_lag{topic="a",partition="0"} 2.0\nbelay_consumer_lag{topic="a",partition="1"} 3.0\n'
    assert figures_in(text) == {"lag": 5, "outbox": None, "refused": None}
