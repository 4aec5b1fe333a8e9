"""Whether sites answer: asked all the time by the deployer, and now if somebody wishes. Shown with the sites."""

from services.gateway.events.learning import Learning
from services.gateway.http.sending import command_route
from services.gateway.resources.availability import actions
from services.gateway.resources.availability.projection import KINDS, learn_availability
from services.gateway.resources.resource import Resource
from shared.messages.deployer import SitesChecked

ROUTES = (command_route("POST", "/v1/sites/{site}/check", actions.CHECK, "Ask a site now whether it answers"),)

RESOURCE = Resource(
    {},
    ROUTES,
    learns=(Learning(learn_availability, KINDS, hidden=(SitesChecked,)),),
    actions=actions.ACTIONS,
)
