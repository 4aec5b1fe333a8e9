"""Engines on other hosts: over TLS and through SSH, each proven to be the one that is meant."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme
from pydantic import SecretStr

from services.deployer.drivers import Running
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, ends, ids, order, reach
from tests.support.counting_proxy import counting, relay
from tests.support.patience import until_so
from tests.support.sshd_lab import USER, Host, SshdLab

pytestmark = [pytest.mark.service, pytest.mark.containers]


@asynccontextmanager
async def over_tls(engine: Path, authority: trustme.CA) -> AsyncIterator[int]:
    """The engine at a port of this machine, for those who show a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(lambda r, w: relay(r, w, engine), "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def left(pattern: str) -> list[Path]:
    """Files of connections that are over."""
    return list(Path(tempfile.gettempdir()).glob(pattern))


def tls(port: int, authority: trustme.CA, client: trustme.CA | None) -> dict[str, Any]:
    """A connection over TLS, as `client` vouches for it."""
    said = {"ca": SecretStr(authority.cert_pem.bytes().decode())}
    if client:
        pair = client.issue_cert("deployer@example.org")
        said["certificate"] = SecretStr(pair.cert_chain_pems[0].bytes().decode())
        said["key"] = SecretStr(pair.private_key_pem.bytes().decode())
    return {"url": f"tcp://127.0.0.1:{port}", "tls": said}


async def test_an_engine_over_tls_takes_who_shows_its_certificate_and_nobody_else(
    containers: DurableDriver, container_lab: Lab
) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    tool: Any = containers._tool
    tool._settings = tool._settings.model_copy(update={"unreachable_seconds": 1})
    async with over_tls(container_lab.socket, authority) as port:
        await done(containers, order(container_lab, "o1", connection=tls(port, authority, authority)))
        codes = {}
        for name, connection in {
            "nobody": tls(port, authority, None),
            "a stranger": tls(port, authority, stranger),
            "to a stranger": tls(port, stranger, authority),
        }.items():
            codes[name] = (await broken(containers, order(container_lab, name, connection=connection))).code
    assert codes == {"nobody": "unreachable", "a stranger": "unreachable", "to a stranger": "certificate_refused"}
    assert list(ids(container_lab).values()) == ["running"]
    assert left("belay-tls-*") == []


async def test_texts_that_are_no_certificates_are_said_to_be_so(containers: DurableDriver, container_lab: Lab) -> None:
    connection = {"url": "tcp://127.0.0.1:1", "tls": {"ca": SecretStr("no certificate")}}
    failed = await broken(containers, order(container_lab, "o1", connection=connection))
    assert failed.code == "bad_connection"
    assert "tls" in failed.message
    plain = await broken(containers, order(container_lab, "o2", connection={"url": "tcp://127.0.0.1:1"}))
    assert (plain.code, "with TLS" in plain.message) == ("bad_connection", True)


@pytest.fixture
def host(sshd_lab: SshdLab, container_lab: Lab) -> Host:
    """A host whose user may use the engine."""
    container_lab.root.chmod(0o711)
    container_lab.socket.chmod(0o666)
    return sshd_lab.host()


def by_ssh(host: Host, lab: SshdLab, engine: Lab, **more: Any) -> dict[str, Any]:
    said = {"key": SecretStr(lab.key), "host_keys": [host.public_key], **more}
    return {"url": f"ssh://{USER}@127.0.0.1:{host.port}{engine.socket}", "ssh": said}


async def test_an_engine_is_reached_through_ssh_and_no_process_or_file_is_left_of_it(
    containers: DurableDriver, container_lab: Lab, sshd_lab: SshdLab, host: Host
) -> None:
    there = by_ssh(host, sshd_lab, container_lab)
    await done(containers, order(container_lab, "o1", connection=there))
    await done(containers, order(container_lab, "o2", "2.0", connection=there))
    assert list(ids(container_lab).values()) == ["running"]
    assert [one.name() for one in psutil.Process().children(recursive=True) if one.name() == "ssh"] == []
    assert left("belay-ssh-*") == []


async def test_a_host_that_is_not_the_one_that_is_meant_or_lets_nobody_in_is_told_by_its_code(
    containers: DurableDriver, container_lab: Lab, sshd_lab: SshdLab, host: Host, tmp_path: Path
) -> None:
    known = by_ssh(host, sshd_lab, container_lab)
    other_key = by_ssh(host, sshd_lab, container_lab, key=SecretStr((host.folder / "host_key").read_text()))
    no_key = by_ssh(host, sshd_lab, container_lab, key=SecretStr("not a key"))
    codes = [
        (await broken(containers, order(container_lab, name, connection=each))).code
        for name, each in {"other key": other_key, "no key": no_key}.items()
    ]
    assert codes == ["login_refused", "bad_connection"]
    host.stop()
    host.new_key()
    host.start()
    changed = await broken(containers, order(container_lab, "changed", connection=known))
    assert changed.code == "host_key_changed"


async def test_a_connection_that_is_cut_in_the_midst_is_made_again(
    containers: DurableDriver, container_lab: Lab, sshd_lab: SshdLab, host: Host
) -> None:
    slow = order(container_lab, "o1", environment={"SLOW": "3"}, connection=by_ssh(host, sshd_lab, container_lab))
    await containers.start([slow])

    async def waits() -> bool:
        (found,) = await containers.poll([slow])
        assert isinstance(found, Running), found
        return "healthy" in found.detail

    await until_so(waits)
    host.cut()
    (found,) = await ends(containers, slow)
    assert type(found).__name__ == "Done", found
    assert list(ids(container_lab).values()) == ["running"]


async def test_an_engine_is_asked_once_for_its_version_however_many_orders_it_gets(
    containers: DurableDriver, container_lab: Lab, tmp_path: Path
) -> None:
    async with counting(tmp_path / "engine.sock", container_lab.socket, -1, lambda: None) as proxy:
        there = {"url": f"unix://{tmp_path}/engine.sock"}
        orders = [order(container_lab, f"o{number}", site=f"s{number}", connection=there) for number in range(3)]
        assert [type(each).__name__ for each in await reach(containers, *orders)] == ["Done"] * 3
        await done(containers, order(container_lab, "another", connection=there))
        assert [asked.rpartition("/")[2] for asked in proxy.requests].count("version") == 1


async def test_a_connection_that_lacks_something_spoils_the_questions_about_no_other_site(
    containers: DurableDriver, container_lab: Lab
) -> None:
    good = order(container_lab, "good", site="s1")
    await done(containers, good)
    said = {"ports": [{"container": 8080}]}  # and the connection does not say which of the host
    lacking = order(container_lab, "lacking", site="s2", **said)
    nowhere = order(container_lab, "nowhere", site="s3", connection={"url": "tcp://engine:abc"})
    assert (await containers.look([lacking, nowhere, good]))[1:] == [None, None]
    assert await containers.has_revision([lacking, nowhere, good]) == [None, None, False]
    told = [" ".join(lines) for lines in await containers.foresee([lacking, nowhere, replace(good, key="next")])]
    assert told[0] == "the connection cannot be used: the connection does not say ports.8080/tcp"
    assert told[1].startswith("the connection cannot be used: url: ")
    assert told[2] == ""
