"""Bundles on their way to the blob store: as the body itself or in a form, taken as they come or refused at once.

Whatever can be known from the head of a request, or from the first bytes of its file, is said before the rest is read.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from pydantic import TypeAdapter

from services.gateway.http.bodies import formed
from services.gateway.http.pages import Query
from services.gateway.http.problems import Problem, unreadable
from shared.bundle import fault_of_size
from shared.messages.base import ErrorCode
from shared.messages.catalog import FileName

CHUNK = 256 * 1024
GZIP = b"\x1f\x8b"

FILE_FIELD = "bundle"
NAME_FIELD = "file_name"

NO_FORM = (ValueError, AssertionError, LookupError, RuntimeError)
"""What aiohttp raises where it looks for the next part: a field `_charset_` alone has three of them."""

FORM_BYTES = 64 * 1024
"""What a form may have around its file."""


class UploadQuery(Query):
    """Parameters of an upload."""

    file_name: FileName = ""


@dataclass(slots=True)
class Incoming:
    """A file that is coming in."""

    chunks: AsyncIterator[bytes]
    file_name: str
    form: MultipartReader | None = None

    async def end(self) -> None:
        """Nothing may follow the file in a form. Raises Problem."""
        if self.form is not None and await _next_part(self.form) is not None:
            raise _wrong_form(f"nothing may follow the file in the field '{FILE_FIELD}'", "")


def refuse_announced(request: web.Request, limit: int) -> None:
    """What the request says of its size."""
    announced = request.content_length or 0
    around = FORM_BYTES if _is_form(request) else 0
    if announced > limit + around:
        raise over_limit(announced, limit)
    if request.content_length == 0:
        raise _empty()


async def expect(_: web.Request) -> None:
    """For a client that asks before it sends its body: the handler lets it come, once it knows that it takes it."""


async def incoming_of(request: web.Request, file_name: str) -> Incoming:
    """The file of the request, `file_name` being what its query says. Raises Problem."""
    if not _is_form(request):
        return Incoming(request.content.iter_chunked(CHUNK), file_name)
    try:
        form = await request.multipart()
    except ValueError as error:
        raise _unreadable_form(error) from error
    while (part := await _next_part(form)) is not None:
        if part.name == FILE_FIELD:
            return Incoming(_content(part), file_name or _checked(part.filename or ""), form)
        if part.name != NAME_FIELD:
            raise _wrong_form(f"only '{NAME_FIELD}' and, with the file, '{FILE_FIELD}' are known", part.name or "")
        file_name = _checked((await _next_chunk(part)).decode(errors="replace"))
    message = f"the form has no field '{FILE_FIELD}' with the file"
    raise Problem.because(ErrorCode.MISSING_FIELD, message, FILE_FIELD)


async def _next_part(form: MultipartReader) -> BodyPartReader | None:
    try:
        part = await form.next()
    except NO_FORM as error:
        raise _unreadable_form(error) from error
    if isinstance(part, MultipartReader):
        raise _wrong_form("a form inside of the form is not taken", "")
    encoded = part is not None and part.headers.get("Content-Transfer-Encoding", "binary").lower()
    if encoded not in {False, "binary", "8bit", "7bit"} or (part is not None and "Content-Encoding" in part.headers):
        raise _wrong_form("the file must be sent as it is, without another encoding", FILE_FIELD)
    return part


async def _content(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await _next_chunk(part):
        yield chunk


async def _next_chunk(part: BodyPartReader) -> bytes:
    try:
        return await part.read_chunk(CHUNK)
    except ValueError as error:  # it ends without the boundary that was announced
        raise _unreadable_form(error) from error


async def gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, if they begin as a bundle does. Raises Problem."""
    first = b""
    async for chunk in chunks:
        first += chunk
        if len(first) >= len(GZIP):
            break
    if not first:
        raise _empty()
    if not first.startswith(GZIP):
        raise Problem.because("not_gzip", "the file is not compressed with gzip; a bundle is a .tar.gz")
    return _rest(first, chunks)


async def _rest(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk


def _is_form(request: web.Request) -> bool:
    return request.content_type.startswith("multipart/")


def _checked(file_name: str) -> str:
    return formed(UploadQuery, {NAME_FIELD: file_name}).file_name


def over_limit(size: int, limit: int) -> Problem:
    """413 for a bundle of so many bytes."""
    found = fault_of_size(size, limit)
    return Problem.of([found] if found else [], 413)


def _empty() -> Problem:
    return Problem.because("empty_bundle", "the body must be a bundle (.tar.gz), it is empty")


def _unreadable_form(error: Exception) -> Problem:
    return unreadable(f"the form cannot be read: {error}")


def _wrong_form(message: str, field: str) -> Problem:
    return Problem.because(ErrorCode.UNKNOWN_FIELD, message, field)


FORM: dict[str, Any] = {
    "type": "object",
    "required": [FILE_FIELD],
    "additionalProperties": False,
    "properties": {
        NAME_FIELD: TypeAdapter(FileName).json_schema(),
        FILE_FIELD: {"type": "string", "contentMediaType": "application/gzip", "minLength": 1},
    },
}
"""What the description says of the form; the file is its last field."""
