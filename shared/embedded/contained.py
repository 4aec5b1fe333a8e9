"""`python -m shared.embedded.contained SERVICE`: become a service in a container.

Provisioning, a job of its own, left the secret behind the services' passwords in the home that all containers
share. From it and BELAY_POSTGRES_SERVER (a URL without login) the service's own login is made here, so that no
password stands in the compose file. BELAY_POSTGRES, where set, is taken as it is.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

from shared.process import provision


def environment(service: str, given: dict[str, str]) -> dict[str, str]:
    """The variables of the service. Raises KeyError if BELAY_POSTGRES_SERVER or BELAY_HOME is needed and unset."""
    # A container's host name is its own: replicas made by `--scale` need no further name.
    given = {"BELAY_INSTANCE": socket.gethostname(), **given}
    if service not in provision.SERVICES or "BELAY_POSTGRES" in given:
        return given
    server, home = given["BELAY_POSTGRES_SERVER"], Path(given["BELAY_HOME"])
    return {**given, "BELAY_POSTGRES": provision.service_dsn(server, service, home)}


def main(service: str) -> NoReturn:
    argv = [sys.executable, "-m", f"services.{service}"]
    os.execve(argv[0], argv, environment(service, dict(os.environ)))  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])
