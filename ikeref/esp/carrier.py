"""A data plane of Child SAs: IP packets go in and ESP packets come out, and the other way (RFC 4303, RFC 4301).

It carries ESP in tunnel mode. It has no socket: who has one sends what `Sealed` says and hands over what arrives.
Each direction opens and closes by itself, as the protocol says (Sections 1.4.1 and 2.8): packets leave on the Child SA
installed last whose selectors allow them, and arrive on any that is still open for them, so that a rekey loses none.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ikeref.errors import Dropped
from ikeref.esp import inner
from ikeref.esp.packet import (
    ESN_BITS,
    NO_NEXT_HEADER,
    Opened,
    iv_octets,
    open_packet,
    seal_packet,
    sequence_of,
    supports,
)
from ikeref.esp.replay import NEW_WINDOW, Window
from ikeref.policy.selectors import covers
from ikeref.registry import ProtocolId
from ikeref.sa.outputs import Install, Moved, Remove
from ikeref.sa.values import ChildSa, Path
from ikeref.wire import TrafficSelector


class Sealed(NamedTuple):
    """Send this ESP packet."""

    packet: bytes
    path: Path
    """Where to: in UDP if it says encapsulated (7296-2.23-11), else as IP protocol 50."""
    ecn: int
    """For the outer header: that of the packet inside (7296-2.24-02)."""
    worn: bytes = b""
    """Our SPI of the Child SA, as soon as most of its sequence numbers are used: rekey it (Section 2.8). Told with each
    packet, for a rekey may be refused."""


class Delivered(NamedTuple):
    """An IP packet came out of the tunnel."""

    packet: bytes
    spi: bytes
    newest: bool = False
    """No packet of that Child SA had a higher sequence number: where it came from, the peer is (7296-2.23-33)."""


class Refused(NamedTuple):
    """A packet goes no further."""

    reason: str
    """For a person; the peer is told nothing."""
    packet: inner.Inner | None = None
    """Of a packet that was to be sent and has no Child SA: one may be negotiated for it (Section 2.9)."""


class _Outbound(NamedTuple):
    child: ChildSa
    keys: tuple[bytes, bytes]
    path: Path
    sent: int = 0
    """Sequence number used last."""


class _Inbound(NamedTuple):
    child: ChildSa
    keys: tuple[bytes, bytes]
    window: Window = NEW_WINDOW


LAST_OF: Final = {0: (1 << ESN_BITS) - 1, 1: (1 << 64) - 1}
"""The last sequence number, without and with ESN: it never begins anew under the same keys (RFC 4303 section 3.3.3)."""


class Carrier:
    """All Child SAs of a host, and the packets that they carry."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._inbound: dict[bytes, _Inbound] = {}
        self._outbound: dict[bytes, _Outbound] = {}
        """By both SPIs, for two peers may choose the same one; the one installed last stands last."""
        self.counted: dict[tuple[bool, bytes], tuple[int, int]] = {}
        """Packets and octets carried, by inbound and SPI; kept when the Child SA is gone."""
        self.refusals: dict[str, int] = {}
        """How many packets went no further, by reason."""

    # The directions

    def install(self, install: Install) -> str:
        """Open a direction; why it can't be carried, empty if it can."""
        child = install.child
        if why := _why_not(child):
            return why
        assert child.keys is not None
        first, second = child.keys[:2], child.keys[2:]
        if install.inbound == child.initiator:  # what comes in was sent by the other end of that exchange
            first = second
        if install.inbound:
            self._inbound[child.spi_in] = _Inbound(child, first)
        else:
            self._outbound[_outbound_key(child)] = _Outbound(child, first, install.path)
        return ""

    def moved(self, moved: Moved) -> None:
        """Send to another address from now on (Section 2.23)."""
        for child in moved.children:
            outbound = self._outbound.get(_outbound_key(child))
            if outbound is not None:
                self._outbound[_outbound_key(child)] = outbound._replace(path=moved.path)

    def path(self, spi_in: bytes) -> Path | None:
        """Where the peer of the Child SA with this SPI of ours is sent to; None where nothing is sent."""
        return next((each.path for each in self._outbound.values() if each.child.spi_in == spi_in), None)

    def receives(self, spi_in: bytes) -> bool:
        """Whether a Child SA has this SPI for what comes in."""
        return spi_in in self._inbound

    def remove(self, remove: Remove) -> None:
        """Close a direction and forget its keys."""
        if remove.inbound:
            self._inbound.pop(remove.child.spi_in, None)
        else:
            self._outbound.pop(_outbound_key(remove.child), None)

    # Packets

    def send(self, packet: bytes) -> Sealed | Refused:
        """Protect an IP packet that goes to a peer."""
        try:
            what = inner.read(packet)
        except Dropped as error:
            return self._refused(error.reason)
        for key in reversed(self._outbound):
            outbound = self._outbound[key]
            if allows(outbound.child, what, inbound=False):
                return self._seal(key, outbound, packet[: what.length], what)
        return self._refused("no Child SA is for it", what)

    def _seal(self, key: bytes, outbound: _Outbound, packet: bytes, what: inner.Inner) -> Sealed | Refused:
        child = outbound.child
        if outbound.sent == LAST_OF[child.suite.esn]:
            return self._refused("the sequence numbers of its Child SA are used up")
        sequence = outbound.sent + 1
        self._outbound[key] = outbound._replace(sent=sequence)
        content = Opened(inner.IP_IN_IP[what.version], packet)
        iv = self._random(iv_octets(child.suite)) if iv_octets(child.suite) else b""
        sealed = seal_packet(child.suite, outbound.keys, child.spi_out, sequence, content, iv=iv)
        self._count(False, child.spi_out, len(packet))
        is_worn = 4 * sequence >= 3 * LAST_OF[child.suite.esn]
        return Sealed(sealed, outbound.path, what.ecn, child.spi_in if is_worn else b"")

    def receive(self, packet: bytes, ecn: int = 0) -> Delivered | Refused:
        """The IP packet in an ESP packet that came in; `ecn` is that of the outer header."""
        inbound = self._inbound.get(packet[:4])
        if inbound is None:
            return self._refused("no Child SA has its SPI")
        child = inbound.child
        try:
            number = inbound.window.whole(sequence_of(packet), bool(child.suite.esn))
            if not inbound.window.is_new(number):
                return self._refused("it was received already, or is too old to tell")
            opened = open_packet(child.suite, inbound.keys, number, packet)
            self._inbound[child.spi_in] = inbound._replace(window=inbound.window.received(number))
            return self._deliver(child, opened, ecn, newest=number > inbound.window.top)
        except Dropped as error:
            return self._refused(error.reason)

    def _deliver(self, child: ChildSa, opened: Opened, ecn: int, *, newest: bool) -> Delivered | Refused:
        if opened.next_header == NO_NEXT_HEADER:
            return self._refused("a dummy, which only hides that there is no traffic")
        if opened.next_header not in inner.IP_IN_IP.values():
            return self._refused(f"IP protocol {opened.next_header} is in it where an IP packet should be")
        what = inner.read(opened.payload)
        if inner.IP_IN_IP[what.version] != opened.next_header:
            return self._refused("its IP version is not what ESP says")
        if not allows(child, what, inbound=True):
            return self._refused("it is not what the selectors of its Child SA allow")
        marked = inner.decapsulated_ecn(what.ecn, ecn)
        if marked is None:
            return self._refused("congestion, and the packet can't tell of it")
        packet = opened.payload[: what.length]
        self._count(True, child.spi_in, len(packet))
        return Delivered(packet if marked == what.ecn else inner.with_ecn(packet, marked), child.spi_in, newest)

    def _count(self, is_inbound: bool, spi: bytes, octets: int) -> None:
        packets, total = self.counted.get((is_inbound, spi), (0, 0))
        self.counted[is_inbound, spi] = packets + 1, total + octets

    def _refused(self, reason: str, packet: inner.Inner | None = None) -> Refused:
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
        return Refused(reason, packet)


