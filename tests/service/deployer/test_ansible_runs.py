"""Runs of Ansible on this machine: what they do, and what becomes of them when anybody dies in the middle."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from services.deployer.drivers import Broken, Done, Order, Progress
from services.deployer.drivers.ansible.driver import AnsibleDriver
from tests.support.ansible_sites import (
    FILES,
    PLAYBOOKS,
    Lab,
    ends,
    nothing_left,
    of_runs,
    order,
    reach,
    remove,
    rollback,
    running_folders,
    seen_in_files,
    seen_in_processes,
)
from tests.support.patience import patience, until_so

pytestmark = [pytest.mark.service, pytest.mark.ansible]

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2ct"
CUTS = [
    ("write down", "after"), ("spawn", "before"), ("spawn", "after"),
    ("hear", "after"), ("end", "before"), ("end", "after"),
]  # fmt: skip
"""Before the first nothing is known of the order, after the last nothing is left but what a sweep takes."""
QUICK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Note the run
      shell: echo "{{ belay_action }} {{ belay_version }} {{ belay_step | default('') }}" >> "{{ root }}/log"
      changed_when: false
"""
WAITS = """
    - shell: touch waits; until [ -e go ]; do sleep 0.1; done
      args: {chdir: "{{ root }}"}
    - shell: echo then >> "{{ root }}/log"
"""
LATE = """
- hosts: "{{ nowhere if belay_app is defined else 'all' }}"
  tasks:
    - command: "true"
"""


@pytest.fixture
async def lab(deployer_database: str, tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, deployer_database, {"at_once": 4})
    yield made
    await made.close()


def broken(progress: Progress) -> Broken:
    assert isinstance(progress, Broken), progress
    return progress


async def die_within(lab: Lab, one: Order, point: str, when: str) -> None:
    """Run a deployer until it is killed at that point."""
    file = lab.folder / f"{one.key}.pickle"
    file.write_bytes(pickle.dumps(one))
    words = [str(file), str(lab.home), lab.dsn, point, when]
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.ansible_victim", *words,
        cwd=Path(__file__).parents[3], stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with patience(120):
        _, said = await victim.communicate()
    assert victim.returncode == -signal.SIGKILL, said.decode()


async def test_a_run_whose_deployer_was_killed_at_any_point_is_seen_through_and_nothing_is_done_twice(lab: Lab) -> None:
    made = await lab.bundle({**FILES, "apply.yml": QUICK}, playbooks={"apply": "apply.yml", "remove": "remove.yml"})
    orders = [order(f"o{n}", made, lab.local(f"s{n}"), site=f"s{n}") for n in range(len(CUTS))]
    await asyncio.gather(*(die_within(lab, one, *cut) for one, cut in zip(orders, CUTS, strict=True)))
    found = await ends(lab.driver(), *orders, seconds=120)
    assert {type(each) for each in found} == {Done}, found
    done = {cut: lab.log(one.site) for one, cut in zip(orders, CUTS, strict=True)}
    assert done == {cut: ["apply 1.0 "] for cut in CUTS}
    await until_so(lambda: swept(lab), 120)


async def swept(lab: Lab) -> bool:
    """What a deployer that dies right after an end leaves goes when the next tidies up."""
    driver = lab.drivers[-1]
    tool = driver._tool
    await asyncio.to_thread(tool._runs.sweep, await tool._records.wanted(), 0.0)  # type: ignore[attr-defined]
    return await nothing_left(lab)


OF_A_SECRET = """
    - copy: {dest: "{{ root }}/word", content: "{{ db.password | hash('sha256') }} {{ plain }}"}
    - debug: {msg: "it is {{ db.password }}"}
"""
WORD = 'correct "horse" {{ battery }} 0123'
"""What is meant as it is: no template, no number, no end of a text."""


