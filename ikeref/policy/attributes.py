"""The text of configuration attributes (Section 3.15.1): what an operator writes, and what a person reads."""

import ipaddress
from typing import Final, NamedTuple

from ikeref import registry
from ikeref.registry import CfgAttribute, TsType
from ikeref.wire import CfgAttr, TrafficSelector

_FAMILIES: Final = {"ipv4": CfgAttribute.INTERNAL_IP4_ADDRESS, "ipv6": CfgAttribute.INTERNAL_IP6_ADDRESS}
_SERVERS: Final[dict[str, dict[int, int]]] = {
    "dns": {4: CfgAttribute.INTERNAL_IP4_DNS, 6: CfgAttribute.INTERNAL_IP6_DNS},
    "nbns": {4: CfgAttribute.INTERNAL_IP4_NBNS},
    "dhcp": {4: CfgAttribute.INTERNAL_IP4_DHCP, 6: CfgAttribute.INTERNAL_IP6_DHCP},
    "netmask": {4: CfgAttribute.INTERNAL_IP4_NETMASK},
}
_QUESTIONS: Final = {
    "version": CfgAttribute.APPLICATION_VERSION,
    "supported": CfgAttribute.SUPPORTED_ATTRIBUTES,
}
WORDS: Final = (*_FAMILIES, *_SERVERS, *_QUESTIONS)
"""What a request may be made of, besides addresses."""


_ADDRESSES = (CfgAttribute.INTERNAL_IP4_ADDRESS, CfgAttribute.INTERNAL_IP6_ADDRESS)


class Internal(NamedTuple):
    """What a CFG_REPLY told one end about the other's network: valid until the IKE SA ends (Sections 2.19, 3.15)."""

    ours: bool
    """Whether this end was told; else it told its peer, from its pools."""
    attributes: tuple[CfgAttr, ...]

    @property
    def packed(self) -> tuple[bytes, ...]:
        """The internal addresses, each of 4 or 16 octets."""
        return tuple([each.value[:16] for each in self.attributes if each.type in _ADDRESSES])

    @property
    def selectors(self) -> tuple[TrafficSelector, ...]:
        """All traffic of the internal addresses."""
        kinds = {4: TsType.IPV4_ADDR_RANGE, 16: TsType.IPV6_ADDR_RANGE}
        return tuple([TrafficSelector(kinds[len(each)], 0, 0, 65535, each, each) for each in self.packed])


def request(words: tuple[str, ...]) -> tuple[CfgAttr, ...]:
    """What a CFG_REQUEST asks for, from words such as `ipv4`, `dns`, or an address that is preferred.

    An address is always among it (7296-2.19-06), everything else is empty (7296-3.15.1-17, 7296-3.15.1-28). ValueError
    says what is wrong.
    """
    addresses = [_wish(word) for word in words if word not in _SERVERS and word not in _QUESTIONS]
    if not addresses:
        raise ValueError("an address must be asked for: ipv4, ipv6, or an address that is preferred")
    versions = [version for version, kind in ((4, 1), (6, 8)) if any(each.type == kind for each in addresses)]
    others: list[CfgAttr] = []
    for word in words:
        kinds = _SERVERS.get(word, {})
        if word == "netmask" and words.count(word) > 1:
            raise ValueError("one netmask may be asked for, not several")  # 7296-3.15.1-13
        found = [CfgAttr(kinds[version]) for version in versions if version in kinds]
        if kinds and not found:
            raise ValueError(f"{word!r} goes with ipv4 only")  # 7296-3.15.1-14
        others += found
        if word in _QUESTIONS:
            others.append(CfgAttr(_QUESTIONS[word]))
    return (*addresses, *others)


def _wish(word: str) -> CfgAttr:
    """An address asked for: empty for any (7296-3.15.1-07, 7296-3.15.3-02)."""
    if word in _FAMILIES:
        return CfgAttr(_FAMILIES[word])
    try:
        wish = ipaddress.ip_interface(word)
    except ValueError:
        raise ValueError(f"{word!r} is no address and none of {', '.join(WORDS)}") from None
    if wish.version == 4:
        return CfgAttr(CfgAttribute.INTERNAL_IP4_ADDRESS, wish.ip.packed)
    return CfgAttr(CfgAttribute.INTERNAL_IP6_ADDRESS, wish.ip.packed + bytes((wish.network.prefixlen,)))


def server(word: str, text: str) -> CfgAttr:
    """What a pool tells: the address of a server, or a netmask. ValueError says what is wrong."""
    address = ipaddress.ip_address(text)
    kind = _SERVERS[word].get(address.version)
    if kind is None:
        raise ValueError(f"{word} has IPv4 addresses only, not {text}")
    if word == "netmask":
        ipaddress.ip_network(f"0.0.0.0/{text}")
    return CfgAttr(kind, address.packed)


def subnet(text: str) -> CfgAttr:
    """A network behind the end that tells it: address and netmask, or address and prefix (7296-3.15.1-25)."""
    network = ipaddress.ip_network(text)
    if network.version == 4:
        value = network.network_address.packed + network.netmask.packed
        return CfgAttr(CfgAttribute.INTERNAL_IP4_SUBNET, value)
    value = network.network_address.packed + bytes((network.prefixlen,))  # 7296-3.15.1-30
    return CfgAttr(CfgAttribute.INTERNAL_IP6_SUBNET, value)


def to_text(attribute: CfgAttr) -> str:
    """`INTERNAL_IP4_ADDRESS 10.9.0.1`; a value that is none of its kind as hexadecimal digits."""
    what = registry.name(CfgAttribute, attribute.type)
    return f"{what} {_value(attribute)}".strip()


def _value(attribute: CfgAttr) -> str:
    kind, value = attribute.type, attribute.value
    if kind == CfgAttribute.APPLICATION_VERSION:
        return "".join(chr(each) if 32 <= each < 127 else f"\\x{each:02x}" for each in value)
    if kind == CfgAttribute.SUPPORTED_ATTRIBUTES and len(value) % 2 == 0:
        kinds = [int.from_bytes(value[place : place + 2]) & 0x7FFF for place in range(0, len(value), 2)]
        return ", ".join(registry.name(CfgAttribute, each) for each in kinds)
    if len(value) in (4, 16):
        return str(ipaddress.ip_address(value))
    if kind == CfgAttribute.INTERNAL_IP4_SUBNET and len(value) == 8:
        return f"{ipaddress.ip_address(value[:4])}/{ipaddress.ip_address(value[4:])}"
    if len(value) == 17:
        return f"{ipaddress.ip_address(value[:16])}/{value[16]}"
    return value.hex()
