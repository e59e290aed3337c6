"""A bridge of ours between two network interfaces that loses datagrams by a seeded plan.

Frames are carried as they are, so both ends see each other's true addresses. UDP datagrams may be lost, or held back;
everything else (ARP) always passes. Whether the n-th datagram of a direction is lost depends on the seed alone.
"""

from __future__ import annotations

import random
import selectors
import socket
import threading
from contextlib import suppress

from tests.interop.journal import Carried
from tests.interop.lab import in_namespace
from tests.interop.link import Link

_EVERY_PROTOCOL = 0x0003
_IPV4 = b"\x08\x00"
_IPV6 = b"\x86\xdd"
_UDP = 17


class Bridge:
    """Carries frames from end to end of a link until it is closed.

    `loss` is the share of datagrams that are lost in each direction. `journal` holds every datagram that was seen.
    """

    def __init__(self, link: Link, *, loss: float = 0.0, seed: int = 0) -> None:
        self.link = link
        self.journal: list[Carried] = []
        self.loss = loss
        self.lose_next: tuple[str, int] | None = None
        """Direction and exchange type of a message that is lost, once."""
        self._holding: frozenset[str] = frozenset()
        self._held: list[tuple[str, socket.socket, bytes]] = []
        self._lock = threading.Lock()
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

    def hold(self, *directions: str) -> None:
        """Keep the datagrams of these directions back until `release`."""
        with self._lock:
            self._holding = frozenset(directions)

    def release(self, but: str = "") -> None:
        """Let pass, in their order, what was held back, and all that comes; not what goes in the direction `but`."""
        with self._lock:
            self._holding = frozenset((but,) if but else ())
            for direction, onward, frame in self._held:
                if direction != but:
                    onward.send(frame)
            self._held = [each for each in self._held if each[0] == but]

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
            if self.lose_next == (direction, _exchange_type(datagram)):
                lost, self.lose_next = True, None
            number = sum(each.direction == direction for each in self.journal)
            self.journal.append(Carried(direction, number, datagram, lost, _ports(frame)))
            if lost:
                return
            with self._lock:
                if direction in self._holding:
                    self._held.append((direction, onward, frame))
                    return
        with suppress(OSError):  # An interface that is down loses what comes.
            onward.send(frame)


def udp_payload(frame: bytes) -> bytes | None:
    """The payload of the UDP datagram in an Ethernet frame, or None when there is none."""
    if len(frame) >= 54 and frame[12:14] == _IPV6 and frame[20] == _UDP:
        return frame[54 + 8 : 54 + int.from_bytes(frame[18:20])]
    if len(frame) < 34 or frame[12:14] != _IPV4 or frame[23] != _UDP:
        return None
    header = 4 * (frame[14] & 0x0F)
    total = int.from_bytes(frame[16:18])
    return frame[14 + header + 8 : 14 + total]


def _exchange_type(datagram: bytes) -> int:
    """Of an IKE message (Section 3.1); 0 for what is none."""
    message = datagram.removeprefix(bytes(4))
    return message[18] if len(message) >= 28 else 0


def _ports(frame: bytes) -> tuple[int, int]:
    """Source and destination port of the UDP datagram in an Ethernet frame."""
    at = 14 + (40 if frame[12:14] == _IPV6 else 4 * (frame[14] & 0x0F))
    return int.from_bytes(frame[at : at + 2]), int.from_bytes(frame[at + 2 : at + 4])


def _open(interface: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL))
    raw.bind((interface, _EVERY_PROTOCOL))
    return raw