async def test_secrets_in_overrides_reach_playbooks_by_a_pipe_and_are_read_by_nobody_else(lab: Lab) -> None:
    books = {"apply": "apply.yml", "remove": "remove.yml"}
    made = await lab.bundle({**FILES, "apply.yml": QUICK + WAITS + OF_A_SECRET}, playbooks=books)

    def secret(key: str, word: str) -> Order:
        given = {"db": {"password": word}, "plain": "too"}
        named = {"playbooks": books, "vars": {**given, "db": {"password": {"secret": "shop-db"}}}}
        one = order(key, (made[0], made[1].model_copy(update={"vars": given})), lab.local("s1"))
        return replace(one, component=replace(one.component, named=named))

    driver, root, told = lab.driver(), Path(lab.local("s1")["vars"]["root"]), secret("o1", WORD)
    await driver.start([told])
    async with patience(120):
        while not (root / "waits").exists():
            await driver.poll([told])
            await asyncio.sleep(0.1)
    assert seen_in_processes([WORD]) == []
    assert seen_in_files([WORD, "battery"], lab.home, *running_folders(lab)) == []
    (root / "go").touch()
    [done] = await ends(driver, told, seconds=120)
    assert isinstance(done, Done), done
    assert (root / "word").read_text() == f"{hashlib.sha256(WORD.encode()).hexdigest()} too"
    assert "battery" not in str(done)
    assert seen_in_files([WORD, "battery"], lab.home) == []
    again = replace(secret("o2", "another word"), revision=done.revision)
    assert await driver.has_revision([again]) == [True]  # what is recorded tells nothing of the value


async def test_a_runner_that_dies_is_followed_by_another_and_three_are_enough(lab: Lab) -> None:
    hanging = order("o1", await lab.bundle(), lab.local("s1", hangs=600))
    driver = lab.driver()
    await driver.start([hanging])
    killed: set[int] = set()

    async def next_dies() -> bool:
        await driver.poll([hanging])
        for process in of_runs(lab):
            with suppress(psutil.NoSuchProcess):
                if process.pid not in killed and "sleep" in process.cmdline():
                    killed.update(kill_runner_of(process))
                    return True
        return False

    for _ in range(3):
        await until_so(next_dies, 60)
    assert broken((await ends(driver, hanging))[0]).code == "runner_died"
    await until_so(lambda: nothing_left(lab))


def kill_runner_of(process: psutil.Process) -> set[int]:
    """As a machine without memory does; what it began goes on for now."""
    for each in process.parents():
        if "services.deployer.drivers.ansible.runner" in each.cmdline():
            each.kill()
            return {process.pid, each.pid}
    return set()


async def test_sites_that_begin_together_share_a_run_where_their_component_allows_it(lab: Lab) -> None:
    made = await lab.bundle(together=True)
    more = [{}, {"fails": True}, {}]
    orders = [order(f"o{n}", made, lab.local(f"s{n}", **each), site=f"s{n}") for n, each in enumerate(more)]
    driver = lab.driver()
    await driver.start(orders)
    await until_so(lambda: one_run(lab, driver, orders))
    first, failed, last = await ends(driver, *orders)
    assert isinstance(first, Done), first
    assert first == last
    assert broken(failed).code == "failed"
    assert broken(failed).last_lines[-1] == "no room for nobody"


async def one_run(lab: Lab, driver: AnsibleDriver, orders: list[Order]) -> bool:
    await driver.poll(orders)
    folders = list((lab.home / "ansible" / "runs").glob("*/job.json"))
    return len(folders) == 1 and all(f'"{one.site}"' in folders[0].read_text() for one in orders)


async def test_a_second_run_that_changes_something_and_a_task_that_lasts_too_long_fail(
    lab: Lab,
) -> None:
    made = await lab.bundle(check_idempotent=True)
    calm = order("o1", made, lab.local("s1"))
    restless = order("o2", made, lab.local("s2", restless=True), site="s2")
    hanging = order("o3", await lab.bundle(task_timeout_seconds=10), lab.local("s3", hangs=600), site="s3")
    done, found, late = await reach(lab.driver(), calm, restless, hanging)
    assert isinstance(done, Done), done
    assert broken(late).code == "failed"
    assert "timed out" in str(late).lower()
    assert not any(str(lab.home) in " ".join(environment_of(each).values()) for each in psutil.process_iter())
    assert broken(found).code == "not_idempotent"
    assert broken(found).last_lines == ("Change something each time",)


