"""What playbooks include by name while they run, looked for in the bundle: Ansible itself looks only on the hosts.

A role or a file of tasks that is not there would fail on every site alike, in the middle of its work. Names that only a
host knows (templates), paths outside of the bundle and files with tags of Ansible's own are left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from shared.safe_yaml import BadYaml, Document, Where, documents

OF_PLAYS = ("pre_tasks", "tasks", "post_tasks", "handlers")
OF_BLOCKS = ("block", "rescue", "always")
PREFIXES = ("", "ansible.builtin.", "ansible.legacy.")
ENDINGS = ("", ".yml", ".yaml", ".json")
LARGEST = 1_000_000
"""Bytes of a file that is looked into: people write no longer ones."""
LONGEST = 250
"""Bytes of a name that is looked for."""
_WORD = re.compile(r"""(\w+)=("[^"]*"|'[^']*'|\S+)""")


class Place(NamedTuple):
    """Where in the bundle something is said, and from where the names there are looked for."""

    file: Path
    book: Path
    """The folder of the playbook."""
    role: Path | None = None
    """The folder of the role whose file it is."""


@dataclass(slots=True)
class Included:
    """The files that a playbook leads to, and what is missing among them."""

    folder: Path
    roles: tuple[str, ...]
    collections: tuple[str, ...]
    _left: list[Place] = field(default_factory=list)
    """Files that were named, and not looked into yet: a list, since a bundle may have a long chain of them."""

    def missing(self, playbook: str) -> list[str]:
        """What the playbook, and all that it leads to, includes and the bundle has not; each with its place."""
        path = self.folder / playbook
        self._left, seen, found = [Place(path, path.parent)], set[Place](), dict[str, None]()
        while self._left:
            place = self._left.pop()
            if place not in seen:
                seen.add(place)
                found |= dict.fromkeys(self._looked_into(place))
        return list(found)

    def _looked_into(self, place: Place) -> Iterator[str]:
        """A playbook is a list of plays, a file of tasks one of tasks; what is neither has nothing to say here."""
        document = _read(place.file)
        for number, each in enumerate(_list(document.value)):
            if isinstance(each, Mapping):
                self._play(each, place)
                for key in OF_PLAYS:
                    yield from self._tasks(_list(each.get(key)), (number, key), document, place)
                yield from self._task(each, (number,), document, place)

    def _play(self, play: Mapping[str, Any], place: Place) -> None:
        if file := _named(_said(play, "import_playbook"), "file"):
            path = place.file.parent / file
            self._left += [Place(path, path.parent)] if self._is_ours(path) else []
        for role in _list(play.get("roles")):
            if _is_static(name := _named(role, "role", "name")) and (found := self._found(name, place)):
                self._role(found, "main", place)

    def _is_ours(self, path: Path) -> bool:
        """Whether it lies in the bundle: whatever a name says, nothing else of this machine is read."""
        return path.resolve().is_relative_to(self.folder.resolve())

    # -- tasks ----------------------------------------------------------------------------------------------------

    def _tasks(self, tasks: Iterable[Any], where: Where, document: Document, place: Place) -> Iterator[str]:
        for number, task in enumerate(tasks):
            if isinstance(task, Mapping):
                yield from self._task(task, (*where, number), document, place)

    def _task(self, task: Mapping[str, Any], where: Where, document: Document, place: Place) -> Iterator[str]:
        for key in OF_BLOCKS:
            yield from self._tasks(_list(task.get(key)), (*where, key), document, place)
        told = f"({place.file.relative_to(self.folder)}:{document.line_of(where)})"
        for kind in ("include", "import"):
            if role := _said(task, f"{kind}_role"):
                wrong = self._of_role(_named(role, "name", "role"), _named(role, "tasks_from", plain=False), place)
            elif file := _named(_said(task, f"{kind}_tasks"), "file"):
                wrong = self._of_tasks(file, place)
            else:
                continue
            if wrong and kind == "include":  # what is imported Ansible's own check looks for
                yield f"{wrong} {told}"

    def _of_tasks(self, name: str, place: Place) -> str | None:
        if not _is_static(name):
            return None
        folders = [place.file.parent, place.book, *([place.role / "tasks", place.role] if place.role else [])]
        found = next((path for folder in folders if self._is_ours(path := folder / name) and path.is_file()), None)
        if not found:
            return f"the tasks '{name}' that it includes are not in the bundle"
        self._left.append(place._replace(file=found))
        return None

    def _of_role(self, name: str, entry: str, place: Place) -> str | None:
        if not _is_static(name):
            return None
        if not (found := self._found(name, place)):
            return f"the role '{name}' that it includes is not in the bundle"
        if _is_static(entry) and not _tasks_of(found, entry):
            return f"the role '{name}' that it includes has no tasks '{entry}'"
        self._role(found, entry or "main", place)
        return None

    # -- roles ----------------------------------------------------------------------------------------------------

    def _role(self, found: Path, entry: str, place: Place) -> None:
        for path in (_tasks_of(found, entry), _tasks_of(found, "main", "handlers")):
            if path and self._is_ours(path):
                self._left.append(Place(path, place.book, found))

    def _found(self, name: str, place: Place) -> Path | None:
        """The folder of a role, looked for where Ansible does, and a little beyond."""
        if len(parts := name.split(".")) >= 3 and (
            found := next(self._in_collections(place, parts[0], parts[1], "/".join(parts[2:])), None)
        ):
            return found
        beside = [place.role.parent] if place.role else []
        ours = (self.folder / each for each in self.roles)
        folders = [place.book / "roles", *ours, *beside, place.book, self.folder]
        plain = (path for folder in folders if (path := folder / name).is_dir())
        return next(plain, None) or next(self._in_collections(place, "*", "*", name), None)

    def _in_collections(self, place: Place, namespace: str, collection: str, role: str) -> Iterator[Path]:
        for folder in (*(self.folder / each for each in self.collections), place.book / "collections"):
            yield from (folder / "ansible_collections").glob(f"{namespace}/{collection}/roles/{role}")


def _read(file: Path) -> Document:
    """Nothing, where it cannot be read here: Ansible's own check tells it, if it does not take it either."""
    if not file.is_file() or file.stat().st_size > LARGEST:
        return Document(None)
    with suppress(BadYaml):
        return next(iter(documents(file.read_bytes())), Document(None))
    return Document(None)


def _said(task: Mapping[str, Any], action: str) -> Any:
    """What a task says to an action, by any of its names."""
    return next((task[name] for prefix in PREFIXES if (name := prefix + action) in task), None)


def _named(said: Any, *keys: str, plain: bool = True) -> str:
    """A name in what an action is told: in a mapping, in words (`name=web`), or all of it where it is `plain`."""
    if isinstance(said, str):
        words = {key: value.strip("'\"") for key, value in _WORD.findall(said)}
        said = words or ({keys[0]: said.strip()} if plain else {})
    found = next((said[key] for key in keys if key in said), "") if isinstance(said, Mapping) else ""
    return found if isinstance(found, str) else ""


def _is_static(name: str) -> bool:
    """Whether it names something of the bundle, whatever the host. No file system takes longer names."""
    plain = bool(name) and not name.startswith(("/", "~")) and not any(mark in name for mark in ("{{", "{%", *"*?["))
    return plain and len(name.encode()) <= LONGEST


def _tasks_of(role: Path, entry: str, kind: str = "tasks") -> Path | None:
    return next((path for end in ENDINGS if (path := role / kind / f"{entry}{end}").is_file()), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
