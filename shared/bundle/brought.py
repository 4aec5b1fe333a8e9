"""What a component is made of in its bundle, as one digest: the same in another release means the same component."""

import hashlib
from collections.abc import Mapping

from shared import components
from shared.messages.manifest import Manifest


def with_digests_of_files(manifest: Manifest, digests: Mapping[str, str]) -> Manifest:
    """The manifest with `files_sha256` where a component says which files it is made of; read by `manifest_of` before.

    `digests`: the sha256 of every file of the bundle, by name.
    """
    parts = [c.model_copy(update={"files_sha256": _of(c.driver, c.spec, digests)}) for c in manifest.components]
    return manifest.model_copy(update={"components": tuple(parts)})


def _of(driver: str, spec: Mapping[str, object], digests: Mapping[str, str]) -> str | None:
    named = components.read(driver, spec).made_of
    if named is None:
        return None
    own = sorted(name for name in digests if any(name == path or name.startswith(f"{path}/") for path in named))
    return hashlib.sha256("".join(f"{digests[name]}  {name}\n" for name in own).encode()).hexdigest()
