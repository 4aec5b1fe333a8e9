"""Bundles: the .tar.gz files that releases come in.

At its top a bundle holds `bundle.yaml` (messages/manifest.py) and `checksums.sha256`, which names every other file;
beside them whatever the manifest names, and under `wheels/` what its requirements files lock. Whoever takes a bundle
apart, here and nowhere else, takes it for hostile.
"""

from .archive import digest_of
from .building import Built, build
from .claim import Claim
from .faults import BundleRefused, fault_of_size
from .hosts import Host, this_host
from .inside import Told
from .manifests import manifest_of
from .pinning import pin
from .reading import unpack, unpack_published, verify

__all__ = [
    "Built",
    "BundleRefused",
    "Claim",
    "Host",
    "Told",
    "build",
    "digest_of",
    "fault_of_size",
    "manifest_of",
    "pin",
    "this_host",
    "unpack",
    "unpack_published",
    "verify",
]
