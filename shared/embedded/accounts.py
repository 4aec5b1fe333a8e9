"""The system account that PostgreSQL runs as when we are root, whom it refuses."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess

from shared.embedded.process import Account

NAME = "belay-postgres"
#: How to add a system account without a home or a login: Debian and Red Hat, then BusyBox.
WAYS = (
    ("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
     "--shell", "/usr/sbin/nologin", NAME),
    ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", NAME),
)  # fmt: skip


def for_postgres() -> Account | None:
    """None for an ordinary user, who runs PostgreSQL as himself; for root our own account, added if new."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(NAME)
    except KeyError:
        found = _add()
    return Account(found.pw_uid, found.pw_gid)


def _add() -> pwd.struct_passwd:
    way = next((way for way in WAYS if shutil.which(way[0])), None)
    if way is None:
        raise RuntimeError(
            f"PostgreSQL does not run as root, and neither useradd nor adduser is here to add the account "
            f"{NAME}: run Belay as an ordinary user, or set BELAY_POSTGRES_ADMIN to a running server"
        )
    try:
        subprocess.run(way, check=True, capture_output=True, text=True)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"cannot add the account {NAME}: {error.stderr.strip()}") from error
    return pwd.getpwnam(NAME)


def remove() -> None:
    """Take the account away again, where a way to do so is here."""
    way = next((way for way in ("userdel", "deluser") if shutil.which(way)), None)
    if way:
        subprocess.run((way, NAME), check=False, capture_output=True)  # noqa: S603
