"""Patches of a kustomization, carried out on the HelmReleases beside it, in the order in which kustomize does.

A HelmRelease has no merge keys, so a strategic merge is one of JSON (RFC 7386): mappings are merged, null takes away,
anything else replaces. Patches by operations are those of RFC 6902. Whatever else a patch may say is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from shared import patterns
from shared.safe_yaml import DEEPEST_OF_TOOLS, MOST_VALUES, BadYaml, Document, Where, documents

from .sections import Section
from .small_files import SmallFiles

KINDS = ("patchesStrategicMerge", "patches", "patchesJson6902")
"""In the order in which kustomize carries them out."""

MOST_OPERATIONS = 200


class BadPatch(ValueError):
    """A patch that cannot be carried out."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One change, where it is said, and what it is for; a target's words are regular expressions of kustomize's."""

    place: str
    document: Document
    target: Mapping[str, str] | None = None
    """None = what the patch itself names."""

    def meets(self, kind: str, name: str) -> bool:
        """Whether it is for an object of this kind and name."""
        if self.target is not None:
            wanted = ((self.target.get("kind"), kind), (self.target.get("name"), name))
            return all(word is None or patterns.compiled(word).fullmatch(said) is not None for word, said in wanted)
        return named_in(self.document.value) == (kind, name)


def named_in(value: Any) -> tuple[Any, Any]:
    """Kind and name of an object."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return (value.get("kind"), metadata.get("name")) if isinstance(metadata, dict) else (None, None)


class Patches:
    """Those of one kustomization."""

    def __init__(self, small: SmallFiles, folder: str, kustomization: Section) -> None:
        self._small = small
        self._folder = folder
        self._kustomization = kustomization
        self._all = [patch for kind in KINDS for patch in self._read(kind)]
        self._met: set[str] = set()

    def carried_out(self, release: Section) -> Section:
        """A HelmRelease with all that is meant for it; what cannot be is blamed, and left out."""
        document = release.document
        for patch in self._all:
            kind, name = named_in(document.value)
            if isinstance(kind, str) and isinstance(name, str) and patch.meets(kind, name):
                self._met.add(patch.place)
                try:
                    document = patched(document, patch.document)
                except BadPatch as error:
                    self._small.findings.blame("bad_patch", patch.place, str(error))
        return release.of(document)

    def note_unmet(self) -> None:
        """Once all releases had their turn: what was meant for none of them changes nothing that is deployed."""
        for patch in self._all:
            if patch.place not in self._met:
                self._small.findings.note("is for no HelmRelease of this tarball, so it changes nothing", patch.place)

    def _read(self, kind: str) -> Iterator[Patch]:
        if kind == "patchesStrategicMerge":
            for number, said in enumerate(self._kustomization.names(kind)):
                read = self._inline if "\n" in said or ": " in said else self._in_file
                yield from read(said, None, self._kustomization.place(kind, number))
            return
        for number, entry in enumerate(self._kustomization.sections(kind)):
            target, path, text = _target(entry), entry.text("path"), entry.text("patch")
            place = self._kustomization.place(kind, number)
            for key in entry.unread():
                entry.blame(key, "is not carried out here", code="unsupported_key")
            if path is not None:
                yield from self._in_file(path, target, place)
            elif text is not None:
                yield from self._inline(text, target, place)
            else:
                self._small.findings.blame("missing_field", place, "needs a `patch`, or a `path` of one")

    def _in_file(self, name: str, target: Mapping[str, str] | None, place: str) -> Iterator[Patch]:
        path = PurePosixPath(self._folder, name)
        file = str(path)
        if ".." in path.parts or file not in self._small.texts:
            message = f"the tarball holds no small file {file}, beside this one and named .yaml or .yml"
            self._small.findings.blame("missing_file", place, message)
            return
        for document in self._small.documents(file) or ():
            yield Patch(f"{file}:{document.line}", document, target)

    def _inline(self, text: str, target: Mapping[str, str] | None, place: str) -> Iterator[Patch]:
        try:
            found = [one for one in documents(text.encode()) if one.value is not None]
        except BadYaml as error:
            self._small.findings.blame("bad_yaml", place, str(error))
            return
        for document in found:
            yield Patch(place, document, target)


def _target(entry: Section) -> dict[str, str] | None:
    """Of what a patch is for; what is not understood of it is blamed, for it would be carried out on too much."""
    section = entry.section("target")
    if section is None:
        return None
    found = {}
    for key in ("group", "version", "kind", "name"):
        if (word := section.text(key)) is not None:
            try:
                patterns.compiled(word)
                found[key] = word
            except ValueError as error:
                section.blame(key, str(error))
                found[key] = "-"  # meets nothing
    for key in section.unread():
        section.blame(key, "patches are carried out by kind and name alone", code="unsupported_key")
    return found


def patched(document: Document, patch: Document) -> Document:
    """A document with one patch carried out, and what is known of how its numbers were written. Raises BadPatch."""
    before = document.value
    if isinstance(patch.value, dict):
        after = merge_patch(before, _without_directives(patch.value))
        written = {where: text for where, text in patch.texts.items() if _at(patch.value, where) == _at(after, where)}
    elif isinstance(patch.value, list):
        after, written = _operated(before, patch.value), {}
    else:
        raise BadPatch("must be a mapping, or a list of operations (RFC 6902)")
    if named_in(after) != named_in(before):
        raise BadPatch("must leave kind and name as they are")
    kept = {where: text for where, text in document.texts.items() if _at(before, where) == _at(after, where)}
    return replace(document, value=after, texts={**kept, **written})


def merge_patch(value: Any, patch: Any) -> Any:
    """As RFC 7386 has it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if inner is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), inner)
    return result


def _without_directives(value: Any) -> Any:
    """The same. Raises BadPatch for what is no value, but a word to kustomize."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if str(key).startswith("$"):
                raise BadPatch(f"the directive {key} is not carried out here")
            _without_directives(inner)
    elif isinstance(value, list):
        for inner in value:
            _without_directives(inner)
    return value


def _operated(value: Any, operations: list[Any]) -> Any:
    # Who has no such patch needs no library for it.
    import jsonpatch  # noqa: PLC0415
    import jsonpointer  # noqa: PLC0415

    if len(operations) > MOST_OPERATIONS:
        raise BadPatch(f"has more than {MOST_OPERATIONS} operations")
    for number, operation in enumerate(operations):
        try:
            value = jsonpatch.JsonPatch([operation]).apply(value)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, AttributeError) as error:
            raise BadPatch(f"operation {number + 1}: {error}") from error
        _must_be_bounded(value)  # each `copy` may double it
    return value


def _must_be_bounded(value: Any) -> None:
    todo, count = [(value, 1)], 0
    while todo:
        one, depth = todo.pop()
        count += 1
        if count > MOST_VALUES or depth > DEEPEST_OF_TOOLS:
            raise BadPatch(f"makes more than {MOST_VALUES} values of it, or {DEEPEST_OF_TOOLS} levels")
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        todo += [(each, depth + 1) for each in inner]


def _at(value: Any, where: Where) -> Any:
    """The value at a path; None where there is none."""
    for step in where:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
