"""Sockets that tell the ECN field of what arrives and set that of what leaves (Section 2.24).

One kind is UDP, for IKE and for ESP in UDP; the other is IP protocol 50, for ESP by itself (Section 2.23).
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from ikeref.sa.values import Address

_log = logging.getLogger("ikeref.net")

Arrival = Callable[[bytes, Address, int], None]
"""(octets, where from, ECN field of the IP header)."""

_OCTETS: Final = 65535
_AT_ONCE: Final = 64
"""Datagrams read in one go, before other sockets and timers have their turn."""
_ECN: Final = 3


class Port:
    """One socket, bound to one address. What can't be sent at once is lost, as on any network."""

    def __init__(self, real: socket.socket, arrival: Arrival) -> None:
        self._real = real
        self._arrival = arrival
        self._ecn = 0
        self.name: Address = real.getsockname()[:2]
        """Its address and real port."""
        six = real.family == socket.AF_INET6
        self._level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
        self._field = socket.IPV6_TCLASS if six else socket.IP_TOS
        real.setsockopt(self._level, socket.IPV6_RECVTCLASS if six else socket.IP_RECVTOS, 1)
        real.setblocking(False)
        _enlarge(real)
        asyncio.get_running_loop().add_reader(real, self._readable)

    def send(self, octets: bytes, to: Address, ecn: int = 0) -> None:
        """Send, or lose, a datagram."""
        try:
            if ecn != self._ecn:
                self._real.setsockopt(self._level, self._field, ecn)
                self._ecn = ecn
            self._real.sendto(octets, to)
        except OSError as error:
            _log.info("a datagram to %s port %d is lost: %s", *to, error)

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
                return
            except OSError as error:
                # ICMP is no reason to conclude that a peer is dead (7296-2.4-08).
                _log.info("the network said: %s", error)
                continue
            ecn = next((data[0] & _ECN for _, _, data in told if data), 0)
            self._arrival(octets, source[:2], ecn)
            if self._real.fileno() < 0:  # closed by what it led to
                return


def udp_port(host: str, port: int, arrival: Arrival) -> Port:
    """A UDP socket on one address of this machine; port 0 takes a free one. OSError where it can't be had."""
    return Port(_bound(host, port, socket.SOCK_DGRAM, 0), arrival)


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
