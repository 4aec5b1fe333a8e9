"""What breaks in a loop is told with its cause by everybody who is asked, on the real supervisor."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.cli.client import Client
from shared.embedded import kafka, postgres
from shared.process import provision
from tests.support.system import PATIENCE, System, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CAUSE = 'role "belay_catalog" is not permitted to log in'


def until(look: Callable[[], Any]) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it was not told"
        time.sleep(0.2)
    return found


def alter(system: System, sql: str) -> None:
    async def do() -> None:
        conn = await asyncpg.connect(postgres.admin_dsn(system.home))
        await conn.execute(sql)
        await conn.close()

    asyncio.run(do())


def of_catalog(client: Client) -> dict[str, Any]:
    return next(row for row in client.get("/v1/system")["items"] if row["service"] == "catalog")


def found(client: Client, code: str) -> dict[str, Any] | None:
    return next((one for one in of_catalog(client)["findings"] if one["code"] == code), None)


def told(client: Client, words: str) -> str | None:
    notes = client.get("/v1/notifications")["items"]
    return next((note["message"] for note in notes if words in note["message"]), None)


def doctor(system: System) -> tuple[int, list[dict[str, str]]]:
    environment = {**os.environ, "BELAY_HOME": str(system.home.root), "BELAY_URL": system.url}
    command = [sys.executable, "-c", "from services.cli import main; main()", "doctor", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One that takes notice of a trouble soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BELAY_TROUBLE_SECONDS", "5")
        patch.setenv("BELAY_LOOK_SECONDS", "0.5")
        with running(tmp_path_factory.mktemp("troubles") / "home") as started:
            yield started


def limit_records(system: System, topic: str, largest: int) -> None:
    """Kafka takes no larger records of this topic from now on."""

    async def do() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap(system.home))
        await admin.start()
        wanted = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(largest)})
        await admin.alter_configs([wanted])
        await admin.close()

    asyncio.run(do())


def refused(system: System, *arguments: str) -> list[dict[str, Any]]:
    """What an operator types where the catalog runs."""
    dsn = provision.service_dsn(postgres.admin_dsn(system.home), "catalog", system.home.root)
    command = [sys.executable, "-m", "shared.refused", *arguments]
    environment = {**os.environ, "BELAY_POSTGRES": dsn}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_answer_that_kafka_refuses_is_told_kept_and_sent_again_by_a_person(system: System) -> None:
    with system.client() as client:
        limit_records(system, "belay.catalog.events", 100)
        client.command("POST", "/v1/releases/nowhere/1.0/withdraw", {"reason": "no"}, key="late", wait=False)
        told_by_api = until(lambda: found(client, "records_refused"))
        assert "Kafka refused 1 record for good" in told_by_api["message"]
        assert until(lambda: told(client, "Kafka refused 1 record for good"))
        status, rows = doctor(system)
        assert status == 1
        assert any("python -m shared.refused" in row["advice"] for row in rows if row["check"].startswith("catalog-1"))
        assert client.get("/v1/commands/late")["state"] == "sent"

        limit_records(system, "belay.catalog.events", 1_048_588)
        (kept,) = refused(system, "list")
        refused(system, "replay", str(kept["id"]))
        assert until(lambda: client.get("/v1/commands/late")["state"] == "rejected")
        until(lambda: not found(client, "records_refused"))


def test_a_service_that_restarts_into_the_same_cause_is_told_by_everybody(system: System) -> None:
    with system.client() as client:
        assert doctor(system)[0] == 0
        alter(system, "alter role belay_catalog nologin")
        system.kill("catalog-1")
        loop = until(lambda: found(client, "restarts"))
        assert CAUSE in loop["message"]
        assert CAUSE in of_catalog(client)["error"]
        assert CAUSE in until(lambda: told(client, "catalog-1 ended by itself"))
        assert until(lambda: told(client, "catalog-1 does not answer"))
        status, rows = doctor(system)
        assert status == 1
        wrong = {row["check"]: row for row in rows if row["finding"] != "ok"}
        assert CAUSE in wrong["catalog-1 restarts"]["detail"]
        assert wrong["catalog-1 restarts"]["advice"]
        alter(system, "alter role belay_catalog login")
        until(lambda: of_catalog(client)["ready"])
        assert until(lambda: told(client, "no answer (catalog-1)")), "that it is over is told, too"
        assert CAUSE in (found(client, "restarts") or {})["message"], "the loop itself is told for ten minutes"
