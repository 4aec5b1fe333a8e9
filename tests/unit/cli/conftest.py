"""A stub gateway and a `belay` that talks to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli.commands import root
from tests.unit.cli.stub import Stub, serving

Belay = Callable[..., Result]


@pytest.fixture
def gateway() -> Iterator[Stub]:
    with serving(Stub()) as stub:
        yield stub


@pytest.fixture
def belay(gateway: Stub, tmp_path: Path) -> Belay:
    """Run `belay` with these arguments, as with `--url` and `--token` of the stub, in a home that is empty."""

    def run(*arguments: str, url: str | None = None, stdin: str | bytes | None = None) -> Result:
        env = {"BELAY_URL": gateway.url if url is None else url, "BELAY_TOKEN": "t-1", "BELAY_HOME": str(tmp_path)}
        return CliRunner().invoke(root, list(arguments), env=env, input=stdin)

    return run
