"""`python -m tests.support.server HOME JARS NAME`: a server of a test run, which has nothing to keep.

As `shared.embedded.launch` starts it, but for what makes PostgreSQL outlive a fall of the machine: each test makes and
drops a database of a thousand files, and each of them would be brought to the disk. A killed server loses nothing by
that, for the system keeps what it has written.
"""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from shared.embedded import process
from shared.embedded.home import Home
from shared.embedded.launch import SERVERS

NOT_KEPT = {"postgres": ("-c", "fsync=off", "-c", "full_page_writes=off")}


def command_line(home: Home, name: str) -> list[str]:
    """How to start it, from anywhere."""
    return [sys.executable, "-m", "tests.support.server", str(home.root), str(home.jars), name]


def main(root: str, jars: str, name: str) -> NoReturn:
    home = Home.open(root, jars)
    process.record(home, name)
    command = SERVERS[name](home)
    if name == "postgres":
        bring_home(home, Path(command.argv[command.argv.index("-D") + 1]))
    replace(command, argv=(*command.argv, *NOT_KEPT.get(name, ()))).replace_this_process()


def bring_home(home: Home, data: Path) -> None:
    """As root, PostgreSQL's data lies apart from the home; here it lies where that does, which may be in memory."""
    if data.is_symlink() or data.is_relative_to(home.root):
        return
    ours = home.root / "postgres"
    subprocess.run(["cp", "--archive", str(data), str(ours)], check=True)  # with its owner
    shutil.rmtree(data)
    data.symlink_to(ours)
    home.root.chmod(0o711)  # PostgreSQL's account comes through it, and sees nothing else of it


if __name__ == "__main__":
    main(*sys.argv[1:])
