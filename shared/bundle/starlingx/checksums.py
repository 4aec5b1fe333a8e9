"""Lists of MD5 sums: every line of every list must be right.

They tell of damage and of a careless hand, of nothing else: who can change a file can change its sum. What a tarball is
is known by its own sha256, and by its signature.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Mapping

from ..faults import printable
from .findings import Findings, Texts

_LINE = re.compile(r"\\?([0-9a-fA-F]{32}) [ *](?:\./)*(.+)")


def check_sums(lists: Texts, sums: Mapping[str, str], findings: Findings) -> None:
    """Compare what the lists say with the MD5 sums of the tarball's files."""
    if not lists:
        findings.note("the tarball has no list of MD5 sums (*.md5)", "checksum.md5")
        return
    named: set[str] = set()
    for file, content in sorted(lists.items()):
        named |= _check(file, content, sums, findings)
    rest = sorted(sums.keys() - named - lists.keys())
    if rest:
        shown = ", ".join(rest[:3]) + (f" and {len(rest) - 3} more" if len(rest) > 3 else "")
        findings.note(f"no list of MD5 sums names {shown}", next(iter(sorted(lists))))


def _check(file: str, content: bytes, sums: Mapping[str, str], findings: Findings) -> set[str]:
    named = set()
    text = content.removeprefix(BOM_UTF8).decode(errors="surrogateescape").replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        if (match := _LINE.fullmatch(line)) is None:
            findings.blame("bad_checksums", place, "must be an MD5 sum, two spaces and a name", printable(line))
            continue
        named.add(match[2])
        if match[2] not in sums:
            findings.blame("missing_file", place, f"names {printable(match[2])}, which the tarball does not hold")
        elif sums[match[2]] != match[1].lower():
            found = sums[match[2]]
            findings.blame("wrong_checksum", place, f"the MD5 sum of {match[2]} is not the one in this line", found)
    if not named:
        findings.blame("bad_checksums", f"{file}:1", "names no file; leave it out, or list the files")
    return named
