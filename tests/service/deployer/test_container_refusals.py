"""What engines refuse for a moment, since they go on with what a killed deployer asked them for; and for good."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.deployer.drivers import Order
from services.deployer.drivers.container import engine
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, ids, order, removal
from tests.support.counting_proxy import Answer, counting
from tests.support.patience import until
from tests.support.process_sites import free_port

pytestmark = [pytest.mark.service, pytest.mark.containers]

Answering = Callable[[Answer], AbstractAsyncContextManager[dict[str, str]]]
UNDER_WAY = "removal of container c is already in progress"
MOST_KILLS = 40
BUSY = 'container c: driver "overlay2" failed to remove root filesystem: device or resource busy'


@pytest.fixture
def answering(container_lab: Lab, tmp_path: Path) -> Answering:
    """The connection to an engine that says some things itself, as Docker does, and has podman do all else."""

    @asynccontextmanager
    async def made(answer: Answer) -> AsyncIterator[dict[str, str]]:
        async with counting(tmp_path / "engine.sock", container_lab.socket, -1, lambda: None, answer):
            yield {"url": f"unix://{tmp_path}/engine.sock"}

    return made


def by(connection: dict[str, str], it: Order) -> Order:
    return replace(it, connection=connection)


def times(count: int, pattern: str, status: int, sentence: str) -> Answer:
    """Refuses the first requests of a kind."""
    left = iter(range(count))

    def answer(request: str) -> tuple[int, str] | None:
        return (status, sentence) if re.search(pattern, request) and next(left, None) is not None else None

    return answer


async def test_an_update_waits_for_a_removal_of_the_old_container_that_is_under_way(
    containers: DurableDriver, container_lab: Lab, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 0)  # that is a matter of minutes, not of these
    await done(containers, order(container_lab, "o1"))
    (old,) = ids(container_lab)
    async with answering(times(6, f"DELETE .*/containers/{old}", 409, UNDER_WAY)) as connection:
        end = await done(containers, by(connection, order(container_lab, "o2", "2.0")))
    assert "stays" not in end.detail
    assert list(ids(container_lab).values()) == ["running"]
    assert old not in ids(container_lab)


async def test_an_update_whose_old_container_cannot_be_removed_is_done_says_so_and_the_next_one_removes_it(
    containers: DurableDriver, container_lab: Lab, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 1)
    await done(containers, order(container_lab, "o1"))
    (old,) = ids(container_lab)
    async with answering(times(1000, f"DELETE .*/containers/{old}", 500, BUSY)) as connection:
        end = await done(containers, by(connection, order(container_lab, "o2", "2.0")))
        again = await done(containers, by(connection, order(container_lab, "o3", "3.0")))
    assert "is stopped, and stays: the container could not be removed: " in end.detail
    assert end.detail.endswith("device or resource busy")
    assert again.detail.endswith("device or resource busy")
    assert sorted(ids(container_lab).values()) == ["exited", "running"]
    await done(containers, order(container_lab, "o4", "2.0"))
    assert list(ids(container_lab).values()) == ["running"]


async def test_an_old_container_runs_again_also_where_the_one_that_failed_cannot_be_removed(
    containers: DurableDriver, container_lab: Lab, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 1)
    spec: dict[str, Any] = {"ports": [{"container": 8080, "host": free_port(), "address": "127.0.0.1"}]}
    await done(containers, order(container_lab, "o1", **spec))
    (old,) = ids(container_lab)
    fails = order(container_lab, "o2", environment={"EXIT": "3"}, restart={"policy": "no"}, **spec)
    async with answering(times(1000, "DELETE .*/containers/", 500, BUSY)) as connection:
        assert (await broken(containers, by(connection, fails))).code == "exited"
        back = await done(containers, by(connection, order(container_lab, "o1-back", **spec)))
    assert "stays" in back.detail
    assert ids(container_lab).pop(old) == "running"
    await done(containers, order(container_lab, "o3", "3.0", **spec))
    assert list(ids(container_lab).values()) == ["running"]


def cut_off(lab: Lab, pattern: str) -> Answer:
    """A removal was cut off as podman was killed: the container does not run, and is `removing` for good."""
    stopped: set[str] = set()

    def answer(request: str) -> tuple[int, str] | None:
        if not (found := re.search(pattern, request)):
            return None
        if found[1] not in stopped:
            lab.podman("stop", "--time=1", found[1])
            stopped.add(found[1])
        return 500, "container c is running or paused, refusing to clean up: container state improper"

    return answer


async def test_a_container_whose_removal_was_cut_off_for_good_is_removed_though_it_cannot_be_stopped(
    containers: DurableDriver, container_lab: Lab, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 1)
    first = order(container_lab, "o1")
    await done(containers, first)
    async with answering(cut_off(container_lab, r"POST .*/containers/(\w+)/stop")) as connection:
        end = await done(containers, by(connection, order(container_lab, "o2", "2.0")))
        assert list(ids(container_lab).values()) == ["running"]
        await done(containers, by(connection, removal(first, "o3")))
    assert "stays" not in end.detail
    assert ids(container_lab) == {}


async def left_removing(driver: DurableDriver, lab: Lab, of: Order) -> str:
    """The container of an order, as a podman leaves it that is killed right before it has forgotten it."""
    seconds = 0.05
    for nth in range(MOST_KILLS):
        await done(driver, replace(of, key=f"{of.key}-{nth}"))
        (container,) = ids(lab)
        lab.podman("stop", "--time=1", container)
        kill_later(lab, seconds, "rm", "--force", container)
        state = lab.podman("inspect", "--format={{.State.Status}}", container, check=False)
        if state == "removing":
            return container
        seconds *= 1.2 if state else 0.9
        lab.podman("rm", "--force", container, check=False)
    raise AssertionError("podman was killed at no such moment")


def kill_later(lab: Lab, seconds: float, *words: str) -> None:
    with subprocess.Popen(["podman", *words], env=lab.environment, stdout=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.kill()


async def test_a_container_over_whose_removal_podman_was_killed_is_made_anew_and_removed(
    containers: DurableDriver, container_lab: Lab
) -> None:
    first = order(container_lab, "o1")
    old = await left_removing(containers, container_lab, first)
    await done(containers, replace(first, key="o2"))
    assert list(ids(container_lab).values()) == ["running"]
    assert old not in ids(container_lab)
    await left_removing(containers, container_lab, replace(first, key="o3"))
    await done(containers, removal(first, "o4"))
    assert ids(container_lab) == {}


async def test_an_old_container_runs_again_though_the_one_that_failed_cannot_be_stopped_any_more_nor_removed(
    containers: DurableDriver, container_lab: Lab, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 1)
    spec: dict[str, Any] = {"ports": [{"container": 8080, "host": free_port(), "address": "127.0.0.1"}]}
    await done(containers, order(container_lab, "o1", **spec))
    (old,) = ids(container_lab)
    fails = order(container_lab, "o2", **spec, environment={"SLOW": "600"}, health={"start_seconds": 1})
    stop = cut_off(container_lab, rf"POST .*/containers/(?!{old})(\w+)/stop")
    delete = times(1000, "DELETE .*/containers/", 500, BUSY)
    async with answering(lambda request: stop(request) or delete(request)) as connection:
        failed = await broken(containers, by(connection, fails))
    assert failed.code == "unhealthy", failed
    assert ids(container_lab)[old] == "running"


async def test_an_old_container_does_not_run_beside_one_that_failed_and_cannot_be_stopped(
    containers: DurableDriver, container_lab: Lab, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 1)
    spec: dict[str, Any] = {"volumes": [{"name": "data", "target": "/data"}]}
    await done(containers, order(container_lab, "o1", **spec))
    (old,) = ids(container_lab)
    fails = order(container_lab, "o2", **spec, environment={"SLOW": "600"}, health={"start_seconds": 1})
    own = rf"POST .*/containers/(?!{old})\w+/stop|DELETE .*/containers/"
    async with answering(times(1000, own, 500, BUSY)) as connection:
        failed = await broken(containers, by(connection, fails))
    assert failed.message.endswith("device or resource busy")
    assert sorted(ids(container_lab).values()) == ["exited", "running"]
    assert ids(container_lab)[old] == "exited"


def stopping(lab: Lab, container: str) -> int:
    """Leave it as a podman does that is killed while it stops it; its process, which goes on."""
    with subprocess.Popen(["podman", "stop", "--time=300", container], env=lab.environment) as stops:
        try:
            until(lambda: lab.inspect(container)["State"]["Status"] == "stopping", 30)
        finally:
            stops.kill()
    return int(lab.inspect(container)["State"]["Pid"])


async def test_nothing_runs_on_of_a_container_whose_stop_was_cut_off(
    containers: DurableDriver, container_lab: Lab
) -> None:
    """Removed by force, as it is, podman would forget it, and leave its process to its volumes and ports."""
    deaf: dict[str, Any] = {"stop_signal": "SIGURG", "stop_seconds": 1}
    first = order(container_lab, "o1", **deaf)
    await done(containers, first)
    (container,) = ids(container_lab)
    process = stopping(container_lab, container)
    assert psutil.pid_exists(process)
    await done(containers, removal(first, "o2"))
    assert ids(container_lab) == {}
    assert not psutil.pid_exists(process)


def carried_out(lab: Lab, pattern: str, status: int, sentence: str, *words: str) -> Answer:
    """A killed deployer's request of this kind is carried out right before ours, of which the engine says this."""
    first = iter([True])

    def answer(request: str) -> tuple[int, str] | None:
        if not (found := re.search(pattern, request)) or not next(first, False):
            return None
        lab.podman(*[word.format(found[1]) for word in words])
        return status, sentence

    return answer


