"""Which sites of a selection go into which stage, and in what order they start. Pure.

Sites are not taken by their names' alphabet, which mostly follows places: ten per cent would be one region. They are
spread over their groups, or over the values of a label, each by its share, and shuffled inside of these by a hash with
the strategy's name: the same strategy always chooses the same sites, another one does not wear out the same canaries.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from operator import itemgetter
from typing import Any

from services.strategy_orchestrator.strategies.site import Candidate
from shared.messages.base import Fault, some_of
from shared.messages.strategy import Share, StageSpec, StrategySpec
from shared.messages.words import resolve

GROUP = ""
"""Stands among the names of labels, none of which is empty, for the group."""

SHARES_IN_ALL = 1_000
"""The plan's event shows so many shares over all its stages, so that it stays far below Kafka's limit for a record."""

SHARES_OF_STAGE = 20
"""The most shares that one stage shows, the largest first."""


@dataclass(slots=True)
class Assignment:
    """The sites of each stage that takes some, in the order in which they start."""

    stages: list[tuple[StageSpec, list[Candidate]]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def assign_stages(spec: StrategySpec, sites: Sequence[Candidate], at_rest: Sequence[Candidate] = ()) -> Assignment:
    """Every site into the first stage that wants it. All faults are found at once.

    `at_rest` are selected sites with nothing to do: a stage may name them, and be empty because of them.
    """
    assignment = Assignment(faults=_strangers(spec, {site.name for site in (*sites, *at_rest)}))
    selected, rest = Unassigned(spec, spread(sites, spec.name, spec.spread)), Unassigned(spec, at_rest)
    for number, stage in enumerate(spec.stages):
        if taken := selected.take(stage, len(sites)):
            assignment.stages.append((stage, taken))
        elif not stage.optional and not rest.wanted(stage):
            assignment.faults.append(_empty(number, stage, len(selected.left)))
    if selected.left:
        assignment.faults.append(_left_over(spec, len(selected.left), len(sites)))
    return assignment


class Unassigned:
    """Sites that are to be assigned, in order.

    They are found by what stages ask for: 500 stages that look at each of 100,000 sites hold up everybody for seconds.
    """

    def __init__(self, spec: StrategySpec, sites: Sequence[Candidate]) -> None:
        self._spec = spec
        self._sites = sites
        self.left = {site.name: site for site in sites}
        self._places = _places_of(sites, {key for stage in spec.stages for key in stage.labels})
        self._spread: dict[tuple[Any, ...], list[Candidate]] = {}
        """What matches, in the order in which it is taken: stages may take from the same sites one after the other."""

    def take(self, stage: StageSpec, total: int) -> list[Candidate]:
        """The sites that the stage takes; they are gone then."""
        wanted = len(self.left) if stage.take is None else resolve(stage.take, total)
        taken = self._first(stage, wanted)
        for site in taken:
            del self.left[site.name]
        return taken

    def _first(self, stage: StageSpec, wanted: int) -> list[Candidate]:
        if stage.sites:  # in the order in which they are listed
            return list(islice(self._named(stage), wanted))
        if not (stage.groups or stage.labels):
            return list(islice(self.left.values(), wanted))
        asked = (frozenset(stage.groups), frozenset(stage.labels.items()))
        known = self._spread.get(asked)
        matching = [site for site in (self._matching(stage) if known is None else known) if site.name in self.left]
        if known is None and wanted < len(matching):
            matching = self._spread[asked] = spread(matching, self._spec.name, self._spec.spread)
        return matching[:wanted]

    def wanted(self, stage: StageSpec) -> bool:
        """Whether the stage would take any of them."""
        return any(self._named(stage) if stage.sites else self._matching(stage))

    def _named(self, stage: StageSpec) -> Iterator[Candidate]:
        listed = (self.left[name] for name in dict.fromkeys(stage.sites) if name in self.left)
        return (site for site in listed if matches(stage, site))

    def _matching(self, stage: StageSpec) -> Iterator[Candidate]:
        return (site for place in self._narrowed(stage) if matches(stage, site := self._sites[place]))

    def _narrowed(self, stage: StageSpec) -> Iterable[int]:
        """The places of its groups, or of the rarest of its labels: all that match are among them."""
        if stage.groups:
            return sorted(place for group in set(stage.groups) for place in self._places.get((GROUP, group), ()))
        if stage.labels:
            return min((self._places.get(label, []) for label in stage.labels.items()), key=len)
        return range(len(self._sites))


def _places_of(sites: Sequence[Candidate], labels: Set[str]) -> dict[tuple[str, str], list[int]]:
    """The places of the sites of each group, and of each value of these labels."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, site in enumerate(sites):
        places[GROUP, site.group or ""].append(place)
        for label in labels & site.labels.keys():
            places[label, site.labels[label]].append(place)
    return places


