"""Run folders under the deployer's home: made, found again, looked after, and cleared away."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from services.deployer.drivers.ansible.outcome import Story
from services.deployer.drivers.ansible.runner.ending import end_processes
from services.deployer.drivers.ansible.runner.folder import RunFolder
from services.deployer.drivers.ansible.runner.job import Given, Job
from services.deployer.drivers.ansible.runner.ways import CONFIG, MARK
from services.deployer.drivers.locks import lock_within

LOOK_SECONDS = 0.2
PASSED_ON = ("PATH", "PYTHONPATH", "HOME", "LANG", "TZ", "TMPDIR")
"""All that a runner sees of our environment, which holds passwords."""


OURS = ("ansible-playbook (ansible-core)",)
OF_SSH = ("ssh (Debian: openssh-client)", "sftp (Debian: openssh-client)", "ssh-agent (Debian: openssh-client)")


def missing_programs(*, over_ssh: bool) -> list[str]:
    """What a run would need and this machine has not, with the package that brings it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    wanted = OURS + OF_SSH if over_ssh else OURS
    return [words for words in wanted if not shutil.which(words.partition(" ")[0], path=path)]


class RunnerDied(Exception):
    """A runner ended without saying how its run did; `lines` are its last words."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("a runner died")


class Runs:
    """The runs of this home. Other homes have theirs, on other machines, which nobody here can see."""

    def __init__(self, home: Path) -> None:
        self._root = home.resolve() / "ansible" / "runs"

    @property
    def home_id(self) -> str:
        """The same for all who see the same folders, and for nobody else."""
        file = self._root.parent / "id"
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            draft = file.with_name(f".id-{uuid.uuid4().hex}")
            draft.write_text(uuid.uuid4().hex)
            with suppress(FileExistsError):
                os.link(draft, file)
            draft.unlink()
        return file.read_text()

    def find(self, run: str) -> RunFolder | None:
        """The folder of a run, if it has one here."""
        folder = RunFolder(self._root / Path(run).name)
        return folder if folder.root.is_dir() else None

    def begin(self, run: str, given: Given, known_hosts: str) -> RunFolder:
        """Make the folder of a run and start its runner, which goes on when we do not. Raises OSError."""
        folder = RunFolder(self._root / run)
        folder.root.mkdir(mode=0o700)
        folder.attended.touch()
        folder.known_hosts.write_text(known_hosts)
        (folder.root / CONFIG).touch()
        folder.job.write_text(given.job.model_dump_json())
        if (lock := folder.hold()) is None:
            raise FileExistsError(f"somebody works in {folder.root}")
        try:
            _spawn(folder, lock, given)
        finally:
            os.close(lock)  # from here on it is the runner's, and falls with it
        return folder

    def end(self, folder: RunFolder) -> None:
        """End what is left of a run. One that has not ended is killed with all it began."""
        end_processes(folder.id, all_of_them=not folder.ended())

    def clear(self, folder: RunFolder) -> None:
        """The same, and remove its folders."""
        self.end(folder)
        lock = lock_within(folder.root / "alive.lock", seconds=10) if folder.root.is_dir() else None
        try:
            shutil.rmtree(folder.short, ignore_errors=True)
            shutil.rmtree(folder.root, ignore_errors=True)
        finally:
            if lock is not None:
                os.close(lock)

    def sweep(self, wanted: Iterable[str], seconds: float) -> None:
        """Clear away the runs that no order is found by and nobody works on."""
        keep = set(wanted)
        for root in self._root.iterdir() if self._root.is_dir() else ():
            folder = RunFolder(root)
            if root.name not in keep and _age(folder) > seconds and not folder.lives():
                self.clear(folder)


def _spawn(folder: RunFolder, lock: int, given: Given) -> None:
    """Returns when the runner has read what to do, secrets and all, from a pipe, and goes on by itself.

    In a session of its own, so that no signal to the deployer ends it. The lock is held from its first moment on.
    """
    known = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    with (folder.root / "runner.log").open("wb") as log:
        subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-P", "-m", "services.deployer.drivers.ansible.runner", str(folder.root)],
            env={**known, MARK: folder.id}, input=given.model_dump_json().encode(),
            stdout=log, stderr=log, start_new_session=True, pass_fds=(lock,), check=False,
        )  # fmt: skip


async def attend(folder: RunFolder, heard: Callable[[Story], None]) -> Story:
    """Look after a run until it has ended; `heard` is told how far it is. Raises RunnerDied."""
    story, tail = Story(Job.model_validate_json(folder.job.read_bytes())), Tail(folder.told)
    touched, often = 0.0, story.job.unattended_seconds / 8
    while story.why is None:
        if time.monotonic() - touched > often:
            folder.attended.touch()
            touched = time.monotonic()
        lived = folder.lives()
        for line in tail.lines():
            story.take(line)
        heard(story)
        if story.why is None:
            if not lived:
                raise RunnerDied(_last_words(folder))
            await asyncio.sleep(LOOK_SECONDS)
    return story


class Tail:
    """What was added to a file of lines since it was last looked at; a line that is not whole is left for later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """The new ones."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                news = file.read()
        except FileNotFoundError:
            return
        whole = news.rfind(b"\n") + 1
        self._read += whole
        for line in news[:whole].splitlines():
            yield orjson.loads(line)


def _age(folder: RunFolder) -> float:
    """Seconds since anybody looked after it. One that a deployer was killed over as it made it, or cleared it away, has
    no more than itself to say that."""
    for path in (folder.attended, folder.root):
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime
    return 0.0


def _last_words(folder: RunFolder) -> list[str]:
    try:
        return (folder.root / "runner.log").read_text(errors="replace").splitlines()[-20:]
    except OSError:
        return []
