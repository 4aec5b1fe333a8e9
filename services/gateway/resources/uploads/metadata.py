"""What the headers of a resumable upload say (tus 1.0): its length, and its names in `Upload-Metadata`. Pure."""

import base64
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.messages.base import ErrorCode, Fault, faults_of
from shared.messages.catalog import FileName
from shared.messages.words import Name, Sha256, Version

VERSION = "1.0.0"
RESUMABLE = "Tus-Resumable"
LENGTH, OFFSET, METADATA = "Upload-Length", "Upload-Offset", "Upload-Metadata"
CHECKSUM = "Upload-Checksum"
DIGITS = 15
MOST = 10**DIGITS - 1
"""Of a length or an offset; no file comes near."""

CHECKSUM_PATTERN = r"^sha256 [A-Za-z0-9+/]{43}=$"
NAMES = {"filename": "file_name", "file_name": "file_name", "sha256": "sha256", "app": "app", "version": "version"}
"""Keys of the metadata that mean something here; others are the client's own business."""


class Announced(BaseModel):
    """A file that is about to come."""

    model_config = ConfigDict(frozen=True)

    bytes: int = Field(ge=1)
    file_name: FileName = ""
    sha256: Sha256 | None = None
    app: Name | None = None
    version: Version | None = None


class Unannounced(ValueError):
    """The headers do not say what they should."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.message for fault in faults))


def announced(headers: Mapping[str, str]) -> Announced:
    """What is about to come. Raises Unannounced with every fault."""
    faults = []
    length = headers.get(LENGTH)
    if length is None or not _is_whole(length):
        message = "must be the size of the whole file in bytes"
        faults.append(Fault(code=ErrorCode.INVALID_FIELD, field=LENGTH, message=message, value=(length or "")[:100]))
    values, more = _metadata(headers.get(METADATA, ""))
    try:
        found = Announced.model_validate({"bytes": 1 if faults else int(length or 0), **values})
    except ValidationError as error:
        named = {"bytes": LENGTH}
        about = [f.model_copy(update={"field": named.get(f.field, f"{METADATA}.{f.field}")}) for f in faults_of(error)]
        raise Unannounced((*faults, *more, *about)) from error
    if faults or more:
        raise Unannounced((*faults, *more))
    return found


def _metadata(text: str) -> tuple[dict[str, str], list[Fault]]:
    values, faults = {}, []
    for pair in filter(None, (pair.strip() for pair in text.split(","))):
        key, _, value = pair.partition(" ")
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except ValueError:  # also of what is no base64, or not ASCII
            message = f"the value of '{key[:50]}' must be text in base64"
            faults.append(Fault(code=ErrorCode.INVALID_FIELD, field=METADATA, message=message, value=value[:100]))
            continue
        if (name := NAMES.get(key)) and decoded:
            values[name] = decoded
    return values, faults


def offset_of(headers: Mapping[str, str]) -> int | Fault:
    """From which byte on a part is."""
    text = headers.get(OFFSET, "")
    if _is_whole(text):
        return int(text)
    message = "must be the number of the byte that the body begins with"
    return Fault(code=ErrorCode.INVALID_FIELD, field=OFFSET, message=message, value=text[:100])


def checksum_of(headers: Mapping[str, str]) -> bytes | Fault | None:
    """The sha256 that a part must have; None where it is not said."""
    text = headers.get(CHECKSUM)
    if text is None:
        return None
    algorithm, _, value = text.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except ValueError:  # also of what is not ASCII
        digest = b""
    if algorithm == "sha256" and len(digest) == 32:
        return digest
    message = "must be `sha256` and the digest of the body in base64"
    return Fault(code=ErrorCode.INVALID_FIELD, field=CHECKSUM, message=message, value=text[:100])


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS
