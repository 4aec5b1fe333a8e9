"""Where the component of a site lies, and what is kept beside it.

<root>/<target>/                                   what the site uses
<root>/.belay-copy/<app>/<component>/revisions/    every revision that can be returned to, whole
<root>/.belay-copy/orders/<digest of the key>.*    what became of each order, and whether somebody wants it cancelled
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, field_validator

from belay_driver_copy.spec import CopySpec
from services.deployer.drivers import Broken, Done, Order


class Refused(Exception):
    """The order cannot be carried out; carries its end."""

    def __init__(self, code: str, message: str) -> None:
        self.broken = Broken(code, message, (message,))
        super().__init__(message)


class _Connection(BaseModel):
    root: Path

    @field_validator("root")
    @classmethod
    def _whole(cls, root: Path) -> Path:
        if not root.is_absolute():
            raise ValueError("must be the whole path of a folder, such as /srv/www")
        return root


@dataclass(frozen=True, slots=True)
class Place:
    """One component on one site."""

    root: Path
    home: Path
    target: Path

    @staticmethod
    def of(order: Order) -> "Place":
        """Raises Refused with every fault of the connection."""
        spec: CopySpec = order.component.spec
        try:
            root = _Connection.model_validate(order.connection).root
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise Refused("bad_connection", f"site {order.site}: {told}") from None
        return Place(root, root / ".belay-copy" / order.app / order.component.name, root / spec.target)

    @property
    def revisions(self) -> Path:
        return self.home / "revisions"

    def has(self, revision: str | None) -> bool:
        return bool(revision) and Path(revision or "").name == revision and (self.revisions / str(revision)).is_dir()


class OrderFile:
    """What became of an order: one small file, replaced whole, and another that says that it is to be cancelled."""

    def __init__(self, place: Place, key: str) -> None:
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        self._file = place.root / ".belay-copy/orders" / f"{name}.json"
        self._cancel = self._file.with_suffix(".cancel")

    def read(self) -> Done | Broken | None:
        """How it ended; None while it is under way. Raises KeyError when it was never begun."""
        try:
            found: dict[str, Any] = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            raise KeyError(self._file.name) from None
        if not found:
            return None
        return Done(**found) if "revision" in found else Broken(**{**found, "last_lines": tuple(found["last_lines"])})

    def begin(self) -> None:
        """Note that it was begun, once."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if not self._file.exists():
            self._write({})

    def end(self, result: Done | Broken) -> None:
        """Note how it ended."""
        self._write(asdict(result))

    def cancel(self) -> None:
        """Wish for its end. One that was never begun has ended with this."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._cancel.touch()
        if not self._file.exists():
            self.end(CANCELLED)

    @property
    def cancelled(self) -> bool:
        return self._cancel.exists()

    def _write(self, value: dict[str, Any]) -> None:
        draft = self._file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(value))
        draft.replace(self._file)


CANCELLED = Broken("cancelled", "the order was cancelled", ("the order was cancelled",))
