"""Whether a site of this machine can be worked on: its folder, or what it will lie in, is there and can be written."""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from services.deployer.drivers import Broken, Reachable, Reached
from shared.messages.words import Name


class _Host(BaseModel):
    """What of a connection says where a site lies."""

    host: Name = "local"


MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""As images call them."""


GONE = {"deployed": "gone: the folder of the site is not there"}


def reached(home: Path, site: Reachable) -> Reached | Broken:
    """What one site says. A host that nothing was put on yet has no folder: then it is what it will be made in.

    A host's folder may be a link to a disk of its own; without that disk the link leads nowhere. A site where something
    was deployed and whose own folder is gone answers, since it can be worked on, and says so as a fact.
    """
    try:
        host = home / "hosts" / _Host.model_validate(dict(site.connection)).host
    except ValidationError as error:
        return Broken(
            "bad_connection", "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        )
    own, *around = (host / "sites" / quote(site.site), host / "sites", host, home / "hosts", home)
    if own.is_symlink() or own.exists():
        return _asked(own, facts())
    for folder in around:
        if folder.is_symlink() or folder.exists():
            return _asked(folder, facts() | GONE if site.deployed else facts())
    return Broken("unreachable", f"there is no folder {home.name}: the deployer's home is gone")


def _asked(folder: Path, said: Mapping[str, str]) -> Reached | Broken:
    if not folder.is_dir():
        return Broken("unreachable", f"{folder.name} is no folder, or a link to one that is not there")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Broken("unreachable", f"the folder {folder.name} cannot be written")
    return Reached(shutil.disk_usage(folder).free, said)


@cache
def facts() -> dict[str, str]:
    """Of this machine."""
    machine = platform.machine()
    return {
        "platform": f"{sys.platform}/{MACHINES.get(machine, machine)}",
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
