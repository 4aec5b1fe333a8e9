"""Replicas are asked from outside; whatever answers in their place is no replica."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from shared.process.health import Finding
from shared.process.replicas import ask_all, figures_in
from shared.process.settings import Settings
from shared.process.telemetry import serve
from tests.support.neighbour import neighbour


async def test_a_replica_is_told_of_with_its_findings(tmp_path: Path) -> None:
    async with neighbour(tmp_path, [Finding(code="of_a_newer_version", message="m")]):
        (row,) = await asyncio.to_thread(ask_all, tmp_path)
    assert (row["ready"], row["parts"]) == (True, {"kafka": True})
    assert [(one["code"], one["advice"]) for one in row["findings"]] == [("of_a_newer_version", "")]
    (gone,) = await asyncio.to_thread(ask_all, tmp_path)
    assert "no answer" in gone["error"]


@pytest.mark.parametrize("answer", [[], None, "up", {"status": "green"}, {"findings": 3}, {"findings": [{"code": 1}]}])
async def test_another_program_on_its_port_is_no_answer(tmp_path: Path, answer: Any) -> None:
    async def other(_: web.Request) -> web.Response:
        return web.json_response(text=json.dumps(answer))

    async def figures(_: web.Request) -> web.Response:
        return web.Response(text="up 1\n")

    app = web.Application()
    app.add_routes([web.get("/readyz", other), web.get("/metrics", figures)])
    runner = await serve(app, Settings(home=tmp_path, instance="1"), "catalog")
    try:
        (row,) = await asyncio.to_thread(ask_all, tmp_path)
    finally:
        await runner.cleanup()
    assert row["error"] in {"no answer: ValueError", "no answer: ValidationError"}
    assert not row["ready"]


def test_figures_are_summed_over_partitions_and_absent_ones_are_none() -> None:
    text = 'belay_consumer_lag{topic="a",partition="0"} 2.0\nbelay_consumer_lag{topic="a",partition="1"} 3.0\n'
    assert figures_in(text) == {"lag": 5, "outbox": None, "refused": None}
