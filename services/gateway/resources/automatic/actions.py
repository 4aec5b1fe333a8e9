"""What people may do about what goes by itself."""

from services.gateway.commands.action import Action, always
from shared.messages.deployer import ClearFailedRelease, ReapplyApp, SetAppBehaviour

SET = Action("set", SetAppBehaviour, when=always)
REAPPLY = Action("reapply", ReapplyApp, when=always)
CLEAR = Action("clear_failed", ClearFailedRelease, when=always)

OF_APPS = (SET, REAPPLY)
ACTIONS = (*OF_APPS, CLEAR)
