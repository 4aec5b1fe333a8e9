"""`POST /apps/update`: a tarball becomes a release, and the app is updated to it: asked for together, or not at all."""

from aiohttp import web

from services.gateway.domain import Role
from services.gateway.doors.call import Route, ignored_in, readable
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import shapes, store, upload_request, words
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.carrying import carry_out, operation
from services.gateway.doors.sysinv.incoming import Sent, received
from services.gateway.doors.sysinv.publishing import (
    VERDICT_SECONDS,
    identified,
    no_file,
    numbered,
    only_a_name,
    publishing,
    put_away,
    refuse_settled,
    refuse_unasked,
    settled,
    vars_of,
)
from services.gateway.doors.sysinv.refusing import reject_answer, reject_any, rejected, require
from services.gateway.doors.sysinv.sending import sent as answered
from services.gateway.doors.sysinv.standing import Operation
from services.gateway.doors.sysinv.upload_request import Asked
from services.gateway.doors.sysinv.uploads import in_progress
from shared.process.db import Connection
from shared.wire.codec import new_id

OP = "update"
VALIDATED_SECONDS = 300.0
"""A group can be asked to update only to what is a release already: so long that is waited for."""


async def update(call: Call) -> web.Response:
    """POST /v1/apps/update."""
    sent = await received(call, OP)
    asked, faults, ignored = upload_request.read(sent.fields, updates=True)
    reject_any(OP, faults)
    known = sent.blob is None and not asked.is_url
    asked = await (_published_before(call, asked) if known else identified(call, OP, asked, sent))
    app = require(OP, await call.app(asked.name) if asked.name else None)
    if app.alike and app.status == words.APPLIED and app.version == asked.version:
        raise rejected(OP, f"the version {asked.version} is already applied.", *([only_a_name(asked)] if known else []))
    if known:
        await carry_out(call, OP, "update", app.name, asked.version, **_resets(asked))
    elif call.own.group:
        await _of_a_group(call, asked, sent)
    else:
        await _of_a_site(call, asked, sent)
    return answered(call.request, shapes.shown(in_progress(asked, words.UPDATING)), ignored_in(ignored))


def _resets(asked: Asked) -> dict[str, bool]:
    """Left out, the release says it."""
    said = {"reset_overrides": asked.reuse_user_overrides, "reset_attributes": asked.reuse_attributes}
    return {name: not reuse for name, reuse in said.items() if reuse is not None}


async def _published_before(call: Call, asked: Asked) -> Asked:
    """A path is but a name here: that of a file from which a release was published. Raises Refused 400."""
    async with call.gateway.pool.acquire() as conn:
        found = await store.bundles_named(conn, asked.file_name, asked.name, asked.version)
    if not found:
        raise no_file(OP, asked)
    return Asked(**{**vars_of(asked), "name": found[0]["app"], "version": found[0]["version"]})


async def _of_a_site(call: Call, asked: Asked, sent: Sent) -> None:
    """Whoever is killed in between has sent both commands, or neither."""
    command, keys = publishing(OP, asked, sent), (new_id(), new_id())
    wanted = operation(call, OP, app=asked.name, kind="update", publication=keys[0], **_resets(asked))
    also = numbered(call, asked, command, keys[0])
    both = await call.gateway.commands.ask_both(command, wanted, call.who, keys, target=call.asked_at, also=also)
    reject_answer(OP, both[1])
    try:
        await refuse_unasked(call, OP, both[0])
        await refuse_settled(call, OP, keys[0], await settled(call, keys[0]))
    except Refused:
        await put_away(call, keys[1])
        raise
    await _past_its_checks(call, keys[1])


async def _past_its_checks(call: Call, operation_id: str) -> None:
    """What is found before anything is touched is the answer, where it is found soon enough. Raises Refused 400."""
    seen: list[Operation | None] = []

    async def told(conn: Connection) -> bool:
        seen[:] = [await store.operation(conn, operation_id)]
        op = seen[0]
        return op is not None and (op.state in ("failed", "succeeded") or op.phase not in (None, *words.NOT_BEGUN))

    await readable(call, told, VERDICT_SECONDS)
    op = seen[0]
    if op is not None and op.untouched:
        await put_away(call, operation_id)
        raise rejected(OP, op.message)


async def _of_a_group(call: Call, asked: Asked, sent: Sent) -> None:
    command, key = publishing(OP, asked, sent), new_id()
    also = numbered(call, asked, command, key)
    answer = await call.gateway.commands.ask(command, call.who, key, target=call.asked_at, also=also)
    await refuse_unasked(call, OP, answer)
    row = await settled(call, key, VALIDATED_SECONDS)
    await refuse_settled(call, OP, key, row)
    if row is None:
        raise rejected(OP, "the tarball is still being looked at: ask again with the same one.")
    await carry_out(call, OP, "update", row["app"], row["version"], **_resets(asked))


ROUTES = (Route("POST", "/v1/apps/update", update, Role.OPERATOR),)
