"""Commands that were sent: what came of them."""

from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.resources.commands import store
from services.gateway.resources.commands.views import CommandView
from services.gateway.resources.resource import Resource
from shared.messages.words import Identifier


async def show(call: Call) -> CommandView:
    """GET /v1/commands/{command_id}."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find(conn, call.path["command_id"])
    if row is None:
        raise unknown("command", call.path["command_id"])
    return CommandView.model_validate(dict(row))


ROUTES = (Route("GET", "/v1/commands/{command_id}", show, "The answer to a command", answer=CommandView),)

RESOURCE = Resource({"commands": "What became of a command"}, ROUTES, {"commands/{command_id}": Identifier})
