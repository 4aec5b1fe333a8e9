"""A folder of a process's own for what it needs for a moment, such as a bundle that is looked into."""

import shutil
import tempfile

from shared.process.settings import Settings


def own_temporary_folder(settings: Settings, name: str) -> None:
    """From here on Python's `tempfile` makes everything under the home, in a folder that is empty now.

    So what a killed run left goes at the next start, and never fills the disk however often a bundle ends its process.
    """
    folder = settings.home.absolute() / "tmp" / f"{name}-{settings.instance}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    tempfile.tempdir = str(folder)
