"""Regular expressions from strangers: as much of them as can be matched in bounded time, whatever the text is.

Versions are named so by the applications of StarlingX. An expression that backtracks without end would stop whoever
asks it, so one may repeat little, and nothing that repeats by itself.
"""

import re
from functools import lru_cache

MOST_REPEATS = 4
LONGEST = 200

_TOKEN = re.compile(
    r"(?P<escape>\\[dDwWsS\W])|(?P<set>\[\^?\]?[^\]\[\\]*\])|(?P<open>\((?:\?:)?)|(?P<close>\))"
    r"|(?P<repeat>[*+?]|\{\d{1,3}(?:,\d{0,3})?\})|(?P<plain>[^\\\[\](){}*+?])"
)


@lru_cache(maxsize=1024)
def compiled(text: str) -> "re.Pattern[str]":
    """The expression. Raises ValueError, with what is not taken, for one that is none or might take for ever."""
    if len(text) > LONGEST:
        raise ValueError(f"an expression may have {LONGEST} characters")
    place, repeats, before = 0, 0, "open"
    while place < len(text):
        if (token := _TOKEN.match(text, place)) is None:
            raise ValueError(f"'{text[place : place + 10]}' is not taken in an expression")
        kind = token.lastgroup or ""
        repeats += kind == "repeat"
        if kind == "repeat" and (before in ("open", "repeat") or (before == "close" and token[0] != "?")):
            raise ValueError(f"what stands in brackets, or repeats already, may not repeat: '{text[: token.end()]}'")
        place, before = token.end(), kind
    if repeats > MOST_REPEATS:
        raise ValueError(f"an expression may repeat {MOST_REPEATS} times, this one does {repeats} times")
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
