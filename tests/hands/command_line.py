"""A command line of StarlingX, logged in at a door of Belay's."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from rich.console import Console

console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)


def check(holds: bool, otherwise: Any) -> None:
    """Ends the program with what is wrong."""
    if not holds:
        raise SystemExit(f"it is not as it must be: {otherwise}")


class CommandLine:
    """One of their programs; `name` is what it is called."""

    def __init__(self, name: str, program: str, url: str, token: str) -> None:
        self._name, self._program = name, program
        names = {"USERNAME": "admin", "PASSWORD": token, "PROJECT_NAME": "admin", "AUTH_URL": f"{url}/v3"}
        domains = {"USER_DOMAIN_NAME": "Default", "PROJECT_DOMAIN_NAME": "Default", "REGION_NAME": "RegionOne"}
        self._environment = {**os.environ, **{f"OS_{name}": value for name, value in (names | domains).items()}}
        self._environment |= {"CGTSCLIENT_NO_CACHE": "1"}

    def run(self, words: str, *more: str) -> subprocess.CompletedProcess[str]:
        """One command, given as words and arguments that hold blanks."""
        command = [self._program, *words.split(), *more]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=60)

    def prints(self, words: str, *more: str) -> str:
        """What it prints; a command that fails ends the program."""
        done = self.run(words, *more)
        check(done.returncode == 0, f"{self._name} {words}: {done.stdout}{done.stderr}")
        console.print(f"{self._name} {words}")
        return done.stdout

    def refuses(self, words: str, reason: str, *more: str) -> None:
        """It ends with an error that tells the reason."""
        done = self.run(words, *more)
        check(done.returncode != 0 and reason in done.stderr, f"{self._name} {words}: {done.stdout}{done.stderr}")
        console.print(f"{self._name} {words}: {reason}")
