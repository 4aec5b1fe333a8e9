"""How the gateway learns who is calling."""

from typing import Protocol

from services.gateway.domain import Identity


class Verifier(Protocol):
    """Says whose token this is. The local tokens are one; another may ask an identity provider."""

    async def verify(self, token: str) -> Identity | None:
        """Who holds this token; None when it is not, or no longer, valid. Whatever was sent comes here, unread."""
