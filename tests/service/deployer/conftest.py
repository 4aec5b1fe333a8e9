"""What tests of real components need: a home that is cleared of every process, bundles, a driver, a port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.deployer.drivers.process.driver import ProcessDriver
from tests.support import process_sites as sites
from tests.support.process_sites import Bundles


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path / "home"
    await sites.end_all(tmp_path / "home")


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    return Bundles.at(tmp_path / "bundles")


@pytest.fixture
async def driver(home: Path, bundles: Bundles) -> ProcessDriver:
    return ProcessDriver(home, bundles.unpack)


@pytest.fixture
def port() -> int:
    return sites.free_port()
