"""What tests of real components need: a home that is cleared of every process, bundles, a driver, a port."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from services.deployer.drivers import Order
from services.deployer.drivers.process.driver import ProcessDriver
from tests.support import process_sites as sites
from tests.support import process_victim
from tests.support.process_sites import Bundles
from tests.support.victims import dies, victims


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


DieWithin = Callable[[Order, str, str], Awaitable[None]]


@pytest.fixture(scope="session")
def deployers() -> Iterator[ForkServerContext]:
    """Where deployers that are to die come from; what both kinds of victims need is imported."""
    with victims("tests.support.deadly_deployer") as context:
        yield context


@pytest.fixture
def die_within(deployers: ForkServerContext, bundles: Bundles, home: Path) -> DieWithin:
    """Run a deployer until it is killed at a point."""

    async def run(one: Order, point: str, when: str) -> None:
        file = bundles.root / "order.pickle"
        file.write_bytes(pickle.dumps(one))
        words = (str(file), str(bundles.root), str(home), point, when)
        await asyncio.to_thread(dies, deployers, process_victim.main, *words)

    return run
