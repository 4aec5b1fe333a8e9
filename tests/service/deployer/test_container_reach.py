"""Engines are asked whether they answer: by socket, TLS and SSH, side by side, and each for ten seconds at most."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from services.deployer.drivers import Broken, Reachable, Reached, Reaching
from services.deployer.drivers.durable.driver import DurableDriver
from tests.service.deployer.test_container_connections import by_ssh, over_tls, tls
from tests.support.container_lab import Lab
from tests.support.metered_proxy import silent_port, socket_link
from tests.support.patience import patience
from tests.support.sshd_lab import SshdLab, keygen

pytestmark = [pytest.mark.service, pytest.mark.containers]


@pytest.fixture
def driver(containers: DurableDriver) -> Reaching:
    assert isinstance(containers, Reaching)
    return containers


async def test_an_engine_says_its_platform_its_version_and_its_room_by_each_way(
    driver: Reaching, container_lab: Lab, sshd_lab: SshdLab
) -> None:
    container_lab.root.chmod(0o711)
    container_lab.socket.chmod(0o666)
    authority = trustme.CA()
    async with over_tls(container_lab.socket, authority) as port:
        ways = [
            {"url": container_lab.url},
            tls(port, authority, authority),
            by_ssh(sshd_lab.host(), sshd_lab, container_lab),
        ]
        for found in await told(driver, [Reachable(f"s{n}", way) for n, way in enumerate(ways)]):
            assert found.facts["platform"] == "linux/amd64"
            assert found.facts["engine"].startswith("Podman ")
            assert (found.free_bytes or 0) > 1 << 20


async def told(driver: Reaching, sites: Sequence[Reachable]) -> list[Reached]:
    """What their engines say of themselves; a busy one answers at first, and says it later."""
    async with patience(60):
        while True:
            found = await driver.reach(sites)
            if all(isinstance(each, Reached) and each.facts for each in found):
                return [each for each in found if isinstance(each, Reached)]


async def test_why_an_engine_does_not_answer_is_told_within_ten_seconds(
    driver: Reaching, container_lab: Lab, sshd_lab: SshdLab, tmp_path: Path
) -> None:
    host, authority = sshd_lab.host(), trustme.CA()
    dead = sshd_lab.host(start=False)
    stranger = SecretStr(keygen(sshd_lab.home / "stranger"))
    quiet = tmp_path / "quiet.sock"
    async with (
        silent_port() as silent,
        over_tls(container_lab.socket, authority) as port,
        socket_link(quiet, container_lab.socket) as link,
    ):
        link.silent = True
        ways = {
            "unreachable, no socket": {"url": f"unix://{tmp_path}/no.sock"},
            "unreachable, silent socket": {"url": f"unix://{quiet}"},
            "unreachable, silent": tls(silent, authority, authority),
            "unreachable, dead host": by_ssh(dead, sshd_lab, container_lab),
            "certificate_refused": tls(port, trustme.CA(), authority),
            "login_refused": by_ssh(host, sshd_lab, container_lab, key=stranger),
            "host_key_changed": by_ssh(host, sshd_lab, container_lab, host_keys=[dead.public_key]),
            "bad_connection": {"url": "tcp://127.0.0.1:1"},
            "bad_connection, no port": tls(0, authority, authority),
            "bad_connection, no PEM": tls(port, authority, None) | {"tls": {"ca": SecretStr("ü")}},
            "internal_error": tls(port, authority, None) | {"url": f"tcp://{'a' * 64}"},
        }
        begun = time.monotonic()
        found = await driver.reach([Reachable(f"s{n}", way) for n, way in enumerate(ways.values())])
        assert time.monotonic() - begun < 12
    assert [each.code for each in found if isinstance(each, Broken)] == [name.split(",")[0] for name in ways], found


async def test_an_engine_that_is_stopped_does_not_answer_and_does_when_it_is_back(
    driver: Reaching, container_lab: Lab
) -> None:
    site = [Reachable("s1", {"url": container_lab.url})]
    container_lab.kill_service()
    try:
        (found,) = await driver.reach(site)
        assert isinstance(found, Broken)
        assert found.code == "unreachable"
    finally:
        container_lab.start_service()
    assert isinstance((await driver.reach(site))[0], Reached)
