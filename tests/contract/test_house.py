"""The rules of the house, held by tests: who may import what, who may touch which tables, what may be left lying."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("catalog", "deployer", "strategy_orchestrator", "notifier", "monitor", "gateway")
WITH_TABLES = tuple(name for name in SERVICES if name != "monitor")
PURE_FILES = (
    "domain.py",
    "dependencies.py",
    "planning.py",
    "plan.py",
    "course.py",
    "phases.py",
    "ordering.py",
    "evidence.py",
    "judgement.py",
    "policy.py",
    "reasons.py",
    "advance.py",
    "assignment.py",
    "refusals.py",
    "operation_ends.py",
    "outcome.py",
    "telling.py",
    "ways.py",
    "group_limits.py",
    "message_parts.py",
    "values.py",
    "causes.py",
    "calls.py",
    "differences.py",
    "history.py",
    "manifest.py",
    "rollout.py",
    "trouble.py",
    "fields.py",
    "words.py",
    "shapes.py",
    "strategy_request.py",
    "subcloud_request.py",
    "meant_release.py",
    "needs.py",
    "choosing.py",
    "deciding.py",
    "triggers.py",
    "behaviour.py",
    "standing.py",
    "mixture.py",
    "upload_request.py",
    "chart_request.py",
    "binary_data.py",
    "as_xml.py",
    "strategy_names.py",
)
IMPURE = {
    "aiohttp", "aiokafka", "aiosql", "asyncio", "asyncpg", "faust", "httpx", "io", "logging", "obstore", "os",
    "pathlib", "random", "secrets", "shutil", "socket", "structlog", "subprocess", "time", "uuid",
}  # fmt: skip
IMPURE_SHARED = ("shared.blobs", "shared.core", "shared.process", "shared.wire")
PURE_SHARED = ("shared.core.errors",)


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pure() -> list[Path]:
    whole = sources("services/strategy_orchestrator/strategies", "services/strategy_orchestrator/gates")
    return [path for path in sources("services") if path.name in PURE_FILES] + whole


@pytest.mark.parametrize("path", pure(), ids=name_of)
def test_the_core_does_no_io_and_knows_no_clock(path: Path) -> None:
    found = set(imports(path))
    assert not {name for name in found if name.split(".")[0] in IMPURE}
    assert not {name for name in found if name.startswith(IMPURE_SHARED) and not name.startswith(PURE_SHARED)}
    calls = {name for node in ast.walk(ast.parse(path.read_text())) if (name := method_called(node))}
    assert not calls & {"now", "utcnow", "today"}


def method_called(node: ast.AST) -> str:
    """Its name; empty for anything else."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_another(service: str) -> None:
    others = {f"services.{other}" for other in SERVICES if other != service}
    for path in sources(f"services/{service}"):
        wrong = [name for name in imports(path) if any(name == o or name.startswith(o + ".") for o in others)]
        assert not wrong, name_of(path)


def test_shared_imports_no_service() -> None:
    for path in sources("shared"):
        assert not [name for name in imports(path) if name.startswith("services")], name_of(path)


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    rooms = {"README.md", "__main__.py", "domain.py", "handlers.py", "app.py", "settings.py"}
    if service in WITH_TABLES:
        rooms.add("schema.sql")
    there = {path.name for path in (ROOT / "services" / service).iterdir()}
    assert not rooms - there


@pytest.mark.parametrize("path", sources("shared", "services", "tests", "schemas"), ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    assert not [path for path in sources("shared", "services") if path.stem in {"utils", "helpers", "misc", "common"}]


def test_one_place_alone_connects_to_kafka() -> None:
    """It knows of TLS and logins; faust, which connects by itself, is told by the monitor."""
    clients = re.compile(r"\bAIOKafka(?:Consumer|Producer|AdminClient)\(|bootstrap_servers=")
    found = {name_of(path) for path in sources("shared", "services") if clients.search(path.read_text())}
    assert found == {"shared/wire/kafka.py"}


# -- SQL ------------------------------------------------------------------------------------------------------------


def query_files() -> list[Path]:
    found = [path for path in (ROOT / "services").rglob("*.sql") if "migrations" not in path.parts]
    return sorted(path for path in [*found, ROOT / "shared/core/queries.sql"] if path.name != "schema.sql")


@pytest.mark.parametrize("path", query_files(), ids=name_of)
def test_every_query_is_used_and_every_query_used_exists(path: Path) -> None:
    service = path.relative_to(ROOT).parts[1] if "services" in path.parts else None
    folders = [f"services/{service}"] if service else ["shared"]
    code = "\n".join(source.read_text() for source in sources(*folders))
    names = set(re.findall(r"^-- name: (\w+)", path.read_text(), re.MULTILINE))
    assert names
    assert not {name for name in names if f'"{name}"' not in code}


@pytest.mark.parametrize("service", WITH_TABLES)
def test_every_query_called_exists(service: str) -> None:
    known = {
        name
        for path in query_files()
        if service in path.parts or path.is_relative_to(ROOT / "shared")
        for name in re.findall(r"^-- name: (\w+)", path.read_text(), re.MULTILINE)
    }
    called = set()
    for path in sources(f"services/{service}"):
        called |= set(re.findall(r'\bSQL\.(?:fetch|row|value|run)\(\s*[\w.]+,\s*"(\w+)"', path.read_text()))
    assert not called - known


@pytest.mark.parametrize("service", WITH_TABLES)
def test_a_service_names_no_schema_but_its_own(service: str) -> None:
    others = [other for other in WITH_TABLES if other != service]
    for path in (ROOT / "services" / service).rglob("*.sql"):
        text = re.sub(r"--.*", "", path.read_text())
        assert not re.findall(rf"\b(?:{'|'.join(others)})\.\w+", text), name_of(path)
