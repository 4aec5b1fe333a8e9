"""Where webhooks may go."""

import ipaddress

import pytest
from ssrfguard import DEFAULT_DENIED as IANA
from ssrfguard import Reach

from shared.messages.notifier import AddSubscription
from shared.targets import Bounds, TargetRefused, UnknownHost, check_address, check_literal, check_target

PUBLIC = Bounds(private=False, setting="BELAY_TEST_ALLOW_PRIVATE")
ANY = Bounds(private=True, setting="BELAY_TEST_ALLOW_PRIVATE")

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
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",  # Azure's
    "::7f00:1",  # IPv4-compatible
    "::ffff:0:7f00:1",  # IPv4-translated
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "2001:0:7f00:1::",  # Teredo: its server
    "2001:0:808:808:0:0:80ff:fffe",  # and its client, 127.0.0.1 inverted
    "2606:4700::5efe:7f00:1",  # ISATAP
    "2606:4700::200:5efe:a00:1",
    "100::1",
    "100:0:0:1::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fec0::1",
    "1000::1",
    "4000::1",
    "e000::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_inside_are_refused_unless_allowed(address: str) -> None:
    with pytest.raises(TargetRefused, match="BELAY_TEST_ALLOW_PRIVATE"):
        check_address(address, PUBLIC)
    check_address(address, ANY)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.255.255.250", "ff02::1", "::ffff:224.0.0.1"]
)
def test_addresses_of_no_host_are_always_refused(address: str) -> None:
    with pytest.raises(TargetRefused):
        check_address(address, ANY)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "192.0.0.9", "2001:1::1"],
)
def test_public_addresses_pass(address: str) -> None:
    check_address(address, PUBLIC)


def test_names_are_left_to_the_resolver() -> None:
    check_literal("example.org", PUBLIC)
    with pytest.raises(TargetRefused):
        check_literal("[::1]", PUBLIC)


@pytest.mark.parametrize("network", [str(block.network) for block in IANA.blocks if block.reach is Reach.DENIED])
def test_every_special_purpose_block_is_refused_at_both_its_ends(network: str) -> None:
    block = ipaddress.ip_network(network)
    for address in (block[0], block[-1]):
        if IANA.classify(address).blocked:  # a block inside of it may be public
            with pytest.raises(TargetRefused):
                check_address(str(address), PUBLIC)


def test_no_address_passes_that_pythons_own_list_refuses() -> None:
    """The list is not Python's own, but it must not fall behind it."""
    private = [*ipaddress._IPv4Constants._private_networks, *ipaddress._IPv6Constants._private_networks]  # type: ignore[attr-defined]
    for block in private:
        for address in (block[0], block[-1]):
            if not address.is_global and not getattr(address, "ipv4_mapped", None):
                with pytest.raises(TargetRefused):
                    check_address(str(address), PUBLIC)


SPELLINGS = [
    "http://localhost/x", "http://localhost./", "http://127.0.0.1:9/", "http://127.0.0.1./", "http://2130706433/",
    "http://127.1/", "http://0x7f.0.0.1/", "http://0x7f000001/", "http://0177.0.0.1/", "http://017700000001/",
    "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[0:0:0:0:0:ffff:7f00:1]/", "http://[64:ff9b::127.0.0.1]/",
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "http://\u2460\u2461\u2466.0.0.1/", "http://127\u30020\u30020\u30021/",
    "http://%31%32%37.0.0.1/", "http://0/",
]  # fmt: skip


@pytest.mark.parametrize("url", SPELLINGS)
@pytest.mark.parametrize("as_command", [True, False])
async def test_every_spelling_of_loopback_is_found_out(url: str, as_command: bool) -> None:
    """As a command brings it (pydantic has read the URL), and as it may stand in a table of before."""
    target = str(AddSubscription.model_validate({"name": "x", "url": url}).url) if as_command else url
    with pytest.raises((TargetRefused, UnknownHost)):
        await check_target(target, PUBLIC)


@pytest.mark.parametrize("host", ["0x08080808", "010.8.8.8", "8.8.2056", "134744072", "8.8.8.08", "1.2.3.4.5"])
def test_an_address_that_systems_read_differently_is_refused_wherever_it_leads(host: str) -> None:
    with pytest.raises(TargetRefused, match="unusual spelling"):
        check_literal(host, ANY)


async def test_a_login_in_the_url_is_refused_because_it_would_be_stored_in_clear() -> None:
    with pytest.raises(TargetRefused, match="stored in clear"):
        await check_target("https://me:secret@8.8.8.8/", ANY)
