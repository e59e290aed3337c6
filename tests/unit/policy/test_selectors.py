"""Traffic selectors (Sections 2.9, 2.9.2, 2.23.1 and 3.13.1)."""

import ipaddress
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ikeref.policy import selectors
from ikeref.policy.selectors import (
    covers,
    from_text,
    has_single_address,
    host,
    intersect,
    is_known,
    is_within,
    narrow,
    to_text,
    with_address,
)
from ikeref.wire import TrafficSelector

Selectors = tuple[TrafficSelector, ...]


def ts(*texts: str) -> Selectors:
    return tuple(from_text(text) for text in texts)


def texts(found: Selectors) -> list[str]:
    return [to_text(selector) for selector in found]


# --- Text ------------------------------------------------------------------------------------------------------------


def test_s3_13_1_the_text_of_a_selector_and_its_fields() -> None:
    assert from_text("10.0.1.0/24") == (7, 0, 0, 65535, bytes([10, 0, 1, 0]), bytes([10, 0, 1, 255]))
    assert from_text("10.0.0.1-10.0.0.9[tcp/80]") == (7, 6, 80, 80, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 9]))
    assert from_text("::/0") == (8, 0, 0, 65535, bytes(16), b"\xff" * 16)
    assert from_text("2001:db8::1[17/1000-2000]")[1:4] == (17, 1000, 2000)
    assert from_text("10.0.0.1[tcp/opaque]")[1:4] == (6, 65535, 0)
    assert from_text("10.0.0.1[icmp/8]")[1:4] == (1, 0x0800, 0x08FF)
    assert from_text("10.0.0.1[icmp/3:1]")[1:4] == (1, 0x0301, 0x0301)
    assert from_text("::1[ipv6-icmp/128-129]")[1:4] == (58, 0x8000, 0x81FF)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.1.0/33", "write a network"),
        ("10.0.1.1/24", "host bits"),
        ("10.0.0.9-10.0.0.1", "10.0.0.1 does not follow 10.0.0.9"),
        ("10.0.0.1-::1", "does not follow"),
        ("moon", "write a network"),
        ("10.0.0.1[tcp/80", "lacks the closing bracket"),
        ("10.0.0.1[tpc]", "'tpc' is no IP protocol"),
        ("10.0.0.1[256]", "'256' is no IP protocol"),
        ("10.0.0.1[any/80]", "ports need a protocol"),
        ("10.0.0.1[tcp/65536]", "no port from 0 to 65535"),
        ("10.0.0.1[tcp/http]", "no port from 0 to 65535"),
        ("10.0.0.1[udp/9-8]", "8 does not follow 9"),
        ("10.0.0.1[icmp/256]", "no ICMP type"),
        ("10.0.0.1[tcp/3:1]", "no port from 0 to 65535"),
        ("", "write a network"),
    ],
)
def test_a_text_that_is_no_selector_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_text(text)


def test_an_unknown_type_is_shown_by_its_octets() -> None:
    assert to_text(TrafficSelector(10, 0, 0, 0, b"\1\2", b"")) == "SECLABEL:0102"


# --- Any selectors, on a world that is small, and large enough to tell any two sets of `known` apart ----------------

PORTS = (*range(7), 65534, 65535, "OPAQUE")
PROTOCOLS = (1, 6, 17)
UNNAMED = 99
ADDRESSES = tuple(range(8))


def packets(selector: TrafficSelector) -> set[tuple[int, int, int, object]]:
    """The packets of the small world that match, by the words of Section 3.13.1 and not by the code under test."""
    found: set[tuple[int, int, int, object]] = set()
    size = {7: 4, 8: 16}.get(selector.ts_type)
    if size is None:
        return found
    for address, protocol, port in product(ADDRESSES, (*PROTOCOLS, UNNAMED), PORTS):
        octets = address.to_bytes(size, "big")
        any_port = (selector.start_port, selector.end_port) == (0, 65535)
        if port == "OPAQUE":
            matches = any_port or (selector.start_port, selector.end_port) == (65535, 0)
        else:
            assert isinstance(port, int)
            matches = selector.start_port <= port <= selector.end_port
        if matches and selector.start <= octets <= selector.end and selector.ip_protocol in (0, protocol):
            found.add((selector.ts_type, address, protocol, port))
    return found


def union(found: Selectors) -> set[tuple[int, int, int, object]]:
    return {packet for selector in found for packet in packets(selector)}


port_ranges = st.one_of(
    st.sampled_from([(0, 65535), (65535, 0), (5, 65535), (65535, 65535)]),
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] <= pair[1]),
)


