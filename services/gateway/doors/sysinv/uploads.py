"""`POST /apps`: a tarball becomes a release, and is seen as an app that is uploaded."""

from datetime import UTC, datetime

from aiohttp import web

from services.gateway.domain import Role
from services.gateway.doors.call import Route, ignored_in
from services.gateway.doors.sysinv import shapes, upload_request, words
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.incoming import received
from services.gateway.doors.sysinv.publishing import (
    identified,
    no_file,
    numbered,
    publishing,
    refuse_settled,
    refuse_unasked,
    settled,
)
from services.gateway.doors.sysinv.refusing import reject_any, rejected
from services.gateway.doors.sysinv.sending import sent as answered
from services.gateway.doors.sysinv.standing import Standing
from services.gateway.doors.sysinv.upload_request import Asked
from shared.messages.catalog import PrepareRelease
from shared.wire.codec import new_id

OP = "upload"


async def upload(call: Call) -> web.Response:
    """POST /v1/apps."""
    sent = await received(call, OP)
    asked, faults, ignored = upload_request.read(sent.fields, updates=False)
    reject_any(OP, faults)
    if sent.blob is None and not asked.is_url:
        raise no_file(OP, asked)
    asked = await identified(call, OP, asked, sent)
    if asked.name and await call.app(asked.name) is not None:
        raise rejected(OP, f"application {asked.name} already exists.")
    command, key = publishing(OP, asked, sent), new_id()
    also = numbered(call, asked, command, key)
    answer = await call.gateway.commands.ask(command, call.who, key, target=call.asked_at, also=also)
    await refuse_unasked(call, OP, answer)
    row = await settled(call, key) if sent.blob else None
    await refuse_settled(call, OP, key, row)
    if asked.images and row is not None:
        await call.ask(PrepareRelease(app=row["app"], version=row["version"]))
    return answered(call.request, shapes.shown(in_progress(asked, words.UPLOADING)), ignored_in(ignored))


def in_progress(asked: Asked, status: str) -> Standing:
    """What the answer tells of an app whose tarball is on its way."""
    far = asked.is_url
    return Standing(
        asked.shown_name,
        asked.shown_version,
        status,
        active=status == words.UPDATING,
        created_at=datetime.now(UTC),
        manifest_name=upload_request.MANIFEST_PLACEHOLDER if far else None,
        manifest_file=upload_request.TARFILE_PLACEHOLDER if far else None,
    )


ROUTES = (Route("POST", "/v1/apps", upload, Role.OPERATOR),)
