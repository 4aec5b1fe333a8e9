"""What a failed operation leaves to learn from, made fit to be told: readable, within bounds, without secrets. Pure.

Components write whatever they like. What is told of it travels in one event, is stored, printed on terminals and sent
to webhooks: a NUL would fit no text of PostgreSQL, an escape sequence would command the terminal of whoever reads it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.messages.deployer import PhaseResult

LINES, LINE_CHARACTERS = 50, 500
LINES_BYTES = 16_000
"""Of all last lines together, in UTF-8: a failure with phases and plan stays far below a record of 1 MB, also with
the 100 components that a release may have."""

DETAILS_CHARACTERS, SHORTEST_DETAIL = 30_000, 60
HIDDEN = "***"
SHORTEST_SECRET = 4
"""A shorter value would be found in words that have nothing to do with it."""

# Escape sequences (ECMA-48: CSI, then OSC with its text, then those of two characters), and what is left of control
# characters but the tab.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -~]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_NAMES = r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credential|authorization|cookie|(?:api|access|private)[_-]?key)"
_NAME = re.compile(_NAMES, re.IGNORECASE)
_NAMED = re.compile(
    rf"({_NAMES}"
    r"[\w-]{0,40}[\"']?\s{0,4}[:=]\s{0,4})(?:(?:bearer|basic|digest)\s+)?(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&\"']+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_LOGIN = re.compile(r"://[^/\s@]{1,300}@")
_TOKENS = re.compile(
    r"\b(?:belay_|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|whsec_|sk-|AKIA)[\w-]{8,}"  # as their makers mark them
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # JSON Web Tokens (RFC 7519)
    r"|(?<=hooks\.slack\.com/services/)\S+"
)
_KEY_BEGINS, _KEY_ENDS = (re.compile(rf"-----{word} [A-Z ]*PRIVATE KEY") for word in ("BEGIN", "END"))


def last_words(lines: Sequence[str]) -> tuple[str, ...]:
    """The last of these lines that fit the bounds, each clean and without secrets."""
    kept: list[str] = []
    room = LINES_BYTES
    for line in reversed(list(_without_keys(lines))[-LINES:]):
        fit = clean(line.replace("\n", " "))[:LINE_CHARACTERS]
        room -= len(fit.encode()) + 1
        if room < 0:
            break
        kept.append(fit)
    return tuple(reversed(kept))


def fit_to_tell(lines: Iterable[str]) -> tuple[str, ...]:
    """The first of these lines, each clean and within the bounds of evidence, and how many there are beyond."""
    found = [clean(line.replace("\n", " "))[:LINE_CHARACTERS] for line in lines]
    more = len(found) - LINES
    return (*found[:LINES], f"and {more} more") if more > 0 else tuple(found)


def hide(lines: Iterable[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """Lines without the values of those variables whose names say that they are secret."""
    secrets = [value for name, value in environment.items() if _NAME.search(name) and len(value) >= SHORTEST_SECRET]
    return tuple(_without(secrets, line) for line in lines)


def _without(secrets: Iterable[str], line: str) -> str:
    for secret in secrets:
        line = line.replace(secret, HIDDEN)
    return line


def clean(text: str) -> str:
    """Text as it may be shown: no secret that can be recognised, nothing that steers a terminal."""
    if not text:  # of most phases that went well
        return text
    plain = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", text))
    plain = _LOGIN.sub(f"://{HIDDEN}@", _NAMED.sub(rf"\1{HIDDEN}", plain))
    return _TOKENS.sub(HIDDEN, _BEARER.sub(rf"\1 {HIDDEN}", plain))


def _without_keys(lines: Sequence[str]) -> Iterator[str]:
    """Lines of a private key in PEM are hidden as a whole: none of them names itself.

    One whose end comes without its beginning began before the first of these lines.
    """
    first = next((line for line in lines if _KEY_BEGINS.search(line) or _KEY_ENDS.search(line)), "")
    inside = not _KEY_BEGINS.search(first) and bool(_KEY_ENDS.search(first))
    if inside:
        yield HIDDEN
    for line in lines:
        begins, ends = _KEY_BEGINS.search(line), _KEY_ENDS.search(line)
        if begins:
            yield HIDDEN
        elif not (inside or ends):
            yield line
        inside = (inside or bool(begins)) and not ends


def told_phases(phases: Sequence[PhaseResult]) -> tuple[PhaseResult, ...]:
    """All of them, their details cut so that they are within bounds together; those of failures are cut last."""
    details = [len(phase.detail) for phase in phases]
    if sum(details) <= DETAILS_CHARACTERS:
        return tuple(phases)
    failed = [phase.outcome == "failed" for phase in phases]
    share = max(SHORTEST_DETAIL, DETAILS_CHARACTERS // max(1, sum(failed)))
    return tuple(
        phase.model_copy(update={"detail": _cut(phase.detail, share if broke else SHORTEST_DETAIL)})
        for phase, broke in zip(phases, failed, strict=True)
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
