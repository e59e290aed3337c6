"""Traffic selectors: comparing and narrowing them (Sections 2.9, 2.9.2 and 3.13.1), and transport mode's demands
(2.23.1).

A selector is a box: a range of addresses, an IP protocol (0 for any) and a range of ports; for ICMP the port is the
type in the upper and the code in the lower octet. One thing is no plain range: 65535-0 is OPAQUE, packets whose ports
can't be seen (fragments, say), and 0-65535 is ANY, which includes OPAQUE (Section 3.13.1). Here OPAQUE is one more
port, number 65536, and then a box is a box.

`narrow`, `covers` and `intersect` decide; `ikeref.policy.addresses` reads and writes the text of selectors.
"""

from typing import Final

from ikeref.policy.addresses import from_text, host, to_text
from ikeref.registry import TsType
from ikeref.wire import TrafficSelector

__all__ = [
    "covers",
    "from_text",
    "has_single_address",
    "host",
    "intersect",
    "is_known",
    "is_within",
    "narrow",
    "narrow_to_pair",
    "to_text",
    "with_address",
]

_IPV4: Final = int(TsType.IPV4_ADDR_RANGE)
_IPV6: Final = int(TsType.IPV6_ADDR_RANGE)
_OPAQUE: Final = 65536
_MOST: Final = 255
"""Selectors that one payload can count (Section 3.13)."""


def narrow(offered: tuple[TrafficSelector, ...], mine: tuple[TrafficSelector, ...]) -> tuple[TrafficSelector, ...]:
    """The traffic that both allow, empty if there is none: then the answer is TS_UNACCEPTABLE (Section 2.9).

    The whole intersection, so nothing acceptable is lost (but for what 255 selectors can't hold), in the order of the
    offer: what is left of its first selector, the one from the packet that asked for the SA, is in the first
    (7296-2.9-11). A selector that another covers is left out. Selectors of unknown types are ignored (7296-2.9-06).
    """
    found: list[TrafficSelector] = []
    for theirs in offered:
        if not is_known(theirs):
            continue
        for ours in mine:
            both = intersect(theirs, ours)
            if both is not None and not _is_covered(both, found):
                found = _with(both, found)
                if len(found) == _MOST:
                    return tuple(found)
    return tuple(found)


def narrow_to_pair(
    offered: tuple[TrafficSelector, ...], mine: tuple[TrafficSelector, ...]
) -> tuple[TrafficSelector, ...]:
    """As `narrow`, but to one address: that of the first selector, which the packet told, or the only one there is.

    Empty where nothing is acceptable, or it can't be told which address is meant (7296-2.9-15, 7296-2.9-17).
    """
    found = narrow(offered[:1], mine)
    if not has_single_address(found):
        everything = narrow(offered, mine)
        return everything if has_single_address(everything) else ()
    address = found[0]._replace(ip_protocol=0, start_port=0, end_port=65535)
    return narrow(offered, narrow((address,), mine))


def _is_covered(selector: TrafficSelector, by: list[TrafficSelector]) -> bool:
    for candidate in by:  # noqa: SIM110  # twice as fast as a generator
        if covers(candidate, selector):
            return True
    return False


def _with(selector: TrafficSelector, found: list[TrafficSelector]) -> list[TrafficSelector]:
    """`found` with one more, which takes the place of the first that it covers, and of all further ones."""
    kept: list[TrafficSelector] = []
    placed = False
    for earlier in found:
        if not covers(selector, earlier):
            kept.append(earlier)
        elif not placed:
            kept.append(selector)
            placed = True
    if not placed:
        kept.append(selector)
    return kept


def is_known(selector: TrafficSelector) -> bool:
    """Whether this is an IPv4 or IPv6 range that is not empty, which we can weigh (Sections 2.9 and 3.13.1)."""
    if selector.ts_type == _IPV4:
        size = 4
    elif selector.ts_type == _IPV6:
        size = 16
    else:
        return False
    if len(selector.start) != size or len(selector.end) != size:
        return False
    low, high = _ports(selector)
    return selector.start <= selector.end and low <= high


