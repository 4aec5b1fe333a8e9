"""What people may do about whether sites answer."""

from services.gateway.commands.action import Action
from shared.messages.deployer import CheckSite

CHECK = Action("check", CheckSite)

ACTIONS = (CHECK,)
