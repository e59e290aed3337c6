"""Pools of internal addresses, and who holds which (Sections 2.19, 3.15.1, 3.15.3 and 3.15.4).

`Pool` is what an operator says, `assign` decides, `Leases` remembers. A lease belongs to an identity: who comes back
gets what it had before, as long as nobody else needed it. An endpoint has one `Leases` for all its IKE SAs.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from ikeref.policy.identities import Identity
from ikeref.registry import CfgAttribute
from ikeref.wire import CfgAttr

MOST_ADDRESSES: Final = 4
"""Addresses of one family that a peer gets at most, however many it asks for (7296-3.15.1-10)."""

_IP4: Final = CfgAttribute.INTERNAL_IP4_ADDRESS
_IP6: Final = CfgAttribute.INTERNAL_IP6_ADDRESS
_INTERFACE_ID: Final = 8
"""Low-order octets of an IPv6 address that name an interface (Section 3.15.3)."""


class Range(NamedTuple):
    """Addresses to give out."""

    first: bytes
    """4 or 16 octets."""
    last: bytes
    prefix: int
    """Bits of the link's prefix, told with an IPv6 address (7296-3.15.3-04)."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Addresses, and what else a peer is told with them."""

    name: str
    ranges: tuple[Range, ...]
    attributes: tuple[CfgAttr, ...] = ()
    """INTERNAL_IP4_NETMASK, name servers, subnets and so on, as a CFG_REPLY bears them."""


class Lease(NamedTuple):
    """Who holds an address, or held it last."""

    identity: Identity
    holders: int
    """IKE SAs that do; 0: it is free, and kept for that identity as long as others are free."""


LeaseOf = Callable[[bytes], Lease | None]
LeasesTo = Callable[[Identity], tuple[bytes, ...]]


def range_of(text: str) -> Range:
    """`10.9.0.0/24` (its hosts: neither its first address nor, for IPv4, its last), `10.9.0.10-10.9.0.99`, or one
    address. ValueError says what is wrong.
    """
    if "-" in text:
        first, last = (ipaddress.ip_address(part.strip()) for part in text.split("-", 1))
        if first.version != last.version or first.packed > last.packed:
            raise ValueError(f"{text!r}: {last} does not follow {first}")
        return Range(first.packed, last.packed, first.max_prefixlen)
    network = ipaddress.ip_network(text)
    low, high = int(network[0]), int(network[-1])
    if high - low > 1:
        low, high = low + 1, high - (network.version == 4)
    size = network.max_prefixlen // 8
    return Range(low.to_bytes(size), high.to_bytes(size), network.prefixlen)


def serves(pools: tuple[Pool, ...], kind: int) -> bool:
    """Whether pools have addresses of the family that an attribute asks for (7296-3.15.4-05)."""
    size = 16 if kind == _IP6 else 4
    return any(len(each.first) == size for pool in pools for each in pool.ranges)


def assign(
    pools: tuple[Pool, ...],
    wanted: CfgAttr,
    identity: Identity,
    lease_of: LeaseOf,
    leases_to: LeasesTo,
    taken: tuple[bytes, ...] = (),
) -> CfgAttr | None:
    """An address for a peer, as an attribute of the CFG_REPLY; None where there is none left.

    What the peer suggests, then what it had before, then what nobody had, then what somebody gave back (7296-3.15.1-07,
    7296-3.15.1-33, 7296-3.15.1-34). Of an IPv6 suggestion the interface identifier counts where the address itself
    can't be had (7296-3.15.1-08, 7296-3.15.3-03). `taken` are those just given to that peer.

    An address that the identity holds is given again if it asks for just that one: so its next IKE SA keeps it when
    it authenticates anew (Section 2.8.3).
    """
    size = 16 if wanted.type == _IP6 else 4
    ranges = [each for pool in pools for each in pool.ranges if len(each.first) == size]
    wish = wanted.value[:size] if len(wanted.value) >= size else b""
    found = None
    for candidate in _wishes(wish, ranges):
        if candidate not in taken and _may_have(candidate, identity, lease_of):
            found = candidate
            break
    found = found or _former(ranges, identity, lease_of, leases_to, taken) or _first_free(ranges, lease_of, taken)
    if found is None:
        return None
    if size == 4:
        return CfgAttr(_IP4, found)
    prefix = next(each.prefix for each in ranges if each.first <= found <= each.last)
    return CfgAttr(_IP6, found + bytes((prefix,)))


def _wishes(wish: bytes, ranges: list[Range]) -> tuple[bytes, ...]:
    """Addresses of the pools that are as suggested, the likest first."""
    if not wish:
        return ()
    candidates = [wish]
    if len(wish) == 16:
        candidates += [each.first[:-_INTERFACE_ID] + wish[-_INTERFACE_ID:] for each in ranges]
    return tuple(each for each in candidates if any(area.first <= each <= area.last for area in ranges))


def _may_have(address: bytes, identity: Identity, lease_of: LeaseOf) -> bool:
    lease = lease_of(address)
    return lease is None or not lease.holders or lease.identity == identity


def _former(
    ranges: list[Range], identity: Identity, lease_of: LeaseOf, leases_to: LeasesTo, taken: tuple[bytes, ...]
) -> bytes | None:
    for address in leases_to(identity):
        lease = lease_of(address)
        free = lease is not None and not lease.holders and address not in taken
        if free and any(len(each.first) == len(address) and each.first <= address <= each.last for each in ranges):
            return address
    return None


def _first_free(ranges: list[Range], lease_of: LeaseOf, taken: tuple[bytes, ...]) -> bytes | None:
    """The first that nobody ever had, else the first that nobody has. Takes as long as there are leases."""
    given_back = None
    for area in ranges:
        size = len(area.first)
        for number in range(int.from_bytes(area.first), int.from_bytes(area.last) + 1):
            address = number.to_bytes(size)
            lease = lease_of(address)
            if address in taken:
                continue
            if lease is None:
                return address
            if not lease.holders and given_back is None:
                given_back = address
    return given_back


class Leases:
    """All leases of an endpoint. Mutable; it holds no more entries than its pools have addresses."""

    def __init__(self) -> None:
        self._of: dict[bytes, Lease] = {}
        self._to: dict[Identity, tuple[bytes, ...]] = {}
        self.held: dict[int, tuple[bytes, ...]] = {}
        """By the number of the session that holds them."""

    def of(self, address: bytes) -> Lease | None:
        """Who holds an address, or held it last."""
        return self._of.get(address)

    def to(self, identity: Identity) -> tuple[bytes, ...]:
        """What an identity holds, or held last."""
        return self._to.get(identity, ())

    def hold(self, session: int, identity: Identity | None, addresses: tuple[bytes, ...]) -> None:
        """A session holds these from now on and no others; with none, all are given back (7296-2.19-02)."""
        before = self.held.pop(session, ())
        for address in before:
            if address not in addresses:
                lease = self._of[address]
                self._of[address] = lease._replace(holders=lease.holders - 1)
        if not addresses or identity is None:
            return
        self.held[session] = addresses
        for address in addresses:
            if address not in before:
                self._give(address, identity)

    def _give(self, address: bytes, identity: Identity) -> None:
        lease = self._of.get(address)
        if lease is not None and lease.identity != identity:
            rest = tuple(each for each in self._to[lease.identity] if each != address)
            self._to[lease.identity] = rest
            if not rest:
                del self._to[lease.identity]
            lease = None
        self._of[address] = Lease(identity, lease.holders + 1 if lease is not None else 1)
        known = self._to.get(identity, ())
        if address not in known:
            self._to[identity] = (*known, address)
