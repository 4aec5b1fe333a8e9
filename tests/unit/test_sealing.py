"""Key pairs and sealed boxes."""

import base64
import threading
from pathlib import Path

import pytest

from shared.sealing import KeyPair, NoKey, Unopenable, seal


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first, second = KeyPair.of(tmp_path, "deployer"), KeyPair.of(tmp_path, "deployer")
    assert first.id == second.id
    assert (tmp_path / "deployer.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deployer.key", "deployer.pub"]
    assert (tmp_path / "deployer.pub").read_text() == first.public


def test_replicas_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    found: set[str] = set()
    start = threading.Barrier(8)

    def replica() -> None:
        start.wait()
        found.add(KeyPair.of(tmp_path, "deployer").id)

    threads = [threading.Thread(target=replica) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_what_was_sealed_is_opened_by_its_owner_alone(tmp_path: Path) -> None:
    mine, other = KeyPair.of(tmp_path, "deployer"), KeyPair.of(tmp_path, "notifier")
    sealed = seal("pässword".encode(), mine.public)
    assert mine.open(sealed).decode() == "pässword"
    assert sealed != seal("pässword".encode(), mine.public)
    with pytest.raises(Unopenable, match=r"notifier\.pub"):
        other.open(sealed)


@pytest.mark.parametrize("sealed", ["", "not base64!", base64.b64encode(b"x" * 80).decode()])
def test_what_was_not_sealed_at_all_is_told(tmp_path: Path, sealed: str) -> None:
    with pytest.raises(Unopenable, match="made with the public key"):
        KeyPair.of(tmp_path, "deployer").open(sealed)


@pytest.mark.parametrize("public", ["", "not base64!", base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_public_key_is_told(public: str) -> None:
    with pytest.raises(NoKey):
        seal(b"x", public)


def test_a_digest_differs_by_content_by_salt_and_by_key(tmp_path: Path) -> None:
    mine, other = KeyPair.of(tmp_path, "gateway"), KeyPair.of(tmp_path, "notifier")
    digests = {mine.digest(b"a", "1"), mine.digest(b"b", "1"), mine.digest(b"a", "2"), other.digest(b"a", "1")}
    assert len(digests) == 4
    assert mine.digest(b"a", "1") in digests


def test_a_key_pair_does_not_show_its_private_half(tmp_path: Path) -> None:
    pair = KeyPair.of(tmp_path, "deployer")
    assert (tmp_path / "deployer.key").read_text() not in repr(pair)
    assert "private" not in repr(pair).lower()
