"""Sending content to sites: what drivers share of it, so that each only says how bytes get onto its sites.

A driver brings a `Sink` for a site; `send` brings there what is missing, chunk by chunk, goes on where an earlier try
was interrupted, and keeps to the `Pace`. `FolderSink` is the sink of sites that are folders of this machine.
"""

from services.deployer.drivers.content.folder import FolderSink
from services.deployer.drivers.content.laid import Laid
from services.deployer.drivers.content.pace import Pace, SitePace
from services.deployer.drivers.content.sending import send
from services.deployer.drivers.content.sink import WHOLE, Damaged, Sink
from services.deployer.drivers.content.source import Source, failed

__all__ = ["WHOLE", "Damaged", "FolderSink", "Laid", "Pace", "Sink", "SitePace", "Source", "failed", "send"]
