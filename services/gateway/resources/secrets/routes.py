"""Secrets that connections of sites name. A value comes in and is sealed; none ever goes out."""

from aiohttp import web

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.bodies import formed, in_confidence, read_object
from services.gateway.http.pages import Page, Paging, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import action_route, command_id_of, command_route, send
from services.gateway.resources.resource import Resource
from services.gateway.resources.secrets import actions, store
from services.gateway.resources.secrets.projection import KEYS, KINDS, learn_secrets
from services.gateway.resources.secrets.views import SecretBody, SecretView
from shared.messages.deployer import SetSecret
from shared.messages.words import Name

MOST = 64 * 1024
"""Bytes of a body: as much as a key file or the credentials of a cluster may have, and far below what a topic takes."""


async def list_secrets(call: Call) -> Page[SecretView]:
    """GET /v1/secrets."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_secrets(conn, after=after, limit=call.query.limit + 1)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[SecretView], shown, call.query, lambda row: [row["name"]])


async def show(call: Call) -> SecretView:
    """GET /v1/secrets/{name}."""
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_secrets(conn, after="", limit=1, name=call.path["name"])
    if not rows:
        raise unknown("secret", call.path["name"])
    return SecretView.model_validate(with_actions(rows[0], actions.ACTIONS, call.who.role))


async def put(call: Call) -> web.Response:
    """PUT /v1/secrets/{name}: the value is sealed here, before anything is stored, audited or sent."""
    value = await _value(call)
    sealing, name = call.gateway.sealing, call.path["name"]
    sealed = await sealing.seal(SetSecret.OWNER, value)
    fingerprint = sealing.fingerprint(command_id_of(call.request), SetSecret.TYPE, name, value)
    return await send(call, formed(SetSecret, {"name": name, "sealed": sealed}), fingerprint=fingerprint)


async def _value(call: Call) -> str:
    """What is to be kept. Raises Problem, which repeats nothing of the body: it may be the secret, misspelt."""
    with in_confidence():
        return formed(SecretBody, await read_object(call.request, MOST)).value


_ONE = "/v1/secrets/{name}"
ROUTES = (
    Route("GET", "/v1/secrets", list_secrets, "Secrets by name", query=Paging, answer=Page[SecretView]),
    Route("GET", _ONE, show, "One secret, without its value", answer=SecretView),
    action_route("PUT", _ONE, actions.SET, put, "Set a secret, or set it again", SecretBody),
    command_route("DELETE", _ONE, actions.REMOVE, "Forget a secret that no site names"),
)

RESOURCE = Resource(
    {"secrets": "What connections of sites name instead of saying it"},
    ROUTES,
    {"secrets/{name}": Name},
    (Learning(learn_secrets, KINDS, hidden=KEYS),),
    actions=actions.ACTIONS,
)
