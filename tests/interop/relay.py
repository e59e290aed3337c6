"""A bridge of ours between two network interfaces that loses datagrams by a seeded plan.

Frames are carried as they are, so both ends see each other's true addresses. UDP datagrams over IPv4 may be lost;
everything else (ARP) always passes. Whether the n-th datagram of a direction is lost depends on the seed alone.
"""

from __future__ import annotations

import ctypes
import fcntl
import random
import selectors
import socket
import struct
import threading

from tests.interop.journal import Carried
from tests.interop.lab import Link, in_namespace

_EVERY_PROTOCOL = 0x0003
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_IPV4 = b"\x08\x00"
_UDP = 17


class Bridge:
    """Carries frames from end to end of a link until it is closed.

    `loss` is the share of datagrams that are lost in each direction. `journal` holds every datagram that was seen.
    """

    def __init__(self, link: Link, *, loss: float = 0.0, seed: int = 0) -> None:
        for end in (link.ours, link.theirs):
            _checksum_in_software(end.namespace, end.interface)
        self.link = link
        self.journal: list[Carried] = []
        self.loss = loss
        self._plans = {"ours": random.Random(f"{seed} ours"), "theirs": random.Random(f"{seed} theirs")}
        self._left, self._right = in_namespace(link.middle, lambda: (_open("left"), _open("right")))
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._carry, name="bridge")
        self._thread.start()

    def close(self) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for each in (self._wake, self._woken, self._left, self._right):
            each.close()

    def lost(self, direction: str) -> int:
        """How many datagrams of this direction were lost so far."""
        return sum(each.lost for each in self.journal if each.direction == direction)

    def _carry(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ, None)
            selector.register(self._left, selectors.EVENT_READ, ("ours", self._right))
            selector.register(self._right, selectors.EVENT_READ, ("theirs", self._left))
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    direction, onward = key.data
                    self._forward(key.fileobj, direction, onward)

    def _forward(self, source: object, direction: str, onward: socket.socket) -> None:
        assert isinstance(source, socket.socket)
        frame, (_, _, packet_type, _, _) = source.recvfrom(65535)
        if packet_type == socket.PACKET_OUTGOING:  # type: ignore[attr-defined, unused-ignore]
            return
        datagram = udp_payload(frame)
        if datagram is not None:
            lost = self._plans[direction].random() < self.loss
            number = sum(each.direction == direction for each in self.journal)
            self.journal.append(Carried(direction, number, datagram, lost))
            if lost:
                return
        onward.send(frame)


def udp_payload(frame: bytes) -> bytes | None:
    """The payload of the UDP datagram in an Ethernet frame, or None when there is none (IPv4 only)."""
    if len(frame) < 34 or frame[12:14] != _IPV4 or frame[23] != _UDP:
        return None
    header = 4 * (frame[14] & 0x0F)
    total = int.from_bytes(frame[16:18])
    return frame[14 + header + 8 : 14 + total]


def _open(interface: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    raw.bind((interface, _EVERY_PROTOCOL))
    return raw


def _checksum_in_software(namespace: str, interface: str) -> None:
    """Have the kernel fill in transport checksums before a frame leaves this virtual interface.

    Otherwise it leaves that to hardware, which a veth pair has not, and the carried frames would arrive damaged.
    """

    def switch() -> None:
        setting = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_STXCSUM, 0))
        request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(setting))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCETHTOOL, request)

    in_namespace(namespace, switch)
