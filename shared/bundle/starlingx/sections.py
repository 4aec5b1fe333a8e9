"""A mapping of a YAML file, read key by key: each of its type, or a fault at its line; and what nobody has read."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.safe_yaml import Document, Where

from .findings import Findings, place_of

_TRUE, _FALSE = {"true", "yes", "y", "1", "on"}, {"false", "no", "n", "0", "off"}


class Section:
    """One mapping. Every getter returns None for what is missing, and for what it has blamed."""

    def __init__(self, file: str, document: Document, findings: Findings, where: Where = ()) -> None:
        self._file = file
        self._document = document
        self._findings = findings
        self._where = where
        self._read: set[str] = set()
        value: Any = document.value
        for step in where:
            value = value[step]
        self._value: Mapping[str, Any] = value

    @property
    def document(self) -> Document:
        """What it is a part of."""
        return self._document

    def of(self, document: Document) -> "Section":
        """The whole of a document that stands in the same file."""
        return Section(self._file, document, self._findings)

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def place(self, *more: str | int) -> str:
        """Where something of it stands: file, line and path."""
        return place_of(self._file, self._document, (*self._where, *more))

    def blame(self, key: str, message: str, *more: str | int, code: str = "invalid_field") -> None:
        """A fault of one of its values."""
        value: Any = self._value.get(key)
        for step in more:
            value = value[step]
        self._findings.blame(code, self.place(key, *more), message, _plain(value))

    def note(self, key: str, text: str) -> None:
        """A notice of one of its values."""
        self._read.add(key)
        self._findings.note(text, self.place(key), key)

    def any(self, key: str) -> Any:
        """A value of whatever type."""
        self._read.add(key)
        return self._value.get(key)

    def text(self, key: str) -> str | None:
        """A text that is not empty; a number without quotes as it is written (`1.10`)."""
        value = self.any(key)
        written = self._document.texts.get((*self._where, key))
        if isinstance(value, int | float) and not isinstance(value, bool) and written is not None:
            return written
        if value is None or (isinstance(value, str) and value.strip()):
            return value.strip() if value else None
        self.blame(key, "must be a text that is not empty")
        return None

    def whole(self, key: str) -> int | None:
        """A whole number that is not negative."""
        value = self.any(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        self.blame(key, "must be a whole number that is not negative")
        return None

    def flag(self, key: str) -> bool | None:
        """Yes or no, in any of the words that StarlingX takes."""
        value = self.any(key)
        word = str(value).lower()
        if value is None or word in _TRUE | _FALSE:
            return None if value is None else word in _TRUE
        self.blame(key, "must be one of true, false, yes, no, y, n, 1, 0")
        return None

    def word(self, key: str, words: Mapping[str, str] | tuple[str, ...]) -> str | None:
        """One of these words."""
        text = self.text(key)
        if text is not None and text not in words:
            self.blame(key, f"must be one of {', '.join(words)}")
            return None
        return text

    def names(self, key: str) -> list[str]:
        """A list of texts; those that are none are blamed, each."""
        found = []
        for position, value in self._items(key):
            written = self._document.texts.get((*self._where, key, position))
            if isinstance(value, str) and value.strip():
                found.append(value.strip())
            elif isinstance(value, int | float) and not isinstance(value, bool) and written is not None:
                found.append(written)
            else:
                self.blame(key, "must be a text that is not empty", position)
        return found

    def section(self, key: str) -> "Section | None":
        """A mapping in it."""
        value = self.any(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.blame(key, "must be a mapping")
            return None
        return self._inner(key)

    def sections(self, key: str) -> list["Section"]:
        """A list of mappings; what is none is blamed."""
        found = []
        for position, value in self._items(key):
            if isinstance(value, dict):
                found.append(self._inner(key, position))
            else:
                self.blame(key, "must be a mapping", position)
        return found

    def nested(self, key: str) -> list["Section | list[Section]"]:
        """A list of mappings, and of lists of mappings."""
        found: list[Section | list[Section]] = []
        for position, value in self._items(key):
            if isinstance(value, dict):
                found.append(self._inner(key, position))
            elif isinstance(value, list) and all(isinstance(one, dict) for one in value):
                found.append([self._inner(key, position, number) for number in range(len(value))])
            else:
                self.blame(key, "must be a mapping, or a list of mappings", position)
        return found

    def keys(self, key: str) -> list[str]:
        """The keys of a mapping in it."""
        value = self.any(key)
        return list(value) if isinstance(value, dict) else []

    def unread(self) -> list[str]:
        """Its keys that nobody asked for."""
        return [key for key in self._value if key not in self._read]

    def note_unread(self, why: str) -> None:
        """Tell of every key that nobody asked for."""
        for key in self.unread():
            self.note(str(key), why)

    def _items(self, key: str) -> Iterator[tuple[int, Any]]:
        value = self.any(key)
        if value is not None and not isinstance(value, list):
            self.blame(key, "must be a list")
            return
        yield from enumerate(value or ())

    def _inner(self, *steps: str | int) -> "Section":
        return Section(self._file, self._document, self._findings, (*self._where, *steps))


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else repr(value)[:200]
