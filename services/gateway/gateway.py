"""What every request of the API works with."""

from dataclasses import dataclass

from services.gateway.auth.tokens import Tokens
from services.gateway.commands.batcher import Gathering
from services.gateway.commands.read_your_writes import Look
from services.gateway.commands.sender import Letter
from services.gateway.commands.waiting import Waiting
from services.gateway.events.hub import Hub
from services.gateway.resources.commands.store import Noted
from services.gateway.settings import GatewaySettings
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
