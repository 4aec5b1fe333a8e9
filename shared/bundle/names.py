"""Which names a file in a bundle may have. Pure: the rules that keep an archive inside its folder."""

import unicodedata
from collections.abc import Callable
from pathlib import PurePosixPath

from shared.messages.base import Fault

from .faults import fault

MOST_CHARACTERS = 500
MOST_BYTES_OF_A_PART = 255
"""The limit of the usual file systems."""


def fault_of_name(name: str) -> Fault | None:
    """What is wrong with the name of a member, None when it is a plain relative path in normal form."""
    for code, is_broken, message in _RULES:
        if is_broken(name):
            return fault(code, name, message)
    return None


def _too_long(name: str) -> bool:
    return len(name) > MOST_CHARACTERS or any(len(part.encode()) > MOST_BYTES_OF_A_PART for part in name.split("/"))


_RULES: tuple[tuple[str, Callable[[str], bool], str], ...] = (
    ("name_not_utf8", lambda name: any("\ud800" <= c <= "\udfff" for c in name), "the name is not UTF-8"),
    ("absolute_name", lambda name: name.startswith("/"), "the name must be relative to the bundle"),
    ("path_traversal", lambda name: ".." in name.split("/"), "the name must not climb with '..'"),
    ("bad_name", lambda name: "\\" in name or not name.isprintable(), "no backslashes and control characters"),
    ("name_too_long", _too_long, f"at most {MOST_CHARACTERS} characters, and 255 bytes between slashes"),
    (
        "bad_name",
        lambda name: not PurePosixPath(name).parts or str(PurePosixPath(name)) != name,
        "the name must be written plainly, without '.', empty parts and a slash at its end",
    ),
)


class Tree:
    """The names seen so far: finds those that would fall on the same file, also where case does not count."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: set[str] = set()

    def add_folder(self, name: str) -> Fault | None:
        """Take in a folder; a folder may come twice, but not where a file is."""
        for folder in (_folded(name), *_parents(name)):
            if folder in self._files:
                return fault("conflicting_name", name, f"'{self._files[folder]}' is a file, so this cannot be a folder")
            self._folders.add(folder)
        return None

    def add_file(self, name: str) -> Fault | None:
        """Take in a file."""
        folded = _folded(name)
        if folded in self._files:
            return fault("duplicate_name", name, f"'{self._files[folded]}' stands in the bundle already")
        if folded in self._folders:
            return fault("conflicting_name", name, "the name is that of a folder, too")
        self._files[folded] = name
        parent = PurePosixPath(name).parent
        return self.add_folder(str(parent)) if parent.parts else None


def _parents(name: str) -> list[str]:
    return [_folded(str(parent)) for parent in PurePosixPath(name).parents if parent.parts]


def _folded(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
