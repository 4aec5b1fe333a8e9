"""What every request of the API works with."""

from dataclasses import dataclass

from aiohttp import web

from services.gateway.hub import Hub
from services.gateway.settings import GatewaySettings
from services.gateway.tokens import Tokens
from services.gateway.waiting import Waiting
from shared.blobs import Blobs
from shared.db import Pool
from shared.ledger import Ledger
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of one replica."""

    settings: Settings
    knobs: GatewaySettings
    pool: Pool
    ledger: Ledger
    waiting: Waiting
    hub: Hub
    tokens: Tokens
    blobs: Blobs


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
