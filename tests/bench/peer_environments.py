"""The packages of the peers, each from its own lock, far from ours: their needs clash with ours."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from shared.downloads import surroundings

PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path("build/peers")
OLDEST_NODE = 20
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
"""No script of a package runs, and nothing is reported anywhere."""


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made anew when its lock is another one."""
    folder, lock = ENVIRONMENTS / peer, PEERS / peer / "requirements.lock"
    python = folder / "bin/python"

    def make() -> None:
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock))

    _made(folder, lock, make)
    return python


def node_modules_of(peer: str) -> Path:
    """The folder with a peer's `node_modules`, made anew when its lock is another one."""
    folder, lock = ENVIRONMENTS / f"{peer}-node", PEERS / peer / "package-lock.json"

    def make() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / peer / name, folder)
        subprocess.run(NPM, cwd=folder, check=True)

    _made(folder, lock, make)
    return folder.resolve()


def lacks_node() -> str | None:
    """Why nothing of Node.js can run here; None when it can."""
    if not (shutil.which("node") and shutil.which("npm")):
        return f"it needs Node.js {OLDEST_NODE} or newer with npm (Debian, Ubuntu: apt install npm)"
    said = subprocess.run(("node", "--version"), capture_output=True, text=True, check=False).stdout.strip()
    if (found := re.match(r"v(\d+)\.", said)) and int(found[1]) >= OLDEST_NODE:
        return None
    return f"it needs Node.js {OLDEST_NODE} or newer; here is {said or 'one that does not start'}"


def _made(folder: Path, lock: Path, make: Callable[[], None]) -> None:
    """Call `make` unless the folder was made from this very lock."""
    mark, digest = folder / "made-from", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        make()
        mark.write_text(digest)


def _uv(*arguments: str) -> None:
    environment = surroundings.for_uv(os.environ)
    subprocess.run((str(Path(sys.executable).with_name("uv")), *arguments), env=environment, check=True)
