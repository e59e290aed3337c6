"""Captures in pcapng: each datagram with IP and UDP headers around it, as it looked on the wire.

Headers are made, not seen: addresses and ports are those of the socket, checksums are right, there is no link layer. On
port 4500 the non-ESP marker is part of the datagram (Section 2.23).
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path as FilePath
from types import TracebackType
from typing import BinaryIO, Final

import dpkt

from ikeref.net.transport import Arrived, Event, Sent
from ikeref.sa.values import Address

_LINKTYPE_RAW: Final = 101
"""Packets begin with the IP header, of version 4 or 6."""
_HOPS: Final = 64


def packet(datagram: bytes, source: Address, destination: Address) -> bytes:
    """The IPv4 or IPv6 packet that carries a datagram from one address to another."""
    length = 8 + len(datagram)
    udp = dpkt.udp.UDP(sport=source[1], dport=destination[1], ulen=length, data=datagram)
    sender, receiver = ip_address(source[0]), ip_address(destination[0])
    if sender.version == 4:
        whole = dpkt.ip.IP(src=sender.packed, dst=receiver.packed, p=dpkt.ip.IP_PROTO_UDP, ttl=_HOPS, data=udp)
        whole.len = 20 + length
        return bytes(whole)
    whole = dpkt.ip6.IP6(
        src=sender.packed, dst=receiver.packed, nxt=dpkt.ip.IP_PROTO_UDP, hlim=_HOPS, plen=length, data=udp
    )
    whole.extension_hdrs, whole.all_extension_headers, whole.p = {}, [], dpkt.ip.IP_PROTO_UDP
    return bytes(whole)


class Capture:
    """A capture file, and an observer of what one node sends and receives.

    Where both ends write into one capture, `arrivals=False` at each keeps datagrams from standing there twice. `shown`
    gives addresses to be written as others: Wireshark knows IKE by ports 500 and 4500, and a run without privileges has
    neither.
    """

    def __init__(
        self, target: FilePath | BinaryIO, *, arrivals: bool = True, shown: Mapping[Address, Address] | None = None
    ) -> None:
        self._file: BinaryIO = target.open("wb") if isinstance(target, FilePath) else target
        self._writer = dpkt.pcapng.Writer(self._file, snaplen=0xFFFF, linktype=_LINKTYPE_RAW)
        self._arrivals = arrivals
        self._shown = dict(shown or {})

    def __call__(self, event: Event, at: float) -> None:
        """Record the event if it is a datagram."""
        if type(event) is Sent:
            path = event.transmit.path
            self.record(event.transmit.datagram, path.local, path.remote, at)
        elif type(event) is Arrived and self._arrivals:
            self.record(event.datagram, event.path.remote, event.path.local, at)

    def record(self, datagram: bytes, source: Address, destination: Address, at: float) -> None:
        """One datagram more, at a time of day in seconds since 1970."""
        ends = (self._shown.get(end, end) for end in (source, destination))
        self._writer.writepkt_time(packet(datagram, *ends), at)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> "Capture":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