VANISHED = "no container with ID c found in database: no such container"
REMOVES = ("rm", "--force", "--time=0", "{0}")


@pytest.mark.parametrize(
    ("pattern", "status", "sentence", "words"),
    [
        (r"POST .*/containers/(\w+)/stop", 500, VANISHED, REMOVES),
        (r"DELETE .*/containers/(\w+)", 500, VANISHED, REMOVES),
        (r"DELETE .*/containers/(\w+)", 409, UNDER_WAY, REMOVES),
        (r"POST .*/containers/(\w+)/stop", 500, "c is in state removing: container state improper", ("info",)),
        (r"DELETE .*/networks/(\w+)", 500, '"front" has associated containers with it', ("info",)),
        (r"DELETE .*/networks/(\w+)", 500, "network front not found", ("network", "rm", "{0}")),
        (r"DELETE .*/volumes/([\w.-]+)", 409, "remove data: volume is in use - [c]", ("info",)),
        (r"GET .*/containers/(json)", 500, VANISHED, ("info",)),
    ],
)
async def test_a_removal_takes_what_a_killed_deployer_has_removed_meanwhile_as_it_is(
    containers: DurableDriver, container_lab: Lab, answering: Answering, pattern: str, status: int, sentence: str,
    words: tuple[str, ...],
) -> None:  # fmt: skip
    spec: dict[str, Any] = {"networks": [{"name": "front"}], "volumes": [{"name": "data", "target": "/data"}]}
    first = order(container_lab, "o1", **spec, remove_volumes=True)
    await done(containers, first)
    async with answering(carried_out(container_lab, pattern, status, sentence, *words)) as connection:
        await done(containers, by(connection, removal(first, "o2")))
    assert ids(container_lab) == {}
    assert container_lab.podman("volume", "ls", "--quiet") == ""
    assert len(container_lab.podman("network", "ls", "--quiet").split()) == 1  # podman's own


