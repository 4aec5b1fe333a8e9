"""Bundles are signed over the list that names every file: whatever is changed or added is found."""

import base64
import gzip
import io
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.catalog.signing.domain import Key, judge
from shared.bundle import BundleRefused, verify
from shared.bundle.signer import sign_file
from shared.bundle.signing import SIGNATURES, BadKey, Signed, fits, key_id_of, new_key, read_signatures
from shared.messages.base import Fault
from shared.messages.catalog import Signature
from tests.support.bundles import bundle, member, tar, written

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MINE, OTHER = new_key(), new_key()


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    path = written(tmp_path, bundle({"data/a.txt": b"a"}))
    sign_file(path, path, MINE[0])
    return path


def of(path: Path) -> Signed | None:
    found = verify(path).signed
    assert found is None or isinstance(found, Signed)
    return found


def rewritten(path: Path, **changed: bytes) -> None:
    """The bundle with other content of these files, and with what is new behind them."""
    with tarfile.open(path) as archive:
        files = {m.name: (archive.extractfile(m) or io.BytesIO()).read() for m in archive.getmembers()}
    files |= {name.replace("__", "/"): content for name, content in changed.items()}
    path.write_bytes(gzip.compress(tar([member(name, content) for name, content in files.items()]), mtime=0))


def code(found: Signature | Fault | None) -> str | None:
    if isinstance(found, Fault):
        return found.code
    return found.key if found else None


def judged(signed: Signed | None, *keys: Key, required: bool = False) -> str | None:
    return code(judge("lamp", signed, keys, NOW, required=required))


def test_a_signed_bundle_is_known_by_its_key(signed: Path) -> None:
    assert judged(of(signed), Key("old", OTHER[1]), Key("mine", MINE[1])) == "mine"


def test_a_bundle_signed_by_two_is_taken_for_either(signed: Path) -> None:
    sign_file(signed, signed, OTHER[0])
    for key in (MINE, OTHER):
        assert judged(of(signed), Key("one", key[1])) == "one"
    sign_file(signed, signed, OTHER[0])
    assert len((of(signed) or Signed(b"", ())).signatures) == 2


def test_an_app_that_has_keys_takes_nothing_unsigned(tmp_path: Path) -> None:
    plain = of(written(tmp_path, bundle()))
    assert plain is None
    assert judged(plain) is None
    assert judged(plain, Key("mine", MINE[1])) == "signature_missing"
    assert judged(plain, required=True) == "signature_missing"


def test_a_signature_nobody_asks_for_is_no_fault(signed: Path) -> None:
    assert judged(of(signed)) is None
    assert judged(of(signed), required=True) == "signature_unknown_key"


def test_a_key_that_is_not_trusted_or_has_expired_does_not_count(signed: Path) -> None:
    assert judged(of(signed), Key("other", OTHER[1])) == "signature_unknown_key"
    assert judged(of(signed), Key("mine", MINE[1], NOW)) == "signature_unknown_key"
    assert judged(of(signed), Key("mine", MINE[1], NOW + timedelta(seconds=1))) == "mine"


def test_a_list_that_was_changed_is_not_what_was_signed(signed: Path) -> None:
    known = of(signed)
    assert known is not None
    assert judged(Signed(known.content + b"x", known.signatures), Key("mine", MINE[1])) == "signature_wrong"


@pytest.mark.parametrize(
    ("changed", "found"),
    [({"data__a.txt": b"b"}, "wrong_checksum"), ({"data__new.txt": b"x"}, "unlisted_file")],
    ids=["changed", "added"],
)
def test_no_file_escapes_the_signature(signed: Path, changed: dict[str, bytes], found: str) -> None:
    rewritten(signed, **changed)
    with pytest.raises(BundleRefused) as refused:
        verify(signed)
    assert [fault.code for fault in refused.value.faults] == [found]


@pytest.mark.parametrize("text", [b"", b"abc", b"0" * 16 + b" !!", b"\xff\xfe"])
def test_what_is_no_signature_is_said_with_its_line(text: bytes) -> None:
    found, faults = read_signatures(text)
    assert (found, [fault.code for fault in faults]) == ((), ["signature_wrong"])


def test_signatures_without_a_list_of_checksums_are_refused(tmp_path: Path, signed: Path) -> None:
    with tarfile.open(signed) as archive:
        files = {m.name: (archive.extractfile(m) or io.BytesIO()).read() for m in archive.getmembers()}
    del files["checksums.sha256"]
    path = written(tmp_path, gzip.compress(tar([member(name, content) for name, content in files.items()]), mtime=0))
    with pytest.raises(BundleRefused) as refused:
        verify(path)
    assert "missing_checksums" in {fault.code for fault in refused.value.faults}
    assert SIGNATURES in files


def test_what_is_no_key_is_refused(signed: Path) -> None:
    for wrong in ("", "abc", base64.b64encode(b"short").decode()):
        with pytest.raises(BadKey):
            sign_file(signed, signed, wrong)
        with pytest.raises(BadKey):
            key_id_of(wrong)
    assert not fits(OTHER[1], b"x", bytes(64))


def test_a_faulty_bundle_is_not_signed(tmp_path: Path) -> None:
    path = written(tmp_path, bundle(extra=[member("more.txt", b"x")]))
    with pytest.raises(BundleRefused):
        sign_file(path, path, MINE[0])
