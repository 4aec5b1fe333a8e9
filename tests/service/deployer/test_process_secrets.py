"""Secrets of processes are in the memory of their host alone: given at each start, gone with the site or a reboot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.deployer.drivers import Broken, Done, Order
from services.deployer.drivers.process.care import start_all, stop_all, tend
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.process.keeper import memory
from shared.messages.base import CommandAccepted
from shared.messages.deployer import OperationFailed, OperationSucceeded, SetOverrides
from tests.service.deployer.audited import ENVIRONMENT, QUICK, behave, put_right
from tests.service.deployer.fleet import ready
from tests.service.deployer.test_opened_secrets import everything
from tests.service.deployer.test_secrets import put
from tests.support import process_sites as sites
from tests.support.components import as_published
from tests.support.process_sites import Bundles, ask, order, reach, until
from tests.support.world import World

CLEAR, NEWER = "correct-horse-battery", "staple {data} for the horse"


def with_secret(one: Order, value: str) -> Order:
    """The order as it is when its secrets were opened."""
    named = {**one.component.spec.model_dump(mode="json"), "environment": {"TOKEN": {"secret": "token"}, "PLAIN": "p"}}
    spec = one.component.spec.model_copy(update={"environment": {"TOKEN": value, "PLAIN": "p"}})
    return replace(one, component=replace(one.component, spec=spec, named=named))


def written(home: Path) -> str:
    """All files of the home, and what everybody sees of processes."""
    files = "".join(path.read_text(errors="replace") for path in home.rglob("*") if path.is_file())
    return files + "".join(" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))


def kept(home: Path, app: str = "answering") -> Path:
    return memory._file(home / "hosts/host-a/sites/s1" / app / "web")


async def given(port: int) -> dict[str, Any]:
    seen = await ask(port, "/environment")
    return {name: seen.get(name) for name in ("TOKEN", "PLAIN")}


def rebooted(home: Path, app: str = "answering") -> None:
    """Nothing runs any more, and what was in memory is gone."""
    gone = [*sites.keepers(home), *sites.components(home)]
    for each in gone:
        each.kill()
    psutil.wait_procs(gone, timeout=5)
    kept(home, app).unlink()


async def test_a_secret_is_given_at_each_start_and_is_in_no_file_of_the_home_and_in_no_command(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    first = with_secret(order("o1", "1.0", bundles.make("one"), port), CLEAR)
    done = await reach(driver, first)
    assert isinstance(done, Done), done
    assert await given(port) == {"TOKEN": CLEAR, "PLAIN": "p"}
    assert CLEAR not in written(home)
    assert (kept(home).stat().st_mode & 0o777, kept(home).parent.stat().st_mode & 0o777) == (0o600, 0o700)

    await sites.kill_by_request(port)
    await until(lambda: sites.starts(home) == ["1.0", "1.0"])
    await stop_all(home)
    await start_all(home)
    await until(lambda: sites.starts(home) == ["1.0"] * 3)
    await until(lambda: len(sites.components(home)) == 1)
    assert await driver.look([replace(first, revision=done.revision)]) == [None]

    again = await reach(driver, with_secret(replace(first, key="o2"), NEWER))
    assert isinstance(again, Done), again
    assert again.revision == done.revision, "another value is no other release"
    assert await given(port) == {"TOKEN": NEWER, "PLAIN": "p"}, "it is given as it is, with no placeholder filled in"

    await reach(driver, sites.remove("o3", first))
    assert not kept(home).exists()


async def test_after_a_reboot_the_site_is_told_as_waiting_for_its_secrets_until_an_order_gives_them_again(
    driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    first = with_secret(order("o1", "1.0", bundles.make("one"), port), CLEAR)
    done = await reach(driver, first)
    assert isinstance(done, Done), done
    runs = replace(first, revision=done.revision)
    assert await driver.has_revision([runs]) == [True]
    rebooted(home)
    await tend(home)
    await until(lambda: bool((life := sites.folder(home).life()) and life.waits_for_secrets))
    (looked,) = await driver.look([runs])
    assert isinstance(looked, Broken)
    assert looked.code == "waits_for_secrets"
    assert await driver.has_revision([runs]) == [False], "a reapply must not keep it"
    await until(lambda: sites.keepers(home) == [])
    await tend(home)
    assert (sites.keepers(home), sites.starts(home)) == ([], ["1.0"]), "nobody starts it without them"
    assert isinstance(await reach(driver, sites.rollback("o2", first, done.revision)), Done)
    assert await given(port) == {"TOKEN": CLEAR, "PLAIN": "p"}
    assert await driver.look([runs]) == [None]


@pytest.mark.service
async def test_through_the_deployer_it_is_rotated_taken_back_and_given_again_by_the_audit_and_written_down_nowhere(
    world: World,
    driver: ProcessDriver,
    bundles: Bundles,
    home: Path,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    bundle = bundles.make("one")
    async with ready(world, [], [], also={"process": driver}, **QUICK) as fleet:
        await fleet.sites("s1", driver="process", params={"host": "host-a", "port": port})
        await fleet.release("1.0", as_published(sites.component("says=1.0")), bundle_sha256=bundle)
        liar = as_published(sites.component("says=1.9", health={"start_seconds": 3}))
        await fleet.release("2.0", liar, bundle_sha256=bundle)
        await fleet.known(fleet.service)
        await put(world, "token", CLEAR)
        override = {"app": "shop", "level": "site", "target": "s1", "component": "web"}
        values = {"TOKEN": {"secret": "token"}, "PLAIN": "p"}
        assert isinstance(await world.ask(SetOverrides.model_validate({**override, "values": values})), CommandAccepted)
        assert isinstance(await fleet.do("s1", "apply", "1.0"), OperationSucceeded)
        assert (await given(port))["TOKEN"] == CLEAR

        await put(world, "token", NEWER)
        assert isinstance(await fleet.do("s1", "apply", only_changes=True), OperationSucceeded)
        assert (await given(port))["TOKEN"] == NEWER
        failed = await fleet.do("s1", "update", "2.0")
        assert isinstance(failed, OperationFailed)
        assert failed.recovered
        assert await given(port) == {"TOKEN": NEWER, "PLAIN": "p"}

        rebooted(home, app="shop")
        await tend(home)
        await behave(world, desired_state="deployed")
        assert "it waits for its secrets" in await put_right(fleet, 1)
        assert await given(port) == {"TOKEN": NEWER, "PLAIN": "p"}
        seen = await everything(world) + written(home)
    seen += "".join(capsys.readouterr())
    assert [value for value in (CLEAR, NEWER) if value in seen] == []