def covers(outer: TrafficSelector, inner: TrafficSelector) -> bool:
    """Whether all traffic of `inner` is traffic of `outer`. Both must be known ones (`is_known`)."""
    if outer.ts_type != inner.ts_type:
        return False
    if outer.start > inner.start or outer.end < inner.end:
        return False
    if outer.ip_protocol != 0 and outer.ip_protocol != inner.ip_protocol:
        return False
    outer_low, outer_high = _ports(outer)
    low, high = _ports(inner)
    return outer_low <= low and high <= outer_high


def intersect(one: TrafficSelector, other: TrafficSelector) -> TrafficSelector | None:
    """The traffic of both, None if there is none. Both must be known ones (`is_known`)."""
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
    one_low, one_high = _ports(one)
    other_low, other_high = _ports(other)
    low = one_low if one_low >= other_low else other_low
    high = one_high if one_high <= other_high else other_high
    if low > high:
        return None
    start_port, end_port = _port_fields(low, high)
    return TrafficSelector(one.ts_type, protocol, start_port, end_port, start, end)


def _ports(selector: TrafficSelector) -> tuple[int, int]:
    """Lowest and highest port of a selector, OPAQUE counted as port 65536."""
    if selector.start_port == 65535 and selector.end_port == 0:
        return _OPAQUE, _OPAQUE
    if selector.start_port == 0 and selector.end_port == 65535:
        return 0, _OPAQUE
    return selector.start_port, selector.end_port


def _port_fields(low: int, high: int) -> tuple[int, int]:
    """Start Port and End Port for a range that `_ports` gave, or for what two of them have in common."""
    if low == _OPAQUE:
        return 65535, 0
    if high == _OPAQUE:
        return low, 65535
    return low, high


def is_within(inner: tuple[TrafficSelector, ...], outer: tuple[TrafficSelector, ...]) -> bool:
    """Whether all traffic of `inner` is traffic of `outer`, adjacent selectors taken together.

    The initiator asks it of an answer and its offer (Section 2.9), and both ends of the old selectors and the new ones
    in a rekey (Section 2.9.2). A selector that is not known is within nothing.
    """
    for selector in inner:
        if not is_known(selector):
            return False
        if selector in outer:
            continue
        low, high = _ports(selector)
        left = [(int.from_bytes(selector.start, "big"), int.from_bytes(selector.end, "big"), low, high)]
        for other in outer:
            if (
                is_known(other)
                and other.ts_type == selector.ts_type
                and (other.ip_protocol == 0 or other.ip_protocol == selector.ip_protocol)
            ):
                low, high = _ports(other)
                hole = (int.from_bytes(other.start, "big"), int.from_bytes(other.end, "big"), low, high)
                left = [rest for box in left for rest in _without(box, hole)]
        if left:
            return False
    return True


_Box = tuple[int, int, int, int]
"""Lowest and highest address, lowest and highest port."""


def _without(box: _Box, hole: _Box) -> list[_Box]:
    """What is left of a box when another is cut out of it: at most four boxes."""
    start, end, low, high = box
    first, last = max(start, hole[0]), min(end, hole[1])
    bottom, top = max(low, hole[2]), min(high, hole[3])
    if first > last or bottom > top:
        return [box]
    rests = [
        (start, first - 1, low, high),
        (last + 1, end, low, high),
        (first, last, low, bottom - 1),
        (first, last, top + 1, high),
    ]
    return [rest for rest in rests if rest[0] <= rest[1] and rest[2] <= rest[3]]


# --- Transport mode (Section 2.23.1) ---------------------------------------------------------------------------------


def has_single_address(selectors: tuple[TrafficSelector, ...]) -> bool:
    """Whether all selectors are of one and the same address, as transport mode demands of TSi and of TSr (Section
    2.23.1).
    """
    if not selectors:
        return False
    first = selectors[0]
    for selector in selectors:
        if not is_known(selector) or selector.ts_type != first.ts_type:
            return False
        if selector.start != selector.end or selector.start != first.start:
            return False
    return True


def with_address(selectors: tuple[TrafficSelector, ...], address: str) -> tuple[TrafficSelector, ...]:
    """The same protocols and ports for another address: the substitution for a NAT in transport mode (Section 2.23.1).

    `address` is numeric; ValueError if it is not. The selectors must have a single address.
    """
    template = host(address)
    return tuple(
        selector._replace(ts_type=template.ts_type, start=template.start, end=template.end) for selector in selectors
    )
