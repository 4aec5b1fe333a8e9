"""Fixtures of all tests: real Kafka and PostgreSQL, started once for a run and only if a test asks."""

from hypothesis import HealthCheck, settings

# On a busy machine a single example may wait for its turn longer than any limit: that is no fault of what it tries.
settings.register_profile("belay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("belay")

pytest_plugins = [
    "tests.support.container_lab",
    "tests.support.reaping",
    "tests.support.runtime",
    "tests.support.deployer_database",
    "tests.support.kubernetes.lab",
    "tests.support.spreading",
    "tests.support.sshd_lab",
    "tests.support.template",
    "tests.support.world",
]
