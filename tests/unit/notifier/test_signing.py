"""Sealed secrets and signatures."""

import base64
from pathlib import Path

import pytest

from services.notifier.channels.webhook import signature
from services.notifier.keys import signing_key
from shared.sealing import KeyPair, Unopenable, seal


def test_a_secret_sealed_to_the_public_key_is_opened(tmp_path: Path) -> None:
    keys = KeyPair.of(tmp_path, "notifier")
    assert signing_key(keys, seal(b"plain", keys.public)) == b"plain"
    assert signing_key(keys, seal(b"whsec_" + base64.b64encode(b"raw"), keys.public)) == b"raw"


def test_a_broken_standard_webhooks_secret_is_told(tmp_path: Path) -> None:
    keys = KeyPair.of(tmp_path, "notifier")
    with pytest.raises(Unopenable, match="base64"):
        signing_key(keys, seal(b"whsec_!!!", keys.public))


def test_the_signature_is_that_of_the_published_example() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == expected