async def test_an_update_ends_well_though_podman_breaks_off_while_the_new_container_leaves_a_network(
    containers: DurableDriver, container_lab: Lab, answering: Answering
) -> None:
    spec: dict[str, Any] = {"networks": [{"name": "front"}]}
    await done(containers, order(container_lab, "o1", **spec))

    def bridge_goes(network: str) -> None:
        (shown,) = json.loads(container_lab.podman("network", "inspect", network))
        subprocess.run(["ip", "link", "delete", shown["network_interface"]], check=True)

    async with answering(before(r"POST .*/networks/(\w+)/disconnect", bridge_goes)) as connection:
        await done(containers, by(connection, order(container_lab, "o2", "2.0", **spec)))
    (current,) = ids(container_lab)
    (joined,) = container_lab.inspect(current)["NetworkSettings"]["Networks"].values()
    assert "web" in joined["Aliases"]


def before(pattern: str, act: Callable[[str], None]) -> Answer:
    """Something happens right before the first request of a kind, which the engine gets all the same."""
    first = iter([True])

    def answer(request: str) -> None:
        if (found := re.search(pattern, request)) and next(first, False):
            act(found[1])

    return answer


async def test_an_engine_that_always_refuses_for_the_moment_is_given_up_like_one_that_does_not_answer(
    containers: DurableDriver, container_lab: Lab, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 0)
    tool: Any = containers._tool
    tool._settings = tool._settings.model_copy(update={"unreachable_seconds": 2})
    mismatch = "network inspection mismatch: asked to join 1 network(s), but have information on 2 network(s)"
    async with answering(times(1000, "GET .*/containers/json", 500, mismatch)) as connection:
        failed = await broken(containers, by(connection, order(container_lab, "o1")))
    assert failed.code == "engine_refused"
    assert failed.message == f"the engine says each time it is asked: {mismatch}"


