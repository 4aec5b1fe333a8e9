"""What people may do with bundles."""

from services.gateway.commands.action import Action
from shared.messages.catalog import PublishRelease

PUBLISH = Action("publish", PublishRelease)

ACTIONS = (PUBLISH,)
