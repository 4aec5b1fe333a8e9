"""Real components come onto sites, are replaced, return and go; what is wrong is caught with its reason."""

import json
import os
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from services.deployer.drivers import Broken, Done, Order, Reachable, Reached
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.process.reaching import GONE
from tests.support import process_sites as sites
from tests.support.process_sites import Bundles, ask, order, reach


async def test_a_release_is_deployed_and_proven_by_its_version(
    driver: ProcessDriver, bundles: Bundles, port: int
) -> None:
    done = await reach(driver, order("o1", "1.0", bundles.make("one"), port))
    assert isinstance(done, Done)
    assert done.revision.startswith("1.0-")
    assert await ask(port) == {"app": {"version": "1.0"}}


async def test_an_update_replaces_the_process_and_keeps_the_data(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    bundle = bundles.make("one")
    await reach(driver, order("o1", "1.0", bundle, port))
    (sites.folder(home).data / "own").write_text("precious")
    assert isinstance(await reach(driver, order("o2", "2.0", bundle, port)), Done)
    assert await ask(port) == {"app": {"version": "2.0"}}
    assert (sites.folder(home).data / "own").read_text() == "precious"
    assert len(sites.components(home)) == 1


async def test_a_rollback_returns_to_the_recorded_revision(driver: ProcessDriver, bundles: Bundles, port: int) -> None:
    first = order("o1", "1.0", bundles.make("one"), port)
    done = await reach(driver, first)
    assert isinstance(done, Done)
    await reach(driver, order("o2", "2.0", bundles.make("two"), port))
    back = sites.rollback("o3", first, done.revision)
    assert await driver.has_revision([back]) == [True]
    assert await reach(driver, back) == done
    assert await ask(port) == {"app": {"version": "1.0"}}


async def test_a_site_whose_folder_is_gone_is_not_taken_for_one_that_runs_nor_for_one_that_was_never_used(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    first = order("o1", "1.0", bundles.make("one"), port)
    done = await reach(driver, first)
    assert isinstance(done, Done)
    assert await says_gone(driver, first) == [False, False]
    for process in (*sites.keepers(home), *sites.components(home)):
        process.kill()
        process.wait()
    shutil.rmtree(sites.folder(home).root.parents[1])
    assert await says_gone(driver, first) == [True, False]
    assert await driver.has_revision([sites.rollback("question", first, done.revision)]) == [False]
    (fallen,) = await driver.poll([first])
    assert isinstance(fallen, Broken)
    assert (fallen.code, fallen.message) == ("fallen", "what was deployed is gone from its site")
    again = order("o2", "1.0", bundles.make("one"), port)
    assert isinstance(await reach(driver, again), Done)
    assert await ask(port) == {"app": {"version": "1.0"}}


async def says_gone(driver: ProcessDriver, deployed: Order) -> list[bool]:
    """Whether the site of an order says so, and one where nothing was ever deployed."""
    asked = [Reachable(deployed.site, deployed.connection, deployed=True), Reachable("never", deployed.connection)]
    return [isinstance(said, Reached) and said.facts.items() >= GONE.items() for said in await driver.reach(asked)]


async def test_a_rollback_to_a_revision_that_is_gone_is_refused_and_touches_nothing(
    driver: ProcessDriver, bundles: Bundles, port: int
) -> None:
    first = order("o1", "1.0", bundles.make("one"), port)
    await reach(driver, first)
    lost = sites.rollback("o2", first, "0.9-000000000000")
    assert await driver.has_revision([lost]) == [False]
    broken = await reach(driver, lost)
    assert isinstance(broken, Broken)
    assert broken.code == "revision_missing"
    assert await ask(port) == {"app": {"version": "1.0"}}


async def test_a_process_that_exits_at_its_start_is_broken_at_once_with_its_last_words(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    begun = time.monotonic()
    wrong = order("o1", "1.0", bundles.make("one"), port, "exit=3", health={"start_seconds": 60})
    broken = await reach(driver, wrong)
    assert isinstance(broken, Broken)
    assert (broken.code, broken.message) == ("exited", "its process exited with status 3")
    assert broken.last_lines == ("begins", "cannot read its configuration")
    assert time.monotonic() - begun < 30
    assert len(sites.starts(home)) == 1


async def test_a_wrong_version_is_found_out_and_does_not_go_on_serving(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    broken = await reach(driver, order("o1", "2.0", bundles.make("one"), port, "says=1.9"))
    assert isinstance(broken, Broken)
    assert broken.code == "wrong_version"
    assert broken.message == "version 2.0 was expected, but GET /version.json says 1.9"
    assert sites.components(home) == []


async def test_a_component_that_never_gets_well_is_broken_after_its_start_seconds(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    ill = order("o1", "1.0", bundles.make("one"), port, "status=503", health={"start_seconds": 1})
    broken = await reach(driver, ill)
    assert isinstance(broken, Broken)
    assert broken.code == "unhealthy"
    assert "answered 503" in broken.message
    assert sites.components(home) == []


async def test_a_slow_start_within_its_time_is_waited_for(driver: ProcessDriver, bundles: Bundles, port: int) -> None:
    slow = order("o1", "1.0", bundles.make("one"), port, "says=1.0", "slow=1.5")
    assert isinstance(await reach(driver, slow), Done)


async def test_a_stranger_on_the_port_is_named_and_the_running_release_is_not_touched(
    driver: ProcessDriver, bundles: Bundles, port: int
) -> None:
    bundle = bundles.make("one")
    await reach(driver, order("o1", "1.0", bundle, port))
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        broken = await reach(driver, order("o2", "2.0", bundle, taken))
    assert isinstance(broken, Broken)
    assert broken.code == "port_taken"
    assert f"process {os.getpid()} " in broken.message
    assert await ask(port) == {"app": {"version": "1.0"}}


async def test_after_a_broken_release_the_site_returns_to_the_one_it_had_with_its_data(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    first = order("o1", "1.0", bundles.make("one"), port)
    done = await reach(driver, first)
    assert isinstance(done, Done)
    broken = await reach(driver, order("o2", "2.0", bundles.make("two"), port, "exit=1"))
    assert isinstance(broken, Broken)
    assert broken.last_lines == ("begins", "cannot read its configuration")
    assert isinstance(await reach(driver, sites.rollback("o3", first, done.revision)), Done)
    assert await ask(port) == {"app": {"version": "1.0"}}
    assert sites.starts(home) == ["1.0", "", "1.0"]


async def test_a_seed_file_is_copied_once_and_then_belongs_to_the_site(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    bundle = bundles.make("one", {"first.db": "from the bundle"})
    await reach(driver, order("o1", "1.0", bundle, port, seed={"db/main": "first.db"}))
    seeded = sites.folder(home).data / "db/main"
    assert seeded.read_text() == "from the bundle"
    seeded.write_text("changed by the site")
    await reach(driver, order("o2", "2.0", bundle, port, seed={"db/main": "first.db"}))
    assert seeded.read_text() == "changed by the site"


async def test_a_removed_component_stops_and_leaves_its_data_under_another_name(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    first = order("o1", "1.0", bundles.make("one"), port)
    await reach(driver, first)
    done = await reach(driver, sites.remove("o2", first))
    assert isinstance(done, Done)
    assert "data.removed-1" in done.detail
    assert sites.components(home) == []
    assert (sites.folder(home).root / "data.removed-1/starts").exists()
    assert isinstance(await reach(driver, order("o3", "1.0", bundles.make("one"), port)), Done)
    assert sites.starts(home) == ["1.0"]


async def test_a_process_that_ignores_sigterm_is_killed_after_its_stop_seconds(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    bundle = bundles.make("one")
    await reach(driver, order("o1", "1.0", bundle, port, "says=1.0", "stubborn=1", stop_seconds=0.5))
    assert isinstance(await reach(driver, order("o2", "2.0", bundle, port)), Done)
    assert len(sites.components(home)) == 1


async def test_a_component_sees_its_own_environment_and_none_of_our_secrets(
    driver: ProcessDriver, bundles: Bundles, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_POSTGRES", "postgresql://user:password@host/db")
    await reach(driver, order("o1", "1.0", bundles.make("one"), port, environment={"SITE": "{site} on {port}"}))
    seen = await ask(port, "/environment")
    assert seen["SITE"] == f"s1 on {port}"
    assert "password" not in json.dumps(seen)


async def test_site_params_that_cannot_be_used_break_the_order_with_every_fault(
    driver: ProcessDriver, bundles: Bundles
) -> None:
    bad = order("o1", "1.0", bundles.make("one"), 0)
    broken = await reach(driver, replace(bad, connection={"host": "../x", "port": 0}))
    assert isinstance(broken, Broken)
    assert broken.code == "bad_connection"
    assert "host: " in broken.message
    assert "port: " in broken.message


async def test_a_program_that_the_release_does_not_bring_is_refused(
    driver: ProcessDriver, bundles: Bundles, port: int
) -> None:
    one = order("o1", "1.0", bundles.make("one"), port)
    wrong = replace(one.component, spec=one.component.spec.model_copy(update={"command": ("/bin/sh", "-c", "true")}))
    broken = await reach(driver, replace(one, component=wrong))
    assert isinstance(broken, Broken)
    assert broken.code == "no_such_program"


async def test_two_apps_with_a_component_of_one_name_live_on_a_site_side_by_side(
    driver: ProcessDriver, bundles: Bundles, port: int
) -> None:
    one = order("o1", "1.0", bundles.make("one"), port)
    other = replace(one, key="o2", app="another", connection={"host": "host-a", "port": sites.free_port()})
    found = await sites.finish(driver, one, other)
    assert [type(each) for each in found] == [Done, Done], found
    assert await ask(port) == await ask(other.connection["port"])
