"""Application tarballs of StarlingX, of both generations, taken as they are.

The older one has charts and one manifest of Armada, that of today has charts and manifests of Flux; both may have
metadata and lists of MD5 sums. Each chart becomes a component of the driver `helm`. What has no meaning here is told.
"""

from .application import NO_VERSION, UNNAMED, Application, is_application, read_application, text_files
from .metadata import FILE as METADATA

__all__ = ["METADATA", "NO_VERSION", "UNNAMED", "Application", "is_application", "read_application", "text_files"]
