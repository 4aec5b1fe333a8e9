"""Bundles: the .tar.gz files that releases come in.

At its top a bundle holds `bundle.yaml` (shared/manifest.py) and `checksums.sha256`, which names every other file;
beside them whatever the manifest names, and under `wheels/` what its requirements files lock. Whoever takes a bundle
apart, here and nowhere else, takes it for hostile.
"""

from .building import Built, build, digest_of
from .faults import BundleRefused
from .reading import manifest_of, unpack, verify
from .stream import MIB

MAX_BYTES = 1024 * MIB
"""Size of the largest bundle that is taken, packed."""

__all__ = ["MAX_BYTES", "Built", "BundleRefused", "build", "digest_of", "manifest_of", "unpack", "verify"]
