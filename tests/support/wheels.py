"""Wheels made by hand, good and hostile, for tests."""

import hashlib
import io
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path


def wheel_name(project: str, version: str = "1.0", tag: str = "py3-none-any") -> str:
    return f"{project}-{version}-{tag}.whl"


def wheel(
    project: str,
    version: str = "1.0",
    tag: str = "py3-none-any",
    files: Mapping[str, bytes] | None = None,
    *,
    requires: Sequence[str] = (),
    python: str = "",
    replaced: Mapping[str, bytes] | None = None,
) -> bytes:
    """A sound wheel; `replaced` is put in the place of what it would hold, after its RECORD was written."""
    info = f"{project}-{version}.dist-info"
    said = [f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"]
    said += [f"Requires-Python: {python}\n"] if python else []
    said += [f"Requires-Dist: {needed}\n" for needed in requires]
    held = {
        f"{project}.py": b"",
        **(files or {}),
        f"{info}/METADATA": "".join(said).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n{_tags(tag)}".encode(),
    }
    held[f"{info}/RECORD"] = _record(held, f"{info}/RECORD")
    return zipped(held | dict(replaced or {}))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip file with a fixed date, or two wheels would have two digests."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def write_wheel(folder: Path, project: str, version: str = "1.0", tag: str = "py3-none-any") -> Path:
    """A sound wheel in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / wheel_name(project, version, tag)
    path.write_bytes(wheel(project, version, tag))
    return path


def pin(project: str, content: bytes, version: str = "1.0", marker: str = "") -> str:
    """The line of a lock for this very wheel."""
    digest = hashlib.sha256(content).hexdigest()
    return f"{project}=={version}{f' ; {marker}' if marker else ''} --hash=sha256:{digest}\n"


def _tags(tag: str) -> str:
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    return "".join(f"Tag: {p}-{a}-{m}\n" for p in pythons for a in abis for m in platforms)


def _record(files: Mapping[str, bytes], own: str) -> bytes:
    rows = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    return "".join([*rows, f"{own},,\n"]).encode()


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
