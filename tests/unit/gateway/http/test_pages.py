"""Cursors of long lists."""

import pytest

from services.gateway.http.pages import Paging, cursor, start
from services.gateway.http.problems import Problem


def test_a_cursor_goes_only_into_the_list_it_came_from() -> None:
    assert start(Paging(), -1, "") == (-1, "")
    assert start(Paging(cursor=cursor([3, "oslo"])), -1, "") == (3, "oslo")
    for wrong in ("x", cursor([]), cursor(["3", "oslo"]), cursor([3]), cursor([2**63, "a"]), cursor([True, "a"])):
        with pytest.raises(Problem) as refused:
            start(Paging(cursor=wrong), -1, "")
        assert refused.value.faults[0].field == "cursor"
