"""Every kind of hostile or broken bundle is refused with its code, and leaves nothing outside or inside."""

from __future__ import annotations

import gzip
import os
import struct
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.bundle import BundleRefused, unpack, unpack_published, verify
from shared.bundle.archive import read
from shared.bundle.names import Tree, fault_of_name
from shared.bundle.stream import MIB, Limits
from tests.support.bundles import Member, bundle, checksums, manifest, member, tar, written

GOOD = bundle({"data/seed.txt": b"seed"})


def refusal(folder: Path, content: bytes) -> list[tuple[str, str]]:
    """The (code, place) of every fault; makes sure that unpacking agrees, and leaves nothing behind."""
    path = written(folder, content)
    with pytest.raises(BundleRefused) as verified:
        verify(path)
    with pytest.raises(BundleRefused) as unpacked:
        unpack(path, folder / "inside" / "target")
    assert unpacked.value.faults == verified.value.faults
    assert [found for found in folder.rglob("*") if found != path and found.is_file()] == []
    return [(fault.code, fault.field) for fault in verified.value.faults]


def test_a_good_bundle_is_taken_and_unpacked_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert verify(path).version == "1.0.0"
    assert unpack(path, tmp_path / "target").app == "lamp"
    files = sorted(
        p.relative_to(tmp_path / "target").as_posix() for p in (tmp_path / "target").rglob("*") if p.is_file()
    )
    assert files == ["bundle.yaml", "checksums.sha256", "data/seed.txt"]
    assert (tmp_path / "target/data/seed.txt").read_bytes() == b"seed"


def test_a_bundle_made_with_tar_czf_is_taken(tmp_path: Path) -> None:
    files = {"bundle.yaml": manifest()}
    members = [member("./", kind=tarfile.DIRTYPE), member("./bundle.yaml", files["bundle.yaml"])]
    content = tar([*members, member("./checksums.sha256", checksums(files))], tarfile.PAX_FORMAT)
    assert verify(written(tmp_path, gzip.compress(content))).app == "lamp"


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda listed: listed.replace(b"  ", b"  ./"),
        lambda listed: listed.replace(b"  ", b" *././"),
        lambda listed: listed.replace(b"\n", b"\r\n"),
        lambda listed: b"\xef\xbb\xbf" + listed.upper().replace(b"BUNDLE.YAML", b"bundle.yaml"),
        lambda listed: listed.rstrip(b"\n"),
    ],
)
def test_checksums_are_taken_as_other_tools_write_them(tmp_path: Path, rewritten: Callable[[bytes], bytes]) -> None:
    files = {"bundle.yaml": manifest()}
    members = [member("bundle.yaml", manifest()), member("checksums.sha256", rewritten(checksums(files)))]
    assert verify(written(tmp_path, gzip.compress(tar(members)))).app == "lamp"


def test_a_file_that_stands_in_the_checksums_twice_is_refused_however_it_is_spelt(tmp_path: Path) -> None:
    listed = checksums({"bundle.yaml": manifest()})
    members = [member("bundle.yaml", manifest()), member("checksums.sha256", listed + listed.replace(b"  ", b"  ./"))]
    assert refusal(tmp_path, gzip.compress(tar(members))) == [("bad_checksums", "checksums.sha256:2")]


def test_executable_files_stay_executable_and_nothing_is_writable_for_others(tmp_path: Path) -> None:
    files = {"bundle.yaml": manifest(), "run.sh": b"true"}
    members = [member(n, c, mode=0o777) for n, c in (files | {"checksums.sha256": checksums(files)}).items()]
    unpack(written(tmp_path, gzip.compress(tar(members))), tmp_path / "target")
    assert oct((tmp_path / "target/run.sh").stat().st_mode & 0o7777) == oct(0o755 & ~_umask())