def environment_of(process: psutil.Process) -> dict[str, str]:
    with suppress(psutil.Error, OSError):
        return process.environ() if process.pid != os.getpid() else {}
    return {}


async def test_facts_are_kept_in_the_revision_and_given_to_the_rollback(lab: Lab) -> None:
    back = QUICK.replace("{{ belay_version }}", "to {{ belay_version }} of {{ belay_facts.schema }}")
    books = {**PLAYBOOKS, "rollback": "back.yml"}
    made = await lab.bundle({**FILES, "back.yml": back}, playbooks=books, revision_facts=["schema"])
    first = order("o1", made, lab.local("s1"))
    driver = lab.driver()
    [done] = await reach(driver, first)
    assert isinstance(done, Done), done
    assert done.revision.endswith(' {"schema":"1.0"}')
    assert (await reach(driver, rollback("o2", first, done.revision)))[0] == done
    assert lab.log("s1")[-1].strip() == "rollback to 1.0 of 1.0"


async def test_the_bundle_of_what_runs_is_at_hand_before_anything_is_touched_where_the_store_has_it(lab: Lab) -> None:
    before = order("o1", await lab.bundle(), lab.local("s1"))
    [done] = await reach(lab.driver(), before)
    assert isinstance(done, Done), done
    made = await lab.bundle({**FILES, "note": "of the next release"})
    fetch = replace(order("", made, lab.local("s1"), version="2.0", action="fetch"), deploys=True)
    driver = lab.driver(home=lab.folder / "another machine")
    assert isinstance((await reach(driver, replace(fetch, key="f1", back_sha256=made[0])))[0], Done)
    assert isinstance((await reach(driver, replace(fetch, key="f2", back_sha256=before.bundle_sha256)))[0], Done)
    [stored] = (lab.home / "blobs").rglob(str(before.bundle_sha256))
    stored.unlink()
    [late] = await reach(lab.driver(home=lab.folder / "a third"), replace(fetch, key="f3", back_sha256=stored.name))
    assert isinstance(late, Done), late
    assert f"of the way back: the blob store has no bundle {stored.name}" in late.detail
    [back] = await reach(driver, rollback("o2", before, done.revision))
    assert isinstance(back, Done), back


async def test_what_a_bundle_brings_ahead_its_steps_and_its_removal_are_run_as_they_are_named(lab: Lab) -> None:
    books = {"apply": "q.yml", "remove": "q.yml", "fetch": "q.yml", "tasks": {"first": "q.yml", "then": "q.yml"}}
    made = await lab.bundle({"q.yml": QUICK}, playbooks=books)
    one = order("o1", made, lab.local("s1"), action="fetch")
    driver = lab.driver()
    for each in (one, replace(one, key="o2", action="tasks"), remove("o3", one)):
        assert isinstance((await reach(driver, each))[0], Done)
    assert [" ".join(line.split()) for line in lab.log("s1")] == [
        "fetch 1.0", "tasks 1.0 first", "tasks 1.0 then", "remove",
    ]  # fmt: skip


async def test_what_cannot_be_run_at_all_says_why(lab: Lab) -> None:
    late = await lab.bundle({**FILES, "apply.yml": LATE})
    empty = await lab.bundle({**FILES, "apply.yml": QUICK.replace("hosts: all", "hosts: databases")})
    orders = {
        "playbook_error": order("o1", late, lab.local("s1")),
        "no_hosts": order("o2", empty, lab.local("s2"), site="s2"),
        "bundle_missing": replace(order("o3", empty, lab.local("s3"), site="s3"), bundle_sha256="f" * 64),
        "bad_connection": order("o4", empty, {"address": "-oProxyCommand=x", "usr": 1}, site="s4"),
        "bad_order": replace(order("o5", empty, lab.local("s5"), site="s5"), bundle_sha256=None),
    }
    found = await reach(lab.driver(), *orders.values())
    assert [broken(each).code for each in found] == list(orders), found
    assert "nowhere" in broken(found[0]).message
    for word in ("address", "usr"):
        assert word in broken(found[3]).message


