"""Where webhooks may go."""

import pytest

from services.notifier.targets import TargetRefused, check_address, check_literal, check_target

PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "192.0.2.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_inside_are_refused_unless_allowed(address: str) -> None:
    with pytest.raises(TargetRefused, match="BELAY_NOTIFIER_ALLOW_PRIVATE_TARGETS"):
        check_address(address, allow_private=False)
    check_address(address, allow_private=True)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1"])
def test_addresses_of_no_host_are_always_refused(address: str) -> None:
    with pytest.raises(TargetRefused):
        check_address(address, allow_private=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    check_address(address, allow_private=False)


def test_names_are_left_to_the_resolver() -> None:
    check_literal("example.org", allow_private=False)
    with pytest.raises(TargetRefused):
        check_literal("[::1]", allow_private=False)


@pytest.mark.parametrize(
    "url", ["http://localhost/x", "http://127.0.0.1:9/", "http://2130706433/", "http://127.1/", "http://[::1]/"]
)
async def test_every_spelling_of_loopback_is_found_out(url: str) -> None:
    with pytest.raises(TargetRefused):
        await check_target(url, allow_private=False)


async def test_a_login_in_the_url_is_refused_because_it_would_be_stored_in_clear() -> None:
    with pytest.raises(TargetRefused, match="sealed_secret"):
        await check_target("https://me:secret@8.8.8.8/", allow_private=True)
