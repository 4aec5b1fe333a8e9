"""The virtual environments of the peers, each made from its own lock, far from ours: their needs clash with ours."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from shared.downloads import surroundings

PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path("build/peers")


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made anew when its lock is another one."""
    folder, lock = ENVIRONMENTS / peer, PEERS / peer / "requirements.lock"
    python, mark = folder / "bin/python", folder / "made-from"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock))
        mark.write_text(digest)
    return python


def _uv(*arguments: str) -> None:
    environment = surroundings.for_uv(os.environ)
    subprocess.run((str(Path(sys.executable).with_name("uv")), *arguments), env=environment, check=True)
