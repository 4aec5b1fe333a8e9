"""The lines of the README's "Use it", copied one by one into a shell, as a newcomer does in a fresh clone."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.cli.nouns.machine import hosts
from shared.embedded import postgres, stack
from shared.embedded.home import Home
from tests.e2e.test_demo import WHEELS, left_running
from tests.support.running import Running
from tests.support.runtime import JARS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(0)]  # it waits for progress: see Running

ROOT = Path(__file__).parents[2]
SITES = "examples/datasette/sites.yaml"
LINE = "::: "
"""Before each line that the shell is given, so that a fault names it."""


def lines_of_the_readme() -> list[str]:
    """Every command line of the section, those that go on below put together."""
    section = (ROOT / "README.md").read_text().split("\n## Use it\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_there_are_lines_to_be_run() -> None:
    assert len(lines_of_the_readme()) > 12


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """What a clone holds; the virtual environment and what was ever downloaded are borrowed."""
    clone = tmp_path / "belay"
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)
    borrow_environment(clone)
    WHEELS.mkdir(parents=True, exist_ok=True)
    home = Home.open(clone / ".belay", os.environ.get("BELAY_JARS") or JARS)
    (home.root / "wheels").symlink_to(WHEELS, target_is_directory=True)
    give_free_ports(clone / SITES)
    yield clone
    hosts("stop", home)
    stack.stop(home)
    postgres.remove(home)


def tracked() -> list[str]:
    asked = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(asked, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def borrow_environment(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / "bin").symlink_to(ROOT / ".venv" / "bin", target_is_directory=True)
    (clone / ".venv" / "ready").touch()  # else `make setup` would install the clone into it


def give_free_ports(sites: Path) -> None:
    """The ports of the file may be taken on this machine, by another run of this test for one."""
    text = sites.read_text()
    ports = re.findall(r"port: (\d+)", text)
    with ExitStack() as held:
        for port in ports:
            free = held.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            text = text.replace(f"port: {port}}}", f"port: {free.getsockname()[1]}}}")
    sites.write_text(text)


def test_the_lines_of_the_readme_lead_to_finished_roll_outs(clone: Path) -> None:
    shell = Running(["bash", "-c", script(lines_of_the_readme())], surroundings(), clone)
    said = "".join(shell)
    at_last = "".join(said.rpartition(LINE)[1:])
    assert shell.status == 0, f"exit status {shell.status}: {at_last}"
    for strategy in ("first", "next", "undo-next"):
        assert f"strategy {strategy} complete" in said
    assert answer_to(said, "belay site list").count("datasette 0.64.8") == 6
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said), "no control characters where nobody looks on"
    assert left_running(Home.open(clone / ".belay")) == []


def script(lines: list[str]) -> str:
    """An interactive shell knows aliases; the first line that fails ends it, as a person would stop."""
    steps = [f"echo '{LINE}'{quoted(line)}\n{line}" for line in lines]
    return "shopt -s expand_aliases\nset -e\n" + "\n".join(steps)


def quoted(line: str) -> str:
    return "'" + line.replace("'", "'\\''") + "'"


def surroundings() -> dict[str, str]:
    """Nothing of ours but the jars: the command line finds its home, gateway and token by itself."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("BELAY_")}
    return given | {
        "BELAY_JARS": os.environ.get("BELAY_JARS") or str(JARS),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(clone),
    }


def answer_to(said: str, line: str) -> str:
    """What came after a line was given, until the next."""
    found = re.search(rf"^{LINE}{re.escape(line)} +#.*\n((?:(?!{LINE}).*\n)*)", said, re.MULTILINE)
    assert found, f"{line!r} is not in the README any more"
    return found[1]
