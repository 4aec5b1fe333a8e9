"""Uploads that can be interrupted: the tus protocol 1.0 (creation, expiration, termination, checksum).

A client announces a file, sends it in any number of parts, and asks how far it is (HEAD) whenever it has lost count.
"""

from datetime import UTC, datetime, timedelta

from aiohttp import web

from services.gateway.domain import Role
from services.gateway.http.problems import Problem, unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.uploads import CHUNK, over_limit
from services.gateway.resources.bundles import actions as bundles
from services.gateway.resources.bundles import store as bundle_rows
from services.gateway.resources.publications import store as publications
from services.gateway.resources.resource import Resource
from services.gateway.resources.uploads import metadata, store
from services.gateway.resources.uploads.metadata import CHECKSUM, LENGTH, METADATA, OFFSET, RESUMABLE, Unannounced
from services.gateway.resources.uploads.receiving import (
    Writer,
    finish,
    parts_of,
    receive,
    telling_of_a_full_disk,
    writing,
)
from services.gateway.resources.uploads.store import Upload
from services.gateway.resources.uploads.views import UploadView
from shared.blobs import Blob
from shared.core.transaction import Transaction
from shared.messages.base import Fault
from shared.messages.catalog import PublishRelease
from shared.messages.words import Identifier
from shared.wire.codec import new_id

PART_TYPE = "application/offset+octet-stream"
FAULTY_PART = 460
"""tus' own status for a part whose checksum is another."""


async def create(call: Call) -> web.Response:
    """POST /v1/uploads: announce a file."""
    _check_version(call)
    try:
        found = metadata.announced(call.request.headers)
    except Unannounced as error:
        raise Problem.of(error.faults) from error
    limit, now = call.gateway.settings.max_bundle_bytes, datetime.now(UTC)
    if found.bytes > limit:
        raise over_limit(found.bytes, limit)
    await call.gateway.blobs.must_have_room(found.bytes)
    until = now + timedelta(hours=call.gateway.own.upload_hours)
    upload = Upload(new_id(), call.who.name, **found.model_dump(), state="open", expires_at=until)
    async with call.gateway.ledger.transaction() as tx:
        added = await store.add(tx.conn, upload, call.gateway.own.uploads, now)
    if not added:
        message = f"{call.gateway.own.uploads} uploads are under way (BELAY_GATEWAY_UPLOADS); end one, or wait"
        raise Problem(409, "too_many_uploads", message)
    return _answer(upload, 0, 201, body=True, Location=f"/v1/uploads/{upload.id}")


async def show(call: Call) -> web.Response:
    """GET and HEAD /v1/uploads/{id}: how far it is."""
    upload = await _find(call)
    return _answer(upload, await _offset(call, upload), body=True)


async def send_part(call: Call) -> web.Response:
    """PATCH /v1/uploads/{id}: what follows; with the last byte it is published."""
    _check_version(call)
    upload = await _find(call)
    begins, checksum = metadata.offset_of(call.request.headers), metadata.checksum_of(call.request.headers)
    if faults := [found for found in (begins, checksum) if isinstance(found, Fault)]:
        raise Problem.of(faults)
    if upload.state == "complete":
        return _answer(upload, upload.bytes)
    async with writing(call.gateway, upload) as writer, telling_of_a_full_disk(call.gateway, upload):
        offset = await _offset(call, upload)
        if offset != begins:
            message = f"the upload is at byte {offset}; go on from there"
            raise Problem(409, "wrong_offset", message, headers={OFFSET: str(offset), RESUMABLE: metadata.VERSION})
        end, digest = await receive(call.gateway, upload, writer, offset, call.request.content.iter_chunked(CHUNK))
        if isinstance(checksum, bytes) and digest != checksum:
            await call.gateway.blobs.drop_parts(parts_of(upload), offset)
            raise Problem(FAULTY_PART, "wrong_checksum", "the part was changed on the way; send it again")
        if end == upload.bytes:
            await _publish(call, upload, writer)
    return _answer(upload, end)


async def _publish(call: Call, upload: Upload, writer: Writer) -> None:
    """Under the id of the upload: sent again after a kill, it is the same command."""
    async with writer.kept():
        blob = await finish(call.gateway, upload)
    command = _command(upload, blob)

    async def also(tx: Transaction) -> None:
        await store.complete(tx.conn, upload.id, blob.sha256)
        await bundle_rows.await_bundle(tx.conn, blob.sha256, upload.file_name, tx.now)
        await publications.begin(tx.conn, [(upload.id, blob.sha256, tx.now)])

    path = call.request.path
    await call.gateway.commands.ask(command, call.who, upload.id, patience=0, target=path, also=also)
    await call.gateway.blobs.drop_parts(parts_of(upload))


