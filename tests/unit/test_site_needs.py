"""Whether a site is what a release needs: versions are versions, patches are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages.rules import SiteRequirement
from shared.site_needs import is_so, patches_of, unfit

NUMBER = st.integers(0, 120)

ASK = "`belay site check` asks its drivers"


@pytest.mark.parametrize(
    ("wanted", "found", "so"),
    [
        (">=1.29.2", "1.29.10", True),
        (">=1.29.10", "1.29.2", False),
        (">=1.24,<1.31", "v1.30.3", True),
        (">=1.24,<1.31", "1.31.0", False),
        (">=10.1", "10.2", True),
        (">=9", "10.0.0", True),
        ("24.09", "24.09", True),
        ("24.09", "24.9", False),
        (">=24.03", "24.09", True),
        (">=1.24", "whatever", False),
        ("linux/amd64", "linux/amd64", True),
        (">=stx.8", "stx.10", True),
        (">=1.29", "1.29.2+k3s1", True),
    ],
)
def test_facts_are_compared_as_versions_and_never_as_text(wanted: str, found: str, so: bool) -> None:
    assert is_so(wanted, found) is so


@given(st.tuples(NUMBER, NUMBER, NUMBER), st.tuples(NUMBER, NUMBER, NUMBER))
def test_whatever_the_numbers_a_bound_holds_as_numbers_do(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    text, bound = (".".join(map(str, parts)) for parts in (one, other))
    assert is_so(f">={bound}", text) is (one >= other)
    assert is_so(f"<{bound}", f"v{text}") is (one < other)


def test_patches_are_listed_in_one_fact_or_each_in_its_own() -> None:
    facts = {"patches": "P1, P2 P3", "patch:P4": "applied", "patch:P5": "removed", "os": "Linux"}
    assert patches_of(facts) == {"P1", "P2", "P3", "P4"}


def test_every_reason_is_told_at_once_with_what_was_found_and_what_is_needed() -> None:
    needs = SiteRequirement(
        facts={"kubernetes": ">=1.30", "os": "Linux"}, patches=("P1", "P9"), releases={"24.09": ("P2",), "25.09": ()}
    )
    facts = {"kubernetes": "1.29.2", "patches": "P1", "platform_release": "24.09"}
    found = [(cause.code, cause.message) for cause in unfit(needs, facts)]
    assert found == [
        ("platform_unfit", "needs kubernetes >=1.30, but the site has 1.29.2"),
        (
            "platform_unfit",
            f"needs os Linux, and the site tells no os; {ASK}, or tell it with --fact os=…",
        ),
        ("patches_missing", "needs patches that the site lacks: P9"),
        ("patches_missing", "needs patches that the site lacks on platform_release 24.09: P2"),
    ]
    assert not list(
        unfit(needs, {"kubernetes": "1.30", "os": "Linux", "patches": "P1 P9", "platform_release": "25.09"})
    )
    other = SiteRequirement(releases={"24.09": ()})
    assert [cause.code for cause in unfit(other, {})] == ["platform_unfit"]
    assert [cause.code for cause in unfit(other, {"platform_release": "22.12"})] == ["platform_unfit"]
