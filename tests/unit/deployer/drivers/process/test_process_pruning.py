"""Which releases stay on a site: those that can be returned to."""

import os
from pathlib import Path

from services.deployer.drivers.process import release
from services.deployer.drivers.process.place import Place
from services.deployer.drivers.process.release import RevisionSpec
from tests.support.process_sites import component


def revision(place: Place, version: str, used: int, *, healthy: bool = True) -> str:
    """One that was tried at a second of the clock."""
    spec = RevisionSpec(app="shop", version=version, bundle_sha256="a" * 64, component=component().spec)
    release.record(place, spec)
    (release.prove if healthy else release.give_up)(place, spec)
    os.utime(place.releases / spec.revision, (used, used))
    return spec.revision


def test_failures_do_not_clear_the_way_back_away(tmp_path: Path) -> None:
    place = Place(tmp_path, "oslo", "shop", "web")
    oldest, back, now = (revision(place, f"{n}.0", n) for n in (1, 2, 3))
    place.current.symlink_to(Path("releases") / now)
    broken = [revision(place, f"9.{n}", 10 + n, healthy=False) for n in range(4)]
    assert {path.name for path in release.to_go(place, 2)} == {oldest, *broken}
    assert back not in {path.name for path in release.to_go(place, 2)}


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