def matches(stage: StageSpec, site: Candidate) -> bool:
    """Whether a site is in one of the stage's groups and carries all its labels; what is empty is open to all."""
    return (not stage.groups or site.group in stage.groups) and all(
        site.labels.get(key) == value for key, value in stage.labels.items()
    )


# -- spreading ----------------------------------------------------------------------------------------------------


def spread(sites: Iterable[Candidate], salt: str, label: str | None = None) -> list[Candidate]:
    """The sites in an order of which any beginning holds each group (or value of `label`) by its share.

    First the first one of each, the largest first, so that a canary of as many sites as groups has one of each.
    """
    buckets: dict[str, list[Candidate]] = defaultdict(list)
    value = value_of(label)
    for site in sites:
        buckets[value(site)].append(site)
    places = [place for name, members in buckets.items() for place in _places(name, members, salt)]
    places.sort(key=itemgetter(0, 1))
    return [site for *_, site in places]


def _places(bucket: str, members: Sequence[Candidate], salt: str) -> Iterator[tuple[float, bytes, Candidate]]:
    """Where each site of a bucket stands among all: the first before all others, and all evenly between 0 and 1."""
    start, size = f"{salt}\n".encode(), len(members)
    own = _hash(start, bucket)
    for number, site in enumerate(sorted(members, key=lambda site: _hash(start, site.name))):
        yield (number > 0) + (number + 0.5) / size, own, site


def _hash(start: bytes, text: str) -> bytes:
    return blake2b(start + text.encode(), digest_size=8).digest()


def value_of(label: str | None) -> Callable[[Candidate], str]:
    """What sites are spread over: their group, or the value of a label; empty where they have none."""
    if label is None:
        return lambda site: site.group or ""
    return lambda site: site.labels.get(label, "")


def shares(sites: Iterable[Candidate], label: str | None, stages: int) -> tuple[tuple[Share, ...], int]:
    """How many sites of each group (or value of `label`), the largest first; and how many more groups are not shown."""
    value = value_of(label)
    counts = Counter(value(site) for site in sites)
    shown = max(1, min(SHARES_OF_STAGE, SHARES_IN_ALL // stages))
    ranked = sorted(counts.items(), key=lambda share: (-share[1], share[0]))
    return tuple(Share(of=name, sites=count) for name, count in ranked[:shown]), max(len(counts) - shown, 0)


# -- faults -------------------------------------------------------------------------------------------------------


def _strangers(spec: StrategySpec, selected: set[str]) -> list[Fault]:
    """Sites that a stage names but the selection does not hold: a slip that would go unnoticed."""
    found = [
        (number, i, name)
        for number, stage in enumerate(spec.stages)
        for i, name in enumerate(stage.sites)
        if name not in selected
    ]
    return some_of(found, _stranger)


def _stranger(place: tuple[int, int, str]) -> Fault:
    number, i, name = place
    message = f"site '{name}' takes no part in this strategy; name only sites of the selection"
    return Fault(code="not_selected", field=f"stages.{number}.sites.{i}", message=message, value=name)


def _empty(number: int, stage: StageSpec, left: int) -> Fault:
    """A mistyped label would otherwise remove the canary without a word."""
    cause = f"none of the {left} sites left over by earlier stages matches it" if left else "earlier stages took all"
    message = f"stage {stage.name} takes no site: {cause}; correct it, or give it `optional: true`"
    return Fault(code="empty_stage", field=f"stages.{number}", message=message, value=stage.name)


def _left_over(spec: StrategySpec, left: int, total: int) -> Fault:
    message = f"the stages take {total - left} of {total} sites; add a last stage without `take` for the rest"
    return Fault(code="stages_leave_sites", field="stages", message=message, value=len(spec.stages))
