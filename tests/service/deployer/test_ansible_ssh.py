"""Hosts by SSH: real servers, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from services.deployer.drivers import Broken, Done, Order, Progress, Reachable, Reached, Running
from services.deployer.drivers.ansible.driver import AnsibleDriver
from tests.support.ansible_sites import (
    FILES,
    Lab,
    ends,
    nothing_left,
    order,
    reach,
    running_folders,
    seen_in_files,
    seen_in_processes,
)
from tests.support.patience import until_so
from tests.support.small_disk import fill, small_disk
from tests.support.sshd_lab import PASSWORD, Host, SshdLab, keygen

pytestmark = [pytest.mark.ssh, pytest.mark.service]

BECOME = """
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - copy: {dest: "{{ root }}/release", content: "{{ belay_version }}"}
"""
GROUPED = """
- hosts: web:db
  gather_facts: false
  tasks:
    - copy: {dest: "{{ root }}/release", content: "{{ group_names[0] }} {{ shared }}"}
"""
COPIES = """
- hosts: all
  gather_facts: false
  tasks:
    - copy: {src: "{{ belay_content['files/app.txt'] }}", dest: "{{ root }}/brought", remote_src: true}
    - copy: {dest: "{{ root }}/release", content: "{{ belay_version }}"}
"""
PRINTS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Hang for a while
      command: sleep {{ hangs }}
    - name: Print what nobody may know
      shell: echo "cannot log in with $WORD" >&2; exit 1
      environment: {WORD: "{{ word }}"}
"""


@pytest.fixture
async def lab(deployer_database: str, tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, deployer_database)
    yield made
    await made.close()


def broken(progress: Progress) -> Broken:
    assert isinstance(progress, Broken), progress
    return progress


def sleeping(seconds: int) -> bool:
    """Whether a host of the lab does what the playbook told it to."""
    return any(p.info["cmdline"] == ["sleep", str(seconds)] for p in psutil.process_iter(["cmdline"]))


async def polled(driver: AnsibleDriver, one: Order, holds: Callable[[], bool]) -> bool:
    """Look, and let the driver work meanwhile."""
    await driver.poll([one])
    return holds()


async def test_a_release_reaches_its_host_and_leaves_nothing_else(lab: Lab, sshd_lab: SshdLab) -> None:
    host = sshd_lab.host()
    [done] = await reach(lab.driver(), order("o1", await lab.bundle(), sshd_lab.connection(host)))
    assert isinstance(done, Done), done
    assert (host.root / "release").read_text() == "1.0"
    await until_so(lambda: nothing_left(lab))


async def test_why_a_host_is_not_reached_is_told_apart(lab: Lab, sshd_lab: SshdLab) -> None:
    made, host, changed = await lab.bundle(), sshd_lab.host(), sshd_lab.host()
    stranger = keygen(sshd_lab.home / "stranger")
    connections = {
        "unknown_host": sshd_lab.connection(host, address="no-such-host.invalid"),
        "unreachable": sshd_lab.connection(sshd_lab.host(start=False)),
        "access_denied": sshd_lab.connection(host, key=SecretStr(stranger)),
        "host_key": sshd_lab.connection(changed),
    }
    changed.stop()
    changed.new_key()
    changed.start()
    orders = [order(code, made, each, site=code.replace("_", "-")) for code, each in connections.items()]
    found = [broken(each) for each in await reach(lab.driver(at_once=8), *orders, seconds=120)]
    assert [each.code for each in found] == list(connections), found
    assert all(each.last_lines for each in found)
    assert not list(host.root.iterdir())


async def test_sudo_takes_the_become_password_and_refuses_another(lab: Lab, sshd_lab: SshdLab) -> None:
    made = await lab.bundle({**FILES, "apply.yml": BECOME})
    right = sshd_lab.connection(sshd_lab.host(), become_password=SecretStr(PASSWORD))
    wrong = sshd_lab.connection(sshd_lab.host(), become_password=SecretStr("another one"))
    none = sshd_lab.connection(sshd_lab.host())
    orders = [order(name, made, each, site=name) for name, each in (("right", right), ("wrong", wrong), ("none", none))]
    done, *refused = await reach(lab.driver(at_once=8), *orders, seconds=120)
    assert isinstance(done, Done), done
    assert (sshd_lab.hosts[0].root / "release").stat().st_uid == 0
    assert [broken(each).code for each in refused] == ["become_denied", "become_denied"], refused


async def test_a_password_lets_content_and_playbooks_in_and_a_wrong_one_is_told(lab: Lab, sshd_lab: SshdLab) -> None:
    books = {**FILES, "apply.yml": COPIES, "files/app.txt": "brought"}
    made, host = await lab.bundle(books, files=["files"]), sshd_lab.host(by_password=True)
    right = sshd_lab.connection(host)
    orders = [
        order("o1", made, right, site="right"),
        order("o2", made, right | {"password": SecretStr("another one")}, site="wrong"),
        order("o3", await lab.bundle(), right | {"password": SecretStr("another one")}, site="of-ansible"),
    ]
    driver = lab.driver(at_once=8)
    done, *refused = await reach(driver, *orders, seconds=120)
    assert isinstance(done, Done), done
    assert (host.root / "brought").read_text() == "brought"
    assert [broken(each).code for each in refused] == ["access_denied", "access_denied"], refused
    assert seen_in_files([PASSWORD, "another one"], lab.home) == []
    [reached] = await driver.reach([Reachable("right", right)])
    assert isinstance(reached, Reached), reached


