"""Keys of apps: one of them must have signed a bundle, or it is not taken."""

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_route
from services.gateway.resources.filters import unknown_names
from services.gateway.resources.resource import Resource
from services.gateway.resources.signing_keys import actions, store
from services.gateway.resources.signing_keys.projection import KINDS, learn_keys
from services.gateway.resources.signing_keys.views import SigningKeysView
from shared.messages.words import Name


async def list_keys(call: Call) -> SigningKeysView:
    """GET /v1/apps/{app}/keys: also of an app that has keys and no release yet; of one that has releases alone none."""
    app = call.path["app"]
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_keys(conn, app)
        if not rows and await unknown_names(conn, {"app": ("app", app)}):
            raise unknown("app", app)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return SigningKeysView.model_validate({"items": shown})


_ONE = "/v1/apps/{app}/keys/{name}"
ROUTES = (
    Route("GET", "/v1/apps/{app}/keys", list_keys, "Keys that sign the bundles of an app", answer=SigningKeysView),
    command_route("PUT", _ONE, actions.SET, "Trust a key; from the first one on the app takes signed bundles only"),
    command_route("DELETE", _ONE, actions.REMOVE, "Trust a key no more"),
)

RESOURCE = Resource(
    {}, ROUTES, {"apps/{app}": Name, "keys/{name}": Name}, (Learning(learn_keys, KINDS),), actions=actions.ACTIONS
)
