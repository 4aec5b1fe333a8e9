"""What the tests of the helm driver share: one driver, and a namespace of the test's own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.kubernetes import sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.sites import Make


@pytest.fixture
def cluster(kubernetes: Lab) -> Iterator[Cluster]:
    """The cluster, as an administrator with a namespace of the test's own sees it."""
    with Cluster.of(kubernetes) as cluster:
        yield cluster


@pytest.fixture
async def another(kubernetes: Lab, deployer_database: str, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes further drivers on the same orders, with other settings or bundles, each on a host of its own."""
    made: list[DurableDriver] = []

    def make(**settings: Any) -> DurableDriver:
        made.append(sites.driver(kubernetes, deployer_database, tmp_path / f"host-{len(made)}", **settings))
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture
def driver(another: Make) -> DurableDriver:
    return another()