async def test_a_connection_that_is_cut_ends_the_order_and_what_it_ran_on_the_host(lab: Lab, sshd_lab: SshdLab) -> None:
    host = sshd_lab.host()
    hanging = order("o1", await lab.bundle(), sshd_lab.connection(host, vars={"hangs": 7411}))
    driver = lab.driver()
    await driver.start([hanging])
    await until_so(lambda: polled(driver, hanging, lambda: sleeping(7411)))
    [running] = await driver.poll([hanging])
    assert isinstance(running, Running)
    assert running.detail == "apply: Hang where it is told to"
    host.cut()
    [found] = await ends(driver, hanging)
    assert broken(found).code == "unreachable", found
    await until_so(lambda: polled(driver, hanging, lambda: not sleeping(7411)))


async def test_a_task_that_hangs_ends_with_the_order_on_the_host_too(lab: Lab, sshd_lab: SshdLab) -> None:
    host, other = sshd_lab.host(), sshd_lab.host()
    cancelled = order("o1", await lab.bundle(), sshd_lab.connection(host, vars={"hangs": 7412}))
    bounded = await lab.bundle(timeout_seconds=20)
    late = order("o2", bounded, sshd_lab.connection(other, vars={"hangs": 7413}), site="s2")
    driver = lab.driver()
    await driver.start([cancelled, late])
    await until_so(lambda: polled(driver, cancelled, lambda: sleeping(7412)))
    await driver.cancel([cancelled])
    found = await ends(driver, cancelled, late, seconds=120)
    assert [broken(each).code for each in found] == ["cancelled", "timeout"]
    await until_so(lambda: polled(driver, late, lambda: not sleeping(7412) and not sleeping(7413)))
    await until_so(lambda: nothing_left(lab))


async def test_sites_that_share_a_run_fare_each_for_itself(lab: Lab, sshd_lab: SshdLab) -> None:
    made = await lab.bundle(together=True)
    well, failing, gone = sshd_lab.host(), sshd_lab.host(), sshd_lab.host(start=False)
    each = [well, failing, gone]
    more = [{}, {"fails": True}, {}]
    orders = [
        order(f"o{n}", made, sshd_lab.connection(host, vars=more[n]), site=f"s{n}") for n, host in enumerate(each)
    ]
    done, failed, unreachable = await reach(lab.driver(), *orders)
    assert isinstance(done, Done), done
    assert [broken(failed).code, broken(unreachable).code] == ["failed", "unreachable"]
    assert "s1" in broken(failed).message
    assert "s2" in broken(unreachable).message


async def test_a_site_of_several_hosts_is_broken_when_one_of_them_is(lab: Lab, sshd_lab: SshdLab) -> None:
    made = await lab.bundle({**FILES, "apply.yml": GROUPED}, playbooks={"apply": "apply.yml", "remove": "remove.yml"})
    web, db, gone = sshd_lab.host(), sshd_lab.host(), sshd_lab.host(start=False)

    def site(*hosts: tuple[str, Host]) -> dict[str, Any]:
        said = {name: sshd_lab.connection(host) | {"groups": [name]} for name, host in hosts}
        return {"hosts": said, "vars": {"shared": "yes"}}

    good = order("o1", made, site(("web", web), ("db", db)))
    bad = order("o2", made, site(("web", web), ("db", gone)), site="s2")
    done, found = await reach(lab.driver(), good, bad)
    assert isinstance(done, Done), done
    assert done.detail == "2 hosts"
    assert [(host.root / "release").read_text() for host in (web, db)] == ["web yes", "db yes"]
    assert broken(found).code == "unreachable"
    assert "s2.db" in broken(found).message


async def test_a_disk_that_is_full_ends_the_order_and_leaves_the_host_as_it_was(
    lab: Lab, sshd_lab: SshdLab, tmp_path: Path
) -> None:
    made, host = await lab.bundle(), sshd_lab.host()
    with small_disk(tmp_path / "small") as home:
        driver = lab.driver(home=home)
        fill(home)
        [found] = await reach(driver, order("o1", made, sshd_lab.connection(host)))
        await driver.close()
    assert broken(found).code == "host_error", found
    assert "No space left" in broken(found).message
    assert not list(host.root.iterdir())


async def test_no_secret_is_seen_by_anybody_while_a_run_lasts_or_afterwards(lab: Lab, sshd_lab: SshdLab) -> None:
    host = sshd_lab.host()
    secret = {"word": SecretStr("correct-horse-battery"), "hangs": 7414}
    given = sshd_lab.connection(host, vars=secret, become_password=SecretStr(PASSWORD))
    made = await lab.bundle({**FILES, "apply.yml": PRINTS})
    told = order("o1", made, given)
    driver = lab.driver()
    await driver.start([told])
    await until_so(lambda: polled(driver, told, lambda: sleeping(7414)))
    values = [sshd_lab.key.splitlines()[2], PASSWORD, "correct-horse-battery"]
    assert seen_in_processes(values) == []
    assert seen_in_files(values, lab.home, *running_folders(lab)) == []
    await driver.cancel([told])
    await ends(driver, told)
    [printed] = await reach(driver, order("o2", made, given | {"vars": {**given["vars"], "hangs": 0}}))
    assert "***" in str(broken(printed))
    assert not any(value in str(printed) for value in values)
    assert seen_in_files(values, lab.home) == []
    await until_so(lambda: nothing_left(lab))
    assert not list((sshd_lab.home.parent / ".ansible" / "tmp").glob("*/*"))
