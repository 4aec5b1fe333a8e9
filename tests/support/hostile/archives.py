"""Hostile archives: whatever is inside, the tarball itself is not to be taken."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile

from tests.support.bundles import Member, bundle, manifest, member, tar
from tests.support.hostile.case import Case, case
from tests.support.starlingx import flux, summed, tarball

MIB = 1 << 20
GOOD = bundle({"data/seed.txt": b"seed"})


def holding(*extra: Member) -> bytes:
    """A good bundle with these members behind it."""
    return bundle(extra=list(extra))


def forged(name: str, size: bytes, content: bytes = b"") -> bytes:
    """A member whose header says what it likes of its size."""
    info, _ = member(name)
    header = bytearray(info.tobuf())
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    sound = gzip.decompress(GOOD).rstrip(b"\0")
    return gzip.compress(sound + bytes(-len(sound) % 512) + bytes(header) + content, 1)


def sparse() -> bytes:
    info, content = member("sparse", b"1\n0\n1\n" + bytes(506) + b"x")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999"}
    return gzip.compress(tar([(info, content)], tarfile.PAX_FORMAT))


def old_sparse() -> bytes:
    info, _ = member("sparse", kind=tarfile.GNUTYPE_SPARSE)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"00000000000\x0077777777777\x00"
    header[483:495] = b"77777777777\x00"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024))


def many_long_headers() -> bytes:
    """Each within its limit: together they would fill the memory of whoever keeps them."""
    members = []
    for number in range(1_500):
        info, content = member(f"data/{number}")
        info.pax_headers = {"comment": os.urandom(4_000).hex()}
        members.append((info, content))
    return gzip.compress(tar([*members, member("../evil", b"x")], tarfile.PAX_FORMAT), 1)


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("bundle.yaml", manifest())
    return target.getvalue()


def link_then_through() -> bytes:
    return holding(member("data", kind=tarfile.SYMTYPE, link="/tmp"), member("data/evil", b"x"))  # noqa: S108


def hard_link_out() -> bytes:
    return holding(member("shadow", kind=tarfile.LNKTYPE, link="/etc/shadow"), member("shadow", b"x"))


CASES: tuple[Case, ...] = (
    case("climbs out", lambda: holding(member("../evil", b"x")), "path_traversal"),
    case("climbs out from inside", lambda: holding(member("data/../../evil", b"x")), "path_traversal"),
    case("climbs out behind ./", lambda: holding(member("./../evil", b"x")), "path_traversal"),
    case("absolute", lambda: holding(member("/etc/cron.d/evil", b"x")), "absolute_name"),
    case("absolute twice", lambda: holding(member("//etc/evil", b"x")), "absolute_name"),
    case("backslashes", lambda: holding(member("..\\evil", b"x")), "bad_name"),
    case("drive of windows", lambda: holding(member("C:\\evil", b"x")), "bad_name"),
    case("new line in a name", lambda: holding(member("a\nb", b"x")), "bad_name"),
    case("escape in a name", lambda: holding(member("\x1b[2Ja", b"x")), "bad_name"),
    case("right to left in a name", lambda: holding(member("a\u202egpj.sh", b"x")), "bad_name"),
    case("name that is not utf-8", lambda: holding(member("a\udcff", b"x")), "name_not_utf8"),
    case("name of 300 bytes", lambda: holding(member("x" * 300, b"x")), "name_too_long"),
    case("name of 300 folders", lambda: holding(member("x/" * 300 + "y", b"x")), "name_too_long"),
    case("symbolic link", lambda: holding(member("evil", kind=tarfile.SYMTYPE, link="/etc/passwd")), "not_a_file"),
    case("file through a link", link_then_through, "not_a_file"),
    case("hard link", lambda: holding(member("evil", kind=tarfile.LNKTYPE, link="bundle.yaml")), "not_a_file"),
    case("hard link to a file outside", hard_link_out, "not_a_file"),
    case("character device", lambda: holding(member("null", kind=tarfile.CHRTYPE)), "not_a_file"),
    case("block device", lambda: holding(member("sda", kind=tarfile.BLKTYPE)), "not_a_file"),
    case("named pipe", lambda: holding(member("pipe", kind=tarfile.FIFOTYPE)), "not_a_file"),
    case("member of an unknown kind", lambda: holding(member("odd", b"x" * 600, kind=b"Z")), "not_a_file"),
    case("sparse file", sparse, "not_a_file"),
    case("sparse file of the old kind", old_sparse, "not_a_file"),
    case("setuid", lambda: holding(member("su", b"x", mode=0o4755)), "bad_mode"),
    case("the same name twice", lambda: holding(member("bundle.yaml", b"app: other")), "duplicate_name"),
    case("the same name in capitals", lambda: holding(member("BUNDLE.yaml", b"x")), "duplicate_name"),
    case(
        "the same name in another normal form",
        lambda: holding(member("e\u0301", b"x"), member("\u00e9", b"x")),
        "duplicate_name",
    ),
    case("file that is a folder", lambda: holding(member("bundle.yaml/evil", b"x")), "conflicting_name"),
    case("10,001 files", lambda: holding(*(member(f"d/{n}") for n in range(10_001))), "too_many_files"),
    case(
        "pax header of 2 MiB",
        lambda: holding(member("long", os.urandom(2 * MIB), kind=tarfile.XHDTYPE), member("x", b"x")),
        "header_too_large",
    ),
    case(
        "global pax header of 2 MiB",
        lambda: holding(member("long", os.urandom(2 * MIB), kind=tarfile.XGLTYPE), member("x", b"x")),
        "header_too_large",
    ),
    case(
        "long name of 2 MiB",
        lambda: holding(member("long", os.urandom(2 * MIB), kind=tarfile.GNUTYPE_LONGNAME), member("x", b"x")),
        "header_too_large",
    ),
    case("1,500 headers of 8 KiB", many_long_headers, "path_traversal"),
    case("file of 8 EiB", lambda: forged("huge", b"\x80\0\0\0" + struct.pack(">q", 1 << 62)), "file_too_large"),
    case("file of 600 MiB", lambda: forged("huge", b"%011o\0" % (600 * MIB)), "file_too_large"),
    case("file of less than nothing", lambda: forged("minus", b"\xff" * 4 + struct.pack(">q", -5120)), "corrupt"),
    case("file that ends too early", lambda: forged("short", b"%011o\0" % 5_000, b"x"), "truncated"),
    case("bomb of zeros", lambda: holding(member("zeros", bytes(40 * MIB))), "compression_bomb"),
    case("gzip cut off", lambda: GOOD[: len(GOOD) // 2], "truncated"),
    case("gzip with a wrong sum", lambda: GOOD[:-8] + bytes(8), "corrupt"),
    case("tar cut off", lambda: gzip.compress(gzip.decompress(GOOD)[:1500]), "corrupt"),
    case("two archives in one stream", lambda: gzip.compress(gzip.decompress(GOOD) * 2), "corrupt"),
    case("two gzip streams one after the other", lambda: GOOD + GOOD, "corrupt"),
    case("bytes behind the end", lambda: GOOD + b"trailing", "not_gzip"),
    case("tar without gzip", lambda: gzip.decompress(GOOD), "not_gzip"),
    case("zip with the right name", zipped, "not_gzip"),
    case("xz with the right name", lambda: lzma.compress(gzip.decompress(GOOD)), "not_gzip"),
    case("bzip2 with the right name", lambda: bz2.compress(gzip.decompress(GOOD)), "not_gzip"),
    case("text with the right name", lambda: b"a bundle", "not_gzip"),
    case("nothing", lambda: b"", "not_tar"),
    case("gzip of text", lambda: gzip.compress(b"no archive"), "not_tar"),
    case("gzip in gzip", lambda: gzip.compress(GOOD), "not_tar"),
    case("archive of nothing", lambda: gzip.compress(tar([])), "missing_manifest", "missing_checksums"),
    case(
        "tarball of StarlingX that climbs out",
        lambda: tarball({**summed(flux()), "charts/../../../evil.tgz": b"x"}),
        "path_traversal",
    ),
)
