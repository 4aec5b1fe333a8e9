"""Which releases stay on a site: those that can be returned to."""

import os
import shutil
from pathlib import Path

import pytest

from services.deployer.drivers.process import care, release
from services.deployer.drivers.process.order_file import OrderFile
from services.deployer.drivers.process.place import Place
from services.deployer.drivers.process.release import RevisionSpec
from tests.support.process_sites import component, order


def revision(place: Place, version: str, used: int, *, healthy: bool = True, value: str = "") -> str:
    """One that was tried at a second of the clock, with a value that somebody set."""
    set_to = component().spec.model_copy(update={"environment": {"COLOUR": value}})
    spec = RevisionSpec(app="shop", version=version, bundle_sha256="a" * 64, component=set_to)
    release.record(place, spec)
    (release.prove if healthy else release.doubt)(place, spec)
    os.utime(place.releases / spec.revision, (used, used))
    return spec.revision


def test_failures_do_not_clear_the_way_back_away(tmp_path: Path) -> None:
    place = Place(tmp_path, "oslo", "shop", "web")
    oldest, back, now = (revision(place, f"{n}.0", n) for n in (1, 2, 3))
    place.current.symlink_to(Path("releases") / now)
    broken = [revision(place, f"9.{n}", 10 + n, healthy=False) for n in range(4)]
    assert {path.name for path in release.to_go(place, 2)} == {oldest, *broken}
    assert back not in {path.name for path in release.to_go(place, 2)}


def test_a_release_that_is_applied_with_other_values_again_and_again_pushes_none_out(tmp_path: Path) -> None:
    place = Place(tmp_path, "oslo", "shop", "web")
    back = revision(place, "1.0-rc.1", 1)
    *gone, before, now = (revision(place, "2.0", n, value=f"v{n}") for n in range(2, 8))
    place.current.symlink_to(Path("releases") / now)
    assert {path.name for path in release.to_go(place, 3)} == set(gone)
    assert {path.name for path in place.releases.iterdir()} - set(gone) == {back, before, now}


def test_of_releases_that_were_healthy_so_many_stay(tmp_path: Path) -> None:
    place = Place(tmp_path, "oslo", "shop", "web")
    oldest, *others = (revision(place, f"{n}.0", n) for n in range(1, 5))
    again = revision(place, "4.0", 9, value="blue")
    place.current.symlink_to(Path("releases") / again)
    assert {path.name for path in release.to_go(place, 3)} == {oldest}
    assert len(others) == 3


def test_one_that_was_healthy_before_stays_so_when_it_fails_later(tmp_path: Path) -> None:
    place = Place(tmp_path, "oslo", "shop", "web")
    back = revision(place, "1.0", 1)
    revision(place, "1.0", 5, healthy=False)
    now = revision(place, "2.0", 6)
    place.current.symlink_to(Path("releases") / now)
    assert release.to_go(place, 2) == []
    assert (place.releases / back / release.PROVEN).exists()
    revision(place, "3.0", 7, healthy=False)
    revision(place, "3.0", 8)
    assert not list(place.releases.glob(f"3.0-*/{release.UNPROVEN}"))


async def test_behind_an_order_nothing_goes_that_a_newer_one_has_fetched_already(tmp_path: Path) -> None:
    place = Place(tmp_path, "oslo", "shop", "web")
    now = revision(place, "1.0", 1)
    place.current.symlink_to(Path("releases") / now)
    fetched = revision(place, "2.0", 2, healthy=False)
    done, fetching = (OrderFile(place, order(key, "2.0", "a" * 64, 1)) for key in ("done", "fetching"))
    done.begin()
    fetching.begin()
    await care.prune(done, place, 1)
    assert {path.name for path in place.releases.iterdir()} == {now, fetched}
    await care.prune(fetching, place, 1)
    assert {path.name for path in place.releases.iterdir()} == {now}


async def test_what_was_taken_away_by_somebody_who_was_killed_over_it_goes_behind_the_next_order(
    tmp_path: Path,
) -> None:
    place, left = Place(tmp_path, "oslo", "shop", "web"), tmp_path / "installed" / ".building-0123"
    (left / "env-4567").mkdir(parents=True)
    behind = OrderFile(place, order("one", "1.0", "a" * 64, 1))
    behind.begin()
    await care.prune(behind, place, 3)
    assert not left.exists()


async def test_half_of_a_revision_takes_the_place_of_none_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, "oslo", "shop", "web")
    oldest, back, now = (revision(place, f"{n}.0", n) for n in (1, 2, 3))
    place.current.symlink_to(Path("releases") / now)
    whole = shutil.rmtree

    def killed(path: Path) -> None:
        (path / "spec.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        release.forget(place.releases / oldest)
    monkeypatch.setattr(shutil, "rmtree", whole)
    behind = OrderFile(place, order("one", "3.0", "a" * 64, 1))
    behind.begin()
    await care.prune(behind, place, 2)
    assert {path.name for path in place.releases.iterdir()} == {back, now}
