"""The values of a HelmRelease as Flux lays them over each other: what `valuesFrom` names, in its order, then its own.

What the ConfigMaps and Secrets hold is what the kustomization beside it makes them of: files, and literals.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from shared.safe_yaml import BadYaml, documents

from .charts import merged
from .sections import Section
from .small_files import SmallFiles

PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
"""Of a single value. Flux takes Helm's `--set`, of which lists and escapes are not carried out here."""

BEYOND = re.compile(r"[,{\\]")
"""In a single value without quotes: to `--set` it would be a list, or several values."""


class Made(NamedTuple):
    """What one key of a ConfigMap or Secret holds: a file of the tarball, or a text with where it stands."""

    file: str | None = None
    literal: str = ""
    place: str = ""


class BadValue(ValueError):
    """A single value that cannot be put where it should go."""


class ValueSources:
    """Those of one HelmRelease. What is wrong is in the findings."""

    def __init__(self, small: SmallFiles, folder: str, kustomization: Section) -> None:
        self._small = small
        self._made = made_by(kustomization, folder)

    def values(self, spec: Section) -> dict[str, Any]:
        """All of them, merged."""
        result: dict[str, Any] = {}
        for number, source in enumerate(spec.sections("valuesFrom")):
            result = self._over(result, source, spec.place("valuesFrom", number))
        own = spec.section("values")
        return merged(result, dict(spec.any("values") or {})) if own else result

    def _over(self, below: dict[str, Any], source: Section, place: str) -> dict[str, Any]:
        name, key = source.text("name") or "", source.text("valuesKey") or "values.yaml"
        made, path = self._made.get((name, key)), source.text("targetPath")
        if made is None:
            message = f"the values of {name} ({key}) lie in no file of the tarball; give them as overrides"
            self._small.findings.note(message, place)
        elif path is not None:
            return self._with_single(below, made, path, source)
        elif made.file is None:
            return merged(below, self._mapping_in(made))
        elif self._is_there(made.file, place):
            return merged(below, self._mapping_of(made.file))
        return below

    def _is_there(self, file: str, place: str) -> bool:
        if file in self._small.texts:
            return True
        why = "is read only if its name ends with .yaml or .yml" if file in self._small.files else "is not there"
        self._small.findings.blame("missing_file", place, f"the file {file} of the tarball {why}")
        return False

    def _with_single(self, below: dict[str, Any], made: Made, path: str, source: Section) -> dict[str, Any]:
        """A single value put at a path."""
        if not PATH.fullmatch(path):
            message = "must be names with dots between, such as image.tag: lists and escapes are not carried out here"
            source.blame("targetPath", message, code="unsupported_key")
            return below
        if made.file is not None and not self._is_there(made.file, source.place("valuesKey")):
            return below
        text = made.literal
        if made.file is not None:
            self._small.used.add(made.file)
            text = self._small.texts[made.file].decode(errors="replace")
        try:
            return put_at(below, path.split("."), single(text))
        except BadValue as error:
            source.blame("targetPath", str(error), code="bad_values")
            return below

    def _mapping_of(self, file: str) -> Mapping[str, Any]:
        return self._mapping(self._small.documents(file) or [], file, 0)

    def _mapping_in(self, made: Made) -> Mapping[str, Any]:
        try:
            found = [one for one in documents(made.literal.encode()) if one.value is not None]
        except BadYaml as error:
            self._small.findings.blame("bad_values", made.place, str(error))
            return {}
        return self._mapping(found, made.place, None)

    def _mapping(self, found: list[Any], place: str, first: int | None) -> Mapping[str, Any]:
        if not found:
            return {}
        if len(found) == 1 and isinstance(found[0].value, dict):
            return found[0].value
        where = place if first is None else f"{place}:{found[-1].line}"
        self._small.findings.blame("bad_values", where, "must be one mapping of values")
        return {}


def single(text: str) -> Any:
    """A single value as Helm's `--set` reads it: in quotes a text, else perhaps a truth value, null or a number.

    Raises BadValue for what `--set` would take apart.
    """
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if BEYOND.search(text):
        raise BadValue("its value has a comma, brace or backslash, which Helm takes apart: put it into quotes")
    word = text.lower()
    if word in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[word]
    return int(text) if re.fullmatch(r"0|-?[1-9]\d{0,17}", text) else text


def put_at(values: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """The same values with this one at a path. Raises BadValue where something other than a mapping is on the way."""
    name, *rest = path
    if not rest:
        return {**values, name: value}
    inner = values.get(name, {})
    if not isinstance(inner, Mapping):
        raise BadValue(f"leads through '{name}', which is no mapping in the values before it")
    return {**values, name: put_at(inner, rest, value)}


def made_by(kustomization: Section, folder: str) -> dict[tuple[str, str], Made]:
    """What the ConfigMaps and Secrets that a kustomization makes hold, by their names and keys."""
    found: dict[tuple[str, str], Made] = {}
    for kind in ("secretGenerator", "configMapGenerator"):
        for maker in kustomization.sections(kind):
            name = maker.text("name") or ""
            for entry in maker.names("files"):
                key, _, path = entry.rpartition("=")
                found[name, key or PurePosixPath(path).name] = Made(str(PurePosixPath(folder, path)))
            for number, entry in enumerate(maker.names("literals")):
                key, _, value = entry.partition("=")
                found[name, key] = Made(None, unquoted(value), maker.place("literals", number))
    return found


def unquoted(value: str) -> str:
    """A literal as kustomize takes it."""
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"" else value
