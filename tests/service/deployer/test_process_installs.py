"""Releases are installed once for a host, never half, and go when no site needs them."""

import asyncio
from dataclasses import replace
from pathlib import Path

from services.deployer.drivers import Broken, Done
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.process.host import install
from services.deployer.drivers.process.release import RevisionSpec
from tests.support import process_sites as sites
from tests.support.process_sites import Bundles, finish, order, reach, until


def spec(bundle: str) -> RevisionSpec:
    return RevisionSpec(
        app="answering", version="1.0", bundle_sha256=bundle, component=sites.component("says=1.0").spec
    )


async def test_many_sites_and_drivers_at_once_install_a_release_once(home: Path, bundles: Bundles) -> None:
    bundle = bundles.make("one")
    drivers = [ProcessDriver(home, bundles.unpack) for _ in range(2)]
    orders = [order(f"o-{n}", "1.0", bundle, sites.free_port(), site=f"s{n}") for n in range(4)]
    results = await asyncio.gather(*(finish(driver, *orders) for driver in drivers))
    assert all(isinstance(one, Done) for found in results for one in found)
    assert bundles.unpacked == [bundle]
    assert len(sites.components(home)) == 4
    assert all(sites.starts(home, f"s{n}") == ["1.0"] for n in range(4))


async def test_an_installation_that_was_killed_leaves_nothing_that_counts(home: Path, bundles: Bundles) -> None:
    bundle, host = bundles.make("one"), home / "hosts/host-a"
    half = host / "installed" / bundle / ".building-abc/x"
    half.mkdir(parents=True)
    (half / "requirements.txt").write_text("")
    installed = await install(host, spec(bundle), bundles.unpack)
    assert (installed.env / "bin/answering").exists()
    assert not half.exists()


async def test_a_wheel_that_is_not_the_locked_one_is_refused_with_the_reason(
    home: Path, bundles: Bundles, driver: ProcessDriver, port: int
) -> None:
    bundle = bundles.make("one")
    lock = f"answering==1.0 --hash=sha256:{'0' * 64}\n"
    (bundles.root / bundle / "requirements.txt").write_text(lock)
    broken = await reach(driver, order("o1", "1.0", bundle, port))
    assert isinstance(broken, Broken)
    assert broken.code == "install_failed"
    assert "ash mismatch" in broken.message
    assert not list((home / "hosts/host-a/installed" / bundle).glob("env-*"))


async def test_revisions_beyond_those_to_keep_go_and_so_do_their_releases(
    home: Path, bundles: Bundles, port: int
) -> None:
    driver = ProcessDriver(home, bundles.unpack, keep=2)
    orders = [order(f"o{n}", f"{n}.0", bundles.make(f"bundle {n}"), port) for n in (1, 2, 3)]
    revisions = []
    for one in orders:
        done = await reach(driver, one)
        assert isinstance(done, Done)
        revisions.append(done.revision)
    backs = [replace(one, revision=revision) for one, revision in zip(orders, revisions, strict=True)]
    # tidying up comes after the order's end
    await until(lambda: not (home / "hosts/host-a/installed" / (orders[0].bundle_sha256 or "")).exists())
    assert await driver.has_revision(backs) == [False, True, True]


async def test_a_release_that_another_site_of_the_host_uses_stays(home: Path, bundles: Bundles) -> None:
    driver = ProcessDriver(home, bundles.unpack, keep=1)
    first = bundles.make("one")
    await finish(driver, *(order(f"a-{s}", "1.0", first, sites.free_port(), site=s) for s in ("s1", "s2")))
    for version, content in (("2.0", "two"), ("3.0", "three")):
        await reach(driver, order(f"b-{version}", version, bundles.make(content), sites.free_port(), site="s1"))
    releases = home / "hosts/host-a/sites/s1/answering/web/releases"
    await until(lambda: not list(releases.glob("1.0-*")))
    assert (home / "hosts/host-a/installed" / first / "bundle").exists()
