"""What a component brings to sites, as its spec says it: the catalog takes it from there into the blob store."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Package:
    """A file of the bundle."""

    path: str


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """A file that lies in a registry of images, as charts do: the layer of that media type."""

    reference: str
    """`registry:5000/team/chart@sha256:…`"""
    media_type: str


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image by its name and digest. Where the digest is that of a list, the platform chooses from it."""

    reference: str
    platform: str | None = None
    """`linux/arm64`; None = the platforms that the catalog prepares for."""


@dataclass(frozen=True, slots=True)
class Pretended:
    """What a device only pretends to be sent: nothing lies in the blob store."""

    kind: Literal["package", "image"]
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Note:
    """What the component does not bring by itself, and why, in words."""

    text: str


Content = Package | RegistryFile | ImageRef | Pretended | Note


def files_under(folder: Path, names: Iterable[str]) -> list[str]:
    """Paths in the bundle, each once, of these files and of all files in these folders, in their order."""
    found: dict[str, None] = {}
    for name in names:
        place = folder / name
        inner = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
        found |= dict.fromkeys(file.relative_to(folder).as_posix() for file in inner)
    return list(found)
