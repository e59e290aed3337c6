"""Pools of internal addresses (Sections 2.19, 3.15) and their configuration."""

import pytest

from ikeref.policy import attributes, config, pools
from ikeref.policy.config import ConfigError
from ikeref.policy.identities import Identity, parse
from ikeref.policy.pools import Leases, Pool, Range, range_of
from ikeref.registry import CfgAttribute
from ikeref.wire import CfgAttr

IP4, IP6 = CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS
CAROL, DAVE = parse("carol@example.org"), parse("dave@example.org")
POOL = Pool("small", (range_of("10.9.0.8/30"), range_of("10.9.1.1"), range_of("2001:db8::/64")))


def octets(last: int) -> bytes:
    return bytes((10, 9, 0, last))


def assign(leases: Leases, identity: Identity = CAROL, wish: bytes = b"", kind: int = IP4) -> bytes | None:
    found = pools.assign((POOL,), CfgAttr(kind, wish), identity, leases.of, leases.to)
    return found.value if found is not None else None


@pytest.mark.parametrize(
    ("text", "first", "last", "prefix"),
    [
        ("10.9.0.0/24", "0a090001", "0a0900fe", 24),
        ("10.9.0.8/31", "0a090008", "0a090009", 31),
        ("10.9.0.8", "0a090008", "0a090008", 32),
        ("10.9.0.8-10.9.0.20", "0a090008", "0a090014", 32),
        ("2001:db8::/126", "20010db8" + 23 * "0" + "1", "20010db8" + 23 * "0" + "3", 126),
    ],
)
def test_ranges(text: str, first: str, last: str, prefix: int) -> None:
    assert range_of(text) == Range(bytes.fromhex(first), bytes.fromhex(last), prefix)


