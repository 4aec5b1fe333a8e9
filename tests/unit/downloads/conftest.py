"""A company's network, and an environment that says nothing of any."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.downloads.surroundings import CERTIFICATES, INDEXES, MAVEN
from tests.support.company import Company
from tests.support.company import company as in_company

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OTHERS = ("SSL_CERT_DIR", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", "UV_SYSTEM_CERTS", "PIP_DEFAULT_TIMEOUT")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a new machine; whatever goes around the proxy fails, for nobody has these names."""
    for name in (*PROXIES, *CERTIFICATES, *INDEXES, MAVEN, *OTHERS):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_NO_CONFIG", "1")


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with in_company(tmp_path) as company:
        yield company
