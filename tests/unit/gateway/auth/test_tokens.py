"""Local tokens."""

from services.gateway.auth.tokens import id_of, mint


def test_tokens_differ_and_name_their_id() -> None:
    one, two = mint(), mint()
    assert one.secret != two.secret
    assert id_of(one.secret) == one.id
    for wrong in ("", "belay_", f"belay_{one.id}", f"belay_{one.id}_", "bearer", "belay_../x_y", "belay_é_y"):
        assert id_of(wrong) is None
