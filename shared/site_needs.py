"""Whether a site is what a release needs it to be: facts of its platform, and patches. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from shared.messages.base import Cause
from shared.messages.rules import SiteRequirement
from shared.versions import is_valid_range, is_valid_version, may_upgrade

PATCHES = "patches"
"""The fact that lists them, with commas or spaces between; `patch:NAME` is a fact of a single one."""

PLATFORM_RELEASE = "platform_release"

SCHEMES = ("semver", "pep440", "natural")
"""How versions of platforms are read, the strictest that takes both first: never as text, for 1.29.10 > 1.29.2."""

_COMPARES = re.compile(r"\s*[=!<>~]|re:")
_NO = frozenset({"no", "false", "removed", "absent"})
MOST_NAMED = 20


def unfit(needs: SiteRequirement, facts: Mapping[str, str]) -> Iterator[Cause]:
    """Every reason why a site of these facts may not have it."""
    for name, wanted in sorted(needs.facts.items()):
        found = facts.get(name)
        if found is None:
            yield Cause(
                code="platform_unfit", message=f"needs {name} {wanted}, and the site tells no {name}; {_ask(name)}"
            )
        elif not is_so(wanted, found):
            yield Cause(code="platform_unfit", message=f"needs {name} {wanted}, but the site has {found}")
    yield from _lacking(needs.patches, facts, "")
    yield from _on_release(needs.releases, facts)


def contradicted(needs: SiteRequirement, facts: Mapping[str, str]) -> Iterator[Cause]:
    """Why a site cannot keep what it has: by what it tells alone, for what it does not tell now may still be so."""
    told = needs.model_copy(
        update={
            "facts": {name: wanted for name, wanted in needs.facts.items() if name in facts},
            "patches": needs.patches if PATCHES in facts else (),
            "releases": needs.releases if PLATFORM_RELEASE in facts else {},
        }
    )
    return unfit(told, facts)


def _on_release(releases: Mapping[str, Sequence[str]], facts: Mapping[str, str]) -> Iterator[Cause]:
    if not releases:
        return
    found = facts.get(PLATFORM_RELEASE)
    named = " or ".join(sorted(releases))
    if found is None:
        message = f"needs {PLATFORM_RELEASE} {named}, and the site tells none; {_ask(PLATFORM_RELEASE)}"
        yield Cause(code="platform_unfit", message=message)
    elif found not in releases:
        yield Cause(code="platform_unfit", message=f"needs {PLATFORM_RELEASE} {named}, but the site has {found}")
    else:
        yield from _lacking(releases[found], facts, f" on {PLATFORM_RELEASE} {found}")


def _ask(fact: str) -> str:
    """What its drivers find is known only once a new site has been asked."""
    return f"`belay site check` asks its drivers, or tell it with --fact {fact}=…"


def _lacking(patches: Sequence[str], facts: Mapping[str, str], where: str) -> Iterator[Cause]:
    missing = sorted(set(patches) - patches_of(facts))
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        named = ", ".join(missing[:MOST_NAMED]) + more
        message = f"needs patches that the site lacks{where}: {named}"
        yield Cause(code="patches_missing", message=message)


def patches_of(facts: Mapping[str, str]) -> set[str]:
    """The patches that a site says it has."""
    single = {
        name.removeprefix("patch:")
        for name, value in facts.items()
        if name.startswith("patch:") and value.lower() not in _NO
    }
    return single | set(re.split(r"[,\s]+", facts.get(PATCHES, "").strip())) - {""}


def is_so(wanted: str, found: str) -> bool:
    """Whether a fact is in a range, or, of a plain text, equal to it; a `v` before a version does not count."""
    if not _COMPARES.match(wanted):
        return found == wanted or found.removeprefix("v") == wanted.removeprefix("v")
    version = found.removeprefix("v")
    for scheme in SCHEMES:
        if is_valid_version(scheme, version) and is_valid_range(scheme, wanted):
            return may_upgrade(scheme, (wanted,), version)
    return False
