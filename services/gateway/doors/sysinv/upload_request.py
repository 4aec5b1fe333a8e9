"""What a body of an upload or an update asks for, with every fault of it. Pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.doors.fields import Fields, shown
from shared.messages.words import IN_WORDS, NAME_PATTERN, VERSION_PATTERN

EXTENSIONS = (".tgz", ".tar.gz")
SWITCHES = {"true": True, "True": True, "false": False, "False": False}
MISSING = "tar file must be specified."
NAME_PLACEHOLDER, VERSION_PLACEHOLDER = "app-name-placeholder", "app-version-placeholder"
MANIFEST_PLACEHOLDER, TARFILE_PLACEHOLDER = "manifest-placeholder", "tarfile-placeholder"

_URL = re.compile(r"(https?|ftps?|oci)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A tarball that somebody wants uploaded or updated to. `None`: left out."""

    tarfile: str
    name: str | None = None
    version: str | None = None
    images: bool = False
    reuse_user_overrides: bool | None = None
    reuse_attributes: bool | None = None

    @property
    def is_url(self) -> bool:
        """Whether it is to be fetched from where it lies."""
        return _URL.match(self.tarfile) is not None

    @property
    def file_name(self) -> str:
        """The last part of the path that was given."""
        return self.tarfile.rstrip("/").replace("\\", "/").rpartition("/")[2]

    @property
    def shown_name(self) -> str:
        """The name, or what stands for it as long as nobody knows it: the same for the same address."""
        return self.name or f"{NAME_PLACEHOLDER}-{_short(self.tarfile)}"

    @property
    def shown_version(self) -> str:
        """The same of the version."""
        return self.version or f"{VERSION_PLACEHOLDER}-{_short(self.tarfile)}"


def _short(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def read(body: Mapping[str, Any], *, updates: bool) -> tuple[Asked, list[str], list[str]]:
    """What is asked for, what is wrong with it, and which fields were passed by."""
    f = Fields(body)
    tarfile = f.text("tarfile")
    if tarfile is None and not f.faults:
        f.fault(MISSING)
    asked = Asked(
        tarfile=tarfile or "",
        name=_fitting(f, "name", NAME_PATTERN, 100),
        version=_fitting(f, "app_version", VERSION_PATTERN, 100),
        images=not updates and bool(f.truth("images", SWITCHES, loose=False)),
        reuse_user_overrides=_switch(f, "reuse_user_overrides") if updates else None,
        reuse_attributes=_switch(f, "reuse_attributes") if updates else None,
    )
    f.get("binary_data")
    if tarfile and not asked.is_url and not tarfile.endswith(EXTENSIONS):
        f.fault(f"{tarfile[:200]} has unrecognizable tar file extension. Supported extensions are: .tgz and .tar.gz.")
    return asked, f.faults, f.ignored


def _switch(f: Fields, name: str) -> bool | None:
    value = f.get(name)
    if (found := switched(value)) is None and value is not None:
        f.fault(f"invalid {name} setting.")
    return found


def switched(value: Any) -> bool | None:
    """`true` or `True` as text, as their command line sends it, or a JSON boolean; None = it is neither."""
    return value if isinstance(value, bool) else SWITCHES.get(value) if isinstance(value, str) else None


def _fitting(f: Fields, name: str, pattern: str, most: int) -> str | None:
    text = f.text(name)
    if text is not None and (len(text) > most or not re.fullmatch(pattern, text)):
        f.fault(f"{name} {shown(text)} {IN_WORDS[pattern]}")
        return None
    return text
