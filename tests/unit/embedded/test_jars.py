"""Only the jars that the lock names are ever run."""

import hashlib
from pathlib import Path

import pytest

from shared.embedded import jars
from shared.embedded.jars import Jar, JarError

CONTENT = b"not really a jar"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A proxy that does not exist: whatever asks the network gets an error at once."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "jars.lock"
    path.write_text(f"# two of them\ncom.example:one:1.0 sha256:{digest()}\ncom.example:two:2.0 sha256:{digest()}\n")
    monkeypatch.setattr(jars, "LOCK", path)
    return path


def test_every_pinned_jar_has_coordinates_and_a_sha256() -> None:
    found = jars.pinned()
    assert len(found) == 46
    assert all(jar.group and jar.artifact and jar.version and len(jar.sha256) == 64 for jar in found)


def test_the_lock_names_no_host() -> None:
    assert "://" not in jars.LOCK.read_text()


def test_a_line_of_the_lock_is_read_and_written_alike() -> None:
    jar = Jar.parse(f"org.example:some-jar:1.2.3 sha256:{digest()}")
    assert str(jar) == "org.example:some-jar:1.2.3"
    assert jar.path(Path("/cache")) == Path("/cache/org/example/some-jar/1.2.3/some-jar-1.2.3.jar")


@pytest.mark.usefixtures("lock", "offline")
def test_intact_jars_need_no_network(tmp_path: Path) -> None:
    for jar in jars.pinned():
        put(jar, tmp_path, CONTENT)
    assert [path.name for path in jars.ensure(tmp_path)] == ["one-1.0.jar", "two-2.0.jar"]


@pytest.mark.usefixtures("lock", "offline")
def test_damaged_and_missing_jars_are_all_named_and_never_returned(tmp_path: Path) -> None:
    put(jars.pinned()[0], tmp_path, b"tampered with")
    with pytest.raises(JarError) as refused:
        jars.ensure(tmp_path)
    assert "com.example:one:1.0" in str(refused.value)
    assert "com.example:two:2.0" in str(refused.value)
    assert not jars.pinned()[0].path(tmp_path).exists(), "a jar that is not what was pinned is not kept"


def put(jar: Jar, cache: Path, content: bytes) -> None:
    jar.path(cache).parent.mkdir(parents=True)
    jar.path(cache).write_bytes(content)


def digest() -> str:
    return hashlib.sha256(CONTENT).hexdigest()
