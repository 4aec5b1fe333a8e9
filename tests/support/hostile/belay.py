"""Bundles of Belay whose archive is sound, and whose content is not."""

# ruff: noqa: E501 - tables: a line a case
from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from io import BytesIO

from tests.support.bundles import bundle, checksums, manifest, member
from tests.support.hostile.case import Case, case
from tests.support.starlingx import packed
from tests.support.wheels import pin, wheel_name

MIB = 1 << 20
BOMB_OF_ALIASES = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 105)
)


def saying(content: bytes) -> Callable[[], bytes]:
    """A bundle with this bundle.yaml."""
    return lambda: bundle({"bundle.yaml": content})


def listing(listed: bytes) -> Callable[[], bytes]:
    """A bundle with this checksums.sha256."""
    return lambda: packed({"bundle.yaml": manifest(), "checksums.sha256": listed})


def with_wheel(content: bytes) -> bytes:
    lock = pin("bulb", content).encode()
    process = b"app: lamp\nversion: '1.0'\ncomponents:\n  - driver: process\n    name: bulb\n    spec:\n"
    process += b"      requirements: requirements.lock\n      command: [bulb]\n"
    return bundle({"bundle.yaml": process, "requirements.lock": lock, f"wheels/{wheel_name('bulb')}": content})


def wheel_of(name: str, content: bytes) -> Callable[[], bytes]:
    """A wheel with one file in it."""

    def make() -> bytes:
        target = BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        return with_wheel(target.getvalue())

    return make


def with_role() -> bytes:
    """A playbook that sites may share, with a file of a role that holds a line of 40 MiB, and many that reach across."""
    play, role = b"- hosts: all\n  tasks: []\n", os.urandom(20 * MIB).hex().encode() + b"\nserial: 1" * 100_000
    spec = b"{playbooks: {apply: a.yml, remove: a.yml}, roles: [roles], together: true}"
    said = b"app: lamp\nversion: '1.0'\ncomponents: [{driver: ansible, name: bulb, spec: %s}]\n" % spec
    return bundle({"bundle.yaml": said, "a.yml": play, "roles/bulb/tasks/main.yml": role})


LISTED = checksums({"bundle.yaml": manifest()})
RULES = b"importance: urgent\nrecover: perhaps\ntimeout_seconds: soon\ndepends_on: x\n"

CASES: tuple[Case, ...] = (
    case("no bundle.yaml", lambda: packed({"checksums.sha256": b""}), "missing_manifest"),
    case("no checksums", lambda: packed({"bundle.yaml": manifest()}), "missing_checksums"),
    case("checksum that is wrong", listing(LISTED.replace(LISTED[:1], b"0" if LISTED[:1] != b"0" else b"1", 1)), "wrong_checksum"),
    case("checksum of a file that is not there", listing(LISTED + b"a" * 64 + b"  gone\n"), "missing_file"),
    case("checksums that name a file twice", listing(LISTED * 2), "bad_checksums"),
    case("checksums that are none", listing(LISTED + b"nonsense\n"), "bad_checksums"),
    case("checksums of a million lines", listing(LISTED + b"\n" * MIB + b"x"), "bad_checksums"),
    case("checksums of 9 MiB", listing(LISTED + b"\n" * (9 * MIB)), "file_too_large"),
    case("file that no checksum names", lambda: bundle(extra=[member("extra", b"x")]), "unlisted_file"),
    case("bundle.yaml of 2 MiB", saying(manifest() + b"#" * (2 * MIB)), "file_too_large"),
    case("bundle.yaml that is not utf-8", saying(b"app: \xff\n"), "bad_yaml"),
    case("bundle.yaml with NUL", saying(b'app: "a\\0b"\n'), "bad_yaml"),
    case("bomb of aliases", saying(BOMB_OF_ALIASES), "bad_yaml"),
    case("value that holds itself", saying(b"a: &a [*a]"), "bad_yaml"),
    case("nested 100,000 deep", saying(b"[" * 100_000), "bad_yaml"),
    case("mappings nested 1,000 deep", saying(b"".join(b" " * n + b"a:\n" for n in range(1_000))), "bad_yaml"),
    case("half a million values", saying(b"a: [" + b"1," * 500_000 + b"]"), "bad_yaml"),
    case("half a million keys", saying(b"{" + b",".join(b"k%d: 1" % n for n in range(90_000)) + b"}"), "bad_yaml"),
    case("object of Python", saying(b"a: !!python/object/apply:os.system [id]"), "bad_yaml"),
    case("key that stands twice", saying(b"app: lamp\napp: other\n"), "bad_yaml"),
    case("two documents", saying(manifest() + b"---\napp: other\n"), "bad_yaml"),
    case("bundle.yaml that is a list", saying(b"[]"), "bad_yaml"),
    case("bundle.yaml of nothing", saying(b""), "bad_yaml"),
    case("metadata of wrong types", saying(b"app: {}\nversion: []\ncomponents: 7\n"), "invalid_field"),
    case("rules of wrong types", saying(manifest() + RULES), "invalid_field"),
    case("no components", saying(b"app: lamp\nversion: '1'\ncomponents: []\n"), "invalid_field"),
    case("key that nobody knows", saying(manifest(more="colour: red\n")), "unknown_field"),
    case("driver that nobody has", saying(manifest(more="  - {driver: rocket, name: x}\n")), "unknown_driver"),
    case("two components of one name", saying(manifest(more="  - {driver: simulated, name: bulb}\n")), "invalid_field"),
    case("components that wait for each other", saying(manifest(more="    after: [bulb]\n")), "components_in_a_cycle"),
    case("expression that must backtrack", saying(manifest(upgrades_from="['re:(a+)\\1+b']")), "invalid_field"),
    case("path that leads out of the bundle", saying(manifest(more="  - {driver: helm, name: x, spec: {chart: ../../etc, namespace: a}}\n")), "missing_file"),
    case("wheel that is no zip file", lambda: with_wheel(b"no wheel"), "not_a_wheel"),
    case("wheel that is a bomb", wheel_of("bulb/x.py", bytes(80 * MIB)), "compression_bomb"),
    case("wheel that climbs out", wheel_of("../../evil.py", b"x"), "path_traversal"),
    case("wheel with an absolute name", wheel_of("/etc/evil.py", b"x"), "absolute_name"),
    case("role with a line of 40 MiB", with_role, "not_together"),
    case("tarball with only a folder", lambda: packed({}) + b"", "missing_manifest"),
)  # fmt: skip
