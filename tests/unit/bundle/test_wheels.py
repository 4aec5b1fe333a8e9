"""A bundle whose wheels cannot be installed is refused, with every wheel and why; hostile ones do no harm."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.bundle import BundleRefused, verify
from shared.bundle.hosts import Host, named_by, this_host
from shared.bundle.requirements import pins_of
from shared.bundle.stream import MIB
from shared.messages.manifest import Requires
from tests.support.bundles import bundle, unnumbered, written
from tests.support.wheels import pin, wheel, wheel_name, zipped

MANIFEST = """\
app: lamp
version: "1.0.0"
components:
  - {driver: process, name: web, requirements: requirements.lock, command: [bulb]}
"""
NEW_LINUX = named_by(Requires(python="==3.12.*", platforms=("manylinux_2_28_x86_64",)), [])[0]
OLD_LINUX = named_by(Requires(python="==3.11.*", platforms=("manylinux_2_17_x86_64",)), [])[0]
HOST = replace(NEW_LINUX, name="oslo", declared=False)
GOOD = wheel("bulb")


def packed(folder: Path, lock: str, wheels: Mapping[str, bytes], more: str = "") -> Path:
    files = {"bundle.yaml": (MANIFEST + more).encode(), "requirements.lock": lock.encode()}
    return written(folder, bundle(files | {f"wheels/{name}": content for name, content in wheels.items()}))


def refusal(
    folder: Path, lock: str, wheels: Mapping[str, bytes], *hosts: Host, more: str = ""
) -> list[tuple[str, str]]:
    with pytest.raises(BundleRefused) as refused:
        verify(packed(folder, lock, wheels, more), hosts or (HOST,))
    return [(fault.code, fault.field.removeprefix("wheels/")) for fault in refused.value.faults]


def of_one(folder: Path, content: bytes, name: str = wheel_name("bulb")) -> list[tuple[str, str]]:
    """What is wrong with a bundle of this wheel, which its lock names."""
    return refusal(folder, pin("bulb", content), {name: content})


def info(file: str) -> str:
    return f"bulb-1.0.dist-info/{file}"


def test_sound_wheels_are_taken(tmp_path: Path) -> None:
    tagged = wheel("glass", "2.0", "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64")
    wheels = {
        wheel_name("bulb"): GOOD,
        wheel_name("glass", "2.0", "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64"): tagged,
    }
    assert verify(packed(tmp_path, pin("bulb", GOOD) + pin("glass", tagged, "2.0"), wheels), [HOST]).app == "lamp"


# -- for another place --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("cp312-cp312-win_amd64", "wrong_platform"),
        ("cp312-cp312-macosx_11_0_arm64", "wrong_platform"),
        ("cp312-cp312-manylinux_2_17_aarch64", "wrong_platform"),
        ("cp312-cp312-manylinux_2_39_x86_64", "wrong_platform"),
        ("cp312-cp312-musllinux_1_2_x86_64", "wrong_platform"),
        ("cp311-cp311-manylinux_2_17_x86_64", "wrong_platform"),
        ("cp313-cp313-manylinux_2_17_x86_64", "wrong_platform"),
        ("cp313-abi3-manylinux_2_17_x86_64", "wrong_platform"),
        ("pp310-pypy310_pp73-manylinux_2_17_x86_64", "wrong_platform"),
        ("py2-none-any", "wrong_platform"),
    ],
)
def test_a_wheel_for_another_python_or_platform_is_refused(tmp_path: Path, tag: str, code: str) -> None:
    content = wheel("bulb", tag=tag)
    assert of_one(tmp_path, content, wheel_name("bulb", tag=tag)) == [(code, wheel_name("bulb", tag=tag))]


@pytest.mark.parametrize("tag", ["cp38-abi3-manylinux2014_x86_64", "cp312-none-linux_x86_64", "py2.py3-none-any"])
def test_a_wheel_that_the_host_takes_is_taken(tmp_path: Path, tag: str) -> None:
    content = wheel("bulb", tag=tag)
    path = packed(tmp_path, pin("bulb", content), {wheel_name("bulb", tag=tag): content})
    assert verify(path, [HOST]).app == "lamp"


def test_a_wheel_that_needs_another_python_is_refused(tmp_path: Path) -> None:
    assert of_one(tmp_path, wheel("bulb", python=">=3.13")) == [("wrong_python", wheel_name("bulb"))]


def test_every_wheel_that_is_wrong_is_named(tmp_path: Path) -> None:
    tags = ("cp312-cp312-win_amd64", "cp312-cp312-macosx_11_0_arm64")
    wheels = {wheel_name("bulb", tag=tag): wheel("bulb", tag=tag) for tag in tags}
    wheels |= {wheel_name("glass", "2.0"): wheel("glass", "2.0"), wheel_name("wire"): wheel("wire")}
    lock = "bulb==1.0" + "".join(pin("bulb", wheels[wheel_name("bulb", tag=tag)])[9:-1] for tag in tags) + "\n"
    lock += pin("glass", wheels[wheel_name("glass", "2.0")], "1.0") + pin("cable", wheels[wheel_name("wire")])
    assert sorted(refusal(tmp_path, lock, wheels)) == [
        ("wrong_platform", wheel_name("bulb", tag=tags[1])),
        ("wrong_platform", wheel_name("bulb", tag=tags[0])),
        ("wrong_project", wheel_name("wire")),
        ("wrong_version", wheel_name("glass", "2.0")),
    ]


def test_each_host_must_be_able_to_install_it(tmp_path: Path) -> None:
    names = [wheel_name("bulb", tag=f"cp3{n}-cp3{n}-manylinux_2_17_x86_64") for n in (11, 12)]
    wheels = {name: wheel("bulb", tag=name.removeprefix("bulb-1.0-").removesuffix(".whl")) for name in names}
    lock = "bulb==1.0" + "".join(pin("bulb", content)[9:-1] for content in wheels.values()) + "\n"
    assert verify(packed(tmp_path, lock, wheels), [HOST, OLD_LINUX]).app == "lamp"
    only = {names[1]: wheels[names[1]]}
    assert refusal(tmp_path, lock, only, HOST, OLD_LINUX) == [("wrong_platform", names[1])]


def test_a_release_is_held_to_what_it_says_itself(tmp_path: Path) -> None:
    content = wheel("bulb", tag="cp312-cp312-manylinux_2_17_x86_64")
    wheels, lock = {wheel_name("bulb", tag="cp312-cp312-manylinux_2_17_x86_64"): content}, pin("bulb", content)
    only = "requires: {python: '==3.12.*', platforms: [manylinux_2_28_x86_64]}\n"
    assert verify(packed(tmp_path, lock, wheels, only)).requires.platforms == ("manylinux_2_28_x86_64",)
    more = "requires: {python: '>=3.12,<3.14'}\n"
    assert refusal(tmp_path, lock, wheels, more=more) == [("wrong_platform", next(iter(wheels)))]
    arm = "requires: {platforms: [manylinux_2_28_x86_64, linux_aarch64]}\n"
    assert refusal(tmp_path, lock, wheels, more=arm) == [("wrong_platform", next(iter(wheels)))]


def test_a_host_that_a_release_is_not_for_is_named(tmp_path: Path) -> None:
    needs = "requires: {python: '>=3.13', platforms: [linux_aarch64]}\n"
    found = refusal(tmp_path, pin("bulb", GOOD), {wheel_name("bulb"): GOOD}, more=needs)
    assert found == [("host_unfit", f"bundle.yaml:5:requires.{name}") for name in ("python", "platforms")]


@pytest.mark.parametrize(
    ("needs", "place"),
    [
        ("{python: three}", "bundle.yaml:requires.python"),
        ("{platforms: [win_amd64]}", "bundle.yaml:requires.platforms"),
        ("{platforms: [manylinux_x86_64]}", "bundle.yaml:requires.platforms"),
        ("{pyhton: '>=3.11'}", "bundle.yaml:requires.pyhton"),
    ],
)
def test_what_a_release_requires_must_be_understood(tmp_path: Path, needs: str, place: str) -> None:
    found = refusal(tmp_path, pin("bulb", GOOD), {wheel_name("bulb"): GOOD}, more=f"requires: {needs}\n")
    assert [unnumbered(field) for _, field in found] == [place]


# -- what is missing ----------------------------------------------------------------------------------------------


def test_what_a_wheel_needs_must_be_locked_too(tmp_path: Path) -> None:
    needs = ["glass>=2", "wire ; sys_platform == 'win32'", "cable ; extra == 'long'", "plug>=1"]
    lamp, glass = wheel("bulb", requires=needs), wheel("glass", "1.0")
    wheels = {wheel_name("bulb"): lamp, wheel_name("glass"): glass}
    assert refusal(tmp_path, pin("bulb", lamp) + pin("glass", glass), wheels) == [
        ("missing_dependency", wheel_name("bulb")),
        ("missing_dependency", wheel_name("bulb")),
    ]
    extra = pin("bulb[long]", lamp) + pin("glass", glass)
    assert len(refusal(tmp_path, extra, wheels)) == 3


def test_extras_are_followed_through_other_wheels(tmp_path: Path) -> None:
    lamp, glass = wheel("bulb", requires=["glass[thick]"]), wheel("glass", requires=["wire ; extra == 'thick'"])
    wheels = {wheel_name("bulb"): lamp, wheel_name("glass"): glass}
    found = refusal(tmp_path, pin("bulb", lamp) + pin("glass", glass), wheels)
    assert found == [("missing_dependency", wheel_name("glass"))]


def test_a_wheel_that_nothing_locks_is_refused(tmp_path: Path) -> None:
    wheels = {wheel_name("bulb"): GOOD, wheel_name("glass"): wheel("glass")}
    assert refusal(tmp_path, pin("bulb", GOOD), wheels) == [("unlocked_wheel", wheel_name("glass"))]


def test_a_hash_that_is_not_the_wheels_is_told_at_the_wheel(tmp_path: Path) -> None:
    assert refusal(tmp_path, pin("bulb", b"other"), {wheel_name("bulb"): GOOD}) == [("wrong_hash", wheel_name("bulb"))]


def test_two_lines_for_one_project_are_refused_where_both_apply(tmp_path: Path) -> None:
    new = wheel("bulb", "2.0")
    wheels = {wheel_name("bulb"): GOOD, wheel_name("bulb", "2.0"): new}
    lock = pin("bulb", GOOD) + pin("bulb", new, "2.0")
    assert refusal(tmp_path, lock, wheels) == [("conflicting_requirements", "requirements.lock:2")]
    lock = pin("bulb", GOOD, marker="python_version < '3.12'") + pin("bulb", new, "2.0", "python_version >= '3.12'")
    assert verify(packed(tmp_path, lock, wheels), [HOST]).app == "lamp"


# -- no such wheel ------------------------------------------------------------------------------------------------


def test_a_name_that_stands_for_thousands_of_tags_is_refused(tmp_path: Path) -> None:
    name = f"bulb-1.0-{'.'.join(['py3'] * 20)}-{'.'.join(['cp3'] * 20)}-{'.'.join(['any'] * 20)}.whl"
    assert {code for code, _ in of_one(tmp_path, GOOD, name)} >= {"not_a_wheel"}


@pytest.mark.parametrize(
    "line",
    [b"a==1" + b" " * 2_000_000 + b"x", b"\\\n" * 300_000 + b"a==1", b"a==1 " + b"--hash=sha256:0 " * 50_000],
)
def test_a_line_without_end_is_refused_soon(line: bytes) -> None:
    began = time.perf_counter()
    pins, faults = pins_of("requirements.lock", line)
    assert not pins
    assert {fault.code for fault in faults} == {"bad_requirement"}
    assert time.perf_counter() - began < 10


MANY_TAGS = [
    b"Tag: " + b"-".join(b".".join([b"%s%d%d" % (kind, line, n) for n in range(10)]) for kind in (b"a", b"b", b"c"))
    for line in range(2_000)
]
"""Each line is short, and stands for a thousand tags."""


@pytest.mark.parametrize(
    "name",
    ["bulb.whl", "bulb-one-py3-none-any.whl", "bulb-1.0-py3.whl", "x/bulb-1.0-py3-none-any.whl", "bulb-1.0.tar.gz"],
)
def test_what_has_no_name_of_a_wheel_is_refused(tmp_path: Path, name: str) -> None:
    assert ("not_a_wheel", name) in of_one(tmp_path, GOOD, name)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_a_wheel"),
        (b"<html>404</html>", "not_a_wheel"),
        (GOOD[: len(GOOD) // 2], "not_a_wheel"),
        (GOOD[:100] + b"damage" + GOOD[106:], "not_a_wheel"),
        (zipped({"bulb.py": b""}), "wheel_mismatch"),
        (wheel("glass"), "wheel_mismatch"),
        (wheel("bulb", "2.0"), "wheel_mismatch"),
        (wheel("bulb", tag="cp312-cp312-win_amd64"), "wheel_mismatch"),
        (wheel("bulb", replaced={info("METADATA"): b"Name: other\nVersion: 1.0\n"}), "wheel_mismatch"),
        (wheel("bulb", replaced={info("METADATA"): b"Name: bulb\nVersion: one\n"}), "wheel_mismatch"),
        (wheel("bulb", replaced={info("METADATA"): b"Name: bulb\nVersion: 1.0\nRequires-Dist: =\n"}), "wheel_mismatch"),
        (wheel("bulb", replaced={info("WHEEL"): b"\xff\x00"}), "wheel_mismatch"),
        (wheel("bulb", replaced={info("WHEEL"): b"Tag: " + b"a." * 200_000 + b"-a-a\n"}), "wheel_mismatch"),
        (wheel("bulb", replaced={info("WHEEL"): b"\n".join(MANY_TAGS)}), "wheel_mismatch"),
        (wheel("bulb", replaced={info("RECORD"): b""}), "wheel_mismatch"),
        (wheel("bulb", replaced={"bulb.py": b"changed"}), "wheel_mismatch"),
        (wheel("bulb", replaced={"smuggled.pth": b"import os"}), "wheel_mismatch"),
        (wheel("bulb", files={"../evil": b""}), "path_traversal"),
        (wheel("bulb", files={"/etc/evil": b""}), "absolute_name"),
        (wheel("bulb", files={"a\\b": b""}), "bad_name"),
        (wheel("bulb", files={"zeros": bytes(64 * MIB)}), "compression_bomb"),
        (wheel("bulb", replaced={info("METADATA"): os.urandom(3 * MIB)}), "file_too_large"),
    ],
)  # fmt: skip
def test_what_is_not_the_wheel_of_its_name_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    found = of_one(tmp_path, content)
    assert {one for one, _ in found} == {code}
    assert {place for _, place in found} == {wheel_name("bulb")}


def test_a_file_that_stands_in_a_wheel_twice_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO(GOOD)
    with zipfile.ZipFile(content, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("bulb.py", "evil")
    assert of_one(tmp_path, content.getvalue()) == [("duplicate_name", wheel_name("bulb"))]


def test_a_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO(GOOD)
    with zipfile.ZipFile(content, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert of_one(tmp_path, content.getvalue()) == [("not_a_file", wheel_name("bulb"))]


def test_an_encrypted_file_in_a_wheel_is_refused(tmp_path: Path) -> None:
    forged = bytearray(GOOD)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := forged.find(signature, at + 1)) >= 0:
            forged[at + flags] |= 1
    assert of_one(tmp_path, bytes(forged)) == [("encrypted", wheel_name("bulb"))]


def test_a_list_of_files_that_claims_to_be_huge_is_not_read_into_memory(tmp_path: Path) -> None:
    names = {f"{n:0200}": b"" for n in range(20_000)}
    assert of_one(tmp_path, zipped(names)) == [("header_too_large", wheel_name("bulb"))]


def test_a_file_that_is_larger_than_it_says_is_not_read_on(tmp_path: Path) -> None:
    content = bytearray(wheel("bulb", files={"zeros": bytes(MIB)}))
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"zeros"))
    content[at + 24 : at + 28] = struct.pack("<I", 10)
    assert {code for code, _ in of_one(tmp_path, bytes(content))} <= {"not_a_wheel", "wheel_mismatch"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_any_damage_of_a_wheel_is_refused_or_harmless_and_never_another_error(
    tmp_path: Path, at: int, byte: int, cut: bool
) -> None:
    damaged = bytearray(GOOD)
    damaged[at] = byte
    content = bytes(damaged[:at] if cut else damaged)
    try:
        verify(packed(tmp_path, pin("bulb", content), {wheel_name("bulb"): content}), [HOST])
    except BundleRefused as refused:
        assert refused.faults  # noqa: PT017 - either end is right


def test_this_machine_takes_what_installers_take_here() -> None:
    from packaging.tags import sys_tags

    assert this_host().tags == frozenset(sys_tags())


# -- what breaks the parsers of others -----------------------------------------------------------------------------


def test_a_record_with_an_endless_field_is_a_fault_of_the_wheel(tmp_path: Path) -> None:
    content = wheel("bulb", replaced={info("RECORD"): b'"' + b"x" * 200_000 + b'",,\n'})
    assert of_one(tmp_path, content) == [("wheel_mismatch", wheel_name("bulb"))]


def test_a_marker_that_is_nested_without_end_is_a_fault_of_its_line(tmp_path: Path) -> None:
    marker = "(" * 3_000 + "os_name == 'posix'" + ")" * 3_000
    lock = pin("bulb", GOOD, marker=marker)
    assert refusal(tmp_path, lock, {wheel_name("bulb"): GOOD})[0] == ("bad_requirement", "requirements.lock:1")


def test_a_python_that_was_built_between_two_releases_is_a_host_like_others(tmp_path: Path) -> None:
    facts = {**HOST.environment, "python_full_version": "3.12.3+", "implementation_version": "3.12.3+"}
    host = replace(HOST, environment=facts)
    assert str(host.python) == "3.12.3"
    path = packed(tmp_path, pin("bulb", GOOD, marker="python_full_version >= '3.12'"), {wheel_name("bulb"): GOOD})
    assert verify(path, [host]).app == "lamp"
