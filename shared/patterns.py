"""Regular expressions from strangers, matched in time that grows with the text alone, whatever the expression is (RE2).

Versions are named so by the applications of StarlingX. An expression that backtracks without end would stop whoever
asks it; RE2 never does, and so knows nothing that would need it.
"""

import re
from functools import lru_cache
from typing import Protocol

import re2

LONGEST = 200
MEMORY_BYTES = 1 << 20
"""Of one expression: what would take more, as repeats of repeats of repeats, is refused."""

_NO_LEAST = re.compile(r"\{,\d+\}")
_LACKING = {
    "invalid perl operator": "look-around and groups of this kind are not taken",
    "invalid escape sequence": "back references and escapes of this kind are not taken",
    "bad repetition operator": "what repeats already may not repeat",
}
"""What RE2 calls what Python's expressions have beside it."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = MEMORY_BYTES


class Pattern(Protocol):
    """An expression that can be asked."""

    def fullmatch(self, text: str) -> object | None:
        """Something when it matches the text from end to end."""


@lru_cache(maxsize=1024)
def compiled(text: str) -> Pattern:
    """The expression. Raises ValueError, with what is not taken, for one that is none or needs to backtrack."""
    if len(text) > LONGEST:
        raise ValueError(f"an expression may have {LONGEST} characters")
    if found := _NO_LEAST.search(text):
        raise ValueError(f"'{found[0]}' is not taken in an expression: say the least as well, {{0{found[0][1:]}")
    try:
        pattern: Pattern = re2.compile(text, _OPTIONS)
    except (re2.error, UnicodeError) as error:
        raise ValueError(f"is no regular expression that is taken: {_told(error)}") from error
    return pattern


def _told(error: Exception) -> str:
    said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
    why = next((why for code, why in _LACKING.items() if said.startswith(code)), None)
    return f"{said} ({why})" if why else said