@pytest.mark.parametrize(
    ("hostile", "code"),
    [
        (member("../evil", b"x"), "path_traversal"),
        (member("data/../../evil", b"x"), "path_traversal"),
        (member("/tmp/evil", b"x"), "absolute_name"),  # noqa: S108 - never written
        (member("evil", kind=tarfile.SYMTYPE, link="/etc/passwd"), "not_a_file"),
        (member("evil", kind=tarfile.LNKTYPE, link="bundle.yaml"), "not_a_file"),
        (member("evil", kind=tarfile.CHRTYPE), "not_a_file"),
        (member("evil", kind=tarfile.BLKTYPE), "not_a_file"),
        (member("evil", kind=tarfile.FIFOTYPE), "not_a_file"),
        (member("evil", b"x" * 600, kind=b"Z"), "not_a_file"),
        (member("evil", b"x", mode=0o4755), "bad_mode"),
        (member("evil", b"x", mode=0o2755), "bad_mode"),
        (member("bundle.yaml", b"app: other"), "duplicate_name"),
        (member("Bundle.YAML", b"app: other"), "duplicate_name"),
        (member("bundle.yaml/evil", b"x"), "conflicting_name"),
        (member("bundle.yaml", kind=tarfile.DIRTYPE), "conflicting_name"),
        (member("data\\evil", b"x"), "bad_name"),
        (member("data//evil", b"x"), "bad_name"),
        (member("data/./evil", b"x"), "bad_name"),
        (member("new\nline", b"x"), "bad_name"),
        (member("a\udcff", b"x"), "name_not_utf8"),
        (member("x" * 300, b"x"), "name_too_long"),
        (member("x/" * 300 + "y", b"x"), "name_too_long"),
        (member("extra", b"x"), "unlisted_file"),
    ],
)
def test_a_member_that_is_no_plain_file_inside_is_refused(tmp_path: Path, hostile: Member, code: str) -> None:
    [(found, place)] = refusal(tmp_path, bundle(extra=[hostile]))
    assert found == code
    assert place


def test_a_link_to_a_folder_outside_does_not_lead_files_there(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = member("data", kind=tarfile.SYMTYPE, link=str(outside))
    codes = refusal(tmp_path, bundle(extra=[link, member("data/evil", b"x")]))
    assert codes == [("not_a_file", "data"), ("unlisted_file", "data/evil")]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    files = {"bundle.yaml": b"app: LAMP\ncolour: red\nversion: 1.10\ncomponents: []\n", "data/a": b"a"}
    listed = checksums({"bundle.yaml": b"other", "gone": b"", "data/a": b"a"}) + b"nonsense\n"
    members = [member(n, c) for n, c in files.items()] + [member("checksums.sha256", listed), member("../x", b"")]
    assert set(refusal(tmp_path, gzip.compress(tar(members)))) == {
        ("path_traversal", "../x"),
        ("bad_checksums", "checksums.sha256:4"),
        ("missing_file", "gone"),
        ("wrong_checksum", "bundle.yaml"),
        ("invalid_field", "bundle.yaml:1:app"),
        ("unknown_field", "bundle.yaml:2:colour"),
        ("invalid_field", "bundle.yaml:3:version"),
        ("invalid_field", "bundle.yaml:4:components"),
    }


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_tar"),
        (b"PK\x03\x04 a zip file", "not_gzip"),
        (gzip.compress(b"just some text, no archive", mtime=0), "not_tar"),
        (gzip.compress(b"", mtime=0), "not_tar"),
        (GOOD[:-20], "truncated"),
        (GOOD[: len(GOOD) // 2], "truncated"),
        (GOOD[:-8] + b"\0" * 8, "corrupt"),
        (gzip.compress(gzip.decompress(GOOD)[:1500], mtime=0), "corrupt"),
    ],
)
def test_what_is_no_whole_archive_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    assert code in {found for found, _ in refusal(tmp_path, content)}


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    plain = bytearray(gzip.decompress(GOOD))
    at = plain.index(b"data/seed.txt", 1536)
    plain[at] ^= 0xFF
    assert refusal(tmp_path, gzip.compress(bytes(plain))) == [("corrupt", "")]


def test_what_hides_behind_the_end_is_found(tmp_path: Path) -> None:
    hidden = gzip.decompress(GOOD) + tar([member("../evil", b"x")])
    assert refusal(tmp_path, gzip.compress(hidden)) == [("corrupt", "")]
    assert refusal(tmp_path, GOOD + b"trailing bytes")[0][0] in {"not_gzip", "corrupt"}


def test_a_compression_bomb_is_stopped_while_it_is_read(tmp_path: Path) -> None:
    assert refusal(tmp_path, bundle(extra=[member("zeros", bytes(64 * MIB))])) == [("compression_bomb", "")]


def test_more_files_than_allowed_are_refused(tmp_path: Path) -> None:
    many = [member(f"data/{number}") for number in range(10_001)]
    with pytest.raises(BundleRefused, match="more than 10000 files"):
        verify(written(tmp_path, bundle(extra=many)))


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(files=2), "too_many_files"),
        (Limits(file_bytes=50), "file_too_large"),
        (Limits(total_bytes=2_000), "too_large"),
    ],
)
def test_each_limit_holds(tmp_path: Path, limits: Limits, code: str) -> None:
    contents = read(written(tmp_path, GOOD), keep={}, limits=limits)
    assert [fault.code for fault in contents.faults] == [code]
    assert not contents.complete


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_huge_header_is_not_read_into_memory(tmp_path: Path, kind: bytes) -> None:
    noise = os.urandom(2 * MIB)
    assert refusal(tmp_path, bundle(extra=[member("long", noise, kind=kind), member("x", b"x")])) == [
        ("header_too_large", "")
    ]


