"""`make bench`: orchestrated steps per second with every service running, on the simulated driver, instant devices.

Everything is as a user has it: real Kafka and PostgreSQL with fsync and synchronous_commit on, a bundle published
through the catalog, a strategy created and applied over HTTP. Time is that between the strategy's own events.
`ARGS="--sites 1000 10000 --runs 3"` are the defaults. The result is printed and written to build/bench.json.
"""

import argparse
import json
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from services.gateway.client import Client, ProblemError
from shared import bundle
from shared.embedded import postgres, stack
from shared.embedded.home import Home
from shared.embedded.programs import Wish
from tests.bench.measure import MIB, Cost, costs, per_step

RESULT = Path("build/bench.json")
PARALLEL = 1_000
BATCH = 500
console = Console()


def client_of(home: Home) -> Client:
    """The gateway of this home, as its administrator; waits until it answers."""
    note, token = home.root / "run/gateway-1.json", home.root / "admin.token"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if note.exists() and token.exists():
            return Client(json.loads(note.read_text())["url"], token.read_text().strip())
        time.sleep(0.1)
    raise TimeoutError("the gateway has not started within 60 s")


def publish(client: Client, work: Path, version: str) -> None:
    """A release of one instant simulated component."""
    folder = work / version
    folder.mkdir()
    manifest = f"app: bench\nversion: '{version}'\ncomponents:\n  - driver: simulated\n    name: lamp\n"
    (folder / "bundle.yaml").write_text(manifest)
    built = bundle.build(folder, work / f"{version}.tar.gz", work)
    client.upload(built.path)
    wait(lambda: found(client, f"/v1/releases/bench/{version}"))


def found(client: Client, path: str) -> Any:
    """What stands there, None while nothing does."""
    try:
        return client.get(path)
    except ProblemError:
        return None


def wait(look: Any, seconds: float = 300) -> Any:
    """What `look` finds; looked for until then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := look():
            return value
        time.sleep(0.05)
    raise TimeoutError(f"nothing came of {look} within {seconds} s")


def register(client: Client, sites: int) -> None:
    """Sites under a label that says how many they are."""
    names = [f"s{sites}-{number:06}" for number in range(sites)]
    for start in range(0, sites, BATCH):
        batch = [{"name": name, "labels": {"of": str(sites)}} for name in names[start : start + BATCH]]
        client.command("POST", "/v1/sites", {"sites": batch})


def roll_out(client: Client, home: Home, name: str, sites: int, version: str) -> dict[str, Any]:
    """One strategy over these sites; what it took and what it cost."""
    spec = {"name": name, "type": "apply", "app": "bench", "version": version, "max_parallel": PARALLEL, "force": True}
    created = time.perf_counter()
    body = {**spec, "selection": {"labels": {"of": str(sites)}}}
    wait(lambda: accepted(client, body))
    planned = time.perf_counter() - created
    wait(lambda: found(client, f"/v1/strategies/{name}"))
    before = costs(home)
    client.command("POST", f"/v1/strategies/{name}/apply", {})
    ended = wait(lambda: (s := client.get(f"/v1/strategies/{name}")) and s["finished_at"] and s)
    after = costs(home)
    if ended["state"] != "complete" or ended["counts"]["complete"] != sites:
        raise RuntimeError(f"strategy {name} ended as {ended['state']}: {ended['counts']}")
    took = seconds_between(ended["started_at"], ended["finished_at"])
    return {
        "rate": sites / took,
        "seconds": took,
        "planned": planned,
        "us": per_step(before, after, sites),
        "after": after,
    }


def accepted(client: Client, spec: dict[str, Any]) -> Any:
    """Create; a release that the orchestrator has not heard of yet is asked for again."""
    try:
        return client.command("POST", "/v1/strategies", spec)
    except ProblemError as problem:
        if problem.code in {"unknown_app", "unknown_release", "site_held"}:
            return None
        raise


def seconds_between(begin: str, end: str) -> float:
    """Of two times as the API gives them."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def measure(client: Client, home: Home, work: Path, sizes: list[int], runs: int) -> dict[str, Any]:
    """`runs` roll-outs for each number of sites."""
    result: dict[str, Any] = {"at_rest_mib": {n: round(c.memory / MIB) for n, c in costs(home).items()}, "figures": []}
    for size in sizes:
        register(client, size)
        results = []
        for run in range(runs):
            version = f"{size}.{run}"
            publish(client, work, version)
            results.append(roll_out(client, home, f"bench-{size}-{run}", size, version))
            console.print(f"{size} sites, run {run + 1}: {results[-1]['rate']:.0f} steps/s")
        result["figures"].append(summary(size, results))
    return result


def summary(sites: int, results: list[dict[str, Any]]) -> dict[str, Any]:
    """Minimum, median and maximum of the runs; cost and memory of the last."""
    rates = sorted(r["rate"] for r in results)
    last: dict[str, Cost] = results[-1]["after"]
    return {
        "sites": sites,
        "max_parallel": PARALLEL,
        "steps_per_second": {"min": rates[0], "median": statistics.median(rates), "max": rates[-1]},
        "accepted_to_planned_seconds": statistics.median(r["planned"] for r in results),
        "cpu_us_per_step": {name: round(value, 1) for name, value in results[-1]["us"].items()},
        "memory_mib": {name: round(cost.memory / MIB) for name, cost in last.items()},
    }


def show(result: dict[str, Any]) -> None:
    """The figures as tables."""
    rates = Table("sites", "steps/s min", "median", "max", "plan ready, s", title=f"{PARALLEL} in parallel")
    for figure in result["figures"]:
        rate = figure["steps_per_second"]
        numbers = (rate["min"], rate["median"], rate["max"])
        rates.add_row(
            str(figure["sites"]), *(f"{n:.0f}" for n in numbers), f"{figure['accepted_to_planned_seconds']:.2f}"
        )
    last = result["figures"][-1]
    table = Table("process", "at rest, MiB", f"after {last['sites']} sites, MiB", "CPU, µs/step")
    for name, memory in result["at_rest_mib"].items():
        cost = f"{last['cpu_us_per_step'].get(name, 0):.0f}"
        table.add_row(name, str(memory), str(last["memory_mib"].get(name, "")), cost)
    console.print(rates, table)


def main() -> None:
    """Start everything in a home of its own, measure, stop everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="belay-bench-") as folder:
        home = Home.open(Path(folder) / "home", Path(".belay/jars"))
        try:
            stack.start(home, Wish.from_environment({}), console.print)
            with client_of(home) as client:
                wait(lambda: all(row["ready"] for row in client.get("/v1/system")["items"]))
                result = measure(client, home, Path(folder), chosen.sites, chosen.runs)
        finally:
            stack.stop(home)
            postgres.remove(home)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    show(result)


if __name__ == "__main__":
    main()
