"""Content laid out as files under their names, for tools that read folders."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.deployer.drivers.failed import Failed


@dataclass(frozen=True, slots=True)
class Laid:
    """Files by the names that a bundle gives them: path in the bundle -> file."""

    files: Mapping[str, Path]

    @property
    def digest(self) -> str:
        """Of which files there are, with which content."""
        told = "\n".join(f"{name} {path.name}" for name, path in sorted(self.files.items()))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    async def build(self, target: Path) -> None:
        """Lay them out. Nothing says which of them are programs, so all may be run. Raises Failed, and OSError."""
        await asyncio.to_thread(self._build, target)

    def _build(self, target: Path) -> None:
        for name, source in self.files.items():
            file = target / name
            if not file.resolve().is_relative_to(target.resolve()):
                raise Failed("bad_order", f"the file {name} would lie outside of its bundle")
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, file)  # content is never written to, so one copy serves both
            except OSError:
                shutil.copyfile(source, file)
            file.chmod(0o755)
