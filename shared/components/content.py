"""What a component brings to sites, as its spec says it. Pure: the catalog takes it from there into the blob store."""

from dataclasses import dataclass
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
