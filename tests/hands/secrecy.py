"""Values of secrets, searched for where nobody may find them: records, tables, logs, files, processes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from shared.embedded import kafka, postgres
from shared.embedded.home import Home
from tests.faults.evidence import Run, collect

SHORTEST = 16
"""Characters of a line of a secret: shorter ones stand in other texts as well."""
BLOCKS = ("kafka", "postgres")
"""Folders of the home that are searched through their servers, which pack what they keep."""


def words_of(values: Iterable[str]) -> list[str]:
    """What is searched for: each long line of each value, without the name before it."""
    lines = (line.strip().rpartition(": ")[2] for value in values for line in value.splitlines())
    return sorted({line for line in lines if len(line) >= SHORTEST and not line.startswith("http")})


def told(home: Home, words: Sequence[str]) -> list[str]:
    """Where Belay, or a tool that works for it, has let a word be seen, in all that is kept."""
    if not words:
        return []
    with tempfile.TemporaryDirectory() as folder:
        now = datetime.now(UTC)
        gathered = collect(
            kafka=kafka.bootstrap(home), dsn=postgres.admin_dsn(home), prefix="belay.", home=home.root,
            target=Path(folder) / "evidence", run=Run(seed=0, started_at=now, ended_at=now, quiescent=True),
        )  # fmt: skip
        files = [
            *Path(asyncio.run(gathered)).rglob("*"),
            *_files(home.root),
        ]
        assert [path for path in files if path.suffix == ".jsonl" and path.stat().st_size], "nothing was gathered"
        return [f"{path} holds the value of a secret" for path in files if path.is_file() and _holds(path, words)]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".key" and path.relative_to(folder).parts[0] not in BLOCKS:
            yield path


def _holds(path: Path, words: Sequence[str]) -> bool:
    content = path.read_bytes()
    return any(word.encode() in content for word in words)


def in_processes(words: Sequence[str]) -> list[str]:
    """Processes whose arguments or variables hold one: every user of the host may read the first, many the second."""
    found = []
    for process in psutil.process_iter():
        try:
            seen = " ".join([*process.cmdline(), *_variables(process)])
        except (psutil.Error, OSError):
            continue
        if any(word in seen for word in words):
            found.append(f"process {process.pid} ({process.name()}) shows the value of a secret")
    return found


def _variables(process: psutil.Process) -> Iterable[str]:
    """Of Belay's own processes and of those that they began; what a container is given is the engine's to keep."""
    variables = process.environ()
    return variables.values() if any(name.startswith(("BELAY_", "HELM_", "ANSIBLE_")) for name in variables) else ()
