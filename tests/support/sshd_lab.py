"""Hosts reached by SSH: real OpenSSH servers on loopback, each with its own key, port and folder.

They run as a user of their own, who may become root by sudo with a password: so the lab needs root, once. The user
and what sudo was told of it are gone afterwards.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from tests.support.lacking import left_out
from tests.support.patience import until
from tests.support.process_sites import free_port

USER = f"belay-lab-{os.getpid()}"
"""Of this run alone: another may be at work on the same machine."""
PASSWORD = "lab-sudo-4711-secret"
NEEDED = ("sshd", "ssh", "ssh-keygen", "ssh-agent", "sftp", "sudo", "useradd", "runuser")
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {home}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PubkeyAuthentication {keys}
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
MaxStartups 200:30:400
Subsystem sftp internal-sftp
"""


@dataclass
class Host:
    """One server, and the folder that its site lives in."""

    folder: Path
    port: int
    by_password: bool = False
    """By which it lets the user in, instead of by the key."""
    server: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.folder / "site"

    @property
    def public_key(self) -> str:
        return (self.folder / "host_key.pub").read_text().strip()

    def new_key(self) -> None:
        """As after an installation anew, or a stranger on its address."""
        for file in self.folder.glob("host_key*"):
            file.unlink()
        keygen(self.folder / "host_key")
        shutil.chown(self.folder / "host_key", USER)

    def start(self) -> None:
        config = self.folder / "sshd_config"
        ways = {"keys": "no", "passwords": "yes"} if self.by_password else {"keys": "yes", "passwords": "no"}
        config.write_text(CONFIG.format(port=self.port, folder=self.folder, home=self.folder.parent, **ways))
        # Only root may look whether a password is right.
        whose = [] if self.by_password else ["runuser", "-u", USER, "--"]
        command = [*whose, sshd(), "-D", "-e", "-f", str(config)]
        with (self.folder / "sshd.log").open("ab") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
        until(self.answers, 20)

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connected:
            return connected.recv(4) == b"SSH-"
        return False

    def sessions(self) -> list[psutil.Process]:
        """What runs on the host for those who are connected."""
        if self.server is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            daemon = psutil.Process(self.server.pid).children()
            return [one for process in daemon for one in process.children(recursive=True)]
        return []

    def cut(self) -> None:
        """Every connection ends in the middle; the next is taken as ever."""
        for process in self.sessions():
            if process.name() == "sshd":
                process.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        if self.server:
            with contextlib.suppress(psutil.NoSuchProcess):
                everything = psutil.Process(self.server.pid).children(recursive=True)
                for process in everything:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            self.server.kill()
            self.server.wait()
            self.server = None


@dataclass
class SshdLab:
    """Any number of hosts, and the key that they take."""

    home: Path
    hosts: list[Host] = field(default_factory=list)

    @property
    def key(self) -> str:
        return (self.home / "key").read_text()

    def host(self, *, start: bool = True, by_password: bool = False) -> Host:
        """Another one."""
        folder = self.home / f"h{len(self.hosts)}"
        (folder / "site").mkdir(parents=True)
        keygen(folder / "host_key")
        for path in (folder, folder / "site", folder / "host_key"):
            shutil.chown(path, USER)
        self.hosts.append(Host(folder, free_port(), by_password))
        if start:
            self.hosts[-1].start()
        return self.hosts[-1]

    def connection(self, host: Host, **more: Any) -> dict[str, Any]:
        """What a site says that lives on it; `vars` are put beside where it lives."""
        variables = {"root": str(host.root), **more.pop("vars", {})}
        login = {"password": SecretStr(PASSWORD)} if host.by_password else {"key": SecretStr(self.key)}
        return {
            "address": "127.0.0.1",
            "port": host.port,
            "user": USER,
            **login,
            "host_keys": [host.public_key],
            "python": "/usr/bin/python3",
            "vars": variables,
            **more,
        }

    def close(self) -> None:
        for host in self.hosts:
            host.stop()
        self.hosts.clear()


def sshd() -> str:
    """It wants to be called by its whole path."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "sshd"


def keygen(path: Path) -> str:
    """A new key pair; the private one."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path))
    return path.read_text()


def run(*command: str, given: str | None = None) -> None:
    subprocess.run(command, check=True, input=given, text=True, stdout=subprocess.DEVNULL)


def missing() -> str | None:
    """What keeps a lab from being made here."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if lacking := [name for name in NEEDED if not shutil.which(name, path=path)]:
        return f"{', '.join(lacking)} not installed (Debian: openssh-server, sudo)"
    return None if os.getuid() == 0 else "only root can make a user for them"


@contextlib.contextmanager
def user() -> Iterator[Path]:
    """The user of the hosts, who is gone afterwards; its home. So is whoever runs that were killed have left."""
    for entry in pwd.getpwall():
        name, _, number = entry.pw_name.rpartition("-")
        if name == "belay-lab" and not psutil.pid_exists(int(number)):
            remove(entry.pw_name)
    # Who is of the group tty may give a terminal to it, which an sshd of an unprivileged user does.
    run("useradd", "--create-home", "--shell", "/bin/bash", "--groups", "tty", USER)
    run("chpasswd", given=f"{USER}:{PASSWORD}")
    rule = rule_of(USER)
    rule.write_text(f"{USER} ALL=(ALL) ALL\nDefaults:{USER} !lecture, timestamp_timeout=0\n")
    rule.chmod(0o440)
    Path("/run/sshd").mkdir(exist_ok=True)
    try:
        yield Path(pwd.getpwnam(USER).pw_dir)
    finally:
        remove(USER)


def rule_of(name: str) -> Path:
    return Path("/etc/sudoers.d", name)


def remove(name: str) -> None:
    """With its home, and what sudo was told of it. It says so when there was no mail."""
    rule_of(name).unlink(missing_ok=True)
    subprocess.run(["userdel", "--force", "--remove", name], check=True, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def lab_user() -> Iterator[Path]:
    """A lack of what it needs leaves a test out on a user's machine, and fails it under CI."""
    if reason := missing():
        left_out(f"no hosts by SSH: {reason}")
    with user() as home:
        yield home


@pytest.fixture
def sshd_lab(lab_user: Path) -> Iterator[SshdLab]:
    """A lab of this test alone."""
    home = lab_user / f"lab-{os.urandom(4).hex()}"
    home.mkdir()
    keygen(home / "key")
    (home / "authorized_keys").write_text((home / "key.pub").read_text())
    lab = SshdLab(home)
    yield lab
    lab.close()
