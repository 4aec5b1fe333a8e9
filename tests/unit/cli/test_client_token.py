"""A token as people hand it over, and as no error may repeat it."""

from pathlib import Path

import pytest

from services.cli.client import Client
from services.cli.errors import CliError, Status
from services.cli.screen import Screen
from services.cli.session import Session


@pytest.mark.parametrize("around", ["{}\n", " {}\r\n", "{}"])
def test_a_new_line_at_the_end_of_a_token_is_no_part_of_it(around: str) -> None:
    with Client("http://127.0.0.1:9", around.format("belay_a_b")) as client:
        assert client._http.headers["Authorization"] == "Bearer belay_a_b"


@pytest.mark.parametrize("token", ["belay_…", "belay_a_s3cret\nX-Other: 1", "belay_\x00s3cret"])
def test_what_no_header_takes_is_refused_without_being_repeated(token: str, tmp_path: Path) -> None:
    with pytest.raises(CliError) as refused:
        Session(Screen(as_json=False), url="http://127.0.0.1:9", token=token, home=tmp_path).get("/v1/me")
    assert refused.value.status is Status.USAGE
    assert "s3cret" not in str(refused.value)
