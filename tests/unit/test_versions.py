"""Versions and upgrade edges as ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.versions import Scheme, canonical, is_valid_range, is_valid_version, may_upgrade, parse, sort_key


@pytest.mark.parametrize(
    ("scheme", "ranges", "version", "allowed"),
    [
        ("pep440", None, "0.63.3", True),
        ("pep440", (), "0.63.3", False),
        ("pep440", (">=0.63,<0.65",), "0.64.8", True),
        ("pep440", (">=0.63,<0.65",), "0.65", False),
        ("pep440", ("==0.62.*", "==0.64.*"), "0.64.8", True),
        ("pep440", (">=0.63",), "0.64rc1", True),
        ("pep440", ("~=1.4.2",), "1.4.9", True),
        ("semver", (">=1.2.0,<2.0.0",), "1.9.3", True),
        ("semver", (">=1.2.0, <2.0.0",), "2.0.0", False),
        ("semver", (">=1.2.0",), "1.2.0-rc.1", False),
        ("semver", ("==1.0.0", "==1.1.0"), "1.1.0", True),
        ("semver", ("!=1.0.0",), "1.1.0", True),
    ],
)
def test_an_upgrade_is_allowed_from_any_of_the_ranges(
    scheme: Scheme, ranges: tuple[str, ...] | None, version: str, allowed: bool
) -> None:
    assert may_upgrade(scheme, ranges, version) is allowed


def test_versions_that_the_scheme_cannot_read_match_nothing() -> None:
    assert not may_upgrade("semver", (">=0.1.0",), "0.63")
    assert not may_upgrade("pep440", (">=0.1",), "not a version")
    assert not may_upgrade("pep440", ("newer than 1",), "2.0")


@pytest.mark.parametrize("text", ["", " ", ",", "0.63", ">=", ">=0.63,,", "=>0.63", ">=a.b"])
def test_what_is_no_range_is_refused_in_both_schemes(text: str) -> None:
    assert not is_valid_range("semver", text)
    assert not is_valid_range("pep440", text)


def test_versions_sort_by_meaning_not_by_letters() -> None:
    assert sorted(["0.100", "0.65rc1", "0.65", "0.9"], key=lambda v: sort_key("pep440", v)) == [
        "0.9",
        "0.65rc1",
        "0.65",
        "0.100",
    ]
    assert max(["1.10.0", "1.9.0", "1.10.0-rc.1"], key=lambda v: sort_key("semver", v)) == "1.10.0"


def test_versions_that_compare_as_equal_have_one_canonical_form() -> None:
    assert canonical("pep440", "1.0") == canonical("pep440", "1.0.0") != canonical("pep440", "1.0.1")
    assert canonical("semver", "1.0.0+a") == canonical("semver", "1.0.0+b") != canonical("semver", "1.0.0-rc.1")


def test_a_short_version_is_no_semver() -> None:
    assert is_valid_version("pep440", "1.0")
    assert not is_valid_version("semver", "1.0")
    with pytest.raises(ValueError, match=r"1\.0"):
        parse("semver", "1.0")


@given(st.sampled_from(["pep440", "semver"]), st.text(), st.text())
def test_any_text_is_either_a_range_or_not_and_never_an_error(scheme: Scheme, text: str, version: str) -> None:
    assert may_upgrade(scheme, (text,), version) in {True, False}
