"""The HTTP API against its own description: schemathesis asks every operation of the whole running system, with data
that fits and data that does not, with every method. No answer is a 5xx, and none is outside of the description.

The report of a failure names the request. BELAY_API_SEED=7 BELAY_API_EXAMPLES=200 look further.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.system import System, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]

HERE = Path(__file__).parents[2]
SECONDS = 400
SEED = os.environ.get("BELAY_API_SEED", "1")
EXAMPLES = os.environ.get("BELAY_API_EXAMPLES", "8")


@pytest.fixture(scope="module")
def belay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Something of each kind, under the names that schemathesis.toml has."""
    with running(tmp_path_factory.mktemp("belay")) as system, system.client() as client:
        client.command("POST", "/v1/groups", {"name": "north"})
        sites = [{"name": f"oslo-{number}", "group": "north", "driver": "simulated"} for number in (1, 2, 3)]
        client.command("POST", "/v1/sites", {"sites": sites})
        for version in ("1.0.0", "2.0.0"):
            client.upload(system.bundle("lamp", version))
        system.until_published("lamp", "2.0.0")
        client.command("PUT", "/v1/secrets/oslo-password", {"value": "correct horse battery staple"})
        apply = {"site": "oslo-1", "app": "lamp", "kind": "apply", "version": "1.0.0"}
        client.command("POST", "/v1/operations", apply, key="operation-1")
        strategy = {"name": "s1", "type": "apply", "app": "lamp", "version": "2.0.0", "selection": {"all": True}}
        client.command("POST", "/v1/strategies", strategy)
        yield system


def ask(system: System, *arguments: str) -> None:
    """Run schemathesis; its report is the reason of a failure."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "tests/support/schemathesis.toml"]
    asked = [*command, "run", f"{system.url}/openapi.json", "--seed", SEED, "--no-color", *arguments]
    environment = {**os.environ, "BELAY_API": system.url, "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        asked, cwd=HERE, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-30_000:] + done.stderr[-3_000:]


def test_whatever_an_admin_asks_is_answered_as_described(belay: System) -> None:
    token = f"Authorization: Bearer {belay.token}"
    ask(belay, "--header", token, "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES)


def test_who_has_no_token_or_too_small_a_role_is_told_so_whatever_they_send(belay: System) -> None:
    with belay.client() as client:
        viewer = client.command("POST", "/v1/tokens", {"name": "viewer", "role": "viewer"})["token"]
    ask(belay, "--phases", "fuzzing", "--max-examples", "1")
    ask(belay, "--phases", "fuzzing", "--max-examples", "1", "--header", f"Authorization: Bearer {viewer}")
