"""Where content comes from, how fast it may leave, and how it is told that it could not be sent."""

import errno
from dataclasses import dataclass

from services.deployer.drivers.content.pace import Pace
from services.deployer.drivers.content.sink import Damaged
from services.deployer.drivers.failed import Failed
from shared.blobs import Blobs, BlobStoreFailed, UnknownBlob


@dataclass(frozen=True, slots=True)
class Source:
    """The blob store, and the pace of this process."""

    blobs: Blobs
    pace: Pace


def failed(error: Exception) -> Failed | None:
    """What `send` raised, as an order ends with it; None for what is none of the site's or the store's."""
    if isinstance(error, Failed):
        return error
    if isinstance(error, UnknownBlob):
        return Failed("content_missing", f"{error}: what was prepared is gone from the blob store")
    if isinstance(error, Damaged):
        return Failed("content_damaged", str(error))
    if isinstance(error, BlobStoreFailed):
        return Failed("blob_store_failed", f"the blob store cannot be read: {error}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed("disk_full", f"the site has no room left: {error}")
    return None
