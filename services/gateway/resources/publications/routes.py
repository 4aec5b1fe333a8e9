"""Publications: bundles on their way to being releases, by the command that began them."""

from services.gateway.events.learning import Learning
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_route
from services.gateway.resources.publications import actions, store
from services.gateway.resources.publications.projection import KINDS, learn_begun, learn_publications
from services.gateway.resources.publications.views import PublicationView
from services.gateway.resources.resource import Resource
from shared.messages.catalog import ImportBundle, PublishRelease
from shared.messages.words import Identifier


async def show_publication(call: Call) -> PublicationView:
    """GET /v1/publications/{id}: unknown until something was said of it."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_publication(conn, call.path["id"])
    if row is None:
        raise unknown("publication", call.path["id"])
    return PublicationView.model_validate(dict(row))


ROUTES = (
    command_route(
        "POST", "/v1/publications", actions.IMPORT, "Have a bundle fetched from where it lies, and published"
    ),
    Route(
        "GET",
        "/v1/publications/{id}",
        show_publication,
        "How far a publication is, or what became of it",
        answer=PublicationView,
    ),
)

RESOURCE = Resource(
    {"publications": "Bundles on their way to being releases"},
    ROUTES,
    {"publications/{id}": Identifier},
    (Learning(learn_publications, KINDS),),
    actions=actions.ACTIONS,
    after_answers={PublishRelease.TYPE: learn_begun, ImportBundle.TYPE: learn_begun},
)
