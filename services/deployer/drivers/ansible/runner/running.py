"""Playbooks of a job one after the other, by ansible-runner, each over the sites that are sound so far."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
import orjson

from services.deployer.drivers.ansible.outcome import Story
from services.deployer.drivers.ansible.runner import ending, ways
from services.deployer.drivers.ansible.runner.folder import RunFolder
from services.deployer.drivers.ansible.runner.job import Act, Given
from services.deployer.drivers.ansible.runner.telling import Line, line_of, without_secrets
from services.deployer.secrets.values import looks_of

LOOK_SECONDS = 0.25
CLEAR_SECONDS = 60.0
SERVED_SECONDS = 5.0
CLEAR = """rm -rf "{{ ansible_remote_tmp | replace('~', '$HOME', 1) }}\""""
CALLBACKS = Path(__file__).parent / "callback"


def run(folder: RunFolder, given: Given) -> None:
    """Bring the run to its end, and leave nothing but what it told."""
    with _elsewhere(folder) as short:
        env = ways.environment(
            given.job, mark=folder.id, own=os.environ, path=_path(),
            short=str(short), folder=str(folder.root), callbacks=str(CALLBACKS),
        )  # fmt: skip
        os.environ.clear()
        os.environ.update(env)
        run = Running(folder, given, short)
        try:
            run.all_acts()
        finally:
            ending.end_processes(folder.id, all_of_them=run.cut_short)


def _path() -> str:
    """Where ansible-playbook is found first: beside our own Python."""
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"


@contextmanager
def _elsewhere(folder: RunFolder) -> Iterator[Path]:
    """The run's other folder, with Ansible's own files, too."""
    folder.short.mkdir(mode=0o700)
    (folder.short / "run").write_text(f"{folder.root}\n")  # for people who wonder whose it is
    try:
        yield folder.short
    finally:
        shutil.rmtree(folder.short, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Ansible:
    """Ansible by ansible-runner, with the hosts and the secrets of a job. What is secret it reads from pipes."""

    folder: RunFolder
    given: Given
    short: Path

    def run(self, hosts: Iterable[str], variables: Mapping[str, str], **more: Any) -> ansible_runner.Runner:
        """Run it over these hosts, and wait for its end. It leaves nothing but what the event handler was told."""
        whole = ways.inventory(self.given.secrets, hosts, str(self.short))
        with self._piped("inventory", whole) as inventory:
            try:
                return ansible_runner.run(
                    private_data_dir=str(self.folder.root), project_dir=self.given.job.project,
                    inventory=str(inventory), envvars={**os.environ, **variables}, fact_cache_type="memory",
                    quiet=True, suppress_env_files=True,
                    settings={"suppress_output_file": True, "pexpect_timeout": LOOK_SECONDS}, **more,
                )  # fmt: skip
            finally:
                shutil.rmtree(self.folder.root / "artifacts", ignore_errors=True)

    @contextmanager
    def secret_vars(self) -> Iterator[str]:
        """Words of a command line that name extra vars which nobody but Ansible reads; none where there are none."""
        if not self.given.secrets.vars:
            yield ""
            return
        with self._piped("vars", ways.extra_vars(self.given.secrets)) as file:
            yield f" -e @{shlex.quote(str(file))}"

    @contextmanager
    def _piped(self, what: str, content: str) -> Iterator[Path]:
        """A pipe that holds it for whoever opens it, so that it never lies on a disk: Ansible reads its inventory as
        often as a playbook says so (`meta: refresh_inventory`)."""
        pipe, over = self.short / f"{what}-{uuid.uuid4().hex}.yml", threading.Event()
        os.mkfifo(pipe, 0o600)
        server = threading.Thread(target=_serve, args=(pipe, content.encode(), over), daemon=True)
        server.start()
        try:
            yield pipe
        finally:
            over.set()
            os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))  # it may wait for a reader
            server.join(timeout=SERVED_SECONDS)
            pipe.unlink(missing_ok=True)


def _serve(pipe: Path, content: bytes, over: threading.Event) -> None:
    """Each reader gets a pipe of its own: in one for all the next would find itself in the midst of the one before."""
    following = pipe.with_suffix(".next")
    while not over.is_set():
        writer = os.open(pipe, os.O_WRONLY)
        os.mkfifo(following, 0o600)
        following.rename(pipe)
        with suppress(BrokenPipeError), os.fdopen(writer, "wb") as file:
            file.write(content)


