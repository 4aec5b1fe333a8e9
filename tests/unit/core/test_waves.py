"""Batches are grouped by type for speed, and never at the price of an order that matters."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.core.dispatching import in_waves
from shared.messages.base import Message
from shared.messages.strategy import ApplyStrategy, PauseStrategy, ResumeStrategy
from shared.wire.codec import Envelope

KINDS = (ApplyStrategy, PauseStrategy, ResumeStrategy)
RANK = {kind.TYPE: rank for rank, kind in enumerate(KINDS)}
AT = datetime(2026, 1, 1, tzinfo=UTC)


def envelopes(story: list[tuple[int, str]]) -> list[Envelope[Message]]:
    return [Envelope(KINDS[kind](strategy=key), str(n), "", AT) for n, (kind, key) in enumerate(story)]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcd")), max_size=60))
def test_messages_of_one_key_keep_their_order_and_none_is_lost(story: list[tuple[int, str]]) -> None:
    batch = envelopes(story)
    handled = [envelope for _, group in in_waves(batch, RANK) for envelope in group]
    assert sorted(handled, key=lambda e: int(e.id)) == batch
    for key in "abcd":
        assert [e.id for e in handled if e.data.key == key] == [e.id for e in batch if e.data.key == key]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcd")), max_size=60))
def test_a_group_holds_one_type(story: list[tuple[int, str]]) -> None:
    for kind, group in in_waves(envelopes(story), RANK):
        assert {e.data.TYPE for e in group} == {kind}


def test_different_keys_need_one_group_a_type() -> None:
    story = [(kind, f"{key}") for key in range(50) for kind in (0, 1, 2)]
    assert [kind for kind, _ in in_waves(envelopes(story), RANK)] == [kind.TYPE for kind in KINDS]
