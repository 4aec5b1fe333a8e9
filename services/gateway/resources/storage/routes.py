"""How much the bundles take, as the catalog last said."""

from services.gateway.events.learning import Learning
from services.gateway.http.routing import Call, Route
from services.gateway.resources.resource import Resource
from services.gateway.resources.storage import store
from services.gateway.resources.storage.projection import KINDS, learn_storage
from services.gateway.resources.storage.views import StorageView


async def show(call: Call) -> StorageView:
    """GET /v1/storage."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_storage(conn)
    known = dict(row) if row else dict.fromkeys(StorageView.model_fields)
    return StorageView.model_validate({**known, "limit_bytes": call.gateway.settings.max_bundle_bytes})


ROUTES = (Route("GET", "/v1/storage", show, "How much the bundles take, and what may go", answer=StorageView),)


RESOURCE = Resource(
    {"storage": "The space that bundles take"}, ROUTES, learns=(Learning(learn_storage, KINDS, hidden=KINDS),)
)
