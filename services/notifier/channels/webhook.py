"""The webhook channel: a signed POST of JSON, by the Standard Webhooks scheme."""

import base64
import hashlib
import hmac
import time

import aiohttp
import orjson
from nacl.public import PrivateKey
from yarl import URL

from services.notifier.domain import Outcome, Parcel, Result
from services.notifier.keys import Unsealable, unseal
from services.notifier.targets import CheckedResolver, TargetRefused, check_literal
from shared.messages.notifier import NotificationRaised


class WebhookChannel:
    """One HTTP client for all targets. Follows no redirect, keeps no cookie, uses no proxy, believes no DNS twice."""

    def __init__(self, key: PrivateKey, allow_private: bool, timeout_seconds: float) -> None:
        self._key = key
        self._allow_private = allow_private
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=CheckedResolver(allow_private), use_dns_cache=False, limit=0, force_close=True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            headers={"User-Agent": "Belay", "Content-Type": "application/json"},
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    async def deliver(self, parcel: Parcel) -> Outcome:
        """POST once. `gone` when the target says so (410), or its secret cannot be opened any more."""
        body = body_of(parcel)
        try:
            url = URL(parcel.url)
            check_literal(url.raw_host or "", self._allow_private)
            headers = self._headers(parcel, body)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return _judged(response.status)
        except Unsealable as error:
            return Outcome(Result.GONE, f"the secret {error}; remove the subscription and add it again")
        except TargetRefused as error:
            return Outcome(Result.FAILED, str(error))
        except TimeoutError:
            return Outcome(Result.FAILED, f"no answer within {self._session.timeout.total:g} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a stored url that is none
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            return Outcome(Result.FAILED, f"could not deliver: {cause}"[:300])

    def _headers(self, parcel: Parcel, body: bytes) -> dict[str, str]:
        message_id, timestamp = f"notification_{parcel.notification_id}", str(int(time.time()))
        headers = {"webhook-id": message_id, "webhook-timestamp": timestamp}
        if parcel.sealed_secret:
            secret = unseal(self._key, parcel.sealed_secret)
            headers["webhook-signature"] = signature(secret, message_id, timestamp, body)
        return headers


def body_of(parcel: Parcel) -> bytes:
    """The JSON that is posted: `type`, `timestamp`, and in `data` the fields of `notification_raised`."""
    data = NotificationRaised(
        notification_id=parcel.notification_id,
        topic=parcel.topic,
        message=parcel.message,
        about=parcel.about,
        link=parcel.link,
        raised_at=parcel.raised_at,
    )
    timestamp = parcel.raised_at.isoformat()
    return orjson.dumps({"type": data.TYPE, "timestamp": timestamp, "data": data.model_dump(mode="json")})


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Standard Webhooks: version 1, HMAC-SHA256 over id, timestamp (Unix seconds) and body."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def _judged(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(Result.DELIVERED)
    if status == 410:
        return Outcome(Result.GONE, "the target answered 410 Gone")
    more = "; redirects are not followed" if 300 <= status < 400 else ""
    return Outcome(Result.FAILED, f"the target answered {status}{more}")
