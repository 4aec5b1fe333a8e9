"""What every request of the API works with."""

from dataclasses import dataclass

from aiohttp import web

from services.gateway.gathering import Gathering
from services.gateway.hub import Hub
from services.gateway.postbox import Letter
from services.gateway.settings import GatewaySettings
from services.gateway.showing import Look
from services.gateway.store.commands import Noted
from services.gateway.tokens import Tokens
from services.gateway.waiting import Waiting
from shared.blobs import Blobs
from shared.core.transaction import Ledger
from shared.process.db import Pool
from shared.process.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of one replica."""

    settings: Settings
    knobs: GatewaySettings
    pool: Pool
    ledger: Ledger
    waiting: Waiting
    postbox: Gathering[Letter, Noted]
    showing: Gathering[Look, bool]
    hub: Hub
    tokens: Tokens
    blobs: Blobs


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
