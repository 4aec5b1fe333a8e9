"""What reading a tarball brings beside its content: faults, and notices of what has no meaning here."""

from collections.abc import Mapping
from typing import Any

from shared.messages.base import Fault
from shared.safe_yaml import BadYaml, Document, Where

from ..faults import bounded, fault, printable

MOST_NOTICES = 60
LONGEST_NOTICE = 500


class Findings:
    """Collected while the files of a tarball are read; nothing is said twice."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._notices: dict[tuple[str, str], list[str]] = {}

    def blame(self, code: str, place: str, message: str, value: Any = None) -> None:
        """A reason to refuse the tarball."""
        self.faults.append(fault(code, place, message, value if not isinstance(value, str) else printable(value)))

    def blame_yaml(self, file: str, error: BadYaml) -> None:
        """A file that is no YAML, or none that is taken."""
        self.blame("bad_yaml", f"{file}:{error.line}" if error.line else file, str(error))

    def note(self, text: str, place: str, key: str = "") -> None:
        """Something that is accepted and has no meaning here, or another; the same of one key is said once."""
        self._notices.setdefault((key, text), []).append(place)

    def notices(self) -> tuple[str, ...]:
        """As they are told: place, and how many more there are of the same."""
        return bounded([_notice(text, places) for (_, text), places in self._notices.items()], MOST_NOTICES)


def _notice(text: str, places: list[str]) -> str:
    more = f" (and at {len(places) - 1} more places)" if len(places) > 1 else ""
    return printable(f"{places[0]}: {text}{more}", LONGEST_NOTICE)


def place_of(file: str, document: Document, where: Where) -> str:
    """metadata.yaml:12:upgrades.from_versions[0]"""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return f"{file}:{document.line_of(where)}:{steps.removeprefix('.')}".rstrip(":")


Texts = Mapping[str, bytes]
"""Small files of a tarball, by their names."""
