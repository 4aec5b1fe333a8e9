"""Fixtures of all tests: real Kafka and PostgreSQL, started once for a run and only if a test asks."""

pytest_plugins = [
    "tests.support.container_lab",
    "tests.support.reaping",
    "tests.support.runtime",
    "tests.support.deployer_database",
    "tests.support.kubernetes.lab",
    "tests.support.spreading",
    "tests.support.sshd_lab",
    "tests.support.world",
]
