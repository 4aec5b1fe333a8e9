"""What apps need of each other on a site, and what is chosen for it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.dependencies.choosing import Chain, Choice, Wish, chain, lacking, newest, present
from services.deployer.dependencies.needs import Present, Surroundings, arriving, leaving
from services.deployer.domain import Release
from shared.messages.rules import Rules

DRIVERS = ("simulated",)


def rules(**facts: Any) -> Rules:
    return Rules.model_validate(facts)


def release(app: str, version: str, **facts: Any) -> Release:
    return Release(app, version, drivers=DRIVERS, rules=rules(**facts))


def there(*names: str, **of: Rules) -> Surroundings:
    """`there("db 1.0", "shop 2.0", shop=rules(…))`."""
    apps = dict(name.split(" ") for name in names)
    return Surroundings({}, {a: Present(a, v, "pep440", of.get(a, Rules())) for a, v in apps.items()})


def need(app: str, action: str = "error", versions: str | None = None) -> dict[str, Any]:
    return {"app": app, "action": action, "versions": versions}


def version_of(choice: Choice) -> str | None:
    return choice.release.version if choice.release else None


def said(coming: Release, around: Surroundings) -> tuple[list[str], int, list[str]]:
    """Codes of refusals, how many notices, and what comes first."""
    found = arriving(present(coming), "oslo", around)
    return [cause.code for cause in found.refused], len(found.notices), [each.app for (each,) in found.first]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("ignore", ([], 0, [])),
        ("warn", ([], 1, [])),
        ("error", (["dependency_missing"], 0, [])),
        ("apply", ([], 0, ["db"])),
    ],
)
def test_an_app_that_lacks_or_is_of_another_release_is_treated_as_its_action_says(action: str, expected: Any) -> None:
    coming = release("shop", "2.0", depends_on=[need("db", action, ">=1.10")])
    assert said(coming, there()) == expected
    assert said(coming, there("db 1.9")) == expected
    assert said(coming, there("db 1.10")) == ([], 0, [])


@pytest.mark.parametrize(
    ("apps", "expected"),
    [
        (("db 1.0",), ([], 0, [])),
        (("lake 1.0",), ([], 0, [])),
        (("db 1.0", "lake 1.0"), (["excluded"], 0, [])),
        ((), (["dependency_missing"], 0, [])),
    ],
)
def test_of_alternatives_exactly_one_must_be_there(apps: tuple[str, ...], expected: Any) -> None:
    coming = release("shop", "2.0", depends_on=[{"any_of": [need("db"), need("lake", "warn")]}])
    assert said(coming, there(*apps)) == expected


def test_an_app_that_must_not_be_there_is_named_from_either_side() -> None:
    coming = release("shop", "2.0", excludes=[need("till", versions="<2")])
    assert said(coming, there("till 1.0"))[0] == ["excluded"]
    assert said(coming, there("till 2.0"))[0] == []
    against = rules(excludes=[need("shop", versions=">=2")])
    assert said(release("shop", "2.0"), there("till 1.0", till=against))[0] == ["excluded"]
    assert said(release("shop", "1.0"), there("till 1.0", till=against))[0] == []


def test_what_others_need_neither_goes_nor_changes_to_what_they_cannot_use() -> None:
    needing = rules(depends_on=[need("db", versions="<2")])
    around = there("db 1.0", "shop 1.0", shop=needing)
    (cause,) = leaving("db", around).refused
    assert (cause.code, "shop 1.0" in cause.message) == ("needed_by_others", True)
    assert said(release("db", "2.0"), around)[0] == ["needed_by_others"]
    assert said(release("db", "1.5"), around)[0] == []
    assert not leaving("db", there("db 3.0", "shop 1.0", shop=needing)).refused  # it was not met before either
    assert not leaving("shop", around).refused


def test_the_newest_allowed_release_is_chosen_and_why_a_newer_one_is_not() -> None:
    releases = [release("db", "1.0"), release("db", "1.9"), release("db", "1.10"), release("db", "2.0rc1")]
    wish = Wish("oslo", DRIVERS, Surroundings({"kubernetes": "1.29"}))
    assert version_of(newest(releases, "1.0", wish)) == "1.10"
    picky = Release("db", "3.0", drivers=DRIVERS, rules=rules(site={"facts": {"kubernetes": ">=1.30"}}))
    choice = newest([*releases, picky], "1.0", wish)
    assert version_of(choice) == "1.10"
    assert choice.passed_over == ("3.0: needs kubernetes >=1.30, but the site has 1.29",)
    assert newest(releases, "1.10", wish).release is None
    assert [cause.code for cause in newest([picky], "1.10", wish).why] == ["platform_unfit"]
    edge = Release("db", "4.0", upgrades_from=(">=2",), drivers=DRIVERS)
    assert [cause.code for cause in newest([edge], "1.10", wish).why] == ["not_upgradable"]
    barred = Wish("oslo", DRIVERS, Surroundings(), barred={("db", "1.10")})
    assert version_of(newest(releases, "1.0", barred)) == "1.9"


def test_what_the_newest_release_lacks_is_named_whatever_its_action() -> None:
    now = present(release("shop", "1.0"))
    needs = [need("db", "apply", ">=2"), need("log"), {"any_of": [need("a"), need("b")]}]
    around = there("shop 1.0", "db 1.0", "log 1.0")
    coming = release("shop", "2.0", depends_on=needs)
    assert [each.app for each in lacking([coming], now, Wish("oslo", (), around))] == ["db", "a", "b"]
    assert lacking([release("shop", "1.0", depends_on=needs)], now, Wish("oslo", (), around)) == ()


def chained(coming: Release, *others: Release, around: Surroundings | None = None) -> Chain:
    around = around or there()
    releases: dict[str, list[Release]] = {}
    for each in others:
        releases.setdefault(each.app, []).append(each)
    found = arriving(present(coming), "oslo", around)
    return chain(found, present(coming), releases, Wish("oslo", DRIVERS, around))


def test_what_is_brought_first_brings_first_what_it_needs_itself() -> None:
    coming = release("shop", "1.0", depends_on=[need("db", "apply"), need("log", "apply")])
    db = release("db", "1.0", depends_on=[need("disk", "apply")])
    log = release("log", "1.0", depends_on=[need("disk", "apply")])
    found = chained(coming, db, log, release("disk", "1.0"), release("disk", "1.1"))
    assert [f"{each.app} {each.version}" for each in found.before] == ["disk 1.1", "db 1.0", "log 1.0"]
    assert not found.refused


def test_a_loop_is_told_and_what_cannot_be_brought_says_why() -> None:
    coming = release("shop", "1.0", depends_on=[need("db", "apply")])
    back = release("db", "1.0", depends_on=[need("shop", "apply")])
    assert [(c.code, c.message) for c in chained(coming, back).refused] == [
        ("dependency_cycle", "shop needs db needs shop, which never comes to an end")
    ]
    assert [cause.code for cause in chained(coming).refused] == ["dependency_missing"]
    old = release("db", "1.0", site={"facts": {"kubernetes": ">=1.30"}})
    (cause,) = chained(coming, old).refused
    assert "kubernetes" in cause.message
    rival = release("db", "1.0", excludes=[need("shop")])
    assert [cause.code for cause in chained(coming, rival).refused] == ["excluded"]


EITHER = {"any_of": [need("db", "apply"), need("log"), need("lake", "apply")]}


def brought(*others: Release, around: Surroundings | None = None, **needs: Any) -> list[str]:
    found = chained(release("shop", "1.0", **{"depends_on": [EITHER], **needs}), *others, around=around)
    assert not found.refused
    return [each.app for each in found.before]


def test_of_alternatives_the_first_comes_that_can() -> None:
    db, lake = release("db", "1.0"), release("lake", "1.0")
    picky = release("db", "1.0", site={"facts": {"kubernetes": ">=1.30"}})
    assert brought(db, lake) == ["db"]
    assert brought(lake) == ["lake"]
    assert brought(picky, lake) == ["lake"]
    assert brought(release("db", "1.0", excludes=[need("shop")]), lake) == ["lake"]
    assert brought(db, lake, excludes=[need("db")]) == ["lake"]
    assert brought(release("db", "1.0", depends_on=[need("disk")]), lake) == ["lake"]


def test_where_none_of_the_alternatives_can_come_it_is_told_why_of_each() -> None:
    picky = release("db", "1.0", site={"facts": {"kubernetes": ">=1.30"}})
    coming = release("shop", "1.0", depends_on=[EITHER])
    (cause,) = chained(coming, picky, release("lake", "1.0", depends_on=[need("shop", "apply")])).refused
    assert cause.code == "dependency_missing"
    assert "needs one of db or lake on 'oslo'" in cause.message
    assert "kubernetes" in cause.message
    assert "shop needs lake needs shop" in cause.message


def test_alternatives_of_what_comes_first_are_tried_too() -> None:
    web = release("web", "1.0", depends_on=[EITHER])
    found = chained(release("shop", "1.0", depends_on=[need("web", "apply")]), web, release("lake", "2.0"))
    assert [f"{each.app} {each.version}" for each in found.before] == ["lake 2.0", "web 1.0"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"), max_size=3), max_size=6))
def test_whatever_needs_whatever_a_chain_ends_and_each_comes_after_what_it_needs(graph: dict[str, set[str]]) -> None:
    releases = [
        release(app, "1.0", depends_on=[need(other, "apply") for other in sorted(graph.get(app, set()) - {app})])
        for app in "abcdef"
    ]
    found = chained(releases[0], *releases[1:])
    if not found.refused:
        come = [each.app for each in found.before]
        assert len(set(come)) == len(come)
        for place, app in enumerate(come):
            assert graph.get(app, set()) - {app} <= set(come[:place])
        assert graph.get("a", set()) - {"a"} <= set(come)