async def test_a_machine_that_lacks_a_program_says_which_package_brings_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await lab.bundle()
    by_ssh = {"address": "h", "user": "u", "password": SecretStr("word-of-u"), "host_keys": [HOST_KEY]}
    driver = lab.driver()
    monkeypatch.setenv("PATH", str(lab.folder))
    found = broken((await reach(driver, order("o1", made, by_ssh)))[0])
    assert found.code == "tool_missing"
    assert "ssh (Debian: openssh-client)" in found.message


async def test_a_home_that_cannot_be_written_to_is_told_as_it_is(lab: Lab) -> None:
    one = order("o1", await lab.bundle(), lab.local("s1"))
    (lab.home / "ansible").mkdir(parents=True)
    (lab.home / "ansible" / "bundles").write_text("in the way")
    found = broken((await reach(lab.driver(), one))[0])
    assert found.code == "host_error", found
    assert "bundles" in found.message


async def test_a_run_of_another_machine_has_stopped_between_two_tasks_before_it_is_begun_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.deployer.drivers.ansible.procedure.MARGIN_SECONDS", 2)
    made = await lab.bundle(
        {**FILES, "apply.yml": QUICK + WAITS}, playbooks={"apply": "apply.yml", "remove": "remove.yml"}
    )
    one, site = order("o1", made, lab.local("s1")), lab.folder / "sites/s1"
    elsewhere = lab.driver(home=lab.folder / "elsewhere", unattended_seconds=3, grace_seconds=30)
    await elsewhere.start([one])
    await until_so(lambda: told_of(elsewhere, one, site / "waits"))
    await elsewhere.close()
    driver = lab.driver(unattended_seconds=3)
    await driver.start([one])
    assert "another machine" in await said(driver, one)
    await until_so(lambda: told_of(driver, one, *(lab.folder / "elsewhere/ansible/runs").glob("*/stop")))
    (site / "go").touch()
    assert isinstance((await ends(driver, one))[0], Done)
    assert [line.strip() for line in lab.log("s1")] == ["apply 1.0", "apply 1.0", "then"]


async def told_of(driver: AnsibleDriver, one: Order, *files: Path) -> bool:
    """Whether there are such files; the driver works meanwhile."""
    await driver.poll([one])
    return bool(files) and all(file.exists() for file in files)


async def said(driver: AnsibleDriver, one: Order) -> str:
    """What is told of an order once it is in somebody's hands."""
    found = ""

    async def begun() -> bool:
        nonlocal found
        found = str((await driver.poll([one]))[0])
        return "its turn" not in found

    await until_so(begun)
    return found


async def test_what_was_done_some_time_ago_is_asked_of_its_hosts_by_the_verify_playbook(lab: Lab) -> None:
    made = await lab.bundle()
    orders = [order(f"o{n}", made, lab.local(f"s{n}"), site=f"s{n}") for n in (1, 2)]
    assert all(isinstance(found, Done) for found in await reach(lab.driver(), *orders))
    assert all(isinstance(found, Done) for found in await ends(lab.driver(), *orders))
    (lab.folder / "sites" / "s2" / "release").write_text("what another component put there")
    well, fallen = await ends(lab.driver(), *orders)
    assert isinstance(well, Done)
    assert (broken(fallen).code, "It is the release" in broken(fallen).message) == ("fallen", True)
    assert [len(lab.log(f"s{n}")) for n in (1, 2)] == [1, 1], "nothing was applied again"
    await until_so(lambda: nothing_left(lab))
    without = await lab.bundle(playbooks={name: book for name, book in PLAYBOOKS.items() if name != "verify"})
    third = order("o3", without, lab.local("s3"), site="s3")
    await reach(lab.driver(), third)
    (lab.folder / "sites" / "s3" / "release").unlink()
    assert isinstance((await ends(lab.driver(), third))[0], Done), "nobody says how to see whether it is well"
