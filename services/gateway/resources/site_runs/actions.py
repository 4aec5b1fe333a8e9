"""What people may do with all apps of a site at once."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action
from services.gateway.resources.site_runs import store
from shared.messages.deployer import CancelAll, RequestAll
from shared.process.db import Connection


async def _known(conn: Connection, commands: Mapping[str, RequestAll]) -> set[str]:
    return await store.known_runs(conn, list(commands))


def _goes_on(run: Mapping[str, Any]) -> bool:
    return bool(run["state"] == "running")


REQUEST = Action("run_all", RequestAll, readable=_known)
CANCEL = Action("cancel", CancelAll, when=_goes_on)

ACTIONS = (REQUEST, CANCEL)
