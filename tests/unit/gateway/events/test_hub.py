"""What waits for a client of the event stream."""

from services.gateway.events.hub import Interest, Item, Mailbox


async def test_a_full_mailbox_is_emptied_and_asks_to_read_anew() -> None:
    mailbox = Mailbox(Interest(), limit=25)
    for position in range(1, 6):
        mailbox.put(Item(position, "x", None, b"0123456789"))
    taken = await mailbox.take(0)
    assert [(item.type, item.position) for item in taken] == [("reset", 3), ("x", 4), ("x", 5)]
    assert await mailbox.take(0) == []


async def test_a_mailbox_takes_only_what_is_of_interest() -> None:
    mailbox = Mailbox(Interest("s-1", frozenset({"x"})), limit=100)
    mailbox.put(Item(1, "x", "s-2", b""))
    mailbox.put(Item(2, "y", "s-1", b""))
    mailbox.put(Item(3, "x", "s-1", b""))
    assert [item.position for item in await mailbox.take(0)] == [3]
