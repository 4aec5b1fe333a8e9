"""Belay with sites of several drivers, steered through its API alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.cli.client import Client
from services.cli.nouns.bundle import build_one
from shared.embedded.home import Home
from tests.hands.hand import Hand
from tests.support.patience import stretched

REST = {"complete", "failed", "aborted"}


class Fleet:
    """What the campaign and the demo do with a running Belay."""

    def __init__(self, client: Client, home: Home, hands: Sequence[Hand], sites: int) -> None:
        self.client = client
        self.home = home
        self.hands = hands
        self.count = sites
        self.number = 0

    def register(self) -> None:
        """Secrets, then sites that name them."""
        for hand in self.hands:
            for name, value in hand.secrets.items():
                self.client.command("PUT", f"/v1/secrets/{name}", {"value": value})
            self.client.command("POST", "/v1/sites", {"sites": hand.sites(self.count)})

    def publish(self, hand: Hand, version: str) -> None:
        """Build a release's bundle and have it checked by the catalog."""
        folder = hand.release(version)
        self.take(build_one(folder, self._bundles(), self.home.root).path)

    def take(self, file: Path) -> None:
        """Have a bundle checked by the catalog."""
        sha256 = self.client.upload(file)["result"]["bundle_sha256"]
        for state in self._states(f"/v1/bundles/{sha256}", 300):
            if state["state"] == "rejected":
                raise AssertionError(f"{file.name} was rejected: {state}")
            if state["state"] == "available":
                return

    def _bundles(self) -> Path:
        folder = self.home.root / "bundles"
        folder.mkdir(exist_ok=True)
        return folder

    def roll_out(self, hand: Hand, kind: str, version: str, **more: Any) -> str:
        """Begin a strategy over all sites of a hand; its id."""
        self.number += 1
        order = {
            "name": f"{hand.driver}-{self.number}", "type": kind, "app": hand.app, "version": version,
            "selection": {"sites": hand.names(self.count)}, "max_parallel": self.count, "step_timeout_seconds": 900,
            "stages": [{"name": "all"}], **more,
        }  # fmt: skip
        identifier = str(self.client.command("POST", "/v1/strategies", order)["command_id"])
        for state in self._states(f"/v1/strategies/{identifier}", 60):
            if state["state"] == "ready":
                break
        self.client.command("POST", f"/v1/strategies/{identifier}/apply", {})
        return identifier

    def end(self, identifier: str, seconds: float = 300) -> Mapping[str, Any]:
        """The strategy, once it has ended."""
        for strategy in self._states(f"/v1/strategies/{identifier}", seconds):
            if strategy["state"] in REST:
                return strategy
        raise AssertionError

    def operations(self, identifier: str) -> list[dict[str, Any]]:
        """All that a strategy began."""
        return list(self.client.pages("/v1/operations", strategy=identifier))

    def _states(self, path: str, seconds: float) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + stretched(seconds)
        while True:
            yield (found := self.client.get(path))
            assert time.monotonic() < until, f"{path} is {found} after {seconds:g} s"
            time.sleep(0.2)
