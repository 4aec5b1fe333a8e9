"""Fields of a request, each looked at for what it may be; every fault is kept, none is the last. Pure.

What a client sends is repeated in a fault, cut off; never what stands in a field that may hold a password.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SHOWN = 60
LEAST_PASSWORD = 4
"""Characters: a shorter one cannot be taken out of what a driver tells, without spoiling all of it."""

WORDS = {"true": True, "false": False}
SHORT_WORDS = {**WORDS, "t": True, "f": False}


class Fields:
    """A body, and what is wrong with it so far."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self.known: set[str] = set()
        self.faults: list[str] = []

    @property
    def ignored(self) -> list[str]:
        """Names that nothing asked for: theirs passes them by, and so does Belay, but says so."""
        return sorted(self._body.keys() - self.known)

    def get(self, name: str) -> Any:
        """What stands there; None and empty text are as if it were left out."""
        self.known.add(name)
        value = self._body.get(name)
        return None if value is None or value == "" else value

    def fault(self, message: str) -> None:
        """One more."""
        self.faults.append(message)

    def text(self, name: str) -> str | None:
        """Text, if it is given."""
        value = self.get(name)
        if value is None or isinstance(value, str):
            return value
        self.fault(f"Invalid value {shown(value)} for {name}: it must be a string")
        return None

    def truth(self, name: str, words: Mapping[str, bool] = WORDS, *, loose: bool = True) -> bool | None:
        """A JSON boolean, or one of the words; `loose`: in any case and with blanks around it."""
        value = self.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) and loose else value
        if isinstance(word, str) and word in words:
            return words[word]
        self.fault(f"Invalid value {shown(value)} for {name}: it must be true or false")
        return None

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number, or its digits as text."""
        value = self.get(name)
        if value is None:
            return None
        number = _whole(value)
        if number is None:
            self.fault(f"{name} invalid value. Value: {shown(value)}: it must be a whole number")
        elif not least <= number <= most:
            self.fault(f"{name} must be between {least} and {most}. Value: {number}")
        else:
            return number
        return None

    def one_of(self, name: str, words: Iterable[str], otherwise: Callable[[str], str]) -> str | None:
        """One of the words, if it is given."""
        value = self.get(name)
        if value is None or (isinstance(value, str) and value in words):
            return value
        self.fault(otherwise(shown(value)))
        return None

    def password(self, name: str, required: str) -> str | None:
        """Text that is sent as base64. `required` is the fault of leaving it out."""
        value = self.get(name)
        if value is None:
            self.fault(required)
            return None
        try:
            # Junk would be passed by otherwise, and found out at the first site.
            clear = base64.b64decode(value, validate=True).decode().rstrip("\r\n") if isinstance(value, str) else None
        except ValueError:  # also of what is no base64, or not ASCII
            clear = None
        if clear is None or "\x00" in clear:
            self.fault(f"Failed to decode subcloud {name}, verify the password is base64 encoded")
            return None
        if len(clear) < LEAST_PASSWORD:
            self.fault(f"subcloud {name} must have at least {LEAST_PASSWORD} characters once it is decoded")
            return None
        return clear


def shown(value: Any) -> str:
    """A value in quotes, cut off."""
    text = str(value)
    return f"'{text[:SHOWN]}{'...' if len(text) > SHOWN else ''}'"


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and len(value) < SHOWN and value.strip().lstrip("-").isascii():
        digits = value.strip()
        return int(digits) if digits.lstrip("-").isdigit() and digits.count("-") <= 1 else None
    return value if isinstance(value, int) else None
