"""What a wheel is installed on: a Python on a platform, as a host reports it or as a release names it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from packaging import tags
from packaging.markers import Marker, default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.version import Version

from shared.messages.base import Fault
from shared.messages.manifest import Requires

from .faults import fault

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""What a declared range of Pythons is checked for: those that Belay itself runs on."""

OLDEST_GLIBC = {"x86_64": 5, "i686": 5}
"""Minor version of the first manylinux of an architecture (PEP 600); 17 for all others."""

_NO_PLACES: Mapping[str, str] = {}

LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
"""The names that these glibc versions had before PEP 600."""


@dataclass(frozen=True)
class Host:
    """A Python on a platform. `abis` and `platforms` are parts of wheel tags, the best first."""

    name: str
    """For people."""
    environment: Mapping[str, str]
    """What markers of requirements ask (PEP 508)."""
    abis: tuple[str, ...]
    platforms: tuple[str, ...]
    declared: bool = field(default=False, kw_only=True)
    """Named by the release, not reported by a machine."""

    @property
    def python(self) -> Version:
        """Its full version. One that was built between two releases says so by a plus (3.12.3+)."""
        return Version(self.environment["python_full_version"].removesuffix("+"))

    @cached_property
    def tags(self) -> frozenset[Tag]:
        """Of every wheel that can be installed there."""
        version = self.python.release[:2]
        interpreter = f"{_short(self.environment)}{version[0]}{version[1]}"
        if _short(self.environment) == "cp":
            own: Iterable[Tag] = tags.cpython_tags(version, self.abis, self.platforms)
        else:
            own = tags.generic_tags(interpreter, self.abis, self.platforms)
        return frozenset([*own, *tags.compatible_tags(version, interpreter, self.platforms)])

    def satisfies(self, marker: Marker | None, extra: str = "") -> bool:
        """Whether a requirement with this marker counts there. One that compares what cannot be compared does."""
        try:
            return marker is None or marker.evaluate({**self.environment, "extra": extra})
        except ValueError:
            return True

    def __str__(self) -> str:
        libc = next((tag for tag in self.platforms if not tag.startswith("linux_")), self.platforms[0])
        python = self.environment["python_version" if self.declared else "python_full_version"]
        return f"{self.environment['platform_python_implementation']} {python} on {libc} ({self.name})"


def this_host(name: str = "this machine") -> Host:
    """The Python that runs this, and the machine it runs on."""
    interpreter = f"{tags.interpreter_name()}{tags.interpreter_version()}"
    own = [tag.abi for tag in tags.sys_tags() if tag.interpreter == interpreter]
    abis = tuple(dict.fromkeys(abi for abi in own if abi not in {"none", "abi3"}))
    environment = {key: str(value) for key, value in default_environment().items()}
    return Host(name, environment, abis, tuple(dict.fromkeys(tags.platform_tags())))


def named_by(requires: Requires, hosts: Sequence[Host]) -> list[Host]:
    """Each Python on each platform that a release names; what it leaves open is that of these hosts."""
    if not requires.platforms and requires.python is None:
        return []
    pythons = _pythons(requires, hosts)
    if requires.platforms:
        return [_named(python, tag) for tag in requires.platforms for python in pythons]
    platforms = {host.platforms: host for host in hosts}
    return [_like(host, python) for host in platforms.values() for python in pythons]


def unfit(requires: Requires, host: Host, places: Mapping[str, str] = _NO_PLACES) -> Iterator[Fault]:
    """Why a host is none of those that a release names; `places`: where it names them."""
    if requires.python is not None and not SpecifierSet(requires.python).contains(host.python, prereleases=True):
        message = f"needs Python {requires.python}, but a host here has {host}"
        yield fault("host_unfit", places.get("requires.python", ""), message, requires.python)
    wanted = [platform_tags(tag)[0] for tag in requires.platforms]
    if wanted and not set(wanted) & set(host.platforms):
        message = f"is for {', '.join(requires.platforms)}, but a host here is {host}"
        yield fault("host_unfit", places.get("requires.platforms", ""), message, list(requires.platforms))


def platform_tags(named: str) -> tuple[str, ...]:
    """Every platform tag of wheels for hosts with this libc, so those for older ones, too; the named one first."""
    if named.startswith("musllinux_1_"):
        minor, arch = named.removeprefix("musllinux_1_").split("_", 1)
        return (*(f"musllinux_1_{n}_{arch}" for n in range(int(minor), -1, -1)), f"linux_{arch}")
    glibc = named if named.startswith("manylinux_2_") else f"manylinux_2_17_{named.removeprefix('linux_')}"
    minor, arch = glibc.removeprefix("manylinux_2_").split("_", 1)
    found: list[str] = []
    for n in range(int(minor), OLDEST_GLIBC.get(arch, 17) - 1, -1):
        found += [f"manylinux_2_{n}_{arch}", *([f"{LEGACY[n]}_{arch}"] if n in LEGACY else [])]
    return (*(found or [glibc]), f"linux_{arch}")


def _pythons(requires: Requires, hosts: Sequence[Host]) -> list[str]:
    """Full versions: of a declared range the newest patch of each Python, for hosts keep up with these."""
    if requires.python is None:
        return list(dict.fromkeys(host.environment["python_full_version"] for host in hosts))
    allowed = SpecifierSet(requires.python)
    newest = ([n for n in range(99, -1, -1) if allowed.contains(f"{minor}.{n}")] for minor in PYTHONS)
    return [f"{minor}.{found[0]}" for minor, found in zip(PYTHONS, newest, strict=True) if found]


def _named(python: str, tag: str) -> Host:
    platforms = platform_tags(tag)
    machine = platforms[-1].removeprefix("linux_")
    facts = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": machine}
    return Host(tag, {**_cpython(python), **facts, "platform_release": "", "platform_version": ""}, _abis(python),
        platforms, declared=True)  # fmt: skip


def _like(host: Host, python: str) -> Host:
    return Host("as the release requires", {**host.environment, **_cpython(python)}, _abis(python), host.platforms,
        declared=True)  # fmt: skip


def _cpython(python: str) -> dict[str, str]:
    facts = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    named = {"implementation_name": "cpython", "implementation_version": python}
    return {**facts, **named, "platform_python_implementation": "CPython"}


def _abis(python: str) -> tuple[str, ...]:
    return (f"cp{''.join(python.split('.')[:2])}",)


def _short(environment: Mapping[str, str]) -> str:
    name = environment["implementation_name"]
    return tags.INTERPRETER_SHORT_NAMES.get(name, name)
