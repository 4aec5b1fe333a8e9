"""Which releases strategies lead to, folded from what the orchestrator tells."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.deployer.deletion.strategies import ANY, SILENT, Told, targets_of
from services.strategy_orchestrator.planning import TARGETS_SHOWN
from shared.messages.strategy import StrategyPlanned
from shared.messages.words import StrategyState
from tests.support.strategies_told import AT, deleted, moved, planned


def led_to(plan: StrategyPlanned) -> list[str]:
    return [row[3] for row in targets_of([plan]).planned["s"]]


def test_its_release_and_those_that_sites_have_of_their_own_are_led_to() -> None:
    assert targets_of([planned()]).planned == {"s": [("s", "name-s", "shop", "2.0", AT + SILENT)]}
    assert led_to(planned(version=None, own=("1.1", "1.0"))) == ["1.0", "1.1"]


def test_one_that_leads_to_more_than_its_plan_names_may_need_any() -> None:
    assert ANY not in led_to(planned(version=None, own=[f"1.{n}" for n in range(TARGETS_SHOWN - 1)]))
    assert ANY in led_to(planned(version=None, own=[f"1.{n}" for n in range(TARGETS_SHOWN)]))


def test_it_is_needed_until_it_rests_and_has_caught_up_or_nothing_is_told_of_it_for_long() -> None:
    later = AT + timedelta(hours=1)
    assert targets_of([moved(StrategyState.PAUSED)]).moved == {"s": AT + SILENT}
    assert targets_of([moved(StrategyState.ABORTED)]).moved == {"s": AT}
    assert targets_of([moved(StrategyState.FAILED)]).moved == {"s": AT}
    assert targets_of([moved(StrategyState.FAILED, catch_up_until=later)]).moved == {"s": later}


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


def _known(batches: list[list[Told]]) -> dict[str, Any]:
    """What the tables hold after these batches: each strategy, and until when it is needed."""
    known: dict[str, Any] = {}
    for batch in batches:
        targets = targets_of(batch)
        for id_ in targets.gone:
            known.pop(id_, None)
        known |= {id_: rows[0][-1] for id_, rows in targets.planned.items()}
        known |= {id_: until for id_, until in targets.moved.items() if id_ in known}
    return known
