"""Hosts are asked whether they answer: all of a site, many sites side by side, and with no run of Ansible."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.deployer.drivers import Broken, Reachable, Reached, Reaching
from tests.support.ansible_sites import Lab
from tests.support.metered_proxy import silent_port
from tests.support.sshd_lab import SshdLab, keygen

pytestmark = [pytest.mark.ssh, pytest.mark.service]


@pytest.fixture
async def lab(deployer_database: str, tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, deployer_database)
    yield made
    await made.close()


def asking(lab: Lab) -> Reaching:
    driver = lab.driver()
    assert isinstance(driver, Reaching)
    return driver


async def test_hosts_that_answer_say_what_they_are_and_how_much_room_they_have(lab: Lab, sshd_lab: SshdLab) -> None:
    first, second = sshd_lab.host(), sshd_lab.host()
    both = {"hosts": {"a": sshd_lab.connection(first), "b": sshd_lab.connection(second, content_folder="/no/such")}}
    sites = [Reachable("one", sshd_lab.connection(first)), Reachable("both", both), Reachable("here", {"local": True})]
    for found in await asking(lab).reach(sites):
        assert isinstance(found, Reached), found
        assert found.facts["platform"].startswith("linux/"), found
        assert found.facts["python"].startswith("3."), found
        assert (found.free_bytes or 0) > 1 << 20, found


async def test_why_a_host_does_not_answer_is_told_within_ten_seconds(lab: Lab, sshd_lab: SshdLab) -> None:
    host, changed, dead = sshd_lab.host(), sshd_lab.host(), sshd_lab.host(start=False)
    stranger = keygen(sshd_lab.home / "stranger")
    connections = {"host_key": sshd_lab.connection(changed)}
    changed.stop()
    changed.new_key()
    changed.start()
    async with silent_port() as silent:
        connections |= {
            "unknown_host": sshd_lab.connection(host, address="no-such-host.invalid"),
            "access_denied": sshd_lab.connection(host, key=SecretStr(stranger)),
            "bad_connection": {"address": "127.0.0.1"},
            "unreachable": sshd_lab.connection(dead),
            "unreachable, silent": sshd_lab.connection(host, port=silent),
            "unreachable, one of two": {"hosts": {"a": sshd_lab.connection(host), "b": sshd_lab.connection(dead)}},
        }
        begun = time.monotonic()
        found = await asking(lab).reach([Reachable(f"s{n}", each) for n, each in enumerate(connections.values())])
        assert time.monotonic() - begun < 12
    assert [each.code for each in found if isinstance(each, Broken)] == [name.split(",")[0] for name in connections]


async def test_a_host_that_is_back_answers_again(lab: Lab, sshd_lab: SshdLab) -> None:
    host, driver = sshd_lab.host(), asking(lab)
    site = [Reachable("s1", sshd_lab.connection(host))]
    host.stop()
    assert isinstance((await driver.reach(site))[0], Broken)
    host.start()
    assert isinstance((await driver.reach(site))[0], Reached)