def _command(upload: Upload, blob: Blob) -> PublishRelease:
    return PublishRelease(
        bundle_sha256=blob.sha256,
        bundle_bytes=blob.size,
        file_name=upload.file_name,
        app=upload.app,
        version=upload.version,
    )


async def end(call: Call) -> web.Response:
    """DELETE /v1/uploads/{id}: it is not wanted any more. What was published stays so."""
    upload = await _find(call)
    if upload.state == "open":
        async with writing(call.gateway, upload):
            await _forget(call, upload)
    else:
        await _forget(call, upload)
    return web.Response(status=204, headers={RESUMABLE: metadata.VERSION})


async def _forget(call: Call, upload: Upload) -> None:
    async with call.gateway.pool.acquire() as conn:
        await store.delete(conn, upload.id)
    await call.gateway.blobs.drop_parts(parts_of(upload))


async def _find(call: Call) -> Upload:
    """One of the caller's own: of others nobody learns that they exist."""
    async with call.gateway.pool.acquire() as conn:
        upload = await store.find(conn, call.path["id"], call.who.name, datetime.now(UTC))
    if upload is None:
        raise unknown("upload", call.path["id"])
    return upload


async def _offset(call: Call, upload: Upload) -> int:
    return upload.bytes if upload.state == "complete" else await call.gateway.blobs.coming(parts_of(upload))


def _check_version(call: Call) -> None:
    if call.request.headers.get(RESUMABLE, metadata.VERSION) != metadata.VERSION:
        message = f"only version {metadata.VERSION} of the tus protocol is spoken"
        raise Problem(412, "unknown_protocol", message, headers={"Tus-Version": metadata.VERSION})


def _answer(upload: Upload, offset: int, status: int = 204, *, body: bool = False, **more: str) -> web.Response:
    headers = {
        RESUMABLE: metadata.VERSION,
        OFFSET: str(offset),
        LENGTH: str(upload.bytes),
        "Upload-Expires": upload.expires_at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "Cache-Control": "no-store",
        **more,
    }
    if not body:
        return web.Response(status=status, headers=headers)
    view = UploadView(
        id=upload.id,
        state="complete" if upload.state == "complete" else "open",
        file_name=upload.file_name,
        bytes=upload.bytes,
        offset=offset,
        sha256=upload.sha256,
        publication=upload.id if upload.state == "complete" else None,
        expires_at=upload.expires_at,
    )
    text = view.model_dump_json()
    return web.Response(
        body=text, status=200 if status == 204 else status, content_type="application/json", headers=headers
    )


def _header(name: str, description: str, *, required: bool = True, **schema: object) -> dict[str, object]:
    schema = {"type": "string", **schema}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


_LENGTH = _header(LENGTH, "size of the whole file in bytes", type="integer", minimum=1, maximum=metadata.MOST)
_METADATA = _header(METADATA, "`filename`, `sha256`, `app`, `version`: each with its value in base64", required=False)
_OFFSET = _header(OFFSET, "the byte that the body begins with", type="integer", minimum=0, maximum=metadata.MOST)
_CHECKSUM = _header(CHECKSUM, "the digest of the body in base64", required=False, pattern=metadata.CHECKSUM_PATTERN)
ONE = "/v1/uploads/{id}"

ROUTES = (
    Route(
        "POST", "/v1/uploads", create, "Announce a file that may come in parts (tus 1.0)",
        bundles.PUBLISH.role, answer=UploadView, status=201, headers=(_LENGTH, _METADATA),
    ),
    Route("GET", ONE, show, "How far an upload is; HEAD says it in its headers", Role.OPERATOR, answer=UploadView),
    Route(
        "PATCH", ONE, send_part, "Send what follows; with its last byte the file is published",
        bundles.PUBLISH.role, status=204, headers=(_OFFSET, _CHECKSUM), upload=True, media=(PART_TYPE,),
    ),
    Route("DELETE", ONE, end, "Forget an upload that is not wanted any more", bundles.PUBLISH.role, status=204),
)  # fmt: skip

RESOURCE = Resource(
    {"uploads": "Files that come in parts, and go on where they stopped"}, ROUTES, {"uploads/{id}": Identifier}
)
