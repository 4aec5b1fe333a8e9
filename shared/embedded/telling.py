"""What a person sees of `up`: a line for each part as it gets ready, then where everything is.

On a terminal a moving line below says what is under way; in a pipe or a file there are only whole, plain lines.
"""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.status import Status

COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green", "bright_yellow")


class Parts:
    """The usual way: what is ready, and when."""

    def __init__(self, console: Console) -> None:
        self._console, self._begun = console, time.monotonic()
        self._status: Status | None = None

    def say(self, line: str) -> None:
        """Something that stays on the screen."""
        self._console.print(f"[dim]{self._seconds():6.1f} s[/]  ", end="")
        self._console.out(line, highlight=False)

    def doing(self, what: str) -> None:
        """What is under way just now; empty: nothing."""
        if self._status and not what:
            self._status.stop()
            self._status = None
        elif self._status:
            self._status.update(what)
        elif what and self._console.is_terminal:
            self._status = self._console.status(what)
            self._status.start()

    def all_ready(self, address: str | None, home: Path) -> None:
        """The last words of a start: where everything is."""
        self.doing("")
        where = _short(home)
        rows = {"page and API": address, "token": f"in {where / 'admin.token'}" if address else None}
        rows["logs"] = f"in {where / 'logs'}; `belay up --logs` shows them here"
        self._console.out(f"\nBelay is up after {self._seconds():.1f} s", highlight=False)
        for name, value in rows.items():
            if value:
                self._console.out(f"  {name:<14}{value}", highlight=False)

    def _seconds(self) -> float:
        return time.monotonic() - self._begun


class Logs(Parts):
    """With `--logs`: every line that any process writes, behind the name of the process; ours among them."""

    def say(self, line: str) -> None:
        self.show("belay", line)

    def doing(self, what: str) -> None:
        """Lines come all the time: nothing has to move."""

    def show(self, name: str, line: str) -> None:
        """A line of a process."""
        colour = COLOURS[sum(name.encode()) % len(COLOURS)]
        self._console.print(f"[{colour}]{name:>22} |[/] ", end="")
        self._console.out(line, highlight=False)


def _short(path: Path) -> Path:
    """As one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
