"""What every request of the API works with."""

from dataclasses import dataclass

from services.gateway.auth.tokens import LocalTokens
from services.gateway.auth.verifier import Verifier
from services.gateway.commands.ask import Commands
from services.gateway.commands.pending import PendingAnswers
from services.gateway.commands.sealing import Sealing
from services.gateway.events.hub import Hub
from services.gateway.settings import GatewaySettings
from shared.blobs import Blobs
from shared.core.transaction import Ledger
from shared.process.db import Pool
from shared.process.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of one replica."""

    settings: Settings
    own: GatewaySettings
    pool: Pool
    ledger: Ledger
    pending: PendingAnswers
    commands: Commands
    sealing: Sealing
    hub: Hub
    stream_types: frozenset[str]
    verifier: Verifier
    tokens: LocalTokens
    blobs: Blobs