async def test_an_update_takes_a_name_that_a_killed_deployer_has_given_meanwhile_as_it_is(
    containers: DurableDriver, container_lab: Lab, answering: Answering
) -> None:
    await done(containers, order(container_lab, "o1"))
    conflict = (409, "Conflict. The container name is already in use by container c")
    (old,) = ids(container_lab)
    name = f"{container_lab.inspect(old)['Name']}.old"
    renames = carried_out(container_lab, r"containers/(\w+)/rename", *conflict, "rename", "{0}", name)
    async with answering(renames) as connection:
        await done(containers, by(connection, order(container_lab, "o2", "2.0")))
    assert list(ids(container_lab).values()) == ["running"]


async def test_an_old_container_that_is_paused_holds_its_port_and_is_stopped_before_the_new_one_starts(
    containers: DurableDriver, container_lab: Lab
) -> None:
    port = {"container": 8080, "host": free_port(), "address": "127.0.0.1"}
    await done(containers, order(container_lab, "o1", ports=[port]))
    (old,) = ids(container_lab)
    container_lab.podman("pause", old)
    await done(containers, order(container_lab, "o2", "2.0", ports=[port]))
    assert list(ids(container_lab).values()) == ["running"]
    assert old not in ids(container_lab)


async def test_a_paused_container_of_which_nothing_differs_goes_on_and_one_that_is_removed_goes(
    containers: DurableDriver, container_lab: Lab
) -> None:
    first = order(container_lab, "o1")
    await done(containers, first)
    (old,) = ids(container_lab)
    container_lab.podman("pause", old)
    await done(containers, replace(first, key="o2"))
    assert ids(container_lab) == {old: "running"}
    container_lab.podman("pause", old)
    await done(containers, removal(first, "o3"))
    assert ids(container_lab) == {}


async def test_an_update_leaves_the_images_that_a_rollback_of_another_site_returns_to(
    containers: DurableDriver, container_lab: Lab
) -> None:
    one = [order(container_lab, f"a{number}", f"{number}.0", "s1") for number in range(1, 5)]
    other = [order(container_lab, f"b{number}", f"{number}.0", "s2") for number in range(1, 3)]
    revisions = [(await done(containers, each)).revision for each in other]
    for each in one:
        await done(containers, each)
    back = replace(other[0], key="r", action="rollback", revision=revisions[0])
    assert await containers.has_revision([back]) == [True]
