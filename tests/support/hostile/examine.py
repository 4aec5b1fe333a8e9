"""Examines hostile bundles in a process of its own, and says what each did to it: its faults, its memory, its files.

`python -m tests.support.hostile.examine FOLDER` reads the files of FOLDER, and writes a line of JSON for each.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from shared.bundle import BundleRefused, unpack, verify
from tests.support.bundles import bundle
from tests.support.starlingx import flux, tarball


def examine(file: Path, target: Path) -> dict[str, object]:
    """Verify a bundle and unpack it. `unpacked`: whether what is checked before that let it through."""
    began = time.process_time()
    faults: list[tuple[str, str]] = []
    try:
        verify(file)
    except BundleRefused as refused:
        faults = [(fault.code, fault.field) for fault in refused.faults]
    codes = [code for code, _ in faults]
    try:
        unpack(file, target)
        unpacked = True
    except BundleRefused:
        unpacked = False
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    spent = round(time.process_time() - began, 2)
    return {
        "codes": codes,
        "places": faults,
        "unpacked": unpacked,
        "peak": peak_memory(),
        "children": children,
        "seconds": spent,
    }


def peak_memory() -> int:
    """The most bytes that this process has had in memory; `ru_maxrss` would count what began it, too, before exec."""
    said = Path("/proc/self/status").read_text()
    return int(said.partition("VmHWM:")[2].split()[0]) * 1024


def main(folder: Path) -> None:
    """Good ones first: what the code itself takes is not the hostile ones' doing."""
    for name, content in (("good", bundle()), ("good-starlingx", tarball(flux()))):
        (folder / name).write_bytes(content)
        found = examine(folder / name, folder / "targets" / name)
        sys.stdout.write(json.dumps({"name": name, **found}) + "\n")
    for file in sorted((folder / "corpus").iterdir()):
        found = examine(file, folder / "targets" / file.name)
        sys.stdout.write(json.dumps({"name": file.name, **found}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
