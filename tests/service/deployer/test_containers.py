"""The driver `container` on a real engine: what replaces what, what stays, and what a preview says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from pydantic import SecretStr

from services.deployer.drivers import Broken, Order
from services.deployer.drivers.container import verdict
from services.deployer.drivers.durable.driver import DurableDriver
from shared.components.images import image_of
from shared.downloads.registry import digest_of
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, ids, order, push, reach, removal, replaced_by_hand, rollback
from tests.support.patience import patience
from tests.support.process_sites import free_port

pytestmark = [pytest.mark.service, pytest.mark.containers]

TEMPORARY, VERSION_FILE = "/tmp", "/tmp/www/version"  # noqa: S108 - in containers
VALUE = "a-value-that-nobody-sees"


@pytest.fixture
def lab(container_lab: Lab) -> Lab:
    return container_lab


@pytest.fixture
def driver(containers: DurableDriver) -> DurableDriver:
    return containers


def port(inner: int = 8080) -> dict[str, Any]:
    return {"container": inner, "host": free_port(), "address": "127.0.0.1"}


async def test_what_is_wanted_already_stays_the_very_container(driver: DurableDriver, lab: Lab) -> None:
    first = order(lab, "o1", networks=[{"name": "front"}], ports=[port()])
    await done(driver, first)
    before = ids(lab)
    assert list(before.values()) == ["running"]
    await done(driver, replace(first, key="o2"))
    assert ids(lab) == before


async def fallen(driver: DurableDriver, one: Order) -> Broken:
    """How the order ends once its container is looked at anew: what was seen counts for some seconds."""
    async with patience(30):
        while not isinstance(found := (await driver.poll([one]))[0], Broken):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.1)
    return found


async def test_a_container_that_somebody_stopped_is_started_and_one_that_was_removed_is_made_anew(
    driver: DurableDriver, lab: Lab
) -> None:
    first = order(lab, "o1")
    await done(driver, first)
    (before,) = ids(lab)
    lab.podman("stop", "--time=0", before)
    assert (await fallen(driver, first)).code == "fallen"
    await done(driver, replace(first, key="o2"))
    assert ids(lab) == {before: "running"}
    lab.podman("rm", "--force", "--time=0", before)
    await done(driver, replace(first, key="o3"))
    assert list(ids(lab).values()) == ["running"]
    assert before not in ids(lab)


async def test_a_stranger_with_the_name_of_a_container_is_told_and_left_alone(driver: DurableDriver, lab: Lab) -> None:
    first = order(lab, "o1")
    await done(driver, first)
    (before,) = ids(lab)
    stranger = replaced_by_hand(lab, before, push(lab, "9.0"), labelled=False)
    (looked,) = await driver.look([first])
    assert looked is not None
    assert looked.message.startswith("its container is gone; a container that Belay did not make is called s1-")
    failed = await broken(driver, replace(first, key="o2"))
    assert (failed.code, lab.inspect(stranger)["State"]["Status"], ids(lab)) == ("name_taken", "running", {})
    for named in (
        "(image 127.0.0.1:",
        push(lab, "9.0").rpartition("@")[2],
        "remove it, or rename it (`docker rename s1-",
    ):
        assert named in failed.message
        assert named in looked.message
    lab.podman("rm", "--force", "--time=0", stranger)
    await done(driver, replace(first, key="o3"))
    assert list(ids(lab).values()) == ["running"]


async def test_one_of_ours_that_was_made_anew_by_hand_gives_way_stopped_and_kept_and_runs_again_where_that_fails(
    driver: DurableDriver, lab: Lab
) -> None:
    first = order(lab, "o1")
    await done(driver, first)
    (before,) = ids(lab)
    remade = replaced_by_hand(lab, before, push(lab), labelled=False)
    name = lab.inspect(remade)["Name"]
    (looked,) = await driver.look([first])
    assert looked is not None
    assert looked.message == f"its container is gone; somebody made another of its image under its name {name}"
    await broken(driver, order(lab, "o2", environment={"EXIT": "3"}))
    shown = lab.inspect(remade)
    assert (shown["Name"], shown["State"]["Status"], ids(lab)) == (name, "running", {})
    detail = (await done(driver, replace(first, key="o3"))).detail
    shown = lab.inspect(remade)
    assert (shown["Name"], shown["State"]["Status"]) == (f"{name}.aside-{remade[:12]}", "exited")
    assert detail.endswith(f"; what was made by hand is kept, stopped, as {shown['Name']}")
    assert list(ids(lab).values()) == ["running"]
    (looked,) = await driver.look([first])
    assert looked is None
    await done(driver, order(lab, "o4", "2.0"))
    assert lab.inspect(remade)["State"]["Status"] == "exited"


async def test_a_container_that_its_engine_started_again_long_ago_is_well(
    driver: DurableDriver, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = order(lab, "o1")
    await done(driver, first)
    (before,) = ids(lab)
    psutil.Process(lab.inspect(before)["State"]["Pid"]).kill()
    async with patience(30):
        while not (lab.inspect(before)["RestartCount"] and ids(lab) == {before: "running"}):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    (looked,) = await driver.look([first])
    assert looked is not None
    assert looked.message == "it ended by itself, 2 times in a row"
    monkeypatch.setattr(verdict, "STEADY", timedelta(0))
    assert await driver.look([first]) == [None]
    await done(driver, replace(first, key="o2"))
    assert ids(lab) == {before: "running"}


async def test_an_update_leaves_one_container_of_the_new_image_and_every_difference_is_foreseen(
    driver: DurableDriver, lab: Lab
) -> None:
    await done(driver, order(lab, "o1", environment={"COLOUR": "red"}, limits={"memory": "64m"}))
    (before,) = ids(lab)
    second = order(lab, "o2", "2.0", environment={"COLOUR": "blue"}, volumes=[{"name": "data", "target": "/data"}])
    (foreseen,) = await driver.foresee([second])
    told = dict(line.split(": ", 1) for line in foreseen)
    assert set(told) == {"environment.COLOUR", "environment.SAYS", "image", "limits.memory", "volumes./data"}
    assert told["environment.COLOUR"] == "red -> blue"
    assert told["limits.memory"] == "64m -> nothing"
    await done(driver, second)
    assert list(ids(lab).values()) == ["running"]
    assert before not in ids(lab)
    assert await driver.foresee([replace(second, key="o3")]) == [[]]


async def test_a_release_that_does_not_get_well_leaves_the_old_container_as_it_was_and_nothing_else(
    driver: DurableDriver, lab: Lab
) -> None:
    held = port()
    await done(driver, order(lab, "o1", ports=[held]))
    before = ids(lab)
    codes = {}
    for name, spec in {
        "exits": {"environment": {"EXIT": "3"}},
        "slow": {"environment": {"SLOW": "600"}, "health": {"start_seconds": 1}},
        "wrong": {"health": {"version_command": ("cat", VERSION_FILE), "version": "9.9"}},
    }.items():
        codes[name] = (await broken(driver, order(lab, name, "2.0", ports=[held], **spec))).code
        assert ids(lab) == before
    assert codes == {"exits": "exited", "slow": "unhealthy", "wrong": "wrong_version"}
    await done(driver, order(lab, "o5", "1.0", ports=[held]))
    assert ids(lab) == before


async def test_a_container_that_fails_says_its_last_words(driver: DurableDriver, lab: Lab) -> None:
    failed = await broken(driver, order(lab, "o1", environment={"EXIT": "3"}, restart={"policy": "no"}))
    assert failed.message == "it exited with status 3"
    assert "cannot read its configuration" in failed.last_lines
    assert ids(lab) == {}


async def test_data_in_named_volumes_outlives_updates_rollbacks_and_removals(driver: DurableDriver, lab: Lab) -> None:
    volumes = [{"name": "data", "target": "/data"}]
    first = order(lab, "o1", volumes=volumes)
    revision = (await done(driver, first)).revision
    await done(driver, order(lab, "o2", "2.0", volumes=volumes))
    await done(driver, rollback(first, "o3", revision))
    (name,) = lab.podman("volume", "ls", "--quiet").split()
    (*_, stops) = (await driver.foresee([order(lab, "next", "3.0", volumes=volumes)]))[0]
    assert stops == f"the old container is stopped before the new one starts: both write to {name}"
    (goes, stays) = (await driver.foresee([removal(first, "o4")]))[0]
    assert goes.endswith("is removed")
    assert stays == f"its volume {name} stays"
    gone = await done(driver, removal(first, "o4"))
    assert name in gone.detail
    await done(driver, order(lab, "o5", "3.0", volumes=volumes))
    (current,) = ids(lab)
    assert lab.podman("exec", current, "cat", "/data/starts").split() == ["1.0", "2.0", "1.0", "3.0"]
    await done(driver, removal(order(lab, "o5", "3.0", volumes=volumes, remove_volumes=True), "o6"))
    assert lab.podman("volume", "ls", "--quiet") == ""


async def test_a_volume_that_components_share_goes_with_the_last_of_them(driver: DurableDriver, lab: Lab) -> None:
    volumes = [{"name": "data", "target": "/data"}]
    web = order(lab, "o1", volumes=volumes, remove_volumes=True)
    worker = replace(web, key="o2", component=replace(web.component, name="worker"))
    await done(driver, web)
    await done(driver, worker)
    (name,) = lab.podman("volume", "ls", "--quiet").split()
    left = await done(driver, removal(web, "o3"))
    assert left.detail == f"removed; others still use {name}"
    gone = await done(driver, removal(worker, "o4"))
    assert gone.detail == f"removed, with its volumes {name}"
    assert lab.podman("volume", "ls", "--quiet") == ""


async def test_a_rollback_needs_no_registry_and_goes_back_as_far_as_images_are_kept(
    driver: DurableDriver, lab: Lab
) -> None:
    orders = [order(lab, f"o{n}", f"{n}.0") for n in range(1, 6)]
    revisions = [(await done(driver, each)).revision for each in orders]
    asked = [rollback(each, f"r{each.key}", revision) for each, revision in zip(orders, revisions, strict=True)]
    assert await driver.has_revision(asked) == [False, False, True, True, True]
    lab.stop_registry()
    try:
        await done(driver, asked[2])
    finally:
        lab.start_registry()
    assert list(ids(lab).values()) == ["running"]


async def test_what_was_fetched_ahead_of_time_is_applied_without_a_registry(driver: DurableDriver, lab: Lab) -> None:
    wanted = order(lab, "o1", "6.0")
    await done(driver, replace(wanted, key="ahead", action="fetch"))
    assert ids(lab) == {}
    lab.stop_registry()
    try:
        await done(driver, wanted)
    finally:
        lab.start_registry()


def of_the_connection(lab: Lab, key: str, value: str) -> Order:
    return order(
        lab, key, connection={"values": {"db": SecretStr(value)}}, site_environment={"PASSWORD": "db"}
    )  # fmt: skip


def of_an_override(lab: Lab, key: str, value: str) -> Order:
    one = order(lab, key, environment={"PASSWORD": value})
    named = {"environment": {**one.component.spec.environment, "PASSWORD": {"secret": "shop-db"}}}
    return replace(one, component=replace(one.component, named=named))


@pytest.mark.parametrize("made", [of_the_connection, of_an_override])
async def test_a_secret_of_the_connection_or_an_override_reaches_the_container_and_nothing_that_is_told(
    driver: DurableDriver, lab: Lab, made: Callable[[Lab, str, str], Order]
) -> None:
    first = made(lab, "o1", VALUE)
    end = await done(driver, first)
    assert VALUE not in str(end)
    (before,) = ids(lab)
    assert lab.podman("exec", before, "sh", "-c", "echo $PASSWORD") == VALUE
    assert VALUE not in str(lab.containers())
    changed = made(lab, "o2", "another-value")
    assert await driver.foresee([changed]) == [["environment.PASSWORD: another value is wanted (not shown)"]]
    await done(driver, changed)
    assert before not in ids(lab)


async def test_a_secret_that_a_container_prints_before_it_ends_is_hidden_in_its_last_words_and_kept_nowhere(
    driver: DurableDriver, lab: Lab
) -> None:
    prints = {"command": ["sh", "-c", "echo the password is $PASSWORD; exit 1"], "restart": {"policy": "no"}}
    connection = {"values": {"db": SecretStr(VALUE)}}
    failed = await broken(
        driver, order(lab, "o1", site_environment={"PASSWORD": "db"}, connection=connection, **prints)
    )
    assert failed.last_lines == ("the password is ***",)
    conn = await asyncpg.connect(driver._dsn)
    kept = await conn.fetchval("select string_agg(each::text, ' ') from driver_order each")
    await conn.close()
    assert "o1" in kept
    assert VALUE not in kept


async def test_what_the_spec_says_of_a_container_is_so(driver: DurableDriver, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the host\n")
    tmp_path.chmod(0o755)  # noqa: ASYNC240
    await done(
        driver,
        order(
            lab, "o1", user="1000:1000", read_only=True, temporary=[TEMPORARY], hostname="shop", init=True,
            working_folder="/bin", drop_capabilities=["ALL"], new_privileges=False, stop_signal="SIGINT",
            limits={"memory": "48m", "cpus": 0.5, "pids": 64}, restart={"policy": "on-failure", "most": 3},
            volumes=[{"folder": str(tmp_path), "target": "/host", "read_only": True}],
        ),
    )  # fmt: skip
    (current,) = ids(lab)
    said = lab.podman("exec", current, "sh", "-c", "id -u; hostname; cat /host/file; touch /x /host/x 2>&1; pwd")
    assert said.splitlines()[:3] == ["1000", "shop", "of the host"]
    assert said.count("Read-only file system") == 2
    assert said.endswith("/bin")
    host = lab.inspect(current)["HostConfig"]
    assert (host["Memory"], host["PidsLimit"], host["RestartPolicy"]["Name"]) == (48 * 1024**2, 64, "on-failure")


async def test_sites_that_share_an_engine_share_nothing_else(driver: DurableDriver, lab: Lab) -> None:
    spec: dict[str, Any] = {"volumes": [{"name": "data", "target": "/data"}], "networks": [{"name": "front"}]}
    await reach(driver, *[order(lab, f"o-{site}", site=site, **spec) for site in ("s1", "s2", "00:1A")])
    assert [list(ids(lab, site).values()) for site in ("s1", "s2", "00:1A")] == [["running"]] * 3
    assert len(lab.podman("volume", "ls", "--quiet").split()) == 3
    await done(driver, removal(order(lab, "o-s1", **spec), "gone"))
    assert [len(ids(lab, site)) for site in ("s1", "s2", "00:1A")] == [0, 1, 1]
    assert len(lab.podman("network", "ls", "--quiet").split()) == 3  # two, and podman's own


async def test_the_digest_of_a_tag_is_what_its_registry_says(lab: Lab) -> None:
    name = order(lab, "o1").component.spec.image
    tag = name.partition("@")[0]
    assert await asyncio.to_thread(digest_of, image_of(tag)) == image_of(name).digest
    with pytest.raises(LookupError, match="does not say what it is"):
        await asyncio.to_thread(digest_of, image_of(f"{lab.registry}/app:none"))
    with pytest.raises(LookupError, match="names no registry"):
        digest_of(image_of("app:1.0"))
