"""What sockets and the tunnel tell IKE: ICMP, and ESP packets whose SPI nobody has (Sections 1.5, 2.4, 2.21.4)."""

import asyncio
import os
import socket
import sys

import pytest

from ikeref.esp import Sealed
from ikeref.net import tunnel as module
from ikeref.net.clock import ManualClock
from ikeref.net.transport import Bind, Event, Node, Sent
from ikeref.net.tunnel import Ask, Tunnel
from ikeref.sa.values import Path
from tests.unit.esp.test_carrier import THERE, Wire
from tests.unit.net.test_transport import Echo

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of ICMP on such sockets")


def closed_port(host: str) -> tuple[str, int]:
    """Where nobody listens."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        name: tuple[str, int] = probe.getsockname()[:2]
        return name


@needs_linux
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_s2_21_4_icmp_is_told_as_a_hint_and_costs_no_datagram(host: str) -> None:
    """7296-2.21.4-09: with the address that it is about. What goes to another peer next is not lost."""

    async def run() -> None:
        node, nobody = Node(engine := Echo()), closed_port(host)
        found: list[tuple[bytes, int]] = []
        (here,) = await node.start([Bind(host, 0, False)])
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.setblocking(False)
            peer.bind((host, 0))
            for number in range(3):
                node.initiate(None, Path(here, nobody))  # type: ignore[arg-type]  # the echo does not look at it
                node.initiate(None, Path(here, peer.getsockname()[:2]))  # type: ignore[arg-type]  # as above
                got = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 100), 5)
                for _ in range(50):
                    if len(engine.hints) > number:
                        break
                    await asyncio.sleep(0.02)
                found.append((got, len(engine.hints)))
        await node.close()
        assert found == [(b"hello", 1), (b"hello", 2), (b"hello", 3)]
        assert set(engine.hints) == {Path(here, nobody)}

    asyncio.run(run())


class Pipe:
    """A TUN device that nobody sends to."""

    name = "tun9"

    def __init__(self) -> None:
        self._ends = os.pipe2(os.O_NONBLOCK)
        self.written: list[bytes] = []

    def fileno(self) -> int:
        return self._ends[0]

    def read(self, size: int) -> bytes:
        return os.read(self._ends[0], size)

    def write(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


def test_s1_5_the_tunnel_tells_of_packets_that_nobody_has_and_a_flood_makes_few_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """7296-1.5-02, 7296-2.21.4-11: over the IKE SA with their sender, once in `hint_seconds`. Packets of a Child SA
    that there is are told to nobody, whole or forged."""
    monkeypatch.setattr(module, "_open", lambda _: Pipe())
    monkeypatch.setattr(module, "_ip", lambda *_: None)
    wire = Wire()
    clock = ManualClock()
    events: list[Event] = []

    async def run() -> None:
        tunnel = Tunnel("tun9")
        tunnel.carrier = wire.b.carrier
        node = Node(wire.b.endpoint, data_plane=tunnel, clock=clock, observers=[lambda event, _: events.append(event)])
        nothing = lambda *_: None  # noqa: E731
        tunnel.start(node, (), Ask(nothing, nothing, nothing, node.unknown_spi))
        (session,) = wire.b.endpoint.sessions.values()
        assert session.current is not None
        path = session.current.path._replace(encapsulated=True)
        sealed = wire.a.carrier.send(THERE)
        assert isinstance(sealed, Sealed)
        node.arrived(sealed.packet, path)
        node.arrived(sealed.packet, path)
        node.arrived(sealed.packet[:-1] + b"\0", path)
        assert not events
        for number in range(500):
            node.arrived((0x1000 + number).to_bytes(4) + sealed.packet[4:], path)
        assert len([event for event in events if isinstance(event, Sent)]) == 1
        await node.close()
        tunnel.close()

    asyncio.run(run())


def test_s1_5_a_packet_that_came_without_udp_is_told_to_the_port_of_ike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a stranger: one unprotected message, from the port of this end."""
    monkeypatch.setattr(module, "_open", lambda _: Pipe())
    monkeypatch.setattr(module, "_ip", lambda *_: None)
    opened = []

    class Raw:
        def close(self) -> None:
            pass

    def esp_port(host: str, arrival: object) -> Raw:
        opened.append((host, arrival))
        return Raw()

    monkeypatch.setattr(module, "esp_port", esp_port)
    told: list[tuple[bytes, Path]] = []

    async def run() -> None:
        tunnel = Tunnel("tun9")
        nothing = lambda *_: None  # noqa: E731
        ask = Ask(nothing, nothing, nothing, lambda spi, path: told.append((spi, path)))
        tunnel.start(Node(Echo()), [("192.0.2.1", 500), ("192.0.2.1", 501), ("192.0.2.9", 700)], ask)
        for _, arrival in opened:
            arrival(bytes.fromhex("00001234") + bytes(40), ("192.0.2.2", 0), 0)  # type: ignore[operator]
            arrival(b"\0\0\1", ("192.0.2.2", 0), 0)  # type: ignore[operator]
        tunnel.close()

    asyncio.run(run())
    assert [host for host, _ in opened] == ["192.0.2.1", "192.0.2.9"]
    assert told == [
        (bytes.fromhex("00001234"), Path((host, port), ("192.0.2.2", 500)))
        for host, port in (("192.0.2.1", 500), ("192.0.2.9", 700))
    ]


def test_s1_7_packets_are_taken_in_udp_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-1.7-06: one of either kind, of the same Child SA."""
    device = Pipe()
    monkeypatch.setattr(module, "_open", lambda _: device)
    monkeypatch.setattr(module, "_ip", lambda *_: None)
    wire = Wire()
    tunnel = Tunnel("tun9")
    tunnel.carrier = wire.b.carrier
    (session,) = wire.b.endpoint.sessions.values()
    assert session.current is not None
    for number, encapsulated in enumerate((True, False, True, False), 1):
        sealed = wire.a.carrier.send(THERE)
        assert isinstance(sealed, Sealed)
        tunnel.arrived(sealed.packet, session.current.path._replace(encapsulated=encapsulated), 0)
        assert device.written == [THERE] * number
    tunnel.close()
