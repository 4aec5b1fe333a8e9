"""In what order apps of a site go, and what comes next in a run."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.deployer.site_runs.planning import ENDED, Item, Run, advanced, ordered
from shared.messages.base import Cause
from shared.messages.rules import Rules

BROKE = Cause(code="failed", message="it broke")


def rules(*needs: str, **facts: Any) -> Rules:
    return Rules.model_validate({"depends_on": [{"app": app} for app in needs], **facts})


def test_apps_go_by_importance_and_right_behind_what_they_need() -> None:
    apps = {
        "report": rules(importance="reporting"),
        "shop": rules("db", importance="critical"),
        "db": rules(),
        "disk": rules(importance="storage"),
    }
    assert ordered(apps) == ["db", "shop", "disk", "report"]
    assert ordered(apps, back=True) == ["report", "disk", "shop", "db"]
    assert ordered({"a": rules("b"), "b": rules("a")}) == ["b", "a"]


GRAPHS = st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from("abcde")), min_size=1)


@given(GRAPHS)
def test_every_app_goes_once_whatever_needs_whatever(graph: dict[str, set[str]]) -> None:
    assert sorted(ordered({app: rules(*sorted(needs - {app})) for app, needs in graph.items()})) == sorted(graph)


def walked(run: Run, broken: set[str]) -> Run:
    """A run whose operations end at once; those of `broken` fail."""
    for _ in range(50):
        run, item = advanced(run)
        if run.state in ENDED:
            return run
        if item:
            failed = item.app in broken or item.cause
            run = run.with_item(
                replace(item, state="failed" if failed else "updated", cause=item.cause or (BROKE if failed else None))
            )
    raise AssertionError("the run did not end")


def run_of(*apps: str, **facts: Any) -> Run:
    items = tuple(Item(place, app, "update") for place, app in enumerate(apps))
    return Run("r", "oslo", "update", "running", items, **facts)


@given(st.sets(st.sampled_from("abc")), st.booleans())
def test_a_run_always_ends_and_says_of_each_app_what_became_of_it(broken: set[str], go_on: bool) -> None:
    run = walked(run_of("a", "b", "c", go_on=go_on), broken)
    assert run.state == ("failed" if broken else "done")
    first = min(broken, default="z")
    for item in run.items:
        left = not go_on and item.app > first
        assert item.state == ("left" if left else "failed" if item.app in broken else "updated")
        assert (item.cause is not None) == (item.state != "updated")


def test_who_asked_for_an_operation_is_told_its_end_whatever_came_before_it() -> None:
    asked = Item(1, "shop", "apply", operation_id="o", request={"site": "oslo"})
    run = Run("r", "oslo", "apply", "running", (Item(0, "db", "apply", state="failed", cause=BROKE), asked))
    run, item = advanced(run)
    assert item is not None
    assert item.cause is not None
    assert (item.operation_id, item.cause.code, "db" in item.cause.message) == ("o", "failed", True)
    stopped = replace(run_of("a"), cancel_reason="never mind")
    run, item = advanced(stopped)
    assert (run.state, item, run.items[0].state) == ("aborted", None, "left")
