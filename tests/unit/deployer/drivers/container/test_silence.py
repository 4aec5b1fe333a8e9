"""How long an engine has been silent."""

from services.deployer.drivers.container.silence import Silence


def test_it_begins_with_the_first_question_without_an_answer_and_ends_with_an_answer() -> None:
    now = 0.0
    silence = Silence(lambda: now)
    now = 500.0
    assert silence.seconds() == 0
    now = 520.0
    assert silence.seconds() == 20
    silence.broken()
    now = 900.0
    assert silence.seconds() == 0
