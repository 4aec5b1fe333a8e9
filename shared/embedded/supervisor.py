"""The process supervisor of a home: supervisord, its configuration, and what can be asked of it."""

from __future__ import annotations

import configparser
import hashlib
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from shared.embedded import launch, process
from shared.embedded.home import Home, write_private
from shared.embedded.programs import PRIVATE, Program, Wish, servers, services
from shared.embedded.starting import Progress, worked

NAME = "supervisord"
#: A socket's path is at most 104 bytes long on macOS, 108 on Linux.
LONGEST_SOCKET = 100
#: Where it lies otherwise. Not TMPDIR: that may be long too, or another one when `down` looks for it.
SHORT = Path("/tmp")  # noqa: S108  a folder of our own below, which only we may enter
#: A supervisor that does not answer, and has used no processor for so long, never will.
SILENT_SECONDS = 30.0
#: Try for ever: a service that cannot start now may when its cause is gone. Each wait is a second longer.
RETRIES = 1_000_000


class SupervisorUnreachable(RuntimeError):
    """No supervisor of this home answers."""


def write_config(home: Home, wish: Wish) -> None:
    """Everything supervisord has to know. Servers start with it, services when they are told to."""
    config = configparser.RawConfigParser()
    config["supervisord"] = _daemon(home)
    config["unix_http_server"] = {"file": str(_socket(home)), "chmod": "0700"}
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    # Priorities make the order: up PostgreSQL, Kafka, services; down the other way round.
    for priority, program in enumerate(servers(home, wish), start=10):
        config[f"program:{program.name}"] = _program(home, program, priority) | {"autostart": "true"}
    ours = services(home, wish)
    for program in ours:
        config[f"program:{program.name}"] = _program(home, program, 30) | {"autostart": "false"}
    if ours:
        config["group:services"] = {"programs": ",".join(p.name for p in ours), "priority": "30"}
    _write(home, config)


def _daemon(home: Home) -> dict[str, str]:
    settings = {
        "nodaemon": "true",
        "silent": "true",
        "logfile": f"{home.logs / NAME}.log",
        "logfile_maxbytes": "5MB",
        "logfile_backups": "1",
        "pidfile": str(home.run / "supervisord.number"),
        "childlogdir": str(home.logs),
        "umask": "077",
    }
    return {name: value.replace("%", "%%") for name, value in settings.items()} | (
        {"user": "root"} if os.geteuid() == 0 else {}
    )


def _program(home: Home, program: Program, priority: int) -> dict[str, str]:
    settings = {
        "command": shlex.join(program.argv),
        "directory": str(Path.cwd()),
        "environment": ",".join(f"{name}={_quoted(value)}" for name, value in program.env.items()),
        "stdout_logfile": f"{home.logs / program.name}.log",
    }
    return {name: value.replace("%", "%%") for name, value in settings.items()} | {
        "redirect_stderr": "true",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "3",
        "autorestart": "true",
        "startsecs": "1",
        "startretries": str(RETRIES),
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(program.stop_seconds),
        "priority": str(priority),
    }


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(home: Home, config: configparser.RawConfigParser) -> None:
    path = _config_path(home)
    write_private(path, "")  # it holds the passwords of the services
    with path.open("w") as file:
        config.write(file)


def _config_path(home: Home) -> Path:
    return home.run / "supervisord.conf"


def _socket(home: Home) -> Path:
    path = home.run / "supervisor.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return path
    name = hashlib.sha256(bytes(home.root)).hexdigest()[:16]
    folder = SHORT / f"belay-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user: choose a shorter BELAY_HOME")
    return folder / "supervisor.sock"


def spawn(home: Home, *, detached: bool) -> subprocess.Popen[bytes]:
    """Start supervisord in a session of its own: Ctrl-C must reach us alone, who stop all in order.

    Unless detached it ends, in order, with this process, however that ends (on Linux).
    """
    program = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(_config_path(home))]
    argv = program if detached else launch.command_line(home, NAME, *program)
    environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    with output(home).open("wb") as out:
        daemon = subprocess.Popen(  # noqa: S603
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    process.record(home, NAME, daemon.pid)
    return daemon


def output(home: Home) -> Path:
    """What supervisord prints when it cannot even begin; its log is elsewhere."""
    return home.run / "supervisord.out"


class SupervisorClient:
    """Asks the running supervisor of a home. Every method raises Unreachable if there is none."""

    def __init__(self, home: Home) -> None:
        self._url = f"unix://{_socket(home)}"

    def processes(self) -> list[dict[str, Any]]:
        """One entry a program: name, statename, pid (0 if down), start (unix seconds)."""
        with self._proxy() as proxy:
            return list(proxy.getAllProcessInfo())

    def start_services(self) -> None:
        """Start those that are down, without waiting."""
        with self._proxy() as proxy:
            for one in proxy.getAllProcessInfo():
                if one["group"] == "services" and one["statename"] in {"STOPPED", "EXITED", "FATAL"}:
                    proxy.startProcess(f"services:{one['name']}", False)

    def shut_down(self) -> None:
        """Ask for the stop of all, in order, and of the supervisor; returns before it is done."""
        with self._proxy() as proxy:
            proxy.shutdown()

    def wait(self, daemon: subprocess.Popen[bytes]) -> None:
        """Return as soon as the supervisor answers. Raises once it has ended, or when it does not begin."""
        progress = Progress(SILENT_SECONDS)
        while True:
            try:
                self.processes()
                return
            except SupervisorUnreachable:
                progress.note({NAME: worked(daemon.pid)})
                if daemon.poll() is not None or progress.stalled:
                    raise
                time.sleep(0.05)

    @contextmanager
    def _proxy(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, self._url)
        try:
            yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
        except (OSError, HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorUnreachable(f"the supervisor does not answer: {error}") from error
        finally:
            transport.close()
