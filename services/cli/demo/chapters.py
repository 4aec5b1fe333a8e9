"""The chapters of the demo, in order. Each returns one sentence on what happened, or ends the demo with the reason."""

from collections.abc import Callable, Iterator
from pathlib import Path

from services.cli.board import AT_REST
from services.cli.demo.fleet import APP, Census, applications, sites_with_ports
from services.cli.demo.machine import running
from services.cli.demo.tour import EXAMPLES, Tour, expect, within
from services.cli.feed import views
from services.cli.nouns.bundle import build_one
from services.cli.nouns.machine import starting_trouble, wait_until_ready
from services.cli.nouns.release import publish_one
from services.cli.nouns.site import create_missing_groups
from services.cli.session import at

BUNDLES = ("0.63", "0.64", "0.65", "broken-exit", "broken-version")
FIRST, SECOND = BUNDLES[:2]


def start(tour: Tour) -> str:
    """Kafka, PostgreSQL and every service, as processes of their own."""
    with starting_trouble(), tour.session.screen.busy("starting") as doing:
        tour.closing.enter_context(running(tour.home, tour.say, doing))
        doing("waiting for the services")
        wait_until_ready(tour.session)
    _tidy_up(tour)
    return f"the gateway answers at {tour.session.url}"


def _tidy_up(tour: Tour) -> None:
    """End what a demo that was killed left under way: its strategies would hold the sites."""
    strategies = list(tour.session.pages("/v1/strategies", deleted="true"))
    ours = [strategy for strategy in strategies if strategy["name"].startswith("demo-")]
    tour.number = 1 + max((int(one["name"].split("-")[1]) for one in ours), default=0)
    for strategy in ours:
        if not strategy["deleted"] and strategy["state"] not in AT_REST:
            _end(tour, strategy["strategy_id"], strategy["state"])


def _end(tour: Tour, strategy_id: str, state: str) -> None:
    path = at("/v1/strategies/{}", strategy_id)
    if state == "ready":
        tour.session.command("DELETE", path)
        return
    if state != "aborting":
        tour.session.command("POST", f"{path}/abort", {"reason": "a new demo begins"})
    for _ in within(views(tour.session, path, lambda view: view["state"] in AT_REST, tour.feed), 120):
        pass


def build(tour: Tour) -> str:
    """Five bundles from committed folders; their wheels are downloaded once."""
    folder = tour.home.root / "demo"
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(BUNDLES, start=1):
        with tour.session.screen.busy(
            f"building {APP} {name}, {number} of {len(BUNDLES)}; its wheels are fetched once"
        ):
            built = build_one(EXAMPLES / APP / name, folder / f"{name}.tar.gz", tour.home.root)
        tour.releases[name] = built.manifest.version
        tour.say(f"{APP} {built.manifest.version} is built, {number} of {len(BUNDLES)}")
    return ", ".join(tour.releases.values())


def publish(tour: Tour) -> str:
    """The catalog checks each bundle in full before anything may use it."""
    for name in BUNDLES:
        publish_one(tour.session, _bundle(tour, name), tour.feed)
    return f"{len(BUNDLES)} releases are available"


def _bundle(tour: Tour, name: str) -> Path:
    return tour.home.root / "demo" / f"{name}.tar.gz"


def register(tour: Tour) -> str:
    """Twelve sites in three groups, each with a port and data of its own."""
    tour.sites = sites_with_ports(EXAMPLES / "demo" / "sites.yaml", tour.home)
    groups = {site["group"] for site in tour.sites}
    create_missing_groups(tour.session, groups)
    tour.session.command("POST", "/v1/sites", {"sites": tour.sites})
    tour.fleet = applications(tour.sites, tour.home)
    return f"{len(tour.sites)} sites in {len(groups)} groups"


