"""`python -m shared.embedded.launch HOME NAME [PROGRAM ...]`: prepare one process of a home and become it.

Both servers are prepared anew at each start, also when a supervisor restarts them after a crash: jars are
verified, a stale lock is dropped. The pid is recorded before the program begins.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from shared.embedded import process
from shared.embedded.home import Home
from shared.embedded.process import Command


def prepare_kafka(home: Home) -> Command:
    from shared.embedded import kafka  # noqa: PLC0415  each server without the other's imports

    return kafka.prepare(home)


def prepare_postgres(home: Home) -> Command:
    from shared.embedded import postgres  # noqa: PLC0415

    return postgres.prepare(home)


SERVERS = {"kafka": prepare_kafka, "postgres": prepare_postgres}


def command_line(home: Home, name: str, *program: str) -> list[str]:
    """How to start a process of a home through this module, from anywhere."""
    return [sys.executable, "-m", "shared.embedded.launch", str(home.root), str(home.jars), name, *program]


def main(root: str, jars: str, name: str, *program: str) -> NoReturn:
    home = Home.open(root, jars)
    process.record(home, name)
    if program:
        Command(program, cwd=Path.cwd()).replace_this_process()
    SERVERS[name](home).replace_this_process()


if __name__ == "__main__":
    main(*sys.argv[1:])
