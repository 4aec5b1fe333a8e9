"""What runs: the table of services, and every program of a home as the supervisor starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from shared.embedded import kafka, launch, ports, postgres
from shared.embedded.home import Home

SERVICES = ("catalog", "deployer", "strategy_orchestrator", "notifier", "monitor", "gateway")

#: Secrets of the administrator: provisioning needs them, no service may inherit them.
PRIVATE = ("BELAY_POSTGRES_ADMIN",)


@dataclass(frozen=True, slots=True)
class Instance:
    """One replica of a service; replicas are counted from 1."""

    service: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"

    @property
    def ports(self) -> dict[str, str]:
        """Variables that tell the replica its ports, and the name under which each is kept."""
        own = {"BELAY_HTTP_PORT": self.name}
        if self.service == "gateway":
            own["BELAY_GATEWAY_PORT"] = f"{self.name}-page"
        # A port that the user chose goes to the first replica; two cannot have it.
        chosen = os.environ if self.number == 1 else ()
        return {variable: name for variable, name in own.items() if variable not in chosen}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wants to run.

    `kafka` (bootstrap servers) and `postgres_admin` (DSN of a superuser) name running servers to use instead
    of embedded ones. `replicas` says how many of a service run, 1 where it is silent. `services` maps each
    service's name to the program that it is.
    """

    kafka: str | None = None
    postgres_admin: str | None = None
    replicas: Mapping[str, int] = field(default_factory=dict)
    services: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {name: (sys.executable, "-m", f"services.{name}") for name in SERVICES}
    )
    provision: tuple[str, ...] = (sys.executable, "-m", "shared.process.provision")

    @classmethod
    def from_environment(cls, replicas: Mapping[str, int]) -> Wish:
        """Read BELAY_KAFKA and BELAY_POSTGRES_ADMIN. Raises ValueError naming every bad replica count."""
        faults = [
            f"--replicas {name}={count}: {fault}" for name, count in replicas.items() if (fault := _odd(name, count))
        ]
        if faults:
            raise ValueError("\n".join(faults))
        environment = os.environ
        return cls(environment.get("BELAY_KAFKA"), environment.get("BELAY_POSTGRES_ADMIN"), replicas)

    def servers(self) -> list[str]:
        """The embedded servers needed, in the order in which they start."""
        given = {"postgres": self.postgres_admin, "kafka": self.kafka}
        return [name for name, address in given.items() if not address]

    def instances(self) -> Iterator[Instance]:
        """Each replica of each service, in the order of the table."""
        for service in self.services:
            for number in range(1, self.replicas.get(service, 1) + 1):
                yield Instance(service, number)

    def missing(self) -> list[str]:
        """Services whose package is not on disk: reported and left out, the others run."""
        return [name for name, program in self.services.items() if not _present(program)]


def _odd(service: str, count: int) -> str | None:
    if service not in SERVICES:
        return f"no such service; there are {', '.join(SERVICES)}"
    return None if 0 <= count <= 64 else "give a number from 0 to 64"


def _present(program: tuple[str, ...]) -> bool:
    if program[1:2] != ("-m",):
        return True
    try:
        return find_spec(f"{program[2]}.__main__") is not None
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Program:
    """One entry of the supervisor's configuration."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stop_signal: str = "TERM"
    stop_seconds: int = 20


def allocate_ports(home: Home, wish: Wish) -> None:
    """Ports of all that will run. Nothing of this home may be running."""
    servers = {"kafka": kafka.PORTS, "postgres": ("postgres",)}
    names = [port for server in wish.servers() for port in servers[server]]
    ports.allocate(home, *names, *(port for one in wish.instances() for port in one.ports.values()))


def addresses(home: Home, wish: Wish) -> dict[str, str]:
    """Where Kafka and PostgreSQL are, as the variables that provisioning reads. The second is a secret."""
    return {
        "BELAY_KAFKA": wish.kafka or kafka.bootstrap(home),
        "BELAY_POSTGRES_ADMIN": wish.postgres_admin or postgres.admin_dsn(home),
        "BELAY_HOME": str(home.root),
    }


def servers(home: Home, wish: Wish) -> list[Program]:
    """The embedded servers as programs, in the order in which they start."""
    signals = {"postgres": "INT", "kafka": "TERM"}
    return [
        Program(name, tuple(launch.command_line(home, name)), {}, signals[name], stop_seconds=40)
        for name in wish.servers()
    ]


def services(home: Home, wish: Wish) -> list[Program]:
    """Every replica of every service that is on disk."""
    absent = wish.missing()
    return [_service(home, wish, one) for one in wish.instances() if one.service not in absent]


def _service(home: Home, wish: Wish, one: Instance) -> Program:
    from shared.process import provision  # noqa: PLC0415  it brings the clients of both servers

    known = addresses(home, wish)
    env = {name: value for name, value in known.items() if name not in PRIVATE}
    env["BELAY_INSTANCE"] = str(one.number)
    env |= {variable: str(ports.known(home, port)) for variable, port in one.ports.items()}
    if one.service in provision.SERVICES:
        env["BELAY_POSTGRES"] = provision.service_dsn(known["BELAY_POSTGRES_ADMIN"], one.service, home.root)
    return Program(one.name, tuple(launch.command_line(home, one.name, *wish.services[one.service])), env)
