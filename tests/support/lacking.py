"""What a test does where the machine lacks what it needs."""

import os
from typing import NoReturn

import pytest


def left_out(reason: str) -> NoReturn:
    """Skip on a user's machine, fail under CI: what is not tested there must not look like success."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
