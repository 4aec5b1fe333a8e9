"""Archives by which an engine loads an image, or the first layers of one. Pure.

An archive need not hold the layers that its engine has: Podman looks for each by its digest, Docker by what lies below
it, before either opens the archive. So an image may be sent layer by layer, as images that grow, and one of which a
part is there already, from an earlier try or an earlier release, is sent from there on.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from shared.components.images import Image

OURS = "localhost/belay/part"
"""The repository of images that are only there so that their engine keeps the layers of one that is on its way."""
HUB = "docker.io"
BLOCK = 512


class NoImage(ValueError):
    """What was prepared is no image that an engine could load; the message says why."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as the manifest names it."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Whole:
    """An image for one platform, without its layers."""

    manifest: bytes
    config: bytes
    layers: tuple[Layer, ...]

    @classmethod
    def read(cls, manifest: bytes, config: bytes) -> Self:
        """Raises NoImage."""
        try:
            layers = tuple(Layer(_hex(each["digest"]), int(each["size"])) for each in json.loads(manifest)["layers"])
            grows = len(json.loads(config)["rootfs"]["diff_ids"]) == len(layers)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NoImage(f"its manifest or its configuration cannot be read ({error!r})") from None
        if not grows or not layers:
            raise NoImage("its manifest and its configuration tell of different layers")
        return cls(manifest, config, layers)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def id(self) -> str:
        """How engines call the image itself, whatever its names."""
        return f"sha256:{hashlib.sha256(self.config).hexdigest()}"

    @property
    def platform(self) -> str:
        """As `linux/amd64`."""
        known = json.loads(self.config)
        return f"{known.get('os', 'linux')}/{known.get('architecture', '')}"

    @property
    def size(self) -> int:
        """All of its bytes."""
        return len(self.manifest) + len(self.config) + sum(layer.size for layer in self.layers)

    def first(self, count: int) -> Whole:
        """An image of its first layers alone, which nobody can run."""
        whole, known = json.loads(self.manifest), json.loads(self.config)
        config = _dumped(
            {
                **{name: known[name] for name in ("architecture", "os", "variant") if name in known},
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": known["rootfs"]["diff_ids"][:count]},
            }
        )
        described = {**whole["config"], "digest": _digest(config), "size": len(config)}
        manifest = _dumped({**whole, "config": described, "layers": whole["layers"][:count]})
        return Whole(manifest, config, self.layers[:count])


def config_of(manifest: bytes) -> str:
    """The sha256 of the configuration that a manifest names. Raises NoImage."""
    try:
        return _hex(json.loads(manifest)["config"]["digest"])
    except (KeyError, TypeError, ValueError) as error:
        raise NoImage(f"its manifest cannot be read ({error!r})") from None


def tag_of(image: Image) -> str:
    """The name by which a sent image is found: an engine that loads one may forget by which digest it was asked for."""
    name = image.name
    if image.registry is None:
        name = f"{HUB}/{name}" if "/" in name else f"{HUB}/library/{name}"
    return f"{name}:{str(image.digest).replace(':', '-')}"


def part_name(whole: Whole, count: int) -> str:
    """The name of an image of its first layers."""
    return f"{OURS}:{whole.sha256}-{count}"


def opening(image: Whole, name: str) -> bytes:
    """An archive of the image up to where its layers would follow; `closing` ends it."""
    described = {"digest": _digest(image.manifest), "size": len(image.manifest), "mediaType": _kind(image.manifest)}
    index = [{**described, "annotations": {"org.opencontainers.image.ref.name": name}}]
    docker = {"Config": _path(image.id), "RepoTags": [name], "Layers": [_path(each.sha256) for each in image.layers]}
    files = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": _dumped({"schemaVersion": 2, "manifests": index}),
        "manifest.json": _dumped([docker]),
        _path(_digest(image.manifest)): image.manifest,
        _path(image.id): image.config,
    }
    return b"".join(piece for path, content in files.items() for piece in _file(path, content))


def layer_opening(layer: Layer) -> bytes:
    """What stands before the bytes of a layer."""
    return _header(_path(layer.sha256), layer.size)


def layer_closing(layer: Layer) -> bytes:
    """What stands behind them."""
    return bytes(-layer.size % BLOCK)


CLOSING = bytes(2 * BLOCK)


def whose_part(name: str) -> str | None:
    """The digest of the manifest of the image whose first layers have this name; None = it is no such name."""
    begin = f"{OURS}:"
    return name.removeprefix(begin).partition("-")[0] if name.startswith(begin) else None


def steps(layers: Sequence[Layer], there: int, chunk: int) -> list[int]:
    """In which steps what follows the first `there` layers is sent: after each, how many of them lie there.

    Small layers go together, up to `chunk` bytes: what is cut off in the middle is sent once more.
    """
    ends: list[int] = []
    size = 0
    for number, layer in enumerate(layers[there:], there + 1):
        size += layer.size
        if size >= chunk or (number < len(layers) and size + layers[number].size > chunk):
            ends.append(number)
            size = 0
    return ends if ends and ends[-1] == len(layers) else [*ends, len(layers)]


def _file(path: str, content: bytes) -> Iterator[bytes]:
    yield _header(path, len(content))
    yield content
    yield bytes(-len(content) % BLOCK)


def _header(path: str, size: int) -> bytes:
    told = tarfile.TarInfo(path)
    told.size, told.mode = size, 0o644
    return told.tobuf(tarfile.GNU_FORMAT)  # a layer may be larger than the 8 GiB that older forms can say


def _kind(manifest: bytes) -> str:
    """OCI manifests may leave out of what kind they are; Docker's never do."""
    return str(json.loads(manifest).get("mediaType") or "application/vnd.oci.image.manifest.v1+json")


def _path(digest: str) -> str:
    return f"blobs/sha256/{_hex(digest)}"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
