"""What `belay release publish` shows of a publication while it waits for its end."""

from typing import Any

import pytest

from services.cli.publication_words import how_far


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "not begun yet"),
        ({"phase": "fetch"}, "being fetched"),
        ({"phase": "fetch", "done_bytes": 2 << 20}, "being fetched, 2 MiB so far"),
        ({"phase": "fetch", "done_bytes": 2 << 20, "total_bytes": 8 << 20}, "being fetched, 2 MiB of 8 MiB"),
        ({"phase": "validate"}, "being checked"),
        ({"phase": "validate", "step": "components"}, "being checked: components"),
        ({"phase": "validate", "step": "charts", "step_done": 3, "step_total": 9}, "being checked: charts, 3 of 9"),
        (
            {"phase": "validate", "step": "files", "step_done": 1 << 10, "step_total": 3 << 10},
            "being checked: files, 1 KiB of 3 KiB",
        ),
        ({"phase": "audit"}, "under way"),  # of a newer Belay
    ],
)
def test_it_says_what_is_done_and_how_far_and_never_what_it_does_not_know(told: dict[str, Any], words: str) -> None:
    nothing = dict.fromkeys(("phase", "done_bytes", "total_bytes", "step", "step_done", "step_total"))
    assert how_far(nothing | told) == words
