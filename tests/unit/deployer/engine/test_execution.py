"""An operation in a runner's hands: what its drivers get of secrets, and what is told of them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from services.deployer import course as courses
from services.deployer import plan
from services.deployer.domain import Site
from services.deployer.drivers import Broken, Done, Running
from services.deployer.engine.execution import Execution
from services.deployer.ordering import Ordering
from services.deployer.secrets.opening import Opened
from services.deployer.secrets.values import looks_of
from services.deployer.store import Claim
from shared.messages.words import OperationKind as Kind
from tests.unit.deployer.values import LIMITS, NOTHING, NOW, content, ground, operation

CLEAR = "correct-horse-battery"
MISSING = Broken("unknown_secret", "there is none")


@pytest.fixture
def execution() -> Execution:
    """Two components that are deployed side by side on a site whose connection names a secret."""
    asked = operation(Kind.APPLY, None, "1")
    site = Site("oslo", {"simulated": {"password": {"secret": "oslo"}}})
    lies = replace(ground(NOTHING, content("1", "db", "web")), site=site)
    forward = plan.forward(asked, lies, [])
    move = courses.set_out(Kind.APPLY, forward, Ordering(), NOW, timedelta(seconds=60))
    return Execution(Claim("op", 1), asked, lies, *move, told_at=0.0)


def opened(execution: Execution, place: int) -> Opened:
    order = execution.orders[place]
    return Opened(replace(order, connection={"password": SecretStr(CLEAR)}), looks_of([CLEAR]))


def test_orders_are_sealed_until_their_values_were_put_in(execution: Execution) -> None:
    assert execution.sealed
    execution.take([opened(execution, 0), opened(execution, 1)])
    assert not execution.sealed
    assert [order.connection["password"].get_secret_value() for order in execution.orders] == [CLEAR, CLEAR]
    assert CLEAR not in repr(execution) + repr(opened(execution, 0)), "which a log may print"


def test_one_whose_secret_cannot_be_had_reaches_no_driver_and_those_beside_it_are_asked_on(
    execution: Execution,
) -> None:
    execution.take([MISSING, opened(execution, 1)])
    assert [order.key for order in execution.orders] == ["op/forward/web"]
    execution.hear([Running(f"login {CLEAR}")], ())
    assert execution.progress == [MISSING, Running("login ***")]
    course, todo = courses.advance(execution.course, execution.progress, NOW, None, LIMITS)
    assert (todo, course.cause and course.cause.code) == (courses.Next.STOP, "unknown_secret")


def test_orders_that_go_on_keep_their_values_when_others_end(execution: Execution) -> None:
    execution.take([opened(execution, 0), opened(execution, 1)])
    execution.hear([Done("r1"), Running()], ())
    move = courses.advance(execution.course, execution.progress, NOW, None, LIMITS)
    execution.go((replace(move[0], under_way={"web": NOW}), move[1]))
    assert not execution.sealed
    assert [order.connection["password"].get_secret_value() for order in execution.orders] == [CLEAR]
