"""Which releases strategies lead to, folded from what the orchestrator tells."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.deployer.deletion.strategies import Told, targets_of
from shared.messages.words import StrategyState
from tests.support.strategies_told import deleted, moved, planned


def test_its_release_and_those_that_sites_have_of_their_own_are_led_to() -> None:
    assert targets_of([planned(catch_up=60)]).planned == {"s": [("s", "name-s", "shop", "2.0", timedelta(seconds=60))]}
    assert [row[3] for row in targets_of([planned(version=None, own=("1.1", "1.0"))]).planned["s"]] == ["1.0", "1.1"]


EVENTS = st.lists(
    st.builds(
        lambda make, id_: make(id_),
        st.sampled_from([planned, deleted, *(lambda id_, s=s: moved(s, id_) for s in StrategyState)]),
        st.sampled_from("ab"),
    ),
    max_size=12,
)


@given(EVENTS)
def test_the_last_word_on_each_strategy_counts_however_it_was_batched(events: list[Told]) -> None:
    """Applied event by event or all at once, the same strategies are known in the same state."""
    assert _known([events]) == _known([[event] for event in events])


def _known(batches: list[list[Told]]) -> dict[str, str]:
    """What the tables hold after these batches: each strategy with its state; `infinity` until one is told."""
    known: dict[str, str] = {}
    for batch in batches:
        targets = targets_of(batch)
        for id_ in targets.gone:
            known.pop(id_, None)
        for id_ in targets.planned:
            known[id_] = "planned"
        for id_, (state, _) in targets.moved.items():
            if id_ in known:
                known[id_] = state
    return known
