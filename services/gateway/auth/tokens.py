"""Local tokens: `belay_<id>_<secret>`, kept as argon2 hashes, verified once in a while.

A verified token is remembered by its sha256, so that a request does not cost an argon2 run; every few seconds its row
is asked for anew, whether it was deleted. Runs happen in a thread, few at a time: wrong tokens cannot take the machine.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from services.gateway.domain import Identity, Role
from services.gateway.resources.tokens import store
from shared.core.errors import BelayError
from shared.process.db import Connection, Pool

log = structlog.get_logger()

PREFIX = "belay_"
LONGEST = 200
REMEMBERED = 1_000
FIRST_TOKEN_FILE = "admin.token"  # noqa: S105 - a file's name
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh token. `secret` is the whole token as people use it; it is shown once and kept nowhere."""

    id: str
    secret: str


def mint() -> Minted:
    """A token of 256 random bits."""
    identifier = secrets.token_hex(6)
    return Minted(identifier, f"{PREFIX}{identifier}_{secrets.token_urlsafe(32)}")


def id_of(token: str) -> str | None:
    """The id inside a token; None when it is none of ours."""
    if not token.startswith(PREFIX) or len(token) > LONGEST or not token.isascii():
        return None
    identifier, _, secret = token.removeprefix(PREFIX).partition("_")
    return identifier if secret and identifier.isalnum() else None


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that once fitted this hash; it still does for as long as its row has the same one."""

    identity: Identity
    hash: str
    until: float


class LocalTokens:
    """Makes, verifies and deletes the tokens that one Belay hands out itself: a Verifier."""

    def __init__(self, pool: Pool, cache_seconds: float) -> None:
        self._pool = pool
        self._cache_seconds = cache_seconds
        self._known: OrderedDict[bytes, Verified] = OrderedDict()
        self._verifying: dict[bytes, asyncio.Task[Identity | None]] = {}
        self._runs = asyncio.Semaphore(2)

    async def verify(self, token: str) -> Identity | None:
        """Who holds this token; None when it is not, or no longer, valid."""
        if id_of(token) is None:  # a header that is not UTF-8 has no digest either
            return None
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._known.get(digest)) and known.until > time.monotonic():
            return known.identity
        # Of hundreds of requests that find it out of date at the same moment one looks it up, for all of them.
        if (run := self._verifying.get(digest)) is None:
            run = self._verifying[digest] = asyncio.create_task(self._verify(token, digest))
        return await asyncio.shield(run)

    async def _verify(self, token: str, digest: bytes) -> Identity | None:
        try:
            verified = await self._look_up(token, self._known.pop(digest, None))
            if verified is None:
                return None
            self._remember(digest, verified)
            return verified.identity
        finally:
            del self._verifying[digest]

    async def create(self, conn: Connection, name: str, role: Role, created_by: str, now: datetime) -> Minted | None:
        """Add a token in the caller's transaction; None when its name is taken."""
        minted = mint()
        hashed = await asyncio.to_thread(_HASHER.hash, minted.secret)
        named = {"token_id": minted.id, "name": name, "hashed": hashed, "created_by": created_by}
        return minted if await store.put(conn, **named, role=role, now=now) else None

    def forget(self) -> None:
        """Verify every token anew: one was deleted."""
        self._known.clear()

    async def _look_up(self, token: str, known: Verified | None) -> Verified | None:
        if (identifier := id_of(token)) is None:
            return None
        async with self._pool.acquire() as conn:
            row = await store.find(conn, identifier)
        if row is None:
            return None
        if known is None or known.hash != row["hash"]:
            async with self._runs:
                if not await asyncio.to_thread(_fits, row["hash"], token):
                    return None
        async with self._pool.acquire() as conn:
            await store.use(conn, identifier, datetime.now(UTC))
        identity = Identity(row["id"], row["name"], Role(row["role"]))
        return Verified(identity, row["hash"], time.monotonic() + self._cache_seconds)

    def _remember(self, digest: bytes, verified: Verified) -> None:
        self._known[digest] = verified
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _fits(hashed: str, token: str) -> bool:
    try:
        return _HASHER.verify(hashed, token)
    except (Argon2Error, InvalidHashError):
        return False


async def make_first_token(pool: Pool, tokens: LocalTokens, home: Path) -> None:
    """At the very first start: one admin's token, in a file that only its owner may read; no log ever shows it.

    The file is there before the token is valid: a crash in between leaves a useless file, never a token that
    nobody knows. Of several replicas that start at once, one makes it.
    """
    async with pool.acquire() as conn, conn.transaction():
        await store.lock(conn)
        if await store.count(conn):
            return
        minted = await tokens.create(conn, "admin", Role.ADMIN, "first start", datetime.now(UTC))
        if minted is None:
            return
        try:
            file = _write_secret(home / FIRST_TOKEN_FILE, minted.secret)
        except OSError as error:  # to be mended by somebody, not waited for like PostgreSQL
            raise BelayError(f"{error.filename}: the first token cannot be written: {error.strerror}") from error
    log.warning("made the first admin token; read it from the file", action="first_token", file=str(file))


def _write_secret(path: Path, secret: str) -> Path:
    """Readable by the owner alone from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(secret + "\n")
    return draft.rename(path)
