"""Images of a release get the digest of what their tags mean now, once and for all sites: in its bundle.yaml.

The text of the file stays as its author wrote it, but for the digests. So what a release brings can be seen and
reviewed where it is written, and building it again gives the same bundle.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from shared import components
from shared.components.images import Image, image_of
from shared.messages.base import Fault
from shared.messages.manifest import nested
from shared.safe_yaml import Document

from .faults import BundleRefused, fault
from .manifests import MANIFEST, document_of, parts_of, written

Resolve = Callable[[Image], str]
"""The digest of what an image's tag means now. Raises LookupError with the reason why it cannot be had."""


def pin(folder: Path, resolve: Resolve) -> dict[str, str]:
    """Write the digests of all images into the bundle.yaml of a folder; by name, what stood there and what does now.

    Raises BundleRefused with every image whose digest cannot be had, and changes nothing then; OSError.
    """
    file = folder / MANIFEST
    text = file.read_text()
    pinned, faults = {}, []
    for where, name in dict.fromkeys(_unpinned(document_of(text.encode()))):
        try:
            pinned[name] = f"{name}@{resolve(image_of(name))}"
        except (LookupError, ValueError) as error:
            faults.append(_fault(where, name, error))
    if faults:
        raise BundleRefused(faults)
    file.write_text(with_digests(text, pinned))
    return pinned


def with_digests(text: str, pinned: dict[str, str]) -> str:
    """A text with each of these names replaced where it stands whole."""
    for name, whole in pinned.items():
        text = re.sub(rf"(?<![\w./:@-]){re.escape(name)}(?![\w./:@-])", whole, text)
    return text


def _unpinned(document: Document) -> Iterator[tuple[str, str]]:
    """Where each image without a digest stands, and its name. Whatever else is wrong is told when it is built."""
    for number, part in parts_of(document.value).items():
        spec, model = nested(part).get("spec"), components.specs().get(str(part.get("driver")))
        for field in model.image_fields if model and isinstance(spec, dict) else ():
            if isinstance(name := spec.get(field), str) and "@" not in name:
                yield written(document, ("components", number, "spec", field)), name


def _fault(where: str, name: str, error: Exception) -> Fault:
    return fault("image_unavailable", where, str(error.args[0] if error.args else error), name)