def test_a_link_that_claims_to_be_large_grants_no_large_header(tmp_path: Path) -> None:
    link, _ = member("link", kind=tarfile.SYMTYPE, link="x")
    forged = bytearray(link.tobuf())
    forged[124:136] = b"%011o\0" % (512 * MIB)
    forged[148:156] = b"        "
    forged[148:156] = b"%06o\0 " % sum(forged)
    plain = bytes(forged) + tar([member("long", os.urandom(MIB), kind=tarfile.XHDTYPE)])
    codes = [code for code, _ in refusal(tmp_path, gzip.compress(plain))]
    assert codes == ["not_a_file", "header_too_large"]


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    info, content = member("sparse", b"1\n0\n1\n" + bytes(506) + b"x")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999"}
    plain = tar([(info, content)], tarfile.PAX_FORMAT)
    assert refusal(tmp_path, gzip.compress(plain)) == [("not_a_file", "sparse")]


def test_a_negative_size_ends_the_reading(tmp_path: Path) -> None:
    info, _ = member("negative")
    forged = bytearray(info.tobuf())
    forged[124:136] = b"\xff" * 4 + struct.pack(">q", -5120)
    forged[148:156] = b"        "
    forged[148:156] = b"%06o\0 " % sum(forged)
    assert refusal(tmp_path, gzip.compress(bytes(forged) + bytes(1024)))[-1][0] in {"corrupt", "not_tar"}


def test_a_full_disk_is_not_the_bundles_fault(tmp_path: Path) -> None:
    import resource

    path = written(tmp_path, bundle({"big": os.urandom(4 * MIB)}))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            unpack(path, tmp_path / "target")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [path]


def test_who_unpacks_what_another_is_unpacking_finds_it_there(tmp_path: Path) -> None:
    path, target = written(tmp_path, GOOD), tmp_path / "target"

    def one(_: int) -> str:
        try:
            unpack(path, target)
        except FileExistsError:
            return "there"
        return "unpacked"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(8)))
    assert sorted(found) == ["there"] * 7 + ["unpacked"]
    assert sorted(tmp_path.iterdir()) == [path, target]


def test_what_was_published_is_unpacked_though_rules_of_today_would_refuse_it(tmp_path: Path) -> None:
    told = manifest(more="obsolete: {bulb: ['hosts[0]']}\n")
    path = written(tmp_path, bundle({"bundle.yaml": told}))
    with pytest.raises(BundleRefused):
        unpack(path, tmp_path / "target")
    unpack_published(path, tmp_path / "target")
    assert (tmp_path / "target/bundle.yaml").read_bytes() == told


@pytest.mark.parametrize("content", [GOOD[: len(GOOD) // 2], bundle({}, [member("a", b"1")]), b"none"])
def test_what_was_published_and_is_damaged_since_is_not_unpacked(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with pytest.raises(BundleRefused):
        unpack_published(path, tmp_path / "target")
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_unpacked_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with pytest.raises(FileExistsError):
        unpack(written(tmp_path, GOOD), tmp_path / "target")


@given(st.text() | st.text(alphabet="./\\a\0\n~:"))
def test_a_name_that_is_taken_stays_below_its_folder(name: str) -> None:
    if fault_of_name(name) is None:
        resolved = os.path.normpath(f"/base/{name}")
        assert resolved == f"/base/{name}"
        assert Path(name).parts


@given(st.lists(st.text(alphabet="aAß/\u017fs", min_size=1, max_size=5).filter(lambda n: fault_of_name(n) is None)))
def test_names_that_were_all_taken_are_different_files_on_every_file_system(names: list[str]) -> None:
    tree = Tree()
    taken = [name for name in names if tree.add_file(name) is None]
    assert len({name.casefold() for name in taken}) == len(taken)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(at=st.integers(0, len(gzip.decompress(GOOD)) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_any_damage_is_refused_or_harmless_and_never_another_error(
    tmp_path: Path, at: int, byte: int, cut: bool
) -> None:
    plain = bytearray(gzip.decompress(GOOD))
    plain[at] = byte
    content = gzip.compress(bytes(plain[:at] if cut else plain))
    try:
        assert verify(written(tmp_path, content)).app == "lamp"
    except BundleRefused as refused:
        assert refused.faults  # noqa: PT017 - either end is right


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_modes_of_folders_are_not_taken_so_any_is_harmless(tmp_path: Path) -> None:
    path = written(tmp_path, bundle(extra=[member("data", kind=tarfile.DIRTYPE, mode=0o2775)]))
    unpack(path, tmp_path / "target")
    assert not any(found.stat().st_mode & 0o7000 for found in (tmp_path / "target").rglob("*"))
