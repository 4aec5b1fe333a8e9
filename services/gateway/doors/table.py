"""Every door there is. A new one is a folder, and a line here."""

from collections.abc import Callable

from services.gateway.doors.dcmanager import door as dcmanager
from services.gateway.doors.door import Door
from services.gateway.doors.sysinv import door as sysinv

DOORS: tuple[Callable[[], Door | None], ...] = (dcmanager.of_environment, sysinv.of_environment)


def doors_that_are_on() -> tuple[Door, ...]:
    """As the environment says; none by default."""
    return tuple(door for make in DOORS if (door := make()))