def install(tour: Tour) -> str:
    """Release 1 everywhere: put on sites that lack it, brought back on sites that an earlier demo left on another."""
    wanted = tour.releases[FIRST]
    deployed = {one["site"]: one.get("version") for one in tour.session.pages("/v1/deployments", app=APP)}
    found = tour.ask(seconds=0 if not deployed else 5)
    other = [site for site, one in found.items() if (now := deployed.get(site)) and now != wanted]
    absent = [site for site, one in found.items() if site not in other and one.version != wanted]
    for name, sites in (("install", absent), ("back", other)):
        if sites:
            expect(_must_be(tour.roll_out(name, sites), "complete"))
    expect(*_versions(tour.ask(), wanted))
    return f"all {len(found)} run {wanted}; it was deployed on {len(absent) + len(other)}"


def upgrade(tour: Tour) -> str:
    """Release 2 in stages, with a canary."""
    tour.mark("the upgrade")
    strategy = tour.roll_out("upgrade")
    found = tour.ask()
    expect(_must_be(strategy, "complete"), *_versions(found, tour.releases[SECOND]), *_losses(tour, found))
    return f"all {len(found)} run {tour.releases[SECOND]}, with their data"


def break_at_start(tour: Tour) -> str:
    """A release whose process ends at once."""
    return _caught(tour, "broken-exit")


def break_in_disguise(tour: Tour) -> str:
    """A release that starts, answers, and is another one."""
    return _caught(tour, "broken-version")


def _caught(tour: Tour, name: str) -> str:
    """The canary falls and is caught, and nobody else has noticed anything."""
    tour.mark(name)
    before = tour.ask()
    strategy = tour.roll_out(name)
    operations, after = tour.operations(strategy), tour.ask()
    canary = operations[0]["site"] if operations else ""
    others = [site for site in after if site != canary]
    expect(
        _must_be(strategy, "failed"),
        None if len(operations) == 1 else f"{len(operations)} operations were started, not one",
        *(f"{one['site']} was not recovered" for one in operations if not one["recovered"]),
        *_versions(after, tour.releases[SECOND]),
        *_losses(tour, after),
        *(f"the process of {site} is another one" for site in others if after[site].process != before[site].process),
    )
    cause = operations[0]["cause"]
    return f"{canary}: {cause['message']}; it is back on {after[canary].version}, {len(others)} were never touched"


def roll_back(tour: Tour) -> str:
    """The whole fleet back to release 1, in stages."""
    tour.mark("the rollback")
    strategy = tour.roll_out("back")
    expect(_must_be(strategy, "complete"))
    return f"all {len(tour.fleet)} are back on {tour.releases[FIRST]}"


def examine(tour: Tour) -> str:
    """Ask every application once more what it is, and for every row that was written on the way."""
    found = tour.ask()
    expect(*_versions(found, tour.releases[FIRST]), *_losses(tour, found))
    return f"all {len(found)} answer as {tour.releases[FIRST]} and hold all {len(tour.marks)} rows of this demo"


def _must_be(strategy: dict[str, object], state: str) -> str | None:
    if strategy["state"] == state:
        return None
    return f"strategy {strategy['name']} is {strategy['state']}, not {state}: {strategy.get('why')}"


def _versions(found: Census, wanted: str) -> Iterator[str]:
    for site, one in found.items():
        if one.version != wanted:
            yield f"{site} runs {one.version or f'nothing ({one.trouble})'}, not {wanted}"


def _losses(tour: Tour, found: Census) -> Iterator[str]:
    for site, one in found.items():
        if lost := tour.marks - one.marks:
            yield f"{site} has lost {len(lost)} of {len(tour.marks)} rows: {', '.join(sorted(lost))}"


Chapter = Callable[[Tour], str]

CHAPTERS: dict[str, Chapter] = {
    "Start Kafka, PostgreSQL and the services": start,
    "Build five bundles": build,
    "Publish them": publish,
    "Register the sites": register,
    "Release 1 on every site": install,
    "Release 2 in stages": upgrade,
    "A release that does not start": break_at_start,
    "A release that is another one": break_in_disguise,
    "The fleet back to release 1": roll_back,
    "Ask every application": examine,
}
