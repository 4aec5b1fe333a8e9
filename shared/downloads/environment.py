"""`python -m shared.downloads.environment FOLDER`: the virtual environment of this checkout, exactly as locked.

pip is needed for one package, uv; uv then makes the environment what the lock says, every hash checked. A line for each
phase says what is under way and how far it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.downloads import surroundings
from shared.downloads.failure import Failure, cause_in

ROOT = Path(__file__).parents[2]
DEFAULT_INDEX = "the default package index"
PHASES = 4


class SetupFailed(RuntimeError):
    """It cannot be made; the message says why and what to do."""


def make(venv: Path) -> None:
    """Make or renew the environment. Raises Broken."""
    with phase(1, f"virtual environment, Python {sys.version.split()[0]}"):
        _make_folder(venv)
    with phase(2, "uv, which installs the rest"):
        _install_uv(venv)
    with phase(3, "packages") as line:
        _sync(venv, line)
    with phase(4, "Belay itself"):
        _run_uv(venv, "pip", "install", "--python", str(venv / "bin/python"), "--no-deps", "--no-build-isolation",
                "--editable", ".")  # fmt: skip


def _make_folder(venv: Path) -> None:
    if _serves(venv / "bin/python"):
        return
    shutil.rmtree(venv, ignore_errors=True)
    made = _run(sys.executable, "-m", "venv", str(venv))
    if made.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        raise SetupFailed(
            f"{sys.executable} cannot make a virtual environment: {cause_in(made.stdout + made.stderr)}\n"
            "  Debian, Ubuntu: apt install python3-venv"
        )


def _run(*command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own words
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def _serves(python: Path) -> bool:
    asked = (str(python), "-c", "import sys; sys.exit(sys.version_info < (3, 11))")
    return python.exists() and _run(*asked).returncode == 0


def _install_uv(venv: Path) -> None:
    if (venv / "bin/uv").exists():
        return
    environment = _for_first_pip(venv)
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes")
    command = (str(venv / "bin/python"), "-m", "pip", "install", *options, "-r", "requirements-uv.lock")
    done = _run(*command, environment=environment)
    if done.returncode:
        source = environment.get("PIP_INDEX_URL", DEFAULT_INDEX)
        raise SetupFailed(str(Failure("uv", cause_in(done.stderr), source, "PIP_INDEX_URL")))


def _for_first_pip(venv: Path) -> dict[str, str]:
    """The pip that comes with Python may be too old to know the system's trust store; its own settings come first."""
    environment = surroundings.for_pip(os.environ)
    settings = _pip_settings(venv)
    store = surroundings.system_certificates()
    if store and not surroundings.certificates(environment) and "cert" not in settings:
        environment["PIP_CERT"] = store
    return environment


def _pip_settings(venv: Path) -> dict[str, str]:
    """What pip's own files say, by name: `cert`, `index-url` …"""
    asked = (str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "config", "list")
    return dict(re.findall(r"^(?:global|install)\.([\w-]+)='(.*)'$", _run(*asked).stdout, re.MULTILINE))


def _for_uv(venv: Path) -> dict[str, str]:
    """uv does not read pip's files, where a company's mirror often stands; its own come first."""
    environment = surroundings.for_uv(os.environ)
    own = (Path("/etc/uv/uv.toml"), Path.home() / ".config/uv/uv.toml")
    if not surroundings.index(environment) and "UV_CONFIG_FILE" not in environment and not any(map(Path.exists, own)):
        settings = _pip_settings(venv)
        environment |= {"UV_DEFAULT_INDEX": settings["index-url"]} if "index-url" in settings else {}
        if "cert" in settings:
            environment.setdefault("SSL_CERT_FILE", settings["cert"])
    return environment


def _sync(venv: Path, line: Line) -> None:
    far = HowFar(line)
    _run_uv(venv, "pip", "sync", "--python", str(venv / "bin/python"), "--require-hashes", "requirements.lock", far=far)


def _run_uv(venv: Path, *arguments: str, far: HowFar | None = None) -> None:
    environment = _for_uv(venv)
    command = [str(venv / "bin/uv"), *arguments, "--no-progress", "--color", "never"]
    said = []
    with subprocess.Popen(  # noqa: S603  our own words
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as uv:
        for text in uv.stderr or ():
            said.append(text)
            if far:
                far.hear(text)
    if uv.returncode:
        source = surroundings.index(environment) or DEFAULT_INDEX
        raise SetupFailed(str(Failure("the packages", cause_in("".join(said)), source, "UV_DEFAULT_INDEX")))


UNITS = {"KiB": 2**-10, "MiB": 1.0, "GiB": 2**10}


class HowFar:
    """How much of the packages is there, from what uv says of the large ones."""

    def __init__(self, line: Line) -> None:
        self._line, self._sizes, self._there = line, dict[str, float](), set[str]()

    def hear(self, said: str) -> None:
        """A line of uv's."""
        if begun := re.match(r"Downloading (\S+) \(([\d.]+)(\w+)\)", said.strip()):
            self._sizes[begun[1]] = float(begun[2]) * UNITS.get(begun[3], 0)
        elif ended := re.match(r"Downloaded (\S+)", said.strip()):
            self._there.add(ended[1])
            there = sum(size for name, size in self._sizes.items() if name in self._there)
            self._line.show(f"{there:.0f} of {sum(self._sizes.values()):.0f} MB fetched")
        elif counted := re.match(r"(?:Resolved|Prepared|Installed) (\d+) packages?", said.strip()):
            self._line.show(f"{counted[1]} {said.split(maxsplit=1)[0].lower()}")


class Line:
    """The line of one phase: on a terminal it changes in its place, elsewhere it is written once, at the end."""

    def __init__(self, number: int, title: str) -> None:
        self._text, self._detail, self._begun = f"setup {number}/{PHASES}  {title}", "", time.monotonic()
        self._moves = sys.stdout.isatty()
        self._write()

    def show(self, detail: str) -> None:
        """How far it is."""
        self._detail = f": {detail}"
        self._write()

    def end(self, word: str = "") -> None:
        """It stays as it is."""
        seconds = time.monotonic() - self._begun
        start = "\r\033[K" if self._moves else ""
        print(f"{start}{self._text}{self._detail}  {word or f'{seconds:.1f} s'}", flush=True)  # noqa: T201

    def _write(self) -> None:
        if self._moves:
            print(f"\r\033[K{self._text}{self._detail}", end="", flush=True)  # noqa: T201


@contextmanager
def phase(number: int, title: str) -> Iterator[Line]:
    """One phase with its line."""
    line = Line(number, title)
    try:
        yield line
    except BaseException:
        line.end("failed")
        raise
    line.end()


def main(folder: str) -> int:
    try:
        make(Path(folder))
    except SetupFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
