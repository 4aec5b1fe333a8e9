"""`POST /apps/update`: a tarball becomes a release, and the app is updated to it: asked for together, or not at all."""

import asyncpg
from aiohttp import web

from services.gateway.commands.ask import Answer
from services.gateway.domain import Role
from services.gateway.doors.call import Route, ignored_in, readable
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import shapes, store, upload_request, words
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.carrying import carry_out, operation, strategy
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
from shared.messages.base import Command
from shared.messages.strategy import ApplyStrategy
from shared.messages.words import StrategyState
from shared.process.db import Connection
from shared.wire.codec import new_id

OP = "update"


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
    key, update_key = new_id(), new_id()
    wanted = operation(call, OP, app=asked.name, kind="update", publication=key, **_resets(asked))
    published, taken = await _asked_together(call, asked, sent, key, {update_key: wanted})
    reject_answer(OP, taken)
    try:
        await refuse_unasked(call, OP, published)
        await refuse_settled(call, OP, key, await settled(call, key))
    except Refused:
        await put_away(call, update_key)
        raise
    await _past_its_checks(call, update_key)


async def _asked_together(call: Call, asked: Asked, sent: Sent, key: str, wanted: dict[str, Command]) -> list[Answer]:
    """Publish it, and ask for what is to be done with it: the answers in this order."""
    command = publishing(OP, asked, sent)
    also = numbered(call, asked, command, key)
    together = {key: command, **wanted}
    return await call.gateway.commands.ask_together(together, call.who, target=call.asked_at, also=also)


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
    """The strategy waits for the release, and begins then: a gateway that is killed has asked for all of it or none."""
    key, made_by = new_id(), new_id()
    made = await strategy(call, OP, app=asked.name, type="update", publication=key, **_resets(asked))
    wanted = {made_by: made, new_id(): ApplyStrategy(strategy=made_by)}
    published, created, applied = await _asked_together(call, asked, sent, key, wanted)
    await refuse_unasked(call, OP, published)
    reject_answer(OP, created)
    reject_answer(OP, applied)
    await refuse_settled(call, OP, key, await settled(call, key))
    await _planned(call, made_by)


async def _planned(call: Call, strategy_id: str) -> None:
    """What its plan finds is the answer, where it is found soon enough. Raises Refused 400."""
    seen: list[asyncpg.Record | None] = []

    async def told(conn: Connection) -> bool:
        seen[:] = [await store.strategy(conn, strategy_id)]
        return seen[0] is not None and seen[0]["state"] != StrategyState.WAITING

    await readable(call, told, VERDICT_SECONDS)
    row = seen[0]
    if row is not None and row["state"] == StrategyState.FAILED and row["started_at"] is None:
        raise rejected(OP, row["why"]["message"])


ROUTES = (Route("POST", "/v1/apps/update", update, Role.OPERATOR),)
