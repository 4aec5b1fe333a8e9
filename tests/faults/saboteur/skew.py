"""A wrong clock for one process: what it reads of the wall clock is off by some seconds.

Its devices keep their own clock, as devices do; the monotonic clock stays right, as it does when a wall clock is wrong.
"""

import sys
import time
import types
from datetime import datetime as right
from datetime import timedelta, tzinfo
from typing import Any

OURS = ("shared.", "services.")
DEVICES = "services.deployer.drivers.simulated.driver"

_right_time = time.time
_off = 0.0


class _Wrong(type):
    """Stands for the class datetime: everything of it but `now`."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, right)

    def __call__(cls, *args: Any, **more: Any) -> right:
        return right(*args, **more)  # noqa: DTZ001 - as whoever calls it wants it

    def __getattr__(cls, name: str) -> Any:
        return getattr(right, name)


class WrongDatetime(metaclass=_Wrong):
    """datetime with a wrong clock."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> right:
        return right.now(tz) + timedelta(seconds=_off)


def skew(seconds: float) -> None:
    """Put this process's clock off by so much; 0 puts it right."""
    global _off  # noqa: PLW0603 - a process has one clock
    _off = seconds
    time.time = _wrong_time if seconds else _right_time
    clock = WrongDatetime if seconds else right
    for name, module in list(sys.modules.items()):
        if name.startswith(OURS) and name != DEVICES and getattr(module, "datetime", None) in (right, WrongDatetime):
            module.datetime = clock  # type: ignore[attr-defined]
    if devices := sys.modules.get(DEVICES):
        devices.time = types.SimpleNamespace(time=_right_time) if seconds else time  # type: ignore[attr-defined]


def _wrong_time() -> float:
    return _right_time() + _off
