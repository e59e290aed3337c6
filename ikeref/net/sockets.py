"""Sockets that tell the ECN field of what arrives and set that of what leaves (Section 2.24).

One kind is UDP, for IKE and for ESP in UDP; the other is IP protocol 50, for ESP by itself (Section 2.23).
"""

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from ikeref.sa.values import Address

_log = logging.getLogger("ikeref.net")

Arrival = Callable[[bytes, Address, int], None]
"""(octets, where from, ECN field of the IP header)."""

Report = Callable[[Address], None]
"""ICMP says that what was sent there did not arrive. Anyone can forge that."""

_OCTETS: Final = 65535
_AT_ONCE: Final = 64
"""Datagrams read in one go, before other sockets and timers have their turn."""
_ECN: Final = 3
_RECVERR: Final = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR of Linux, which Python does not name."""
_ICMP: Final = (2, 3)
"""SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6, of errors that the network reports."""


class Port:
    """One socket, bound to one address. What can't be sent at once is lost, as on any network."""

    def __init__(self, real: socket.socket, arrival: Arrival, report: Report | None = None) -> None:
        self._real = real
        self._arrival = arrival
        self._report = report if sys.platform == "linux" else None
        """Who is told of ICMP; elsewhere nobody is."""
        self._ecn = 0
        self.name: Address = real.getsockname()[:2]
        """Its address and real port."""
        six = real.family == socket.AF_INET6
        self._level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
        self._field = socket.IPV6_TCLASS if six else socket.IP_TOS
        real.setsockopt(self._level, socket.IPV6_RECVTCLASS if six else socket.IP_RECVTOS, 1)
        if self._report is not None:
            real.setsockopt(*_RECVERR[real.family], 1)
        real.setblocking(False)
        _enlarge(real)
        asyncio.get_running_loop().add_reader(real, self._readable)

    def send(self, octets: bytes, to: Address, ecn: int = 0) -> None:
        """Send, or lose, a datagram."""
        try:
            if ecn != self._ecn:
                self._real.setsockopt(self._level, self._field, ecn)
                self._ecn = ecn
            self._send(octets, to)
        except OSError as error:
            _log.info("a datagram to %s port %d is lost: %s", *to, error)

    def _send(self, octets: bytes, to: Address) -> None:
        try:
            self._real.sendto(octets, to)
        except OSError:
            if self._report is None:
                raise
            self._real.sendto(octets, to)  # the first one fails where ICMP has come, perhaps of another peer

    def close(self) -> None:
        """Close it at once."""
        if self._real.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._real)
            self._real.close()

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                octets, told, _, source = self._real.recvmsg(_OCTETS, 64)
            except BlockingIOError:
                self._read_reports()
                return
            except OSError as error:
                # ICMP is no reason to conclude that a peer is dead (7296-2.4-08).
                _log.info("the network said: %s", error)
                continue
            ecn = next((data[0] & _ECN for _, _, data in told if data), 0)
            self._arrival(octets, source[:2], ecn)
            if self._real.fileno() < 0:  # closed by what it led to
                return

    def _read_reports(self) -> None:
        """What the network says of datagrams that were sent: a hint (Section 2.21.4)."""
        report = self._report
        if report is None:
            return
        for _ in range(_AT_ONCE):
            try:
                _, told, _, about = self._real.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            for level, kind, data in told:
                if (level, kind) == _RECVERR[self._real.family] and struct.unpack_from("=IB", data)[1] in _ICMP:
                    report(about[:2])
            if self._real.fileno() < 0:
                return


def udp_port(host: str, port: int, arrival: Arrival, report: Report | None = None) -> Port:
    """A UDP socket on one address of this machine; port 0 takes a free one. OSError where it can't be had."""
    return Port(_bound(host, port, socket.SOCK_DGRAM, 0), arrival, report)


def esp_port(host: str, arrival: Arrival) -> Port:
    """A socket for ESP as IP protocol 50. OSError where it can't be had: it needs root."""
    if ip_address(host).version == 6:
        return Port(_bound(host, 0, socket.SOCK_RAW, socket.IPPROTO_ESP), arrival)

    def without_header(octets: bytes, source: Address, ecn: int) -> None:
        arrival(octets[4 * (octets[0] & 15) :], source, ecn)  # IPv4 gives the IP header too

    return Port(_bound(host, 0, socket.SOCK_RAW, socket.IPPROTO_ESP), without_header)


def _bound(host: str, port: int, kind: int, protocol: int) -> socket.socket:
    family = socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6
    real = socket.socket(family, kind, protocol)
    try:
        real.bind((host, port))
    except OSError:
        real.close()
        raise
    return real


def _enlarge(real: socket.socket) -> None:
    """Room for bursts: many handshakes at once overflow the default buffer. The system may grant less."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        try:
            real.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        except OSError:
            _log.debug("the socket buffer stays as it is")
