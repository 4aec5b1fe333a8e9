"""The webhook channel: a POST of JSON, signed by the Standard Webhooks scheme."""

import asyncio
import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from services.notifier.domain import Attempt, DeliveryRequest, Result
from services.notifier.keys import signing_key
from services.notifier.payloads import payload_of
from services.notifier.payloads.template import TemplateFailed
from services.notifier.settings import NotifierSettings
from shared.sealing import KeyPair, Unopenable
from shared.targets import CheckedResolver, TargetRefused, UnknownHost, check_literal, check_target

ANSWER_BYTES, ANSWER_SHOWN = 2_000, 200
"""Of the target's answer to what it refuses: Slack, Teams and Mattermost say there what is wrong with the message."""


class WebhookChannel:
    """One HTTP client for all targets. Follows no redirect, keeps no cookie, believes no DNS twice.

    Without a proxy, addresses are checked by the resolver of the connection itself. A proxy resolves names on its own,
    so with one the target is only looked up beforehand; that it reaches nothing inside is then the proxy's duty too.
    """

    def __init__(self, keys: KeyPair, settings: NotifierSettings) -> None:
        self._keys = keys
        self._settings = settings
        self._proxy = settings.proxy or None
        resolver = None if self._proxy else CheckedResolver(settings.bounds)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_seconds),
            headers={"User-Agent": "Belay", "Content-Type": "application/json"},
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    async def deliver(self, request: DeliveryRequest) -> Attempt:
        """POST once. `gone` when the target says so (410), or its secret cannot be opened any more."""
        try:
            # A template is somebody's program: while it is filled in, others go on.
            body = await asyncio.to_thread(payload_of, request, self._settings.public_url)
            return await self._post(request, body)
        except Unopenable as error:
            return Attempt(Result.GONE, f"the secret {error}; remove the subscription and add it again")
        except TemplateFailed as error:
            return Attempt(Result.FAILED, f"the template cannot be filled in: {error}"[:300])
        except (TargetRefused, UnknownHost) as error:
            return Attempt(Result.FAILED, str(error))
        except TimeoutError:
            return Attempt(Result.FAILED, f"no answer within {self._settings.timeout_seconds:g} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a stored url that is none
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            return Attempt(Result.FAILED, f"could not deliver: {cause}"[:300])

    async def _post(self, request: DeliveryRequest, body: bytes) -> Attempt:
        bounds = self._settings.bounds
        check_literal(URL(request.url).raw_host or "", bounds)
        if self._proxy:
            await check_target(request.url, bounds, unknown_is_fault=False)
        headers = self._headers(request, body)
        async with self._session.post(
            URL(request.url), data=body, headers=headers, allow_redirects=False, proxy=self._proxy
        ) as response:
            said = b"" if response.ok else await response.content.read(ANSWER_BYTES)
            return judged(response.status, said, response.headers.get("Retry-After", ""), datetime.now(UTC))

    def _headers(self, request: DeliveryRequest, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        headers = {"webhook-id": request.message_id, "webhook-timestamp": timestamp}
        if request.sealed_secret:
            secret = signing_key(self._keys, request.sealed_secret)
            headers["webhook-signature"] = signature(secret, request.message_id, timestamp, body)
        return headers


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Standard Webhooks: version 1, HMAC-SHA256 over id, timestamp (Unix seconds) and body."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def judged(status: int, said: bytes, retry_after: str, now: datetime) -> Attempt:
    """What an answer means."""
    if 200 <= status < 300:
        return Attempt(Result.DELIVERED, status=status)
    if status == 410:
        return Attempt(Result.GONE, "the target answered 410 Gone", status)
    more = "; redirects are not followed" if 300 <= status < 400 else _shown(said)
    return Attempt(Result.FAILED, f"the target answered {status}{more}", status, wait_of(retry_after, now))


def _shown(said: bytes) -> str:
    text = " ".join(said.decode(errors="replace").split())
    plain = "".join(character for character in text if character.isprintable())
    return f": {plain[:ANSWER_SHOWN]}" if plain else ""


def wait_of(retry_after: str, now: datetime) -> timedelta | None:
    """`Retry-After` (RFC 9110 §10.2.3): seconds or a date; None where it says neither, or a time that is over."""
    if retry_after.isascii() and retry_after.isdigit():
        return timedelta(seconds=min(int(retry_after[:9]), 10**9)) or None
    try:
        until = parsedate_to_datetime(retry_after)
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):  # the latter for a year or a zone that no calendar has
        return None
    return wait if wait > timedelta() else None