class Running:
    """One run under way."""

    def __init__(self, folder: RunFolder, given: Given, short: Path) -> None:
        self._folder = folder
        self._job, self._secrets = given.job, given.secrets
        self._looks = looks_of(given.secrets.values)
        self._ansible = Ansible(folder, given, short)
        self._file = os.open(folder.told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._story = Story(given.job)
        self._act = 0
        self._said: deque[str] = deque(maxlen=30)
        self._until = time.monotonic() + given.job.seconds
        self._stop_at: float | None = None
        self.cut_short = False
        self.why = "done"

    def all_acts(self) -> None:
        """Each act over the sites that are sound; none when it was stopped."""
        for number, act in enumerate(self._job.acts):
            self._act = number
            hosts = [host for site in self._story.sound() for host in self._job.sites[site]]
            if not hosts or self._stopping():
                break
            self._run(act, hosts)
        ending.end_processes(self._folder.id, all_of_them=self.cut_short)
        self.clear_hosts()
        self._tell({"told": "end", "why": self.why})

    def _run(self, act: Act, hosts: list[str]) -> None:
        self._said.clear()
        file = self._folder.root / f"vars-{self._act}.json"
        file.write_bytes(orjson.dumps(act.vars))
        with self._ansible.secret_vars() as more:
            done = self._ansible.run(
                hosts, {}, playbook=f"./{act.playbook}", cmdline=f"-e @{shlex.quote(str(file))}{more}",
                tags=",".join(act.tags) or None, skip_tags=",".join(act.skip_tags) or None, forks=self._job.forks,
                event_handler=self._event, cancel_callback=self._must_be_killed,
            )  # fmt: skip
        said = [] if done.rc == 0 else list(self._said)
        self._tell({"told": "ended", "status": done.status, "rc": done.rc, "lines": said})
        self.cut_short = self.cut_short or done.status == "canceled"

    def clear_hosts(self) -> None:
        """Where Ansible was cut off it left its files, which hold what a task was given: remove them, if possible."""
        wanted = self._secrets.hosts if self.cut_short else self._story.reached & self._story.lost
        known = {host: variables for host, variables in self._secrets.hosts.items() if host in wanted}
        if over_ssh := sorted(host for host, variables in known.items() if not ways.is_local(variables)):
            until = time.monotonic() + self._job.connect_seconds + CLEAR_SECONDS
            self._ansible.run(
                over_ssh, {ways.STOP: f"{self._ansible.short}/none"}, cancel_callback=lambda: time.monotonic() > until,
                module="raw", module_args=CLEAR, host_pattern="all", event_handler=lambda _: False,
            )  # fmt: skip

    def _event(self, event: Mapping[str, Any]) -> bool:
        """Keep what is worth it; False: Ansible's own file of the event is not kept."""
        if line := line_of(event, self._job.facts):
            self._tell(line)
        elif event.get("event") in ("verbose", "error") and (words := str(event.get("stdout") or "").strip()):
            self._said.append(words[:500])
        return False

    def _tell(self, line: Line) -> None:
        whole = {"act": self._act, **line}
        hidden = without_secrets(whole, self._looks)
        os.write(self._file, orjson.dumps(hidden, option=orjson.OPT_APPEND_NEWLINE, default=str))
        self._story.take(hidden)

    def _stopping(self) -> bool:
        """Whether the run is to end at the next safe point; notes since when, and why."""
        if self._stop_at is None:
            why = self._reason()
            if why:
                self.why, self._stop_at = why, time.monotonic()
                self._folder.stop.touch()
        return self._stop_at is not None

    def _reason(self) -> str | None:
        if self._folder.stop.exists():
            return "stopped"
        if time.monotonic() > self._until:
            return "timeout"
        age = time.time() - self._folder.attended.stat().st_mtime
        return "unattended" if age > self._job.unattended_seconds else None

    def _must_be_killed(self) -> bool:
        return self._stopping() and time.monotonic() > (self._stop_at or 0) + self._job.grace_seconds
