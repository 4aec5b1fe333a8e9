"""What a run told, taken together: how each site has fared."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.deployer.drivers import Broken
from services.deployer.drivers.ansible.outcome import Story
from services.deployer.drivers.ansible.runner.job import Act, Job
from services.deployer.drivers.ansible.runner.telling import line_of, without_secrets, words_of
from services.deployer.secrets.values import looks_of

SITES = {"oslo": ("oslo.web", "oslo.db"), "bergen": ("bergen",)}
HOSTS = [host for hosts in SITES.values() for host in hosts]
ANY_HOST = [*HOSTS, "localhost"]


def job(*acts: Act) -> Job:
    return Job(
        project="/bundle", acts=acts or (Act(name="apply", playbook="a.yml"),), sites=SITES, over_ssh=True, forks=1,
        seconds=60, grace_seconds=1, task_seconds=0, connect_seconds=1, unattended_seconds=60,
    )  # fmt: skip


def told(*lines: dict[str, Any], acts: tuple[Act, ...] = ()) -> Story:
    story = Story(job(*acts))
    for line in lines:
        story.take({"act": 0, **line})
    return story


def stats(
    failed: tuple[str, ...] = (), unreachable: tuple[str, ...] = (), processed: list[str] = HOSTS
) -> dict[str, Any]:
    lists = {"failed": list(failed), "unreachable": list(unreachable), "processed": processed}
    return {"told": "stats", "changed": {}, **lists}


def hurt(kind: str, host: str, message: str) -> dict[str, Any]:
    return {"told": kind, "host": host, "task": "copy", "message": message, "lines": [message]}


END = {"told": "end", "why": "done"}


def code(story: Story, site: str) -> str | None:
    found = story.result(site)
    return found.code if found else None


def test_a_site_is_broken_by_any_of_its_hosts_and_by_no_other() -> None:
    story = told(hurt("failed", "oslo.db", "no room"), stats(failed=("oslo.db",)), END)
    assert story.result("oslo") == Broken("failed", "host oslo.db, task 'copy': no room", ("no room",))
    assert story.result("bergen") is None


def test_a_host_that_a_playbook_brought_in_itself_is_of_every_site() -> None:
    story = told(hurt("failed", "localhost", "no room"), stats(failed=("localhost",)), END)
    assert (code(story, "oslo"), code(story, "bergen")) == ("failed", "failed")


def test_a_failure_that_the_playbook_made_good_itself_is_none() -> None:
    assert code(told(hurt("failed", "bergen", "expected"), stats(), END), "bergen") is None


def test_a_site_none_of_whose_hosts_a_playbook_is_for_was_not_changed_and_says_so() -> None:
    story = told(stats(processed=["oslo.web"]), END)
    assert (code(story, "oslo"), code(story, "bergen")) == (None, "no_hosts")


def test_a_second_run_must_change_nothing() -> None:
    acts = (Act(name="apply", playbook="a.yml"), Act(name="again", playbook="a.yml", may_change=False))
    changed = {"told": "ok", "host": "bergen", "task": "date", "changed": True}
    story = told(changed, stats(), {**changed, "act": 1}, {**stats(), "act": 1}, END, acts=acts)
    assert (code(story, "oslo"), code(story, "bergen")) == (None, "not_idempotent")


def test_a_run_that_told_nothing_of_its_hosts_has_broken_each_site_with_its_last_words() -> None:
    story = told({"told": "ended", "status": "failed", "rc": 4, "lines": ["no such role", "at a.yml"]}, END)
    assert story.result("oslo") == Broken("playbook_error", "a.yml: no such role", ("no such role", "at a.yml"))


def test_who_stops_a_run_is_the_reason_of_sites_that_were_not_through() -> None:
    stopped = {"told": "ended", "status": "failed", "rc": 75, "lines": []}
    for why, expected in {"stopped": "cancelled", "timeout": "timeout", "unattended": "unattended"}.items():
        assert code(told(stopped, {"told": "end", "why": why}), "oslo") == expected


def test_what_is_told_meanwhile_is_the_task_and_how_many_hosts_changed_failed_or_were_not_reached() -> None:
    changed = {"told": "ok", "host": "oslo.web", "task": "copy", "changed": True}
    lines = [
        {"told": "task", "task": "copy"},
        changed,
        hurt("failed", "oslo.db", "no"),
        hurt("unreachable", "bergen", "-"),
    ]
    assert told(*lines).progress(4) == ("apply: copy (1 changed, 1 failed, 1 unreachable)", 25)
    assert told().progress(None) == ("apply: begins", 0)


def test_facts_are_of_the_site_where_its_hosts_agree_and_by_host_where_not() -> None:
    ok = {"told": "ok", "task": "t", "changed": False}
    web = {**ok, "host": "oslo.web", "facts": {"schema": 4, "port": 80}}
    db = {**ok, "host": "oslo.db", "facts": {"schema": 4, "port": 5432}}
    assert told(web, db).facts_of("oslo") == {"port": {"oslo.web": 80, "oslo.db": 5432}, "schema": 4}


def test_a_fact_that_holds_a_secret_is_not_told_and_breaks_its_site() -> None:
    facts = {"dsn": {"url": "pg://app:correct-horse@db"}, "pin": 12345678, "schema": 4}
    line = {"told": "ok", "host": "bergen", "task": "t", "changed": False, "facts": facts}
    found = without_secrets(line, looks_of(["correct-horse", "12345678"]))
    assert found == {**line, "facts": {"schema": 4}, "secret_facts": ["dsn", "pin"]}
    story = told(found)
    assert [code(story, site) for site in SITES] == [None, "secret_in_fact"]
    assert "`dsn`, `pin`" in str(story.result("bergen"))


def test_a_fact_that_only_resembles_a_secret_is_kept_as_it_is() -> None:
    facts = {"root": "/srv/edge", "stage": "prod-7"}
    line = {"told": "ok", "host": "bergen", "task": "t", "changed": False, "facts": facts}
    assert without_secrets(line, looks_of(["edge-7f3k2", "prod"])) == line
    holds_one = {**line, "facts": {**facts, "dsn": "pg://correct-horse@db"}}
    found = without_secrets(holds_one, looks_of(["edge-7f3k2", "prod", "correct-horse"]))
    assert found == {**line, "secret_facts": ["dsn"]}


@given(st.sampled_from(["host", "task", "told", "stats", "lines", "message", "changed", "failed", "bergen", "oslo.db"]))
def test_a_secret_that_begins_like_a_word_of_ours_changes_nothing_of_how_sites_fare(word: str) -> None:
    lines = [{"told": "task", "task": "copy"}, hurt("failed", "oslo.db", "no room"), stats(failed=("oslo.db",)), END]
    for secret in (word, f"{word}pass1"):
        found = told(*(without_secrets(line, looks_of([secret])) for line in lines))
        assert (code(found, "oslo"), code(found, "bergen")) == ("failed", None)


def test_what_playbooks_and_modules_say_is_told_without_secrets() -> None:
    line = {**hurt("failed", "bergen", "no: correct-horse"), "task": "log in as correct-horse"}
    found = without_secrets(line, looks_of(["correct-horse"]))
    assert found == {**line, "task": "log in as ***", "message": "no: ***", "lines": ["no: ***"]}


LINES = st.one_of(
    st.builds(lambda t: {"told": "task", "task": t}, st.text()),
    st.builds(hurt, st.sampled_from(["failed", "unreachable"]), st.sampled_from(ANY_HOST), st.text()),
    st.builds(
        lambda h, c: {"told": "ok", "host": h, "task": "t", "changed": c}, st.sampled_from(ANY_HOST), st.booleans()
    ),
    st.builds(stats, st.lists(st.sampled_from(ANY_HOST)).map(tuple), st.lists(st.sampled_from(ANY_HOST)).map(tuple)),
    st.builds(lambda rc: {"told": "ended", "status": "failed", "rc": rc, "lines": []}, st.integers(0, 250)),
)


@given(st.lists(LINES, max_size=30), st.integers(0, 30))
def test_a_site_that_was_found_broken_stays_so_whatever_is_told_afterwards(
    lines: list[dict[str, Any]], cut: int
) -> None:
    before, after = told(*lines[:cut]), told(*lines)
    for site, broken in before.broken.items():
        assert after.broken[site] == broken
    assert set(after.sound()) <= set(before.sound())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
RESULTS = st.dictionaries(st.sampled_from(["msg", "rc", "stderr", "stdout", "results", "module_stderr"]), JSON)


@given(RESULTS)
def test_whatever_a_module_answers_its_failure_has_a_sentence_and_bounded_lines(result: dict[str, Any]) -> None:
    words = words_of(result)
    assert words["message"]
    assert len(words["message"]) <= 1_000
    assert len(words["lines"]) <= 50
    assert all(len(line) <= 500 for line in words["lines"])


@given(st.sampled_from(["runner_on_ok", "runner_on_failed", "playbook_on_stats", "verbose", "new_one"]), RESULTS)
def test_no_event_is_kept_whole(kind: str, result: dict[str, Any]) -> None:
    line = line_of({"event": kind, "event_data": {"host": "h", "task": "t", "res": result}}, ("schema",))
    assert line is None or "res" not in line
