"""Versions and upgrade edges as ranges."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import patterns, versions
from shared.versions import (
    Scheme,
    canonical,
    is_prerelease,
    is_valid_range,
    is_valid_version,
    latest,
    may_upgrade,
    parse,
    sort_key,
    spelt_as,
)


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


SAME_VERSION = [("1.4.0", "1.4.0"), ("2.0.0", "2.0.0"), ("2.0.0rc1", "2.0.0-rc.1"), ("2.0.0rc2", "2.0.0-rc.2"),
    ("2.0.1", "2.0.1"), ("2.1.0a1", "2.1.0-alpha.1")]  # fmt: skip


@given(
    st.sampled_from(["==", "!=", ">=", "<=", ">", "<"]), st.sampled_from(SAME_VERSION), st.sampled_from(SAME_VERSION)
)
def test_a_range_means_the_same_in_both_schemes_also_for_pre_releases(
    comparison: str, bound: tuple[str, str], version: tuple[str, str]
) -> None:
    pep440, semver = zip(bound, version, strict=True)
    allowed = may_upgrade("pep440", (comparison + pep440[0],), pep440[1])
    assert may_upgrade("semver", (comparison + semver[0],), semver[1]) is allowed


@pytest.mark.parametrize(
    ("text", "version", "allowed"),
    [
        ("<2.0.0", "2.0.0-rc.1", False),
        ("<2.0.0", "1.9.0-rc.1", True),
        ("<2.0.0-rc.2", "2.0.0-rc.1", True),
        ("<=2.0.0", "2.0.0-rc.1", True),
        (">=1.2.0", "1.3.0-rc.1", True),
    ],
)
def test_below_a_release_are_not_its_own_pre_releases(text: str, version: str, allowed: bool) -> None:
    assert may_upgrade("semver", (text,), version) is allowed
    assert may_upgrade("pep440", (text.replace("-rc.", "rc"),), version.replace("-rc.", "rc")) is allowed


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


@pytest.mark.parametrize(
    ("scheme", "asked", "published"),
    [
        ("pep440", "1.0", "1.0.0"),
        ("pep440", "1.0.0", "1.0"),
        ("pep440", "v1.0", "1.0.0"),
        ("pep440", "1.0-RC.1", "1.0rc1"),
        ("semver", "v1.0.0", "1.0.0"),
        ("semver", "1.0.0+build.7", "1.0.0"),
        ("semver", "1.0.0", "1.0.0+build.7"),
        ("pep440", "1.0", None),
        ("semver", "1.0", None),
        ("semver", "vv1.0.0", None),
        ("pep440", "yesterday", None),
    ],
)
def test_another_spelling_of_a_version_finds_it_as_it_was_published(
    scheme: Scheme, asked: str, published: str | None
) -> None:
    known = ["0.9.0", "1.0.0-rc.1" if scheme == "semver" else "1.0.1", *([published] if published else [])]
    assert spelt_as(scheme, asked, known) == published


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 3))
def test_zeros_at_the_end_never_make_another_pep440_version(major: int, minor: int, zeros: int) -> None:
    asked = f"{major}.{minor}" + ".0" * zeros
    assert spelt_as("pep440", asked, [f"{major}.{minor}"]) == f"{major}.{minor}"
    assert spelt_as("pep440", f"{asked}.1", [f"{major}.{minor}"]) is None


def test_a_pre_release_is_the_latest_only_when_asked_for() -> None:
    assert latest("pep440", ["1.9", "1.10", "2.0rc1", "nonsense"]) == "1.10"
    assert latest("pep440", ["1.9", "2.0.dev1"], prereleases=True) == "2.0.dev1"
    assert latest("semver", ["1.9.0", "2.0.0-rc.1"]) == "1.9.0"
    assert latest("semver", ["2.0.0-rc.1"]) is None
    assert latest("semver", ["2.0.0-rc.1", "1.9.0"], prereleases=True) == "2.0.0-rc.1"


def test_what_a_pre_release_is_the_scheme_says() -> None:
    assert [v for v in ("1.0", "1.0rc1", "1.0.dev2", "1.0.post1", "1.0+local") if is_prerelease("pep440", v)] == [
        "1.0rc1",
        "1.0.dev2",
    ]
    assert [v for v in ("1.0.0", "1.0.0-rc.1", "1.0.0+build") if is_prerelease("semver", v)] == ["1.0.0-rc.1"]


def test_a_short_version_is_no_semver() -> None:
    assert is_valid_version("pep440", "1.0")
    assert not is_valid_version("semver", "1.0")
    with pytest.raises(ValueError, match=r"1\.0"):
        parse("semver", "1.0")


@given(st.sampled_from(["pep440", "semver"]), st.text(), st.text())
def test_any_text_is_either_a_range_or_not_and_never_an_error(scheme: Scheme, text: str, version: str) -> None:
    assert may_upgrade(scheme, (text,), version) in {True, False}


def test_versions_of_no_standard_compare_number_by_number() -> None:
    written = ["1.0-9", "stx.9.0-3", "1.0-10", "1.0-19-centos-stable-versioned", "1.0-10-centos"]
    assert versions.latest("natural", written) == "1.0-19-centos-stable-versioned"
    assert sorted(written[:1] + written[2:], key=lambda text: versions.sort_key("natural", text)) == [
        "1.0-9",
        "1.0-10",
        "1.0-10-centos",
        "1.0-19-centos-stable-versioned",
    ]
    assert versions.canonical("natural", "1.0") != versions.canonical("natural", "1.0.0")
    assert versions.may_upgrade("natural", (">=1.0-10,<1.0-19",), "1.0-10")


@pytest.mark.parametrize("scheme", ["pep440", "semver", "natural"])
def test_a_range_may_be_an_expression_that_matches_the_whole_version(scheme: str) -> None:
    assert versions.may_upgrade(scheme, (r"re:1\.[02]\.\d+",), "1.2.0")
    assert not versions.may_upgrade(scheme, (r"re:1\.[02]",), "1.2.0")
    assert versions.may_upgrade(scheme, ("re:9.*|1.2.0",), "1.2.0")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a**", "what repeats already may not repeat"),
        ("(?=a)", "look-around"),
        (r"(a)\1", "back references"),
        ("[", "missing ]"),
        ("a{1001}", "invalid repetition size"),
        ("(a{100}){100}", "invalid repetition size"),
        ("a{,3}", "say the least as well, {0,3}"),
        ("a" * 201, "200 characters"),
        ("\ud800", "is no regular expression"),
    ],
)
def test_an_expression_that_needs_to_backtrack_is_no_range_and_says_why(text: str, told: str) -> None:
    assert not versions.is_valid_range("pep440", f"re:{text}")
    with pytest.raises(ValueError, match=re.escape(told)):
        patterns.compiled(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (r"[\d.]+-\d+", "1.0-19"),
        (r"(\d+\.)*\d+", "1.2.3"),
        (r"^\d+\.\d+-\d+(\.\d+)?(-\d+)?$", "24.09-7.1-2"),
        (r"\d+\.\d+-\d+(-\w+)*(?:\.\d+){0,3}", "1.0-19-centos-stable"),
        (r"(?P<x>a)", "a"),
    ],
)
def test_an_expression_may_repeat_whatever_it_says(text: str, version: str) -> None:
    assert versions.may_upgrade("natural", (f"re:{text}",), version)


@pytest.mark.parametrize(
    "text", ["(a+)+b", "(a|aa)*b", "(.*)*(.*)*b", "a{999}?a{999}?b", "(" * 60 + "a*" + ")*" * 60 + "b"]
)
def test_no_expression_takes_for_ever(text: str) -> None:
    assert not versions.may_upgrade("natural", (f"re:{text}",), "a" * 100)
