"""YAML from strangers: plain documents of maps, lists and scalars, with where each value stands; or a clear error.

Scalars mean what Helm and Flux take them for: dates stay texts, `1e3` is a number, `12:30` is none.

Nothing of it is kept but values and lines, so a text of a megabyte cannot take a hundred. How much a text may hold,
aliases unfolded, is bounded before it is built.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.yaml_scalars import BadYaml, is_text, key_of, refused, surprises, value_of

__all__ = ["BadYaml", "Document", "KeyTwice", "Where", "document", "documents", "dumped", "load", "with_all_faults"]

DEEPEST = 20
DEEPEST_OF_TOOLS = 60
MOST_VALUES = 40_000
LONG = 1024
"""A text counts as one value more for each so many characters: an alias for a long one repeats all of it."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Where = tuple[str | int, ...]
"""The way to a value: names, and positions in lists."""


class KeyTwice(BadYaml):
    """A key that stands twice in a mapping; YAML would keep the last one and say nothing."""

    def __init__(self, event: Any, key: Any) -> None:
        self.key = key
        super().__init__(f"the key '{key}' stands twice", event.start_mark.line + 1, event.start_mark.column + 1)


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its value, and the lines of what it holds, from 1."""

    value: Any
    line: int = 1
    lines: Mapping[Where, int] = field(default_factory=dict)
    texts: Mapping[Where, str] = field(default_factory=dict)
    """Scalars without quotes that are no texts, as they are written: `1.10` is the number 1.1."""

    def line_of(self, where: Where) -> int:
        """Where a value stands; of one that is not there, where its place would be."""
        for depth in range(len(where), 0, -1):
            if (line := self.lines.get(where[:depth])) is not None:
                return line
        return self.line


def load(content: bytes) -> Any:
    """The value in a YAML document. Raises BadYaml as `document` does."""
    return document(content).value


def document(content: bytes) -> Document:
    """The only document of a text that people wrote for Belay.

    Raises BadYaml for text that is not UTF-8 or not YAML, several documents, aliases (which unfold to bombs), keys
    that stand twice (of which one would be lost), deep nesting, NUL characters, tags, and values that JSON has no form
    for.
    """
    return _only(_documents(content, _Builder()))


def with_all_faults(content: bytes, most: int) -> tuple[Document, list[BadYaml]]:
    """The only document of a text that people wrote for Belay, of up to `most` values, and every fault beside which the
    rest can be read: keys that stand twice, values that are none, and what is a number or a truth value here alone.
    Aliases are taken.

    Raises BadYaml as `document` does for whatever else.
    """
    faults: list[BadYaml] = []
    return _only(_documents(content, _Builder(aliases=True, most=most, fault=faults.append, wary=True))), faults


def _only(documents: Iterator[Document]) -> Document:
    found = list(documents)
    if len(found) > 1:
        raise BadYaml("expected a single document in the stream, but found another document", found[1].line, 1)
    return found[0] if found else Document(None)


def documents(content: bytes, most: int = MOST_VALUES) -> list[Document]:
    """All documents of a text written for Helm, Flux and their like, with the values that these would read.

    Aliases are taken, as long as no more than `most` values come of them. Raises BadYaml as `document` does.
    """
    return list(_documents(content, _Builder(aliases=True, deepest=DEEPEST_OF_TOOLS, most=most)))


def dumped(value: Any) -> str:
    """A value as YAML that is read here, and by Helm, as what it is; for people, in the order that it has."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Texts that are numbers or truth values without quotes get some: YAML 1.1 needs none for `1e3`."""

    def text(self, value: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=None if is_text(value) else "'")


_Dumper.add_representer(str, _Dumper.text)


def _documents(content: bytes, builder: "_Builder") -> Iterator[Document]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadYaml(f"byte {error.start} is not UTF-8", content.count(b"\n", 0, error.start) + 1, 1) from error
    try:
        yield from builder.build(yaml.parse(text, Loader=_Parser))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark
        where = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise BadYaml(str(error.problem or error.context), *where) from error
    except (yaml.YAMLError, ValueError, UnicodeError) as error:
        raise BadYaml(str(error).splitlines()[0]) from error


