"""Troubles are only passed on to the stream: `/v1/system` asks each replica itself."""

from collections.abc import Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from shared.messages import monitor
from shared.wire.codec import Envelope


async def learn_nothing(_: LearningTransaction, __: Sequence[Envelope[Any]]) -> None:
    """No table keeps them."""


KINDS = (monitor.TroubleFound, monitor.TroubleOver)
