"""Addresses that somebody named, or that a source leads on to, and that are none."""

import pytest

from services.catalog.publication.fetching import Rules, SourceRefused, asked
from shared.targets import Bounds

ANYWHERE = Rules(Bounds(private=True, setting="X"), plain=True)


@pytest.mark.parametrize(
    "address", ["https://repo.example.org:99999/x.tgz", "https://repo.example.org:80a/x.tgz", "https://[::1/x.tgz"]
)
async def test_what_is_no_address_is_refused_and_not_tried_again(address: str) -> None:
    with pytest.raises(SourceRefused, match="is no address"):
        async with asked(address, 0, None, ANYWHERE):
            pass
