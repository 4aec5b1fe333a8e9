"""What installed distributions register is read whole, or refused with every one that cannot be used."""

from pathlib import Path

import pytest

from shared.entry_points import BadEntryPoint, registered

GROUP = "belay.tests"


def install(path: Path, distribution: str, *points: str) -> None:
    """A distribution as pip leaves it."""
    folder = path / f"{distribution}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{GROUP}]\n" + "\n".join(points) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_is_registered_is_imported_by_its_name(site: Path) -> None:
    install(site, "one", "path = pathlib:Path", "here = pathlib:Path.cwd")
    assert registered(GROUP) == {"path": Path, "here": Path.cwd}


def test_all_that_cannot_be_used_is_named_with_its_distribution(site: Path) -> None:
    (site / "breaks_here.py").write_text("raise RuntimeError('no licence')\n")
    install(site, "one", "path = pathlib:Path", "gone = pathlib:Nothing")
    install(site, "two", "path = os:path", "breaks = breaks_here:Driver")
    with pytest.raises(BadEntryPoint) as error:
        registered(GROUP)
    for words in ("gone = pathlib:Nothing of one", "breaks_here:Driver of two", "no licence", "have one name"):
        assert words in str(error.value)


def test_where_nothing_is_registered_belay_itself_is_not_installed_right() -> None:
    with pytest.raises(BadEntryPoint, match="make setup"):
        registered(GROUP)