def allows(child: ChildSa, packet: inner.Inner, *, inbound: bool) -> bool:
    """Whether the selectors of a Child SA allow a packet (RFC 4301 sections 4.4.1 and 5.2).

    A fragment without ports needs a selector for any port, or for OPAQUE ones, or that both ends said
    NON_FIRST_FRAGMENTS_ALSO (7296-1.3.1-12).
    """
    source, destination = packet.source, packet.destination
    if inbound:
        source, destination = destination, source
    local, remote = child.local_ts, child.remote_ts
    if packet.fragment and child.options.non_first_fragments:
        local, remote = _any_port(local), _any_port(remote)
    return covered(source, local) and covered(destination, remote)


def covered(one: TrafficSelector, selectors: tuple[TrafficSelector, ...]) -> bool:
    """Whether one of the selectors has all of `one`."""
    return any(covers(each, one) for each in selectors)


def _any_port(selectors: tuple[TrafficSelector, ...]) -> tuple[TrafficSelector, ...]:
    return tuple(each._replace(start_port=0, end_port=65535) for each in selectors)


def _why_not(child: ChildSa) -> str:
    if child.protocol_id != ProtocolId.ESP:
        return "AH is not carried"
    if child.transport:
        return "transport mode is not carried"
    if not supports(child.suite):
        return "its algorithms can't be carried"
    return "" if child.keys is not None else "a Child SA without keys can't be carried"


def _outbound_key(child: ChildSa) -> bytes:
    return child.spi_out + child.spi_in
