"""Who does what with commands about what the deployer does by itself. Built with the settings that they need."""

from collections.abc import Awaitable, Callable
from functools import partial

from services.deployer.automatic.commands import clear_failed, reapply_apps, set_behaviours
from services.deployer.site_runs.commands import cancel_all, request_all
from shared.core.inbox import Reply
from shared.messages.base import Message
from shared.messages.deployer import CancelAll, ClearFailedRelease, ReapplyApp, RequestAll, SetAppBehaviour

Handling = dict[type[Message], Callable[..., Awaitable[list[Reply] | None]]]


def handlers_of(failed_at: int) -> Handling:
    """`failed_at`: sites where a release failed before nothing that goes by itself chooses it any more."""
    return {**HANDLERS, ClearFailedRelease: partial(clear_failed, failed_at)}


HANDLERS: Handling = {
    SetAppBehaviour: set_behaviours,
    ClearFailedRelease: partial(clear_failed, 1),
    RequestAll: request_all,
    CancelAll: cancel_all,
    ReapplyApp: reapply_apps,
}
