"""`python -m shared.embedded.pin`: resolve Kafka's Java packages anew and write kafka-jars.lock."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import truststore
from jgo.env import EnvironmentBuilder, LinkStrategy
from jgo.maven import MavenContext

from shared.embedded.jars import LOCK, Jar

#: Resolved apart: mediation of both in one go picks older clients, and Kafka dies of a missing method.
ENDPOINTS = ("org.apache.kafka:kafka_2.13:4.3.0", "org.slf4j:slf4j-simple:1.7.36")
HEAD = """\
# Apache Kafka with all it needs, and slf4j-simple for its log: coordinates and SHA-256.
# Written by `make lock`, verified before each start.
"""


def resolve(endpoint: str, folder: Path) -> set[Jar]:
    """The package at that coordinate and everything it depends on."""
    builder = EnvironmentBuilder(
        context=MavenContext(repo_cache=folder / "repository"), cache_dir=folder, link_strategy=LinkStrategy.AUTO
    )
    resolved = tomllib.loads(Path(builder.from_endpoint(endpoint).lock_path).read_text())
    return {Jar(d["groupId"], d["artifactId"], d["version"], d["sha256"]) for d in resolved["dependencies"]}


def main() -> None:
    truststore.inject_into_ssl()  # jgo's own downloads know no trust store of the system
    with tempfile.TemporaryDirectory() as folder:
        jars = set().union(*(resolve(endpoint, Path(folder)) for endpoint in ENDPOINTS))
    LOCK.write_text(HEAD + "".join(f"{jar} sha256:{jar.sha256}\n" for jar in sorted(jars, key=str)))


if __name__ == "__main__":
    main()