def _stop(error: BadYaml) -> None:
    raise error


class _Builder:
    """Values of events, one after the other, counted before they are kept."""

    def __init__(
        self,
        *,
        aliases: bool = False,
        deepest: int = DEEPEST,
        most: int = MOST_VALUES,
        fault: Callable[[BadYaml], None] = _stop,
        wary: bool = False,
    ) -> None:
        self._wary = wary
        self._fault = fault
        self._aliases = aliases
        self._deepest = deepest
        self._most = most
        self._left = most

    def build(self, events: Iterator[Any]) -> Iterator[Document]:
        """Each document as soon as it is whole."""
        self._events = events
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._lines: dict[Where, int] = {}
                self._texts: dict[Where, str] = {}
                self._anchors: dict[str, tuple[Any, int]] = {}
                first = next(events)
                value, _ = self._node(first, (), 1)
                yield Document(value, first.start_mark.line + 1, self._lines, self._texts)

    def _node(self, event: Any, where: Where, depth: int) -> tuple[Any, int]:
        """The value that begins with an event, and of how many values it is made, itself with them."""
        self._lines.setdefault(where, event.start_mark.line + 1)
        if depth > self._deepest and not isinstance(event, yaml.ScalarEvent):
            raise refused(event, f"nested deeper than {self._deepest} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._left
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            self._count(event, len(event.value) // LONG)
            value = self._scalar(event, where)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(event, where, depth)
        else:
            value = self._map(event, where, depth)
        size = before - self._left
        if event.anchor:
            self._anchors[event.anchor] = value, size
        return value, size

    def _count(self, event: Any, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise refused(event, f"it holds more than {self._most} values")

    def _alias(self, event: Any) -> tuple[Any, int]:
        if not self._aliases:
            raise refused(event, f"aliases (*{event.anchor}) are not taken; write the value out")
        if event.anchor not in self._anchors:
            raise refused(event, f"found undefined alias '{event.anchor}'")
        self._count(event, self._anchors[event.anchor][1])
        return self._anchors[event.anchor]

    def _scalar(self, event: Any, where: Where) -> Any:
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in event.value):
            raise refused(event, "NUL characters and lone surrogates are not taken")
        value = self._read(event)
        if not isinstance(value, str) and value is not None:
            self._texts[where] = event.value
        return value

    def _read(self, event: Any) -> Any:
        try:
            value = value_of(event)
            if self._wary and event.implicit[0] and surprises(event.value):
                self._fault(refused(event, f"{event.value} is read as {key_of(value)}, and as a text by others"))
            return value
        except BadYaml as error:
            self._fault(error)
            return event.value

    def _list(self, start: Any, where: Where, depth: int) -> list[Any]:
        _untagged(start, "seq")
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._node(event, (*where, len(values)), depth + 1)[0])
        return values

    def _map(self, start: Any, where: Where, depth: int) -> dict[Any, Any]:
        _untagged(start, "map")
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            value, _ = self._node(next(self._events), (*where, key), depth + 1)
            if key == "<<" and event.implicit[0]:
                merged = {**_merged(event, value), **merged}
            elif key in own:
                self._fault(KeyTwice(event, key))
            else:
                own[key] = value
            self._lines[(*where, key)] = event.start_mark.line + 1
        return {**merged, **own}

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise refused(event, "keys must be plain texts")
        self._count(event, 1)
        return key_of(self._scalar(event, ()))


def _merged(event: Any, value: Any) -> dict[Any, Any]:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) for part in parts):
        raise refused(event, "what is merged (<<) must be mappings")
    return {key: inner for part in reversed(parts) for key, inner in part.items()}


def _untagged(event: Any, kind: str) -> None:
    if event.tag not in (None, "!", f"tag:yaml.org,2002:{kind}"):
        raise refused(event, f"could not determine a constructor for the tag '{event.tag}'")
