"""Keys, sealed secrets and signatures."""

import base64
import threading
from pathlib import Path

import pytest
from nacl.public import PrivateKey, PublicKey, SealedBox

from services.notifier.channels.webhook import signature
from services.notifier.keys import Unsealable, open_keys, unseal


def seal(home: Path, secret: bytes) -> str:
    public = PublicKey(base64.b64decode((home / "notifier.pub").read_text()))
    return base64.b64encode(SealedBox(public).encrypt(secret)).decode()


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first, second = open_keys(tmp_path), open_keys(tmp_path)
    assert bytes(first) == bytes(second)
    assert (tmp_path / "notifier.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notifier.key", "notifier.pub"]


def test_replicas_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    found: set[bytes] = set()
    start = threading.Barrier(8)

    def replica() -> None:
        start.wait()
        found.add(bytes(open_keys(tmp_path)))

    threads = [threading.Thread(target=replica) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_a_secret_sealed_to_the_public_key_is_opened(tmp_path: Path) -> None:
    key = open_keys(tmp_path)
    assert unseal(key, seal(tmp_path, b"plain")) == b"plain"
    assert unseal(key, seal(tmp_path, b"whsec_" + base64.b64encode(b"raw"))) == b"raw"


@pytest.mark.parametrize("sealed", ["", "not base64!", base64.b64encode(b"x" * 80).decode()])
def test_what_was_not_sealed_to_us_is_told(tmp_path: Path, sealed: str) -> None:
    with pytest.raises(Unsealable, match="made with the public key"):
        unseal(open_keys(tmp_path), sealed)


def test_a_secret_sealed_to_another_key_is_told(tmp_path: Path) -> None:
    sealed = base64.b64encode(SealedBox(PrivateKey.generate().public_key).encrypt(b"x")).decode()
    with pytest.raises(Unsealable):
        unseal(open_keys(tmp_path), sealed)


def test_a_broken_standard_webhooks_secret_is_told(tmp_path: Path) -> None:
    key = open_keys(tmp_path)
    with pytest.raises(Unsealable, match="base64"):
        unseal(key, seal(tmp_path, b"whsec_!!!"))


def test_the_signature_is_that_of_the_published_example() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == expected
