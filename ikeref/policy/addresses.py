"""The text of traffic selectors (Section 3.13.1).

`10.0.1.0/24`, `10.0.0.1-10.0.0.9`, `2001:db8::1`, then perhaps `[tcp/80]`, `[udp/1000-2000]`, `[6]`, `[tcp/opaque]`,
`[icmp/8]` (type 8, any code), `[icmp/3:1]` (type 3, code 1).
"""

import ipaddress
from typing import Final

from ikeref import registry
from ikeref.registry import TsType
from ikeref.wire import TrafficSelector

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
    ("ipv6-mh", 135),
)
_NUMBER_OF: Final = dict(_PROTOCOLS) | {"icmpv6": 58}
_NAME_OF: Final = {number: name for name, number in _PROTOCOLS}
_TYPE_AND_CODE: Final = (1, 58)
"""ICMP and ICMPv6, whose port is type and code (7296-3.13.1-05)."""


def host(address: str, ip_protocol: int = 0, start_port: int = 0, end_port: int = 65535) -> TrafficSelector:
    """The selector of one address: for transport mode, or for the packet that asked for an SA (Section 2.9).

    ValueError if the address is not numeric.
    """
    value = ipaddress.ip_address(address.partition("%")[0])
    ts_type = TsType.IPV4_ADDR_RANGE if value.version == 4 else TsType.IPV6_ADDR_RANGE
    return TrafficSelector(int(ts_type), ip_protocol, start_port, end_port, value.packed, value.packed)


def from_text(text: str) -> TrafficSelector:
    """The selector that a text stands for; ValueError says which part of it is wrong and why."""
    addresses, bracket, rest = text.strip().partition("[")
    protocol, ports = 0, (0, 65535)
    if bracket:
        if not rest.endswith("]"):
            raise ValueError(f"{text!r} lacks the closing bracket")
        protocol, ports = _protocol_and_ports(rest[:-1], text)
    first, last = _range(addresses.strip(), text)
    ts_type = TsType.IPV4_ADDR_RANGE if first.version == 4 else TsType.IPV6_ADDR_RANGE
    return TrafficSelector(int(ts_type), protocol, *ports, first.packed, last.packed)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _range(addresses: str, text: str) -> tuple[_Address, _Address]:
    try:
        if "-" in addresses:
            low, high = (ipaddress.ip_address(part.strip()) for part in addresses.split("-", 1))
            if low.version != high.version or low.packed > high.packed:
                raise ValueError(f"{high} does not follow {low}")
            return low, high
        network = ipaddress.ip_network(addresses)
    except ValueError as error:
        raise ValueError(
            f"{text!r}: {error}; write a network (10.0.1.0/24), a range (10.0.0.1-10.0.0.9) or an address"
        ) from None
    return network[0], network[-1]


def _protocol_and_ports(inside: str, text: str) -> tuple[int, tuple[int, int]]:
    word, slash, ports = (part.strip().lower() for part in inside.partition("/"))
    protocol = _NUMBER_OF.get(word, -1)
    if word.isdecimal() and int(word) <= 255:
        protocol = int(word)
    if protocol < 0:
        raise ValueError(f"{text!r}: {word!r} is no IP protocol; write a number or one of {', '.join(_NUMBER_OF)}")
    if not slash or ports == "any":
        return protocol, (0, 65535)
    if protocol == 0:
        raise ValueError(f"{text!r}: ports need a protocol, such as tcp/{ports}")
    if ports == "opaque":
        return protocol, (65535, 0)
    low, dash, high = ports.partition("-")
    typed = protocol in _TYPE_AND_CODE
    start = _port(low, text, typed, 0)
    end = _port(high if dash else low, text, typed, 0xFF)
    if start > end:
        raise ValueError(f"{text!r}: {high} does not follow {low}")
    return protocol, (start, end)


def _port(word: str, text: str, typed: bool, missing_code: int) -> int:
    """One end of a port range: a number, or for ICMP TYPE:CODE, or TYPE alone with any code."""
    kind, colon, code = word.strip().partition(":")
    values = (kind, code) if typed and colon else (kind,)
    limit = 255 if typed else 65535
    if (colon and not typed) or not all(value.isdecimal() and int(value) <= limit for value in values):
        what = "ICMP type from 0 to 255, perhaps with :CODE" if typed else "port from 0 to 65535"
        raise ValueError(f"{text!r}: {word!r} is no {what}")
    if not typed:
        return int(kind)
    return int(kind) << 8 | (int(code) if colon else missing_code)


def to_text(selector: TrafficSelector) -> str:
    """The shortest text for a selector, which `from_text` turns back into it; one of an unknown type is shown by its
    octets.
    """
    ts_type, protocol, start_port, end_port, start, end = selector
    if ts_type not in (TsType.IPV4_ADDR_RANGE, TsType.IPV6_ADDR_RANGE) or len(start) != len(end):
        return f"{registry.name(TsType, ts_type)}:{(start + end).hex()}"
    return _addresses(start, end) + _brackets(protocol, start_port, end_port)


def _addresses(start: bytes, end: bytes) -> str:
    low, high = ipaddress.ip_address(start), ipaddress.ip_address(end)
    if low == high:
        return str(low)
    size = int(high) - int(low) + 1
    if size > 0 and size & (size - 1) == 0 and int(low) % size == 0:
        return f"{low}/{low.max_prefixlen - size.bit_length() + 1}"
    return f"{low}-{high}"


def _brackets(protocol: int, start_port: int, end_port: int) -> str:
    everything = (start_port, end_port) == (0, 65535)
    if protocol == 0 and everything:
        return ""
    word = _NAME_OF.get(protocol, str(protocol))
    if everything:
        return f"[{word}]"
    if (start_port, end_port) == (65535, 0):
        return f"[{word}/opaque]"
    if protocol not in _TYPE_AND_CODE:
        return f"[{word}/{start_port}]" if start_port == end_port else f"[{word}/{start_port}-{end_port}]"
    if start_port >> 8 == end_port >> 8 and start_port & 0xFF == 0 and end_port & 0xFF == 0xFF:
        return f"[{word}/{start_port >> 8}]"
    low, high = f"{start_port >> 8}:{start_port & 0xFF}", f"{end_port >> 8}:{end_port & 0xFF}"
    return f"[{word}/{low}]" if start_port == end_port else f"[{word}/{low}-{high}]"