@pytest.mark.parametrize("text", ["10.9.0.9-10.9.0.8", "10.9.0.1-::1", "10.9.0.1/24", "here"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        range_of(text)


def test_addresses_are_given_in_order_until_none_is_left() -> None:
    leases = Leases()
    given = []
    for session in range(4):
        found = assign(leases)
        given.append(found)
        if found is not None:
            leases.hold(session, CAROL, (found,))
    assert given == [octets(9), octets(10), bytes((10, 9, 1, 1)), None]


def test_what_nobody_had_is_given_before_what_was_given_back() -> None:
    leases = Leases()
    leases.hold(1, CAROL, (octets(9),))
    leases.hold(1, None, ())
    assert assign(leases, DAVE) == octets(10)
    assert assign(leases, CAROL) == octets(9)


def test_what_was_given_back_is_given_to_others_at_last() -> None:
    leases = Leases()
    leases.hold(1, CAROL, (octets(9),))
    leases.hold(1, None, ())
    leases.hold(2, DAVE, (octets(10), bytes((10, 9, 1, 1))))
    assert assign(leases, DAVE) == octets(9)
    leases.hold(3, DAVE, (octets(9),))
    assert leases.to(CAROL) == ()
    assert leases.to(DAVE) == (octets(10), bytes((10, 9, 1, 1)), octets(9))


def test_an_address_held_is_given_again_to_the_same_identity_only_if_it_asks_for_it() -> None:
    """Reauthentication makes the new IKE SA before the old one ends (Section 2.8.3)."""
    leases = Leases()
    leases.hold(1, CAROL, (octets(9),))
    assert assign(leases, CAROL) == octets(10)
    assert assign(leases, CAROL, octets(9)) == octets(9)
    assert assign(leases, DAVE, octets(9)) == octets(10)
    leases.hold(2, CAROL, (octets(9),))
    leases.hold(1, None, ())
    lease = leases.of(octets(9))
    assert lease is not None
    assert lease.holders == 1


def test_no_address_outside_of_the_pools_is_given_to_who_asks_for_it() -> None:
    assert assign(Leases(), wish=bytes((10, 9, 0, 8))) == octets(9)
    assert assign(Leases(), wish=bytes((8, 8, 8, 8))) == octets(9)


def test_an_ipv6_address_has_the_prefix_of_its_range() -> None:
    """7296-3.15.1-11, 7296-3.15.3-04."""
    wish = bytes.fromhex("20010db8000000000000000000000007") + b"\x80"
    assert assign(Leases(), wish=wish, kind=IP6) == wish[:16] + b"\x40"


def test_an_ipv6_wish_is_met_as_nearly_as_can_be() -> None:
    """7296-3.15.3-03: the address itself, also where another prefix comes first; its identifier; another identifier."""
    leases, pool = Leases(), Pool("two", (range_of("2001:db8:1::/64"), range_of("2001:db8:2::/64")))
    given = []
    for session in range(3):
        wish = CfgAttr(IP6, bytes.fromhex("20010db80002000000000000000000ff") + b"\x40")
        found = pools.assign((pool,), wish, CAROL if session else DAVE, leases.of, leases.to)
        assert found is not None
        given.append(attributes.to_text(found).split()[1])
        leases.hold(session, parse(f"{session}@example.org"), (found.value[:16],))
    assert given == ["2001:db8:2::ff/64", "2001:db8:1::ff/64", "2001:db8:1::1/64"]


def test_requests_from_words() -> None:
    """7296-3.15.1-16, 7296-3.15.1-17, 7296-3.15.1-28: but for addresses, all of it is empty."""
    assert attributes.request(("ipv4", "2001:db8::7/64", "dns", "nbns", "netmask", "version", "supported")) == (
        CfgAttr(IP4),
        CfgAttr(IP6, bytes.fromhex("20010db8000000000000000000000007") + b"\x40"),
        CfgAttr(CfgAttribute.INTERNAL_IP4_DNS),
        CfgAttr(CfgAttribute.INTERNAL_IP6_DNS),
        CfgAttr(CfgAttribute.INTERNAL_IP4_NBNS),
        CfgAttr(CfgAttribute.INTERNAL_IP4_NETMASK),
        CfgAttr(CfgAttribute.APPLICATION_VERSION),
        CfgAttr(CfgAttribute.SUPPORTED_ATTRIBUTES),
    )


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        (CfgAttr(IP4, octets(1)), "INTERNAL_IP4_ADDRESS 10.9.0.1"),
        (CfgAttr(IP4), "INTERNAL_IP4_ADDRESS"),
        (CfgAttr(IP6, bytes(15) + b"\x01\x40"), "INTERNAL_IP6_ADDRESS ::1/64"),
        (attributes.subnet("10.9.0.0/24"), "INTERNAL_IP4_SUBNET 10.9.0.0/255.255.255.0"),
        (CfgAttr(CfgAttribute.APPLICATION_VERSION, b"a\x1b[b"), "APPLICATION_VERSION a\\x1b[b"),
        (CfgAttr(CfgAttribute.SUPPORTED_ATTRIBUTES, b"\0\1\0\7"), "SUPPORTED_ATTRIBUTES INTERNAL_IP4_ADDRESS, "
         "APPLICATION_VERSION"),
        (CfgAttr(31000, b"\xab"), "31000 ab"),
    ],
)  # fmt: skip
def test_attributes_in_words(attribute: CfgAttr, text: str) -> None:
    assert attributes.to_text(attribute) == text


CONFIGURATION = """
[pools.office]
addresses = ["10.9.0.0/24", "2001:db8:9::/64"]
netmask = "255.255.255.0"
dns = ["10.2.0.53", "2001:db8::53"]
nbns = "10.2.0.54"
dhcp = "10.2.0.55"
subnets = ["10.2.0.0/16"]

[connections.roadwarriors]
local_address = "192.0.2.1"
remote_id = "any"
psk = "x"
pools = "office"
configuration_required = true
application_version = "ikeref"

[connections.roadwarriors.children.all]
local_ts = "0.0.0.0/0"
single_pair = true
non_first_fragments = true
tfc_padding = false
ipcomp = ["lzs", "DEFLATE"]

[connections.home]
local_address = "192.0.2.1"
remote_address = "192.0.2.2"
psk = "x"
request = ["ipv4", "dns"]

[connections.home.children.all]
remote_ts = "0.0.0.0/0"
"""


