"""Tarballs become releases: sent to the catalog with the number under which the door knows the upload."""

import asyncio
import time
from typing import Any

import asyncpg
from pydantic import ValidationError

from services.gateway.commands.ask import Answer
from services.gateway.commands.sender import Also
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import store
from services.gateway.doors.sysinv.call import Call
from services.gateway.doors.sysinv.identity import Named, named_by
from services.gateway.doors.sysinv.incoming import Sent
from services.gateway.doors.sysinv.refusing import reject_answer, rejected, told
from services.gateway.doors.sysinv.upload_request import Asked
from services.gateway.resources.bundles.store import await_bundle
from shared.core.transaction import Transaction
from shared.messages.base import Fault, faults_of
from shared.messages.catalog import ImportBundle, PublishRelease

NAMES_MISSING = (
    "application name or/and version is/are not included in the tar file. Please specify the application name via"
    " --app-name or/and version via --app-version."
)
VERDICT_SECONDS = 3.0
"""What is wrong with a tarball is found so soon that it can be the answer; with a large one it is told afterwards."""

LOOK_SECONDS = 0.05

Publishing = PublishRelease | ImportBundle


async def identified(call: Call, op: str, asked: Asked, sent: Sent) -> Asked:
    """The same with the names that the tarball gives itself, before those that were sent with it.

    Raises Refused 400 where there are none, or it cannot be read at all.
    """
    if sent.blob is None:
        return asked
    named = await named_by(call, sent.blob)
    if named.faults:
        raise rejected(op, *told(named.faults))
    return _named(op, asked, named)


def _named(op: str, asked: Asked, named: Named) -> Asked:
    app, version = named.app or asked.name, named.version or asked.version
    if app is None or version is None:
        raise rejected(op, NAMES_MISSING)
    return Asked(**{**vars_of(asked), "name": app, "version": version})


def vars_of(asked: Asked) -> dict[str, Any]:
    """Its fields."""
    return {name: getattr(asked, name) for name in asked.__dataclass_fields__}


def publishing(op: str, asked: Asked, sent: Sent) -> Publishing:
    """The command that makes a release of it. Raises Refused 400."""
    names = {"app": asked.name, "version": asked.version}
    try:
        if sent.blob is None:
            return ImportBundle.model_validate({"source": asked.tarfile, **names})
        file = {"bundle_sha256": sent.blob.sha256, "bundle_bytes": sent.blob.size, "file_name": asked.file_name[:255]}
        return PublishRelease.model_validate({**file, **names})
    except ValidationError as error:
        raise rejected(op, *told(faults_of(error))) from None


def numbered(call: Call, asked: Asked, command: Publishing, key: str) -> Also:
    """What is written with it: which upload of the door it is, so that it is seen before it has become a release."""

    async def write(tx: Transaction) -> None:
        await call.numbers.of(tx.conn, store.UPLOAD, [f"{asked.shown_name}/{asked.shown_version}/{key}"])
        if isinstance(command, PublishRelease):
            await await_bundle(tx.conn, command.bundle_sha256, command.file_name, tx.now)

    return write


async def settled(call: Call, publication: str, seconds: float = VERDICT_SECONDS) -> asyncpg.Record | None:
    """What became of it; None = that is not known after so long."""
    until = time.monotonic() + seconds
    while True:
        async with call.gateway.pool.acquire() as conn:
            row = await store.publication(conn, publication)
        if row is not None and row["state"] != "under_way":
            return row
        if time.monotonic() > until:
            return None
        await asyncio.sleep(LOOK_SECONDS)


async def refuse_settled(call: Call, op: str, publication: str, row: asyncpg.Record | None) -> None:
    """Raises Refused 400 for a tarball that did not become a release: then nothing of it is seen any more."""
    if row is None or row["state"] == "available":
        return
    await put_away(call, publication)
    raise rejected(op, *told([Fault.model_validate(fault) for fault in row["faults"]]))


async def refuse_unasked(call: Call, op: str, answer: Answer) -> None:
    """Raises Refused 400 for one that the catalog did not even take."""
    if answer.state == "rejected":
        await put_away(call, answer.command_id)
        reject_answer(op, answer)


async def put_away(call: Call, key: str) -> None:
    """A client has seen this failure: it is not shown any more."""
    async with call.gateway.pool.acquire() as conn:
        await call.numbers.of(conn, store.PUT_AWAY, [key])


SEND_IT = "send the file itself (binary_data, or as a form) or a URL, or publish it first: belay release publish"


def no_file(op: str, asked: Asked) -> Refused:
    """A path of another machine is but a name here."""
    missing = f"application tar file {asked.tarfile[:200]} does not exist here."
    return rejected(op, missing, f"no release was published from a file of the name {asked.file_name[:200]}; {SEND_IT}")


def only_a_name(asked: Asked) -> str:
    """For whoever has built the file anew and expects that it is read."""
    found = f"it was published from a file of the name {asked.file_name[:200]}, and no path of yours is read"
    return f"{found}; if the file has changed since, {SEND_IT}"
