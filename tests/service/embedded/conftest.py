"""A home whose processes are gone after the test, whatever became of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.embedded import stack
from shared.embedded.home import Home
from tests.support.runtime import JARS, end_leftovers


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home.open(tmp_path / "home", os.environ.get("BELAY_JARS") or JARS)
    yield home
    stack.stop(home)
    end_leftovers(home)