@st.composite
def known(draw: st.DrawFn) -> TrafficSelector:
    version = draw(st.sampled_from([(7, 4), (8, 16)]))
    low, high = sorted(draw(st.tuples(st.integers(0, 7), st.integers(0, 7))))
    protocol = draw(st.sampled_from([0, 0, *PROTOCOLS]))
    ports = draw(port_ranges) if protocol else (0, 65535)
    return TrafficSelector(
        version[0], protocol, *ports, low.to_bytes(version[1], "big"), high.to_bytes(version[1], "big")
    )


unknown = st.sampled_from(
    [
        TrafficSelector(0, 0, 0, 0, b"", b""),
        TrafficSelector(9, 0, 0, 0, bytes(12), b""),
        TrafficSelector(241, 0, 0, 0, b"private", b""),
        TrafficSelector(7, 0, 0, 65535, b"\0" * 16, b"\xff" * 16),
        TrafficSelector(7, 0, 0, 65535, bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1])),
        TrafficSelector(7, 6, 9, 8, bytes(4), bytes(4)),
    ]
)
policies = st.lists(known(), max_size=4).map(tuple)
offers = st.lists(st.one_of(known(), known(), known(), unknown), max_size=4).map(tuple)


@given(offers, policies)
@example(ts("0.0.0.1[tcp]"), ts("0.0.0.1[udp]"))
@example(ts("0.0.0.1[tcp/0-5]"), ts("0.0.0.1[tcp/opaque]"))
@example(ts("0.0.0.1[tcp]"), ts("0.0.0.1[tcp/opaque]"))
def test_s2_9_narrowing_gives_exactly_what_both_allow(offered: Selectors, mine: Selectors) -> None:
    weighed = tuple(selector for selector in offered if is_known(selector))
    assert union(narrow(offered, mine)) == union(weighed) & union(mine)


@given(offers, policies)
def test_s2_9_what_is_narrowed_is_within_offer_and_policy_and_known(offered: Selectors, mine: Selectors) -> None:
    narrowed = narrow(offered, mine)
    assert is_within(narrowed, offered)
    assert is_within(narrowed, mine)
    assert all(is_known(selector) for selector in narrowed)


@given(offers, policies)
def test_s2_9_nothing_in_a_narrowed_set_covers_another(offered: Selectors, mine: Selectors) -> None:
    narrowed = narrow(offered, mine)
    for one, other in product(range(len(narrowed)), repeat=2):
        assert one == other or not covers(narrowed[one], narrowed[other])


@given(st.lists(known(), min_size=1, max_size=4).map(tuple), policies)
@example(ts("0.0.0.1", "0.0.0.6", "0.0.0.0/30"), ts("0.0.0.0/29"))
def test_s2_9_the_first_offered_selector_stays_first_if_it_is_acceptable(offered: Selectors, mine: Selectors) -> None:
    first = packets(offered[0])
    if any(covers(ours, offered[0]) for ours in mine):
        assert first <= packets(narrow(offered, mine)[0])


@given(offers, policies)
def test_s2_9_narrowing_is_settled_after_once(offered: Selectors, mine: Selectors) -> None:
    narrowed = narrow(offered, mine)
    assert union(narrow(narrowed, mine)) == union(narrowed)
    assert union(narrow(offered, narrowed)) == union(narrowed)


@given(known(), known())
def test_cover_and_intersection_are_those_of_packets(one: TrafficSelector, other: TrafficSelector) -> None:
    both = intersect(one, other)
    assert (packets(both) if both else set()) == packets(one) & packets(other)
    assert covers(one, other) == (packets(other) <= packets(one))


@given(policies, policies)
def test_s2_9_2_within_is_containment_of_all_packets(inner: Selectors, outer: Selectors) -> None:
    assert is_within(inner, outer) == (union(inner) <= union(outer))


@given(st.one_of(known(), st.builds(host, st.ip_addresses().map(str))))
def test_parsing_the_text_gives_the_same_selector(selector: TrafficSelector) -> None:
    assert from_text(to_text(selector)) == selector


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.integers(0, 65535))
def test_parsing_the_text_of_icmp_gives_the_same_selector(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address, low: int, high: int
) -> None:
    start, end = sorted((one.packed, other.packed))
    selector = TrafficSelector(7, 1, min(low, high), max(low, high), start, end)
    assert from_text(to_text(selector)) == selector


