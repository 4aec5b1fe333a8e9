"""Kafka's Java packages come through a company's proxy, or three lines say why not and what to set."""

import hashlib
from pathlib import Path

import pytest

from shared.downloads.surroundings import CERTIFICATES, MAVEN
from shared.embedded import jars
from shared.embedded.jars import JarError
from tests.support.company import DEAD, OUTSIDE, Company

CONTENT = b"not really a jar" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAMES = tuple(f"com.example:jar-{number}:1.0" for number in range(46))
PATHS = tuple(f"/maven/com/example/jar-{number}/1.0/jar-{number}-1.0.jar" for number in range(46))


@pytest.fixture(autouse=True)
def lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As many as there are, and a mirror outside."""
    path = tmp_path / "jars.lock"
    path.write_text("".join(f"{name} sha256:{DIGEST}\n" for name in NAMES))
    monkeypatch.setattr(jars, "LOCK", path)
    monkeypatch.setenv(MAVEN, f"{OUTSIDE}/maven/")


@pytest.fixture
def inside(company: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A machine in the company that was told of proxy and authority; all packages are outside."""
    company.outside = dict.fromkeys(PATHS, CONTENT)
    monkeypatch.setenv("HTTPS_PROXY", company.proxy)
    monkeypatch.setenv("SSL_CERT_FILE", str(company.certificates))
    return company


def refusal(cache: Path) -> list[str]:
    """What `ensure` says where it fails: always three lines."""
    with pytest.raises(JarError) as refused:
        jars.ensure(cache)
    lines = str(refused.value).splitlines()
    assert len(lines) == 3
    return lines


@pytest.mark.parametrize("variable", CERTIFICATES)
def test_all_come_through_the_proxy_whichever_variable_names_the_authority(
    inside: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv(variable, str(inside.certificates))
    found = jars.ensure(tmp_path / "cache")
    assert {path.read_bytes() for path in found} == {CONTENT}
    assert sorted(inside.asked) == sorted(PATHS)


@pytest.mark.usefixtures("inside")
def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    jars.ensure(tmp_path / "cache", told.append)
    assert told[-1] == "fetching Kafka's Java packages: 46 of 46, 0 MB"
    assert any(": 23 of 46" in line for line in told)


def test_an_authority_that_nobody_named_is_told_with_what_to_set(
    inside: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    what, where, advice = refusal(tmp_path / "cache")
    assert "46 of Kafka's 46 Java packages (com.example:jar-0:1.0, com.example:jar-1:1.0 and 44 more)" in what
    assert "certificate" in what
    assert where.strip() == f"from {OUTSIDE}/maven, through the proxy {inside.proxy}"
    assert "SSL_CERT_FILE" in advice


def test_a_file_of_authorities_that_is_not_there_is_told(
    inside: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    what, _, advice = refusal(tmp_path / "cache")
    assert "nowhere.pem" in what
    assert "SSL_CERT_FILE" in advice
    assert inside.asked == []


def test_a_proxy_that_is_down_is_told_and_not_tried_46_times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    what, where, advice = refusal(tmp_path / "cache")
    assert "refused" in what
    assert where.endswith(f"through the proxy {DEAD}")
    assert "HTTPS_PROXY" in advice
    assert MAVEN in advice


def test_without_a_network_the_variables_are_named(tmp_path: Path) -> None:
    _, where, advice = refusal(tmp_path / "cache")
    assert where.strip() == f"from {OUTSIDE}/maven, without a proxy"
    assert "HTTPS_PROXY" in advice
    assert MAVEN in advice


def test_a_proxy_that_wants_a_password_is_told_and_the_password_is_never_shown(
    inside: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inside.login = "Basic bm90IHRoaXM="
    monkeypatch.setenv("HTTPS_PROXY", inside.proxy.replace("//", "//me:hidden@"))
    said = refusal(tmp_path / "cache")
    assert "407" in said[0]
    assert "me:***@" in said[1]
    assert "HTTPS_PROXY=" in said[2]
    assert "hidden" not in "".join(said)


def test_a_page_to_log_in_is_not_taken_for_a_jar(inside: Company, tmp_path: Path) -> None:
    inside.outside = dict.fromkeys(PATHS, b"<html>who are you?</html>")
    what, _, advice = refusal(tmp_path / "cache")
    assert "sha256" in what
    assert "log in" in advice
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_what_a_mirror_lacks_is_named_and_the_rest_is_kept(inside: Company, tmp_path: Path) -> None:
    missing = [PATHS[3], PATHS[40]]
    inside.outside = {path: CONTENT for path in PATHS if path not in missing}
    what, _, advice = refusal(tmp_path / "cache")
    assert "2 of Kafka's 46 Java packages (com.example:jar-3:1.0, com.example:jar-40:1.0): 404" in what
    assert MAVEN in advice
    assert len(list((tmp_path / "cache").rglob("*.jar"))) == 44


def test_a_mirror_inside_is_reached_without_the_proxy(
    inside: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(MAVEN, f"{inside.proxy}/maven")
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert len(jars.ensure(tmp_path / "cache")) == 46
