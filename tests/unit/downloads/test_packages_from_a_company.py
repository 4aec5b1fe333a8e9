"""pip and uv fetch through a company's proxy whichever tool's variables name it; failures are three lines."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

from shared import bundle
from shared.bundle import BundleRefused
from shared.downloads import surroundings
from shared.downloads.environment import HowFar
from shared.downloads.failure import Failure, cause_in
from shared.downloads.surroundings import CERTIFICATES, INDEXES
from tests.support.company import DEAD, OUTSIDE, Company

ROOT = Path(__file__).parents[3]
WHEEL = "hello-1.0-py3-none-any.whl"
MANIFEST = """\
app: hello
version: "1.0"
components:
  - driver: process
    name: web
    requirements: requirements.lock
    command: [hello]
    health: {path: /, version_path: /, version_pointer: /version}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle's folder whose lock names one wheel."""
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "bundle.yaml").write_text(MANIFEST)
    (folder / "requirements.lock").write_text(f"hello==1.0 --hash=sha256:{digest(tmp_path)}\n")
    return folder


@pytest.fixture
def inside(company: Company, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A machine in the company, told of the proxy; the wheel is outside."""
    link = f'<a href="/files/{WHEEL}#sha256={digest(folder.parent)}">{WHEEL}</a>'
    company.outside = {"/simple/hello/": link.encode(), f"/files/{WHEEL}": wheel(folder.parent).read_bytes()}
    monkeypatch.setenv("HTTPS_PROXY", company.proxy)
    return company


def wheel(folder: Path) -> Path:
    """A wheel of one module."""
    path = folder / WHEEL
    if not path.exists():
        about = "hello-1.0.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.py", "")
            archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")
            archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{about}/RECORD", f"hello.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return path


def digest(folder: Path) -> str:
    return hashlib.sha256(wheel(folder).read_bytes()).hexdigest()


@pytest.mark.parametrize(("certificate", "index"), [*zip(CERTIFICATES, (*INDEXES, INDEXES[0]), strict=True)])
def test_the_wheels_of_a_bundle_come_through_the_proxy(
    inside: Company, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: str, index: str
) -> None:
    monkeypatch.setenv(certificate, str(inside.certificates))
    monkeypatch.setenv(index, f"{OUTSIDE}/simple")
    bundle.build(folder, tmp_path / "hello.tar.gz", tmp_path / "home")
    assert f"/files/{WHEEL}" in inside.asked


def test_wheels_that_cannot_be_had_are_told_with_what_to_set(
    inside: Company, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{OUTSIDE}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(BundleRefused) as refused:
        bundle.build(folder, tmp_path / "hello.tar.gz", tmp_path / "home")
    what, where, advice = refused.value.faults[0].message.split(" · ")
    assert "certificate" in what.lower()
    assert where.strip() == f"from {OUTSIDE}/simple, through the proxy {inside.proxy}"
    assert "SSL_CERT_FILE" in advice


@pytest.mark.parametrize(("certificate", "index"), [*zip(CERTIFICATES, (*INDEXES, INDEXES[0]), strict=True)])
def test_uv_comes_through_the_proxy_too(
    inside: Company, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, certificate: str, index: str
) -> None:
    monkeypatch.setenv(certificate, str(inside.certificates))
    monkeypatch.setenv(index, f"{OUTSIDE}/simple")
    asked = (
        "pip",
        "install",
        "--target",
        str(tmp_path / "there"),
        "--require-hashes",
        "-r",
        folder / "requirements.lock",
    )
    done = subprocess.run(
        (uv.find_uv_bin(), *asked), env=surroundings.for_uv(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there" / "hello.py").exists()
    assert f"/files/{WHEEL}" in inside.asked


def test_a_setup_without_a_network_says_so_in_three_lines(tmp_path: Path) -> None:
    environment = {**os.environ, "PIP_RETRIES": "1", "HTTPS_PROXY": DEAD, "PIP_INDEX_URL": f"{OUTSIDE}/simple"}
    command = (sys.executable, "-m", "shared.downloads.environment", str(tmp_path / "venv"))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    what, where, advice = done.stderr.splitlines()
    assert what.startswith("cannot fetch uv: ")
    assert where.strip() == f"from {OUTSIDE}/simple, through the proxy {DEAD}"
    assert "HTTPS_PROXY" in advice
    assert [line.partition("  ")[0] for line in done.stdout.splitlines()] == ["setup 1/4", "setup 2/4"]
    assert done.stdout.splitlines()[1].endswith("failed")


def test_what_a_tool_was_told_in_its_own_words_is_left_alone() -> None:
    own = {"SSL_CERT_FILE": "/a", "PIP_CERT": "/b", "PIP_INDEX_URL": "https://p", "UV_DEFAULT_INDEX": "https://u"}
    assert surroundings.for_pip(own) == own
    assert surroundings.for_uv(own) == own | {"UV_SYSTEM_CERTS": "true"}


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        ("invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in certificate chain", "SSL_CERT_FILE"),
        ("Tunnel connection failed: 407 Proxy Authentication Required", "NAME:PASSWORD@HOST:PORT"),
        ("403 Forbidden", "MIRROR=https://NAME:PASSWORD@"),
        ("404 Not Found", "set MIRROR to a mirror that has it"),
        ("[Errno 111] Connection refused", "HTTPS_PROXY"),
        ("Name or service not known", "HTTPS_PROXY"),
        ("something nobody has thought of", "MIRROR"),
    ],
)
def test_what_to_set_fits_the_cause(cause: str, word: str) -> None:
    assert word in str(Failure("it", cause, "https://a.invalid", "MIRROR")).splitlines()[2]


def test_the_cause_is_found_in_what_a_tool_said() -> None:
    lines = (
        "error: Request failed after 3 retries",
        "  Caused by: error sending request",
        "  Caused by: invalid peer certificate: UnknownIssuer",
    )
    assert cause_in("\n".join(lines)) == "invalid peer certificate: UnknownIssuer"
    around = "WARNING: Retrying (Retry(total=0)) after connection broken by '{}': /simple/uv/\nERROR: No matching uv"
    inner = "NewConnectionError(\"HTTPSConnection(host='a', port=9): Failed: [Errno 111] Connection refused\")"
    assert cause_in(around.format(inner)) == "Failed: [Errno 111] Connection refused"
    inner = "OSError('Tunnel connection failed: 407 Proxy Authentication Required')"
    assert cause_in(around.format(inner)) == "Tunnel connection failed: 407 Proxy Authentication Required"
    inner = "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed')"
    assert cause_in(around.format(inner)) == "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"
    assert cause_in("") == "it said nothing"
    assert len(cause_in("refused " * 1000)) == 200


def test_how_far_the_packages_are_is_read_from_what_uv_says() -> None:
    shown: list[str] = []

    class Line:
        def show(self, detail: str) -> None:
            shown.append(detail)

    far = HowFar(Line())  # type: ignore[arg-type]
    for said in (
        "Resolved 122 packages in 3s", "Downloading uv (16.0MiB)", "Downloading lz4 (512.0KiB)",
        "Downloading mypy (15.5MiB)", " Downloaded uv", "Installed 122 packages in 2s", " + uv==0.13.8",
    ):  # fmt: skip
        far.hear(f"{said}\n")
    assert shown == ["122 resolved", "16 of 32 MB fetched", "122 installed"]
