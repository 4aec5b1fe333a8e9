"""How long helm has been finding no API server."""

from services.deployer.drivers.helm.attempt import Outages


def test_an_outage_lasts_from_its_own_beginning_and_not_from_that_of_an_earlier_one() -> None:
    outages = Outages(patience=60)
    assert [outages.too_long(now) for now in (0.0, 60.0, 61.0)] == [False, False, True]
    outages.over()
    assert not outages.too_long(500.0)
