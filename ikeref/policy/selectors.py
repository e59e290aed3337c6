"""Traffic selectors: reading, comparing and narrowing them (Sections 2.9, 2.9.2 and 3.13.1).

A selector is a box: a range of addresses, an IP protocol (0 for any) and a range of ports. Three facts make protocols and
ports other than plain ranges, and they all live here. Ports only mean anything for a protocol that is named, so a selector for any
protocol has all ports. 65535-0 is OPAQUE: packets whose ports can't be seen, such as fragments (7296-3.13.1-05); all ports
include it, no other range does. And for ICMP the port is the type in its upper and the code in its lower octet.

Text: `10.0.1.0/24`, `10.0.0.1-10.0.0.9`, `2001:db8::1`, then perhaps `[tcp/80]`, `[udp/1000-2000]`, `[6]`, `[tcp/opaque]`,
`[icmp/8]` (type 8, any code), `[icmp/3/1]` (type 3, code 1).
"""

import ipaddress
from typing import Final

from ikeref.registry import TsType
from ikeref.wire import TrafficSelector

ANY_PORT: Final = (0, 65535)
OPAQUE: Final = (65535, 0)

_PROTOCOLS: Final = (
    ("any", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("l2tp", 115),
    ("sctp", 132),
    ("mobility", 135),
)
_NUMBER_OF: Final = dict(_PROTOCOLS) | {"icmpv6": 58}
_NAME_OF: Final = {number: name for name, number in _PROTOCOLS}
_TYPED: Final = (1, 58)
"""ICMP and ICMPv6: the port is type and code (7296-3.13.1-06)."""


# --- The decision ---------------------------------------------------------------------------------------------------


def is_known(selector: TrafficSelector) -> bool:
    """Whether a selector is one that we can weigh: an IPv4 or IPv6 range that is not empty (Sections 2.9 and 3.13.1)."""
    if selector.ts_type == TsType.IPV4_ADDR_RANGE:
        size = 4
    elif selector.ts_type == TsType.IPV6_ADDR_RANGE:
        size = 16
    else:
        return False
    if len(selector.start) != size or len(selector.end) != size:
        return False
    if selector.start_port > selector.end_port and not _is_opaque(selector):
        return False
    return selector.start <= selector.end


def covers(outer: TrafficSelector, inner: TrafficSelector) -> bool:
    """Whether all traffic of `inner` is traffic of `outer`. Both must be known ones."""
    if outer.ts_type != inner.ts_type:
        return False
    if outer.start > inner.start or outer.end < inner.end:
        return False
    if outer.ip_protocol != 0 and outer.ip_protocol != inner.ip_protocol:
        return False
    if _has_all_ports(outer):
        return True
    if _is_opaque(outer) or _is_opaque(inner):
        return _is_opaque(outer) and _is_opaque(inner)
    return outer.start_port <= inner.start_port and outer.end_port >= inner.end_port


def intersect(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
    """The traffic of both, None if there is none. Both must be known ones."""
    if one.ts_type != other.ts_type:
        return None
    start = one.start if one.start >= other.start else other.start
    end = one.end if one.end <= other.end else other.end
    if start > end:
        return None
    if one.ip_protocol == 0:
        protocol = other.ip_protocol
    elif other.ip_protocol == 0 or other.ip_protocol == one.ip_protocol:
        protocol = one.ip_protocol
    else:
        return None
    if _has_all_ports(one):
        start_port, end_port = other.start_port, other.end_port
    elif _has_all_ports(other):
        start_port, end_port = one.start_port, one.end_port
    elif _is_opaque(one) or _is_opaque(other):
        if not (_is_opaque(one) and _is_opaque(other)):
            return None
        start_port, end_port = OPAQUE
    else:
        start_port = one.start_port if one.start_port >= other.start_port else other.start_port
        end_port = one.end_port if one.end_port <= other.end_port else other.end_port
        if start_port > end_port:
            return None
    return TrafficSelector(one.ts_type, protocol, start_port, end_port, start, end)


def narrow(offered: tuple[TrafficSelector, ...], mine: tuple[TrafficSelector, ...]) -> tuple[TrafficSelector, ...]:
    """The traffic that both allow, empty if there is none: then the answer is TS_UNACCEPTABLE (Section 2.9).

    The whole intersection, so nothing acceptable is lost: what the first offered selector allows comes first (the one from the
    packet that asked for the SA, 7296-2.9-09), and a selector that another covers is left out. Selectors of unknown types are
    ignored (7296-2.9-05). What is acceptable as offered is returned as offered.
    """
    found: list[TrafficSelector] = []
    for theirs in offered:
        if not is_known(theirs):
            continue
        for ours in mine:
            both = intersect(theirs, ours)
            if both is not None and not _is_covered(both, found):
                found = [*(earlier for earlier in found if not covers(both, earlier)), both]
    return tuple(found)


def _is_covered(selector: TrafficSelector, by: list[TrafficSelector]) -> bool:
    for candidate in by:
        if covers(candidate, selector):
            return True
    return False


def _is_opaque(selector: TrafficSelector) -> bool:
    return selector.start_port == 65535 and selector.end_port == 0


def _has_all_ports(selector: TrafficSelector) -> bool:
    return selector.start_port == 0 and selector.end_port == 65535
