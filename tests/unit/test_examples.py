"""The examples are what they say, without a network."""

import re
import sqlite3
from pathlib import Path

import pytest
import yaml

from services.cli.site_file import read_sites
from shared.bundle import manifest_of
from shared.messages.strategy import StrategySpec

EXAMPLES = Path(__file__).parents[2] / "examples"
BUNDLES = sorted(EXAMPLES.glob("*/*/bundle.yaml"))


def ident(path: Path) -> str:
    return "/".join(path.relative_to(EXAMPLES).parts[:2])


@pytest.mark.parametrize("path", BUNDLES, ids=ident)
def test_an_example_is_a_sound_folder(path: Path) -> None:
    files = {f.relative_to(path.parent).as_posix() for f in path.parent.rglob("*") if f.is_file()}
    assert manifest_of(path.read_bytes(), files).components


def test_the_releases_can_be_told_apart() -> None:
    manifests = [manifest_of(path.read_bytes()) for path in BUNDLES]
    assert len({(m.app, m.version) for m in manifests}) == len(manifests) == 7


@pytest.mark.parametrize("folder", ["0.63", "0.64", "0.65"])
def test_a_lock_holds_the_release_that_its_folder_promises(folder: str) -> None:
    path = EXAMPLES / "datasette" / folder
    manifest = manifest_of((path / "bundle.yaml").read_bytes())
    lock = (path / "requirements.lock").read_text()
    assert f"datasette=={manifest.version} " in lock
    assert not re.search(r"https?:|--(extra-)?index|--find-links", lock)


def test_the_broken_ones_break_as_described() -> None:
    exits = manifest_of((EXAMPLES / "datasette/broken-exit/bundle.yaml").read_bytes()).components[0]
    lies = manifest_of((EXAMPLES / "datasette/broken-version/bundle.yaml").read_bytes())
    assert "default_pagesize" in exits.spec["command"]
    assert f"datasette=={lies.version} " not in (EXAMPLES / "datasette/broken-version/requirements.lock").read_text()


@pytest.mark.parametrize("path", sorted((EXAMPLES / "strategies").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_strategy_is_valid(path: Path) -> None:
    assert StrategySpec.model_validate(yaml.safe_load(path.read_text())).stages


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/sites.yaml")), ids=lambda path: path.parent.name)
def test_example_sites_are_valid(path: Path) -> None:
    assert read_sites(path)


def test_the_database_is_the_one_that_its_text_makes() -> None:
    data = EXAMPLES / "datasette/data"
    made, kept = sqlite3.connect(":memory:"), sqlite3.connect(f"file:{data / 'peaks.db'}?mode=ro", uri=True)
    try:
        made.executescript((data / "peaks.sql").read_text())
        assert list(made.iterdump()) == list(kept.iterdump())
    finally:
        made.close()
        kept.close()
