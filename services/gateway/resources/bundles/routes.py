"""Bundles: taken into the blob store, then looked at by the catalog."""

from aiohttp import web

from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route, go_on
from services.gateway.http.sending import action_route, command_id_of, send
from services.gateway.http.uploads import UploadQuery, expect, gzipped, incoming_of, over_limit, refuse_announced
from services.gateway.resources.bundles import actions, store
from services.gateway.resources.bundles.projection import learn_refusals
from services.gateway.resources.bundles.views import BundleView
from services.gateway.resources.resource import Resource
from shared.blobs import BlobTooLarge
from shared.core.transaction import Transaction
from shared.messages.catalog import PublishRelease
from shared.messages.words import Sha256


async def upload(call: Call) -> web.Response:
    """POST /v1/releases: the file goes to the blob store as it comes; the catalog takes it from there."""
    command_id_of(call.request)  # a wrong key is said before a gigabyte is taken
    limit = call.gateway.settings.max_bundle_bytes
    refuse_announced(call.request, limit)
    if announced := call.request.content_length:
        await call.gateway.blobs.must_have_room(announced, announced)  # it comes as a whole, and lies here once
    await go_on(call.request)
    incoming = await incoming_of(call.request, call.query.file_name)
    try:
        blob = await call.gateway.blobs.put(await gzipped(incoming.chunks), limit)
    except BlobTooLarge as error:
        raise over_limit(limit + 1, limit) from error
    await incoming.end()
    named = {"bundle_sha256": blob.sha256, "bundle_bytes": blob.size, "file_name": incoming.file_name}

    async def awaited(tx: Transaction) -> None:
        await store.await_bundle(tx.conn, blob.sha256, incoming.file_name, tx.now)

    return await send(call, PublishRelease(**named), also=awaited)


async def show_bundle(call: Call) -> BundleView:
    """GET /v1/bundles/{sha256}."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_bundle(conn, call.path["sha256"])
    if row is None:
        raise unknown("bundle", call.path["sha256"])
    return BundleView.model_validate(dict(row))


ROUTES = (
    action_route(
        "POST", "/v1/releases", actions.PUBLISH, upload,
        "Upload a bundle; the catalog checks it and publishes its release",
        query=UploadQuery, upload=True, expect=expect,
    ),
    Route("GET", "/v1/bundles/{sha256}", show_bundle, "What became of a bundle", answer=BundleView),
)  # fmt: skip

RESOURCE = Resource(
    {"bundles": "What was uploaded"},
    ROUTES,
    {"bundles/{sha256}": Sha256},
    after_answers={PublishRelease.TYPE: learn_refusals},
    actions=actions.ACTIONS,
)
