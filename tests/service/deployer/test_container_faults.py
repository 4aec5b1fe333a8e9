"""What goes wrong on engines: each fault has its code, and leaves what ran as it was and nothing half-made."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers import Broken, Done, Running
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.container_lab import Lab, lab
from tests.support.container_sites import broken, done, ends, ids, order, removal
from tests.support.patience import until_so
from tests.support.process_sites import free_port

pytestmark = [pytest.mark.service, pytest.mark.containers]

DIGEST = f"sha256:{'0' * 64}"


async def test_an_image_that_cannot_be_had_costs_the_old_container_nothing(
    containers: DurableDriver, container_lab: Lab
) -> None:
    await done(containers, order(container_lab, "o1"))
    before, codes = ids(container_lab), {}
    there, other = f"{container_lab.registry}/app@{DIGEST}", f"{container_lab.registry}/none@{DIGEST}"
    nobody = f"127.0.0.1:{free_port()}/app@{DIGEST}"
    for name, spec in {
        "no such digest": {"image": there},
        "no such name": {"image": other},
        "no registry": {"image": nobody},
        "never": {"image": there, "pull": "never"},
    }.items():
        failed = await broken(containers, order(container_lab, name, **spec))
        assert spec["image"] in failed.message
        codes[name] = failed.code
        assert ids(container_lab) == before
    assert codes == {
        "no such digest": "no_such_image", "no such name": "no_such_image", "no registry": "registry_unreachable",
        "never": "no_such_image",
    }  # fmt: skip


async def test_a_registry_that_is_down_is_told_from_an_image_that_is_not_there(
    containers: DurableDriver, container_lab: Lab
) -> None:
    wanted = order(container_lab, "o1", "7.0")
    container_lab.stop_registry()
    try:
        assert (await broken(containers, wanted)).code == "registry_unreachable"
    finally:
        container_lab.start_registry()
    await done(containers, replace(wanted, key="o2"))


async def test_an_image_for_another_platform_is_refused_before_anything_is_touched(
    containers: DurableDriver, container_lab: Lab
) -> None:
    await done(containers, order(container_lab, "o1"))
    before = ids(container_lab)
    foreign = container_lab.push("foreign:1.0", "FROM scratch\nCOPY file /file\n", {"file": "x"}, "linux/arm64")
    failed = await broken(containers, order(container_lab, "o2", image=foreign))
    assert (failed.code, ids(container_lab)) == ("wrong_platform", before)
    assert "linux/arm64" in failed.message
    assert "linux/amd64" in failed.message


async def test_a_port_that_somebody_else_holds_leaves_the_old_container_running(
    containers: DurableDriver, container_lab: Lab
) -> None:
    await done(containers, order(container_lab, "o1"))
    before = ids(container_lab)
    wanted: dict[str, Any] = {"ports": [{"container": 8080, "host": free_port(), "address": "127.0.0.1"}]}
    port = wanted["ports"][0]["host"]
    with socket.create_server(("127.0.0.1", port)):
        failed = await broken(containers, order(container_lab, "o2", "2.0", **wanted))
    assert (failed.code, ids(container_lab)) == ("port_taken", before)
    image = next(iter(container_lab.digests.values()))
    stranger = container_lab.podman(
        "run", "-d", "--name", "stranger", "-p", f"127.0.0.1:{port}:80", image, "sleep", "99"
    )
    failed = await broken(containers, order(container_lab, "o3", "2.0", **wanted))
    assert (failed.code, ids(container_lab)) == ("port_taken", before)
    assert "the container stranger" in failed.message
    container_lab.podman("rm", "--force", "--time=0", stranger)
    await done(containers, order(container_lab, "o4", "2.0", **wanted))


async def test_a_volume_that_a_stranger_writes_to_is_refused_unless_the_spec_shares_it(
    containers: DurableDriver, container_lab: Lab
) -> None:
    image = container_lab.digests.get("1.0") or order(container_lab, "x").component.spec.image
    container_lab.podman("run", "-d", "--name", "stranger", "-v", "ours:/data", image, "sleep", "99")
    volume = {"name": "ours", "external": True, "target": "/data"}
    failed = await broken(containers, order(container_lab, "o1", volumes=[volume]))
    assert failed.code == "volume_in_use"
    assert "the container stranger" in failed.message
    assert ids(container_lab) == {}
    await done(containers, order(container_lab, "o2", volumes=[{**volume, "shared": True}]))


async def test_what_the_spec_calls_external_must_be_there(containers: DurableDriver, container_lab: Lab) -> None:
    network = order(container_lab, "o1", networks=[{"name": "front", "external": True}])
    volume = order(container_lab, "o2", volumes=[{"name": "ours", "external": True, "target": "/data"}])
    assert [(await broken(containers, each)).code for each in (network, volume)] == [
        "no_such_network",
        "no_such_volume",
    ]


async def test_a_connection_is_refused_with_every_fault_and_no_value_of_it(
    containers: DurableDriver, container_lab: Lab
) -> None:
    spec: dict[str, Any] = {"ports": [{"container": 80}], "site_environment": {"PASSWORD": "db"}}
    lacking = await broken(containers, order(container_lab, "o1", **spec))
    assert lacking.code == "bad_connection"
    assert "ports.80/tcp" in lacking.message
    assert "values.db (for PASSWORD)" in lacking.message
    wrong = order(
        container_lab, "o2", connection={"url": "http://somewhere", "ports": {"80": 99999}, "ssh": {"key": "hidden"}}
    )
    refused = await broken(containers, wrong)
    assert refused.code == "bad_connection"
    for word in ("url", "ports.80", "ssh.host_keys"):
        assert word in refused.message
    assert "hidden" not in refused.message


async def test_an_engine_that_does_not_answer_is_asked_again_until_the_order_gives_up(
    containers: DurableDriver, container_lab: Lab
) -> None:
    tool: Any = containers._tool
    tool._settings = tool._settings.model_copy(update={"unreachable_seconds": 1})
    gone = order(container_lab, "o1", connection={"url": f"unix://{container_lab.root}/nobody.sock"})
    assert (await broken(containers, gone)).code == "unreachable"
    assert await containers.has_revision([replace(gone, revision="r")]) == [None]
    (told,) = await containers.foresee([gone])
    assert told == ("the engine does not answer now",)


async def test_an_order_goes_on_when_its_engine_was_killed_in_its_midst_and_came_back(
    containers: DurableDriver, container_lab: Lab
) -> None:
    tool: Any = containers._tool
    hours = [0.0]
    tool.clock = lambda: time.monotonic() + 3600 * hours[0]
    await done(containers, order(container_lab, "o1", ports=[port := _port()]))
    slow = order(container_lab, "o2", "2.0", ports=[port], environment={"SLOW": "2"})
    await containers.start([slow])
    await until_so(lambda: _says(containers, slow, "waits until it is healthy"))
    hours[0] = 1.0  # however long the order has been waiting for its container
    container_lab.kill_service()
    await until_so(lambda: _says(containers, slow, "the engine does not answer"))
    container_lab.start_service()
    (found,) = await ends(containers, slow)
    assert isinstance(found, Done), found
    assert list(ids(container_lab).values()) == ["running"]
    container_lab.kill_service()
    container_lab.start_service()
    assert isinstance((await containers.poll([slow]))[0], Done)


async def test_a_health_check_that_does_not_end_is_asked_again_within_its_time(
    containers: DurableDriver, container_lab: Lab
) -> None:
    hangs = "test -e /tmp/asked && exit 0; touch /tmp/asked; sleep 600"
    health = {"command": ["sh", "-c", hangs], "timeout_seconds": 0.5, "start_seconds": 600}
    await done(containers, order(container_lab, "o1", health=health))
    assert list(ids(container_lab).values()) == ["running"]


def _port() -> dict[str, Any]:
    return {"container": 8080, "host": free_port(), "address": "127.0.0.1"}


async def _says(driver: DurableDriver, order: Any, words: str) -> bool:
    (found,) = await driver.poll([order])
    assert isinstance(found, Running), found
    return words in found.detail


async def test_a_container_that_is_removed_by_hand_while_it_is_proven_ends_the_order(
    containers: DurableDriver, container_lab: Lab
) -> None:
    endless = order(container_lab, "o1", environment={"SLOW": "600"}, health={"start_seconds": 600})
    await containers.start([endless])
    await until_so(lambda: _says(containers, endless, "waits until it is healthy"))
    (candidate,) = ids(container_lab)
    container_lab.podman("rm", "--force", "--time=0", candidate)
    (found,) = await ends(containers, endless)
    assert isinstance(found, Broken)
    assert (found.code, ids(container_lab)) == ("exited", {})


async def test_a_cancelled_order_leaves_what_ran_and_nothing_half_made(
    containers: DurableDriver, container_lab: Lab
) -> None:
    held = _port()
    await done(containers, order(container_lab, "o1", ports=[held]))
    before = ids(container_lab)
    slow = order(container_lab, "o2", "2.0", ports=[held], environment={"SLOW": "600"}, health={"start_seconds": 600})
    await containers.start([slow])
    await until_so(lambda: _says(containers, slow, "waits until it is healthy"))
    assert list(ids(container_lab).values()).count("running") == 1
    await containers.cancel([slow])
    (found,) = await ends(containers, slow)
    assert isinstance(found, Broken)
    assert (found.code, ids(container_lab)) == ("cancelled", before)


async def test_a_disk_that_is_full_ends_the_order_with_the_old_container_running(
    containers: DurableDriver, container_lab: Lab, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(1024) * 1024 * 60)
    image = container_lab.push("big:1.0", "FROM scratch\nCOPY big /big\n", {"big": big})
    with lab(store_mib=48, registry=container_lab.registry) as cramped:
        there = {"url": cramped.url}
        await done(containers, order(container_lab, "o1", connection=there))
        before = ids(cramped)
        failed = await broken(containers, order(container_lab, "o2", image=image, connection=there))
        assert (failed.code, ids(cramped)) == ("disk_full", before)
        await done(containers, removal(order(container_lab, "o1", connection=there), "o3"))


async def test_an_order_that_waits_for_a_silent_registry_can_be_cancelled(
    containers: DurableDriver, container_lab: Lab
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        image = f"127.0.0.1:{silent.getsockname()[1]}/app@{DIGEST}"
        waiting = order(container_lab, "o1", image=image)
        await containers.start([waiting])
        await asyncio.to_thread(select.select, [silent], [], [], 60)  # the engine asks
        await containers.cancel([waiting])
        (found,) = await ends(containers, waiting)
    assert isinstance(found, Broken)
    assert (found.code, ids(container_lab)) == ("cancelled", {})
