"""How a command ends: exit statuses that scripts can use, and the errors that lead to them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.messages.base import Fault


class Status(IntEnum):
    """Exit statuses of `belay`; a promise to scripts, so a number never changes its meaning."""

    OK = 0
    FAILED = 1  # Belay did it and it ended badly: a strategy failed, a bundle is wrong, a check found faults
    USAGE = 2  # the command line or a file given to it is wrong; nothing was sent
    REFUSED = 3  # Belay refused it; nothing was changed
    UNREACHABLE = 4  # no answer from Belay, or it does not let this token do that
    UNANSWERED = 5  # taken and stored, but its owner had not answered in time; it will still be done
    DEFECT = 70  # a defect of Belay's own
    INTERRUPTED = 130  # Ctrl-C


EXIT_HELP = (
    "Exit status: 0 done · 1 it was done and ended badly · 2 wrong usage · 3 refused by Belay · "
    "4 not reachable or not authorised · 5 no answer in time, it goes on · 70 a defect of Belay · 130 Ctrl-C"
)


class CliError(Exception):
    """Ends the command: `message` says what is wrong, `advice` what to do, `faults` each single thing."""

    def __init__(
        self, status: Status, message: str, *, advice: str = "", code: str = "", faults: Sequence[Fault] = ()
    ) -> None:
        self.status, self.message, self.advice, self.code = status, message, advice, code
        self.faults = tuple(faults)
        super().__init__(message)


def usage(message: str, advice: str = "", faults: Sequence[Fault] = ()) -> CliError:
    """The command line, or a file given to it, is wrong."""
    return CliError(Status.USAGE, message, advice=advice, code="usage", faults=faults)


def failed(message: str, advice: str = "") -> CliError:
    """It was done, and it ended badly."""
    return CliError(Status.FAILED, message, advice=advice, code="failed")


def fault(code: str, field: str, message: str, value: Any = None) -> Fault:
    """One thing that is wrong, in the shape that Belay itself uses."""
    from shared.messages.base import Fault  # a command that ends well needs none

    return Fault(code=code, field=field, message=message, value=value)
