"""Images with layers of some size, and what a catalog prepares of them: blobs, and the item that tells of them."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from services.deployer.drivers import Item
from shared.blobs import Blobs
from shared.components.images import Image, image_of
from shared.process.settings import Settings
from tests.support.container_lab import BUSYBOX, Lab
from tests.support.container_sites import PROGRAM

LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
PROGRAM_ALONE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox","--install","/bin"]
COPY program /program
RUN ["/bin/busybox","chmod","755","/program"]
CMD ["/program"]
"""


def layered(lab: Lab, name: str, *sizes: int, base: str | None = None, folded: bool = False) -> str:
    """An image in the lab's registry, with a layer of each size on top of a base or of the program; name and digest.

    `folded` layers are compressed to nearly nothing, the others not at all.
    """
    if name not in lab.digests:
        files: dict[str, Path | str] = {"busybox": BUSYBOX, "program": PROGRAM}
        for number, size in enumerate(sizes):
            file = lab.root / f"layer-{number}"
            file.write_bytes(bytes(size) if folded else os.urandom(size))
            files[f"layer{number}"] = file
        begin = f"FROM {base}\n" if base else PROGRAM_ALONE
        lines = [f"COPY layer{number} /{name.partition(':')[0]}-{number}" for number in range(len(sizes))]
        lab.digests[name] = lab.push(name, begin + "\n".join(lines), files)
    return lab.digests[name]


def fetched(lab: Lab, image: Image, path: str) -> bytes:
    """What the registry has there."""
    repository = image.name.removeprefix(f"{lab.registry}/")
    asked = urllib.request.Request(
        f"http://{lab.registry}/v2/{repository}/{path}", headers={"Accept": ", ".join(MANIFESTS)}
    )
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def listed(lab: Lab, reference: str) -> str:
    """The name and digest of a list of manifests, in the registry, of which this image is the one for our platform."""
    image = image_of(reference)
    manifest = fetched(lab, image, f"manifests/{image.digest}")
    here = {"architecture": "amd64", "os": "linux"}
    entry = {"mediaType": MANIFESTS[0], "digest": image.digest, "size": len(manifest), "platform": here}
    content = json.dumps({"schemaVersion": 2, "mediaType": LIST, "manifests": [entry]}).encode()
    url = f"http://{lab.registry}/v2/{image.name.removeprefix(f'{lab.registry}/')}/manifests/all"
    put = urllib.request.Request(url, content, {"Content-Type": LIST}, method="PUT")
    urllib.request.urlopen(put).close()  # noqa: S310
    return f"{image.name}@sha256:{hashlib.sha256(content).hexdigest()}"


async def prepared(lab: Lab, reference: str, home: Path) -> Item:
    """The image's blobs in the store of that home, as a catalog puts them there."""
    image, blobs = image_of(reference), Blobs.open(Settings(home=home))
    manifest = fetched(lab, image, f"manifests/{image.digest}")
    known = json.loads(manifest)
    content = [manifest, *(fetched(lab, image, f"blobs/{each['digest']}") for each in parts_of(known))]
    for each in content:
        await blobs.put(_once(each), len(each))
    return Item("web", "image", reference, hashlib.sha256(manifest).hexdigest(), sum(map(len, content)))


def parts_of(manifest: dict[str, object]) -> Sequence[dict[str, str]]:
    return [manifest["config"], *manifest["layers"]]  # type: ignore[misc,list-item]


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
