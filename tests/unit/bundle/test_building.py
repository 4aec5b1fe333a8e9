"""Bundles are built from folders: always the same bytes, with the wheels of their locks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from shared.bundle import BundleRefused, build, unpack, verify
from tests.support.bundles import bundle, manifest, unnumbered, written
from tests.support.wheels import pin, wheel_name, write_wheel
from tests.support.wheels import wheel as a_wheel

PROCESS = """\
app: lamp
version: "1.0.0"
components:
  - driver: process
    name: web
    requirements: requirements.lock
    command: [bulb, --port, "{port}"]
    seed: {bulb.db: data/bulb.db}
"""

NEEDS_BOTH = """\
requires:
  python: "==3.12.*"
  platforms: [manylinux_2_28_x86_64, linux_aarch64]
"""


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real wheel, on the only shelf from which pip may take."""
    path = write_wheel(tmp_path / "shelf", "bulb")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a process component, its lock still empty."""
    folder = tmp_path / "lamp"
    (folder / "data").mkdir(parents=True)
    (folder / "bundle.yaml").write_text(PROCESS)
    (folder / "requirements.lock").write_text("")
    (folder / "data/bulb.db").write_bytes(b"light")
    return folder


def lock(wheel: Path) -> str:
    return f"bulb==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def codes(refused: pytest.ExceptionInfo[BundleRefused]) -> list[tuple[str, str]]:
    return [(fault.code, unnumbered(fault.field)) for fault in refused.value.faults]


def test_a_bundle_brings_the_wheels_of_its_lock(folder: Path, wheel: Path, tmp_path: Path) -> None:
    (folder / "requirements.lock").write_text(lock(wheel))
    built = build(folder, tmp_path, tmp_path / "home")
    assert built.path == tmp_path / "lamp-1.0.0.tar.gz"
    assert built.sha256 == hashlib.sha256(built.path.read_bytes()).hexdigest()
    unpack(built.path, tmp_path / "target")
    assert (tmp_path / "target/wheels" / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_same_folder_gives_the_same_bytes(folder: Path, wheel: Path, tmp_path: Path) -> None:
    (folder / "requirements.lock").write_text(lock(wheel))
    first = build(folder, tmp_path / "first.tar.gz", tmp_path / "home")
    os.utime(folder / "bundle.yaml", (0, 0))
    (folder / "data/bulb.db").chmod(0o600)
    second = build(folder, tmp_path / "second.tar.gz", tmp_path / "other-home")
    assert first.path.read_bytes() == second.path.read_bytes()


def test_wheels_are_downloaded_once(folder: Path, wheel: Path, tmp_path: Path) -> None:
    (folder / "requirements.lock").write_text(lock(wheel))
    first = build(folder, tmp_path / "first.tar.gz", tmp_path / "home")
    wheel.unlink()
    assert build(folder, tmp_path / "second.tar.gz", tmp_path / "home").sha256 == first.sha256


def test_a_release_for_several_platforms_gets_the_wheels_of_each(folder: Path, wheel: Path, tmp_path: Path) -> None:
    arm, intel = (
        write_wheel(wheel.parent, "glass", tag=f"cp312-cp312-manylinux_2_17_{m}") for m in ("aarch64", "x86_64")
    )
    (folder / "bundle.yaml").write_text(PROCESS + NEEDS_BOTH)
    lines = [*(f"    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in (arm, intel))]
    (folder / "requirements.lock").write_text(lock(wheel) + " \\\n".join(["glass==1.0", *lines]) + "\n")
    built = build(folder, tmp_path, tmp_path / "home")
    unpack(built.path, tmp_path / "target")
    found = sorted(path.name for path in (tmp_path / "target/wheels").iterdir())
    assert found == sorted([wheel.name, arm.name, intel.name])


def test_a_wheel_that_is_not_the_locked_one_is_not_packed(folder: Path, wheel: Path, tmp_path: Path) -> None:
    (folder / "requirements.lock").write_text(f"bulb==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BundleRefused) as refused:
        build(folder, tmp_path, tmp_path / "home")
    assert codes(refused) == [("wheels_unavailable", "requirements.lock")]
    assert [path.name for path in tmp_path.glob("*.tar.gz")] == []
    assert list((tmp_path / "home/wheels").iterdir()) == []


def test_links_are_followed_and_hidden_files_left_out(folder: Path, wheel: Path, tmp_path: Path) -> None:
    (folder / "requirements.lock").write_text(lock(wheel))
    (tmp_path / "elsewhere.db").write_bytes(b"light")
    before = build(folder, tmp_path / "first.tar.gz", tmp_path / "home")
    (folder / "data/bulb.db").unlink()
    (folder / "data/bulb.db").symlink_to(tmp_path / "elsewhere.db")
    (folder / ".cache").mkdir()
    (folder / ".cache/junk").write_bytes(b"junk")
    assert build(folder, tmp_path / "second.tar.gz", tmp_path / "home").sha256 == before.sha256


def test_a_folder_with_faults_names_them_all(folder: Path, tmp_path: Path) -> None:
    (folder / "data/bulb.db").unlink()
    (folder / "requirements.lock").unlink()
    (folder / "bundle.yaml").write_text(PROCESS.replace("{port}", "{prot}").replace('"1.0.0"', "1.0"))
    with pytest.raises(BundleRefused) as refused:
        build(folder, tmp_path, tmp_path / "home")
    assert codes(refused) == [
        ("invalid_field", "bundle.yaml:version"),
        ("missing_file", "bundle.yaml:components[0].requirements"),
        ("invalid_field", "bundle.yaml:components[0].command[2]"),
        ("missing_file", "bundle.yaml:components[0].seed.bulb.db"),
    ]
    assert "put the value in quotes" in refused.value.faults[0].message


def test_what_cannot_be_packed_is_named(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder)
    (folder / "bundle.yaml").unlink()
    with pytest.raises(BundleRefused) as refused:
        build(folder, tmp_path, tmp_path / "home")
    assert codes(refused) == [("not_a_file", "loop"), ("not_a_file", "pipe"), ("missing_manifest", "bundle.yaml")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("--index-url https://example.invalid/simple", "bad_requirement"),
        ("-e .", "bad_requirement"),
        ("bulb @ https://example.invalid/bulb.whl --hash=sha256:" + "0" * 64, "bad_requirement"),
        ("bulb>=1.0 --hash=sha256:" + "0" * 64, "bad_requirement"),
        ("bulb==1.* --hash=sha256:" + "0" * 64, "bad_requirement"),
        ("bulb==1.0", "bad_requirement"),
        ("bulb==1.0 --hash=md5:0", "bad_requirement"),
        ("not a requirement", "bad_requirement"),
        ("bulb==1.0 --hash=sha256:" + "0" * 64, "missing_wheel"),
        ("# only a comment", "bad_requirement"),
    ],
)
def test_a_lock_that_would_need_the_network_is_refused(tmp_path: Path, line: str, code: str) -> None:
    files = {"bundle.yaml": PROCESS.encode(), "requirements.lock": line.encode() + b"\n", "data/bulb.db": b""}
    with pytest.raises(BundleRefused) as refused:
        verify(written(tmp_path, bundle(files)))
    assert [fault.code for fault in refused.value.faults] == [code]
    assert refused.value.faults[0].field.startswith("requirements.lock")


def test_a_requirement_for_other_machines_needs_no_wheel_here(tmp_path: Path) -> None:
    content = a_wheel("bulb")
    lines = pin("bulb", content) + f"other==2.0 ; sys_platform == 'none' --hash=sha256:{'0' * 64}\n"
    files = {"bundle.yaml": PROCESS.encode(), "requirements.lock": lines.encode(), "data/bulb.db": b""}
    assert verify(written(tmp_path, bundle(files | {f"wheels/{wheel_name('bulb')}": content}))).app == "lamp"


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (b"[]", "bad_yaml", "bundle.yaml"),
        (b"a: &a [*a]", "bad_yaml", "bundle.yaml"),
        (b"#" * (1 << 20) + b"#", "file_too_large", "bundle.yaml"),
        (manifest(version="one"), "invalid_field", "bundle.yaml:version"),
        (manifest(upgrades_from="['newer than 1']"), "invalid_field", "bundle.yaml:upgrades_from"),
        (manifest(more="scheme: calver\n"), "invalid_field", "bundle.yaml:scheme"),
        (manifest(more="    seconds: [2, 1]\n"), "invalid_field", "bundle.yaml:components[0]"),
        (manifest(more="    seconds: [0, .inf]\n"), "bad_yaml", "bundle.yaml"),
        (manifest(more="    seconds: [0, abc]\n"), "invalid_field", "bundle.yaml:components[0].seconds[1]"),
        (manifest(more="  - {driver: simulated, name: bulb}\n"), "invalid_field", "bundle.yaml:components"),
        (manifest(more="  - {driver: rocket, name: x}\n"), "unknown_driver", "bundle.yaml:components[1].driver"),
    ],
)
def test_a_faulty_manifest_is_refused_at_its_place(tmp_path: Path, content: bytes, code: str, place: str) -> None:
    with pytest.raises(BundleRefused) as refused:
        verify(written(tmp_path, bundle({"bundle.yaml": content})))
    assert codes(refused) == [(code, place)]


def test_a_seed_never_leads_out_of_the_data_folder(tmp_path: Path) -> None:
    evil = PROCESS.replace("{bulb.db:", "{../../bulb.db:").encode()
    with pytest.raises(BundleRefused, match="without"):
        verify(written(tmp_path, bundle({"bundle.yaml": evil, "requirements.lock": b"", "data/bulb.db": b""})))


def test_a_refused_bundle_still_says_what_it_seems_to_be(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused) as refused:
        verify(written(tmp_path, bundle({"bundle.yaml": manifest(more="colour: red\n")})))
    assert (refused.value.app, refused.value.version) == ("lamp", "1.0.0")
