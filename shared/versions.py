"""How versions compare, by the scheme of their app: PEP 440 (Python), semantic versioning, or number by number.

What people may write, and what it means, is told to authors of bundles in services/catalog/BUNDLES.md.
"""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import semver
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_version
from packaging.version import Version

from shared import patterns

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

Scheme = Literal["pep440", "semver", "natural"]


@dataclass(frozen=True, order=True, slots=True)
class Natural:
    """A version of no standard: its numbers compare as numbers, its words as words, from left to right.

    Applications of StarlingX have such (1.0-19-centos-stable-versioned, stx.9.0-3). Each spelling is a version.
    """

    parts: tuple[tuple[int, int, str], ...]
    text: str

    @staticmethod
    def parse(text: str) -> "Natural":
        """Raises ValueError for an empty text."""
        found = re.findall(r"(\d+)|([A-Za-z]+)", text)
        if not found:
            raise ValueError("a version has at least one number or word")
        return Natural(tuple((1, int(number), "") if number else (0, 0, word) for number, word in found), text)


Parsed = Version | semver.Version | Natural

_READ: dict[str, Callable[[str], Parsed]] = {
    "pep440": Version,
    "semver": semver.Version.parse,
    "natural": Natural.parse,
}

EXPRESSION = "re:"
"""Before a range that is a regular expression, which must match a version as it is written, from end to end."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CLAUSE = re.compile(r"\s*(==|!=|>=|<=|>|<)\s*(\S+)\s*")


def parse(scheme: str, text: str) -> Parsed:
    """The version that `text` means. Raises ValueError when it is none, or the scheme is not known here."""
    if scheme not in _READ:
        raise ValueError(f"versions of the scheme {scheme} cannot be read here")
    return _READ[scheme](text)


def is_valid_version(scheme: str, text: str) -> bool:
    """Whether `parse` takes it."""
    try:
        parse(scheme, text)
    except ValueError:
        return False
    return True


def is_valid_range(scheme: str, text: str) -> bool:
    """Whether `text` is a range: comparisons that must all hold, separated by commas, such as `>=0.63,<0.65`.

    Or, with `re:` before it, a regular expression that a version matches as it is written.
    """
    if text.startswith(EXPRESSION):
        return _is_expression(text.removeprefix(EXPRESSION))
    try:
        _matcher(scheme, text)
    except ValueError:
        return False
    return True


def may_upgrade(scheme: str, upgrades_from: tuple[str, ...] | None, from_version: str) -> bool:
    """Whether a release that is reached from any of these ranges may be reached from `from_version`.

    None allows every version, no range at all allows none. A version or a range that the scheme cannot read is never
    matched.

    In both schemes a pre-release counts as the version it is, older than its release; but `<2.0.0` leaves out the
    pre-releases of 2.0.0 itself (PEP 440, "Exclusive ordered comparison"), for who writes it means "not yet 2". A
    range that names a pre-release (`<2.0.0-rc.2`) means it exactly.
    """
    if upgrades_from is None:
        return True
    if not is_valid_version(scheme, from_version):
        return False
    version = parse(scheme, from_version)
    return any(_takes(scheme, text, version, from_version) for text in upgrades_from)


def _takes(scheme: str, text: str, version: Parsed, written: str) -> bool:
    if not is_valid_range(scheme, text):
        return False
    if text.startswith(EXPRESSION):
        return patterns.compiled(text.removeprefix(EXPRESSION)).fullmatch(written) is not None
    return _matcher(scheme, text)(version)


def _is_expression(text: str) -> bool:
    try:
        patterns.compiled(text)
    except ValueError:
        return False
    return True


def sort_key(scheme: str, text: str) -> "SupportsRichComparison":
    """For sorting versions of one app, oldest first. Raises ValueError as `parse` does."""
    return parse(scheme, text)


def canonical(scheme: str, text: str) -> str:
    """Equal for versions that compare as equal (1.0 and 1.0.0; 1.0.0+a and 1.0.0+b). Raises ValueError as `parse`."""
    version = parse(scheme, text)
    if isinstance(version, Natural):
        return version.text
    return canonicalize_version(version) if isinstance(version, Version) else str(version.replace(build=None))


def is_prerelease(scheme: str, text: str) -> bool:
    """Whether it comes before a release: 2.0rc1, 2.0.dev1; 2.0.0-rc.1. Raises ValueError as `parse` does."""
    version = parse(scheme, text)
    if isinstance(version, Natural):
        return False
    return version.is_prerelease if isinstance(version, Version) else version.prerelease is not None


def latest(scheme: str, texts: Iterable[str], *, prereleases: bool = False) -> str | None:
    """The highest of these versions; a pre-release only when asked for. Those that cannot be read do not count."""
    readable = (text for text in texts if is_valid_version(scheme, text))
    chosen = (text for text in readable if prereleases or not is_prerelease(scheme, text))
    return max(chosen, key=lambda text: sort_key(scheme, text), default=None)


def spelt_as(scheme: str, asked: str, known: Iterable[str]) -> str | None:
    """How the one of the `known` versions is written that compares as equal to `asked`; None = there is none.

    What a person asks for may also have a `v` before it (v1.2.0), which only PEP 440 takes as part of a version.
    """
    if (wanted := _key(scheme, asked)) is None:
        return None
    return next((text for text in known if _key(scheme, text) == wanted), None)


def _key(scheme: str, text: str) -> str | None:
    try:
        return canonical(scheme, text.removeprefix("v"))
    except ValueError:
        return None


def _matcher(scheme: str, text: str) -> Callable[[Any], bool]:
    """Raises ValueError when `text` is no range of the scheme."""
    if not all(part.strip() for part in text.split(",")):
        raise ValueError("a range needs a comparison before and after each comma")
    if scheme not in _RANGES:
        raise ValueError(f"ranges of the scheme {scheme} cannot be read here")
    return _RANGES[scheme](text)


def _pep440(text: str) -> Callable[[Any], bool]:
    try:
        specifiers = SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(str(error)) from error
    return lambda version: specifiers.contains(version, prereleases=True)


def _semver(text: str) -> Callable[[Any], bool]:
    clauses = [_clause(part) for part in text.split(",")]
    return lambda version: all(holds(version) for holds in clauses)


def _natural(text: str) -> Callable[[Any], bool]:
    clauses = []
    for part in text.split(","):
        if (match := _CLAUSE.fullmatch(part)) is None:
            raise ValueError(f"'{part}' is no comparison such as >=1.2.0")
        clauses.append((_COMPARISONS[match[1]], Natural.parse(match[2])))
    return lambda version: all(compare(version, bound) for compare, bound in clauses)


def _clause(text: str) -> Callable[[semver.Version], bool]:
    if (match := _CLAUSE.fullmatch(text)) is None:
        raise ValueError(f"'{text}' is no comparison such as >=1.2.0")
    compare, bound = _COMPARISONS[match[1]], semver.Version.parse(match[2])
    if match[1] == "<" and bound.prerelease is None:
        return lambda version: version < bound and version.finalize_version() != bound.finalize_version()
    return lambda version: compare(version, bound)


_RANGES = {"pep440": _pep440, "semver": _semver, "natural": _natural}
