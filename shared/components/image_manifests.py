"""What a registry says of an image: its manifest, or a list of them to choose a platform from. Pure.

Docker's and OCI's formats differ in nothing but the names of their media types.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LISTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class BadManifest(ValueError):
    """It cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob as a manifest names it."""

    sha256: str
    bytes: int
    media_type: str
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """The blobs that an image is made of; each digest once."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """All that must be had beside the manifest itself."""
        return tuple({one.sha256: one for one in (self.config, *self.layers)}.values())


def read(content: bytes) -> ImageManifest | tuple[Descriptor, ...]:
    """A manifest, or the manifests that a list holds. Raises BadManifest."""
    try:
        raw = json.loads(content)
        if "manifests" in raw:
            return tuple(map(_descriptor, raw["manifests"]))
        return ImageManifest(_descriptor(raw["config"]), tuple(map(_descriptor, raw["layers"])))
    except BadManifest:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadManifest(f"neither a manifest of an image nor a list of them ({type(error).__name__})") from error


def choose(listed: Sequence[Descriptor], wanted: Sequence[str]) -> list[Descriptor]:
    """The manifests for those platforms of a list that it has. Raises BadManifest when it has none of them."""
    found = [one for platform in wanted if (one := _fitting(listed, platform))]
    if not found:
        has = sorted({one.platform for one in listed if one.platform and not one.platform.startswith("unknown")})
        raise BadManifest(f"there is none for {' or '.join(wanted)}; there are: {', '.join(has) or 'none'}")
    return list({one.sha256: one for one in found}.values())


def platform_in(config: bytes) -> str | None:
    """What the configuration of an image says that it runs on; None when it does not."""
    try:
        return _platform(json.loads(config))
    except (ValueError, AttributeError):
        return None


def _fitting(listed: Sequence[Descriptor], wanted: str) -> Descriptor | None:
    """The very platform, or one of the same kind where the variant is left open on either side."""
    exact = [one for one in listed if one.platform == wanted]
    alike = [one for one in listed if one.platform and _alike(one.platform, wanted)]
    return next(iter(exact + alike), None)


def _alike(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _descriptor(raw: Any) -> Descriptor:
    algorithm, _, digest = raw["digest"].partition(":")
    if algorithm != "sha256" or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise BadManifest(f"names a blob by {str(raw['digest'])[:80]}, and not by sha256")
    size = raw["size"]
    if not isinstance(size, int) or size < 0:
        raise BadManifest("names a blob without its size")
    return Descriptor(digest, size, str(raw.get("mediaType", "")), _platform(raw.get("platform") or {}))


def _platform(raw: Any) -> str | None:
    """`linux/arm64/v8`"""
    words = [str(raw[name]) for name in ("os", "architecture", "variant") if raw.get(name)]
    return "/".join(words) if len(words) > 1 else None
