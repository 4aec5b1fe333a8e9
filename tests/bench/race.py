"""Sites a second against systems that keep durable steps; peers/README.md says how fair it is."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tests.bench import libraries, restate
from tests.bench.bench import Bench
from tests.bench.pace import Pace
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Wanted, roll_out
from tests.bench.summary import Line

FLEET = Wanted(10_000)
LIBRARIES_GOAL, FASTEST_GOAL = 15.0, 8.0
Paces = dict[str, list[Pace]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer in all the ways in which it runs, by name: they take their turns in one pause of Belay."""

    name: str
    ways: Mapping[str, Callable[[Rig], Pace]]
    lacks: Callable[[], str | None]
    """Makes its environment; returns why it can not run here, None when it can."""


PEERS = (
    *(
        Peer(name, {name: partial(libraries.run, peer=name)}, partial(libraries.lacks, name))
        for name in libraries.RECORDED
    ),
    Peer("restate", {f"restate, {sdk} SDK": partial(restate.run, sdk=sdk) for sdk in restate.SDKS}, restate.lacks),
)


def peers(bench: Bench) -> Result:
    """Rounds of Belay, one peer, Belay, the next peer, and so on, all on the same machine and disk."""
    rig, reasons = bench.rig(), {peer.name: peer.lacks() for peer in PEERS}
    present = [peer for peer in PEERS if not reasons[peer.name]]
    paces: Paces = {name: [] for name in ("belay", *(way for peer in present for way in peer.ways))}
    for _ in range(bench.runs):
        ours = [_turn(rig, peer, paces) for peer in present]
        paces["belay"].append(Pace(*(statistics.median(column) for column in zip(*map(_columns, ours), strict=True))))
    return Result(tuple(lines(paces)), left_out={name: reason for name, reason in reasons.items() if reason})


def _columns(pace: Pace) -> tuple[float, float]:
    return pace.rate, pace.us


def _turn(rig: Rig, peer: Peer, paces: Paces) -> Pace:
    """Belay, then the peer in each of its ways."""
    roll_out(rig, FLEET)  # does not count: Kafka was just started, and its code is not compiled yet
    run = roll_out(rig, FLEET)
    with rig.stopped():
        for name, way in peer.ways.items():
            paces[name].append(way(rig))
    theirs = ", ".join(f"{name}: {paces[name][-1].rate:,.0f}" for name in peer.ways)
    console.print(f"[dim]Belay {run.rate:,.0f}, {theirs} sites/s[/]")
    return Pace(run.rate, run.cost.cpu_total)


def lines(paces: Paces) -> Iterator[Line]:
    """What is told of the paces of Belay and of the peers that ran, one of each a round."""
    rivals = [name for name in paces if name != "belay"]
    yield Line("Belay against the fastest peer", "times", _ahead(paces, rivals), FASTEST_GOAL, "more")
    ahead = _ahead(paces, list(libraries.RECORDED))
    yield Line("Belay against the faster of DBOS and procrastinate", "times", ahead, LIBRARIES_GOAL, "more")
    for name, those in paces.items():
        yield Line(f"{name}: rate", "sites/s", tuple(pace.rate for pace in those), better="more")
        yield Line(f"{name}: CPU", "µs/site", tuple(pace.us for pace in those))


def _ahead(paces: Paces, rivals: Sequence[str]) -> tuple[float, ...]:
    """Of each round: how many times the rate of the fastest of these peers Belay's is."""
    rounds = zip(paces["belay"], *(paces[name] for name in rivals), strict=True)
    return tuple(ours.rate / max(peer.rate for peer in others) for ours, *others in rounds)
