"""Rules of the gateway: who may do what."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a token may do; each role may also do what the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Whether this role suffices where `needed` is asked for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is calling: the name and role of a token."""

    token_id: str
    name: str
    role: Role
