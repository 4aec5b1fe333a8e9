"""Values as Helm takes them on its command line: `a.b=c,d={x,y},e[0].f=1`, with backslashes before what is meant as is.

Own code, since no library of Python reads this notation. What Helm does is done here: numbers are whole numbers without
a leading zero, `true`, `false` and `null` mean what they say unless text is asked for, an empty value is an empty text.
"""

from collections.abc import Callable
from typing import Any

from shared.values.paths import Key, written

FARTHEST = 1_000
"""The greatest place of a list that may be set."""

DEEPEST = 30


class BadSetting(ValueError):
    """What cannot be read, with what would be right."""


def set_in(values: dict[str, Any], text: str, *, strings: bool = False) -> dict[str, Any]:
    """The values with what the text says set in them; `strings`: nothing is taken for a number, truth value or null.

    Raises BadSetting.
    """
    typed = str if strings else _typed
    for path, value in _Reader(text, typed).all():
        values = _put(values, path, value, text, ())
    return values


class _Reader:
    """Reads one text, character by character: brackets, commas and dots mean something else in each place."""

    def __init__(self, text: str, typed: Callable[[str], Any]) -> None:
        self._text, self._typed, self._at = text, typed, 0

    def all(self) -> list[tuple[tuple[Key, ...], Any]]:
        found = []
        while self._at < len(self._text):
            path = self._path()
            found.append((path, self._value()))
        if not found:
            raise BadSetting("must be key=value, such as image.tag=2.0")
        return found

    def _path(self) -> tuple[Key, ...]:
        path: list[Key] = []
        while True:
            key, stop = self._until(".[=,")
            if not key:
                raise self._wrong("a key must stand before '='" if stop == "=" else f"a key is missing before '{stop}'")
            path.append(key)
            while stop == "[":
                path.append(self._index())
                stop = self._next()
            if stop == "=":
                return tuple(path)
            if stop != ".":
                raise self._wrong(f"'{written(path)}' has no value: write {written(path)}=VALUE")
            if len(path) >= DEEPEST:
                raise self._wrong(f"at most {DEEPEST} keys may stand within each other")

    def _index(self) -> int:
        digits, stop = self._until("]")
        if stop != "]" or not digits.isascii() or not digits.isdigit() or int(digits[:7]) > FARTHEST:
            raise self._wrong(f"brackets hold the place in a list, from 0 to {FARTHEST}, such as hosts[0]")
        return int(digits)

    def _value(self) -> Any:
        if self._text[self._at : self._at + 1] != "{":
            return self._typed(self._until(",")[0])
        self._at += 1
        items: list[Any] = []
        while True:
            item, stop = self._until(",}")
            if not stop:
                raise self._wrong("a list ends with '}'")
            if items or item or stop == ",":
                items.append(self._typed(item))
            if stop == "}":
                break
        if self._next() not in ("", ","):
            raise self._wrong("a comma must follow the '}' of a list")
        return items

    def _until(self, stops: str) -> tuple[str, str]:
        """What stands before the next of these characters, without backslashes, and which it was; "" = the end."""
        found = ""
        while char := self._next():
            if char == "\\":
                found += self._next()
            elif char in stops:
                return found, char
            else:
                found += char
        return found, ""

    def _next(self) -> str:
        char = self._text[self._at : self._at + 1]
        self._at += 1
        return char

    def _wrong(self, message: str) -> BadSetting:
        return BadSetting(f"'{self._text}': {message}")


def _typed(text: str) -> Any:
    words = {"true": True, "false": False, "null": None, "0": 0}
    if text in words:
        return words[text]
    digits = text.removeprefix("-")
    whole = digits.isascii() and digits.isdigit() and not digits.startswith("0") and len(digits) <= 18
    return int(text) if whole else text


def _put(values: Any, path: tuple[Key, ...], value: Any, text: str, done: tuple[Key, ...]) -> Any:
    if not path:
        return value
    key, rest, here = path[0], path[1:], (*done, path[0])
    if isinstance(key, int):
        return _put_in_list(values, key, _Rest(rest, value, text, here))
    if values is not None and not isinstance(values, dict):
        raise BadSetting(f"'{text}': '{written(done)}' is no mapping, so nothing can be set in it")
    mapping = values or {}
    return {**mapping, key: _put(mapping.get(key) if rest else None, rest, value, text, here)}


class _Rest:
    """What is left to be set below a place of a list."""

    def __init__(self, path: tuple[Key, ...], value: Any, text: str, done: tuple[Key, ...]) -> None:
        self.path, self.value, self.text, self.done = path, value, text, done


def _put_in_list(values: Any, place: int, rest: _Rest) -> list[Any]:
    """Places before it that are not there become null."""
    if values is not None and not isinstance(values, list):
        raise BadSetting(f"'{rest.text}': '{written(rest.done[:-1])}' is no list")
    items = [*(values or [])]
    items += [None] * (place + 1 - len(items))
    items[place] = _put(items[place] if rest.path else None, rest.path, rest.value, rest.text, rest.done)
    return items
