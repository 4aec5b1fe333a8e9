"""What a client sends with an upload: fields, and perhaps the file itself, which goes to the blob store as it comes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web

from services.gateway.doors.call import json_object
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv.binary_data import FIELD, MOST_AROUND, BinaryData, Malformed
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.refusing import rejected
from services.gateway.http.bodies import DEEPEST
from services.gateway.http.problems import Problem, is_text
from services.gateway.http.uploads import CHUNK, NO_FORM, gzipped, over_limit
from shared.blobs import Blob, BlobTooLarge

FILE_FIELDS = ("binary_data", "file", "bundle", "tarfile")
"""Fields of a form that may hold the file; the last one may be its name as well."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent; `blob` is None where no file came."""

    fields: dict[str, Any]
    blob: Blob | None


async def received(call: Call, op: str) -> Sent:
    """The fields and the file of a request. Raises Refused 400, Problem 413 for what is too large."""
    limit = call.gateway.settings.max_bundle_bytes
    announced, is_form = call.request.content_length or 0, call.request.content_type.startswith("multipart/")
    if announced > (limit if is_form else -(-limit // 3) * 4) + MOST_AROUND:
        raise over_limit(announced, limit)
    try:
        return await (_form(call, op, limit) if is_form else _json(call, op, limit))
    except BlobTooLarge as error:
        raise over_limit(limit + 1, limit) from error
    except Malformed as error:
        raise Refused(400, f"Request body is malformed: {error}") from None


async def _json(call: Call, op: str, limit: int) -> Sent:
    reader = BinaryData()
    blob = await _stored(call, op, _decoded(call.request, reader), limit)
    fields = json_object(bytes(reader.around))
    if blob is not None:
        fields.pop(FIELD, None)
    return Sent(fields, blob)


async def _decoded(request: web.Request, reader: BinaryData) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_chunked(CHUNK):
        if found := reader.feed(chunk):
            yield found


async def _form(call: Call, op: str, limit: int) -> Sent:
    fields: dict[str, Any] = {}
    blob = None
    try:
        form = await call.request.multipart()
        while (part := await _next(form)) is not None:
            if isinstance(part, MultipartReader):
                raise Malformed("a form inside of the form is not taken")
            name = part.name or ""
            if part.filename is not None and name in FILE_FIELDS:
                if blob is not None:
                    raise Malformed("there is more than one file in the form")
                blob = await _stored(call, op, _content(part), limit)
                fields.setdefault("tarfile", part.filename)
            else:
                fields[name] = await _text(part)
            if len(fields) > DEEPEST:
                raise Malformed(f"the form has more than {DEEPEST} fields")
    except (ValueError, AssertionError, LookupError) as error:  # aiohttp, of what is no such form
        raise Malformed(str(error)) from error
    return Sent(fields, blob)


async def _next(form: MultipartReader) -> MultipartReader | BodyPartReader | None:
    try:
        return await form.next()
    except NO_FORM as error:
        raise Malformed(str(error)) from error


async def _content(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK):
        yield chunk


async def _text(part: BodyPartReader) -> str:
    found = bytearray()
    while chunk := await part.read_chunk(MOST_AROUND):
        found += chunk
        if len(found) > MOST_AROUND:
            raise Malformed(f"the field {part.name!r} of the form has more than {MOST_AROUND} bytes")
    text = found.decode(errors="surrogateescape")
    if "\x00" in text or not is_text(text):
        raise Malformed(f"the field {part.name!r} of the form is no text")
    return text


async def _stored(call: Call, op: str, chunks: AsyncIterator[bytes], limit: int) -> Blob | None:
    """The blob that came; None where nothing came. Raises Refused 400 for what is no archive."""
    first = b""
    async for chunk in chunks:
        first = chunk
        break
    if not first:
        return None
    try:
        return await call.gateway.blobs.put(await gzipped(_with(first, chunks)), limit)
    except Problem as problem:
        raise rejected(op, f"failed to extract tar file: {problem.detail}") from None


async def _with(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk
