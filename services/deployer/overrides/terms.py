"""On what terms an operation deploys: what is set for it, and what of that is dropped once it has succeeded. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.values.layers import ATTRIBUTES, VALUES, is_of_site, part_of


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one operation, from when it was accepted: whatever is set later, it goes on with these."""

    used: tuple[str, ...] = ()
    """What it deploys with, as `layers` writes it."""
    dropped: tuple[str, ...] = ()
    """What is set for its site alone and is not any more, once it has succeeded."""
    only_changes: bool = False
    """apply: what is unchanged is left as it is."""
    asked: Mapping[str, bool | int] = field(default_factory=dict, hash=False)
    """Of one that waits for its release, what the release would say else: what of the site's own is to be dropped, and
    by when it is to end."""

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Terms":
        """As they were stored; what another version stored beside them is passed by."""
        used, dropped = tuple(stored.get("used", ())), tuple(stored.get("dropped", ()))
        return Terms(used, dropped, bool(stored.get("only_changes")), stored.get("asked", {}))

    def stored(self) -> dict[str, Any] | None:
        """As they are stored; None = there are none."""
        each = {"used": list(self.used), "dropped": list(self.dropped), "only_changes": self.only_changes}
        each["asked"] = dict(self.asked)
        return {name: value for name, value in each.items() if value} or None


PLAIN_TERMS = Terms()


def terms(set_now: Iterable[str], *, drop_values: bool, drop_attributes: bool, only_changes: bool) -> Terms:
    """The terms of an operation on a site for which this is set now."""
    used, dropped = [], []
    parts = {VALUES: drop_values, ATTRIBUTES: drop_attributes}
    for ref in set_now:
        if not is_of_site(ref) or not any(parts.values()):
            used.append(ref)
        elif all(parts.values()):
            dropped.append(ref)
        else:
            for part, gone in parts.items():
                (dropped if gone else used).append(part_of(ref, part))
    found = Terms(tuple(used), tuple(dropped), only_changes)
    return PLAIN_TERMS if found == PLAIN_TERMS else found
