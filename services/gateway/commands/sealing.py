"""Secrets are sealed before they travel: only their owner can open what is sealed to its public key."""

import asyncio

from services.gateway.resources.secrets import store
from shared.core.errors import BelayError
from shared.process.db import Pool
from shared.sealing import KeyPair, seal


class NoKeyYet(BelayError, OSError):
    """The owner has not said its public key yet; it does so when it starts. Passes."""


class Sealing:
    """Seals what people send, to keys that their owners reported; `keys` are the gateway's own."""

    def __init__(self, pool: Pool, keys: KeyPair) -> None:
        self._pool = pool
        self._keys = keys

    async def seal(self, owner: str, value: str) -> str:
        """The value in a sealed box, as base64: other text each time. Raises NoKeyYet."""
        async with self._pool.acquire() as conn:
            key = await store.find_sealing_key(conn, owner)
        if key is None:
            raise NoKeyYet(f"the {owner} has not reported its public key yet")
        return await asyncio.to_thread(seal, value.encode(), key)

    def fingerprint(self, command_id: str, *content: str) -> bytes:
        """Stands for what was sealed, by which a repeated request is known as the same one.

        Made with a key of ours: a fingerprint that anybody could compute would let whoever reads the database try out
        what a short secret may have been.
        """
        return self._keys.digest("\x00".join(content).encode(), command_id)
