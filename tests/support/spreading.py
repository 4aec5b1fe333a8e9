"""How tests spread over several workers: each alone, but those that start the whole system one after the other.

The marks that pytest-xdist has for this do not reach it under pytest 9.2.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

WHOLE_SYSTEM = "tests/e2e/"
"""Two of them beside each other would each find the machine too slow for what they time; they share fixtures too."""


class Spreading(LoadScopeScheduling):
    """A scope is what one worker gets at once."""

    def _split_scope(self, nodeid: str) -> str:
        return WHOLE_SYSTEM if nodeid.startswith(WHOLE_SYSTEM) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spreading:
    """Whatever --dist says."""
    return Spreading(config, log)
