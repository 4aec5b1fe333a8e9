"""One folder made like another, as `rsync -a --delete` would: what is the same stays, what is too much goes."""

import filecmp
import shutil
from pathlib import Path


def make_alike(source: Path, target: Path) -> int:
    """Make `target` like `source`; how many files were written or removed. Done again after a crash, it goes on."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = {path.name: path for path in source.iterdir()}
    changed = 0
    for path in target.iterdir():
        if path.name not in wanted or _kind(path) != _kind(wanted[path.name]):
            _remove(path)
            changed += 1
    for name, path in wanted.items():
        changed += make_alike(path, target / name) if path.is_dir() else _copy(path, target / name)
    return changed


def _kind(path: Path) -> str:
    return "link" if path.is_symlink() else "folder" if path.is_dir() else "file"


def _remove(path: Path) -> None:
    shutil.rmtree(path) if _kind(path) == "folder" else path.unlink()


def _copy(source: Path, target: Path) -> int:
    """A file is never seen half: it is written beside and renamed."""
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return 0
    draft = target.with_name(f".{target.name}.draft")
    shutil.copy2(source, draft)
    draft.replace(target)
    return 1
