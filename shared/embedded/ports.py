"""Loopback ports that a home keeps from run to run."""

from __future__ import annotations

import hashlib
import socket

from shared.embedded.home import Home

STATE = "ports.json"
# Below the range that systems hand out to outgoing connections, or a port may be taken by a client
# while its server restarts.
LOWEST, HIGHEST = 20_000, 32_000


def known(home: Home, name: str) -> int:
    """The port chosen for `name` earlier; KeyError if `allocate` has not run yet."""
    return home.read_json(STATE)[name]


def allocate(home: Home, *names: str) -> None:
    """Choose a port for each name while nothing of this home runs; a kept one stays if it is still free."""
    chosen = home.read_json(STATE)
    for name in names:
        if not is_free(chosen.get(name, 0)):
            chosen[name] = _search(home, taken=set(chosen.values()))
    home.write_json(STATE, chosen)


def is_free(port: int) -> bool:
    if port == 0:
        return False
    with socket.socket() as probe:
        # As a server would bind: connections in TIME_WAIT of an earlier run do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    """Whether something listens on that loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _search(home: Home, taken: set[int]) -> int:
    # Each home begins elsewhere, so that homes started at one moment do not race for the same port.
    start = int.from_bytes(hashlib.sha256(str(home.root).encode()).digest()[:4])
    span = HIGHEST - LOWEST
    for step in range(span):
        port = LOWEST + (start + step) % span
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free TCP port on 127.0.0.1 between {LOWEST} and {HIGHEST}")