# --- Examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "mine", "narrowed"),
    [
        (["0.0.0.0/0"], ["10.0.1.0/24"], ["10.0.1.0/24"]),
        (["198.51.100.43[tcp/80]", "198.51.100.0/24"], ["198.51.100.43"], ["198.51.100.43"]),
        (["198.51.100.43[tcp/80]", "198.51.100.0/24"], ["198.51.100.0/24"], ["198.51.100.0/24"]),
        (["198.51.100.43[tcp/80]", "198.51.100.0/24[udp]"], ["198.51.100.0/25"],
         ["198.51.100.43[tcp/80]", "198.51.100.0/25[udp]"]),
        (["10.0.0.0/8"], ["10.1.0.0/16[tcp/80]", "10.2.0.0/16"], ["10.1.0.0/16[tcp/80]", "10.2.0.0/16"]),
        (["10.0.0.1-10.0.0.9"], ["10.0.0.5-10.0.0.20"], ["10.0.0.5-10.0.0.9"]),
        (["10.0.0.0/24[tcp/1000-2000]"], ["10.0.0.0/24[tcp/1500-3000]"], ["10.0.0.0/24[tcp/1500-2000]"]),
        (["10.0.0.0/24[tcp/80]"], ["10.0.0.0/24[udp/80]"], []),
        (["10.0.0.0/24"], ["10.0.0.0/24[tcp/opaque]"], ["10.0.0.0/24[tcp/opaque]"]),
        (["10.0.0.0/24[tcp/0-1024]"], ["10.0.0.0/24[tcp/opaque]"], []),
        (["10.0.0.0/24[tcp/65535]"], ["10.0.0.0/24[tcp/opaque]"], []),
        (["10.0.0.0/24[icmp/0-8]"], ["10.0.0.0/24[icmp/8]"], ["10.0.0.0/24[icmp/8]"]),
        (["10.0.0.0/24", "2001:db8::/32"], ["::/0"], ["2001:db8::/32"]),
        (["10.0.0.0/24"], [], []),
    ],
)  # fmt: skip
def test_s2_9_examples(offered: list[str], mine: list[str], narrowed: list[str]) -> None:
    assert texts(narrow(ts(*offered), ts(*mine))) == narrowed


def test_s3_13_a_payload_can_not_count_more_than_255() -> None:
    offered = tuple(host(f"10.0.{n // 256}.{n % 256}") for n in range(0, 1024, 2))
    assert narrow(offered, ts("10.0.0.0/8")) == offered[:255]


def test_s2_9_2_selectors_taken_together_contain_what_none_contains_alone() -> None:
    halves = ts("10.0.0.0/25", "10.0.0.128/25")
    assert is_within(ts("10.0.0.0/24"), halves)
    assert not is_within(ts("10.0.0.0/23"), halves)
    assert not is_within(ts("10.0.0.0/24"), ts("10.0.0.0/24[tcp]"))
    both = ts("10.0.0.0/24[tcp/0-99]", "10.0.0.1[udp/5]")
    assert is_within(both, ts("10.0.0.0/24[tcp/0-50]", "10.0.0.0/24[tcp/51-99]", "10.0.0.1"))
    visible = ts("10.0.0.0/24[tcp/0-65534]", "10.0.0.0/24[tcp/65535]")
    assert not is_within(ts("10.0.0.0/24[tcp]"), visible)
    assert is_within(ts("10.0.0.0/24[tcp]"), (*visible, *ts("10.0.0.0/24[tcp/opaque]")))
    assert is_within((), ())
    assert not is_within((TrafficSelector(9, 0, 0, 0, b"", b""),), ts("0.0.0.0/0"))


def test_s2_23_1_transport_mode_wants_one_address() -> None:
    assert has_single_address(ts("10.0.0.1[tcp/80]", "10.0.0.1[udp]"))
    assert not has_single_address(ts("10.0.0.1", "10.0.0.2"))
    assert not has_single_address(ts("10.0.0.0/31"))
    assert not has_single_address(())


def test_s2_23_1_the_address_is_replaced_and_nothing_else() -> None:
    behind_nat = ts("192.168.0.2[tcp/80]", "192.168.0.2[udp]")
    assert with_address(behind_nat, "203.0.113.1") == ts("203.0.113.1[tcp/80]", "203.0.113.1[udp]")
    assert with_address(behind_nat, "2001:db8::1") == ts("2001:db8::1[tcp/80]", "2001:db8::1[udp]")


# --- Twins: each check fails on a seeded fault -----------------------------------------------------------------------


def test_twin_a_fault_in_the_protocol_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
        both = intersect(one._replace(ip_protocol=0), other._replace(ip_protocol=0))
        return both and both._replace(ip_protocol=max(one.ip_protocol, other.ip_protocol))

    monkeypatch.setattr(selectors, "intersect", careless)
    with pytest.raises(AssertionError):
        test_s2_9_narrowing_gives_exactly_what_both_allow()


def test_twin_a_first_selector_that_is_moved_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_the_end(selector: TrafficSelector, found: list[TrafficSelector]) -> list[TrafficSelector]:
        return [*(earlier for earlier in found if not covers(selector, earlier)), selector]

    monkeypatch.setattr(selectors, "_with", at_the_end)
    with pytest.raises(AssertionError):
        test_s2_9_the_first_offered_selector_stays_first_if_it_is_acceptable()


def test_twin_opaque_taken_for_a_range_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_ports", lambda selector: (selector.start_port, selector.end_port))
    with pytest.raises(AssertionError):
        test_s2_9_narrowing_gives_exactly_what_both_allow()
