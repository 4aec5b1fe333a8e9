"""The system itself: every replica on this machine."""

import asyncio

from services.gateway.events.learning import Learning
from services.gateway.http.pages import Page
from services.gateway.http.routing import Call, Route
from services.gateway.resources.resource import Resource
from services.gateway.resources.system.projection import KINDS, learn_nothing
from services.gateway.resources.system.views import ReplicaView
from shared.process.replicas import ask_all


async def show(call: Call) -> Page[ReplicaView]:
    """GET /v1/system."""
    return Page[ReplicaView].model_validate({"items": await asyncio.to_thread(ask_all, call.gateway.settings.home)})


ROUTES = (Route("GET", "/v1/system", show, "Every replica that runs on this machine", answer=Page[ReplicaView]),)


RESOURCE = Resource({"system": "Every replica here"}, ROUTES, learns=(Learning(learn_nothing, KINDS),))