def test_a_configuration_with_pools() -> None:
    gateway, home = config.load(CONFIGURATION).connections
    (pool,) = gateway.pools
    assert pool.ranges == (range_of("10.9.0.0/24"), range_of("2001:db8:9::/64"))
    assert [attributes.to_text(each) for each in pool.attributes] == [
        "INTERNAL_IP4_NETMASK 255.255.255.0",
        "INTERNAL_IP4_DNS 10.2.0.53",
        "INTERNAL_IP6_DNS 2001:db8::53",
        "INTERNAL_IP4_NBNS 10.2.0.54",
        "INTERNAL_IP4_DHCP 10.2.0.55",
        "INTERNAL_IP4_SUBNET 10.2.0.0/255.255.0.0",
    ]
    assert gateway.configuration_required
    assert gateway.application_version == "ikeref"
    (child,) = gateway.children
    assert child.single_pair
    assert child.non_first_fragments
    assert not child.tfc_padding
    assert child.ipcomp == (3, 2)
    assert not child.plain
    assert home.request == (CfgAttr(IP4), CfgAttr(CfgAttribute.INTERNAL_IP4_DNS))
    assert home.children[0].plain


@pytest.mark.parametrize(
    ("line", "instead", "where", "reason"),
    [
        ('["10.9.0.0/24", "2001:db8:9::/64"]', "[]", "pools.office.addresses", "is missing"),
        ('"10.9.0.0/24"', '"10.9.0.1/24"', "pools.office.addresses", "host bits"),
        ('nbns = "10.2.0.54"', 'nbns = "::1"', "pools.office.nbns", "IPv4 addresses only"),
        ('netmask = "255.255.255.0"', 'netmask = "255.0.255.0"', "pools.office.netmask", "."),
        ('netmask = "255.255.255.0"', 'netmask = ["255.0.0.0", "255.255.0.0"]', "pools.office.netmask", "one only"),
        ('dhcp = "10.2.0.55"', 'dhpc = "10.2.0.55"', "pools.office.dhpc", "did you mean dhcp"),
        ('pools = "office"', 'pools = "oficce"', "connections.roadwarriors.pools", "there are: office"),
        ('pools = "office"', "", "connections.roadwarriors.configuration_required", "needs pools"),
        ('"ikeref"', '"\\u00e9"', "connections.roadwarriors.application_version", "printable ASCII"),
        ('["lzs", "DEFLATE"]', '"zip"', "connections.roadwarriors.children.all.ipcomp", "none of deflate, lzs, lzjh"),
        ('["ipv4", "dns"]', '["dns"]', "connections.home.request", "an address must be asked for"),
        ('["ipv4", "dns"]', '["ipv6", "nbns"]', "connections.home.request", "goes with ipv4"),
        ('["ipv4", "dns"]', '["ipv6", "netmask"]', "connections.home.request", "goes with ipv4"),
        ('["ipv4", "dns"]', '["ipv4", "netmask", "netmask"]', "connections.home.request", "one netmask"),
        ('["ipv4", "dns"]', '["ipv4", "wins"]', "connections.home.request", "none of ipv4, ipv6"),
    ],
)
def test_errors_say_where_what_and_what_would_be_right(line: str, instead: str, where: str, reason: str) -> None:
    assert CONFIGURATION.count(line) == 1
    with pytest.raises(ConfigError, match=reason) as caught:
        config.load(CONFIGURATION.replace(line, instead))
    assert caught.value.where == where
