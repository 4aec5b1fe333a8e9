"""Every resource of the API. A new one is a folder, and a line here."""

from services.gateway.events import stream
from services.gateway.resources.alarms import routes as alarms
from services.gateway.resources.apps import routes as apps
from services.gateway.resources.audit import routes as audit
from services.gateway.resources.automatic import routes as automatic
from services.gateway.resources.availability import routes as availability
from services.gateway.resources.bundles import routes as bundles
from services.gateway.resources.commands import routes as commands
from services.gateway.resources.dead_letters import routes as dead_letters
from services.gateway.resources.deployments import routes as deployments
from services.gateway.resources.groups import routes as groups
from services.gateway.resources.hosts import routes as hosts
from services.gateway.resources.notifications import routes as notifications
from services.gateway.resources.operations import routes as operations
from services.gateway.resources.overrides import routes as overrides
from services.gateway.resources.prestaged import routes as prestaged
from services.gateway.resources.publications import routes as publications
from services.gateway.resources.releases import routes as releases
from services.gateway.resources.resource import Resource
from services.gateway.resources.secrets import routes as secrets
from services.gateway.resources.signing_keys import routes as signing_keys
from services.gateway.resources.site_runs import routes as site_runs
from services.gateway.resources.sites import routes as sites
from services.gateway.resources.storage import routes as storage
from services.gateway.resources.strategies import routes as strategies
from services.gateway.resources.subscriptions import routes as subscriptions
from services.gateway.resources.system import routes as system
from services.gateway.resources.tokens import routes as tokens
from services.gateway.resources.uploads import routes as uploads

RESOURCES: tuple[Resource, ...] = (
    bundles.RESOURCE,
    uploads.RESOURCE,
    publications.RESOURCE,
    apps.RESOURCE,
    releases.RESOURCE,
    signing_keys.RESOURCE,
    storage.RESOURCE,
    hosts.RESOURCE,
    sites.RESOURCE,
    availability.RESOURCE,
    alarms.RESOURCE,
    prestaged.RESOURCE,
    secrets.RESOURCE,
    groups.RESOURCE,
    deployments.RESOURCE,
    overrides.RESOURCE,
    automatic.RESOURCE,
    site_runs.RESOURCE,
    strategies.RESOURCE,
    operations.RESOURCE,
    notifications.RESOURCE,
    subscriptions.RESOURCE,
    commands.RESOURCE,
    audit.RESOURCE,
    dead_letters.RESOURCE,
    tokens.RESOURCE,
    stream.RESOURCE,
    system.RESOURCE,
)
"""In the order of the API's description, and of the handlers: all types of one projection reach it together."""

ROUTES = tuple(route for resource in RESOURCES for route in resource.routes)
"""Every route of the API that needs a token."""

ACTIONS = tuple(action for resource in RESOURCES for action in resource.actions)
"""Every command that people may send, with who may."""
