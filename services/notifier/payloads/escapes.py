"""Filters of templates: text from outside made harmless for who shows it, and cut to what that takes. Pure.

Names and last words come from machines and people: in a chat they could call everybody, feign a link, or break a card.
Limits count what is sent, after escaping, so that no escape is cut in half.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

MORE = "…"

_SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""All that has a meaning in Slack's text but for its marks of emphasis, by Slack's own rule: mentions and links too."""

_MARKS = frozenset("\\`*_{}[]()#+-!|~>")
_BREAK = "\N{ZERO WIDTH SPACE}"


def slack(value: object, most: int = 2_900) -> str:
    """Text in Slack's mrkdwn; a section takes 3,000 characters."""
    return _head((_SLACK.get(character, character) for character in _text(value)), most)


def slack_code(value: object, most: int = 2_900) -> str:
    """The end of a text inside of a code block of Slack."""
    return _tail([_SLACK.get(character, character) for character in _text(value).replace("```", "'''")], most)


def markdown(value: object, most: int = 4_000) -> str:
    """Text in Mattermost's Markdown: no mark has a meaning, and no `@all` calls anybody."""
    return _head(map(_unmarked, _text(value)), most)


def code(value: object, most: int = 4_000) -> str:
    """The end of a text inside of a code block of Markdown, where mentions would still call people."""
    plain = _text(value).replace("```", "'''")
    return _tail([f"@{_BREAK}" if character == "@" else character for character in plain], most)


def cut(value: object, most: int = 4_000) -> str:
    """The beginning of a text, at most so many bytes of UTF-8."""
    return _bytes_of(_text(value), most, slice(most))


def tail(value: object, most: int = 4_000) -> str:
    """The end of a text, at most so many bytes of UTF-8."""
    return _bytes_of(_text(value), most, slice(-most, None))


def as_json(value: object) -> str:
    """A value as JSON text."""
    return json.dumps(value, ensure_ascii=False, default=str)


FILTERS: dict[str, Callable[..., Any]] = {
    "slack": slack, "slack_code": slack_code, "markdown": markdown, "code": code, "cut": cut, "tail": tail,
    "json": as_json,
}  # fmt: skip


def _text(value: object) -> str:
    return "" if value is None else "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _unmarked(character: str) -> str:
    if character == "@":
        return f"@{_BREAK}"
    return f"\\{character}" if character in _MARKS else {"<": "&lt;", "&": "&amp;"}.get(character, character)


def _head(parts: Iterator[str], most: int) -> str:
    taken: list[str] = []
    room = most - len(MORE)
    for part in parts:
        room -= len(part)
        if room < 0:
            return "".join(taken) + MORE
        taken.append(part)
    return "".join(taken)


def _tail(parts: list[str], most: int) -> str:
    if sum(map(len, parts)) <= most:
        return "".join(parts)
    backwards = [part[::-1] for part in reversed(parts)]
    return MORE + _head(iter(backwards), most)[: -len(MORE)][::-1]


def _bytes_of(text: str, most: int, part: slice) -> str:
    raw = text.encode()
    return text if len(raw) <= most else raw[part].decode(errors="ignore")
