"""A node on real sockets."""

import asyncio
import dataclasses
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest

from ikeref.errors import LocalProtocolError
from ikeref.net.clock import ManualClock, monotonic
from ikeref.net.disturb import Profile
from ikeref.net.transport import Arrived, Bind, Event, Node, Sent, binds_for, source_address
from ikeref.policy.config import Connection, Settings
from ikeref.sa.certification import Fetched
from ikeref.sa.outputs import Audit, Closed, Established, Install, Output, Transmit
from ikeref.sa.values import Command, CreateChild, DeleteIke, Path, RekeyChild, RekeyIke


class Echo:  # its methods have the names and arguments of `Engine`, which they ignore
    """An endpoint that answers each datagram with the same, and notes what it is asked."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Path]] = []
        self.deadline: float | None = None
        self.ticks: list[float] = []
        self.hints: list[Path] = []

    def initiate(self, _connection: Connection, path: Path, _now: float) -> tuple[int, tuple[Output, ...]]:
        return 7, (Transmit(b"hello", path, None),)

    def command(self, number: int, _command: Command, _now: float) -> tuple[Output, ...]:
        raise LocalProtocolError(f"there is no session {number}")

    def receive(self, datagram: bytes, path: Path, _now: float) -> tuple[Output, ...]:
        self.received.append((datagram, path))
        return (Transmit(datagram, path, None),) if len(self.received) < 5 else ()

    def timer(self, now: float) -> tuple[Output, ...]:
        self.ticks.append(now)
        self.deadline = None
        return (Audit("tick"),)

    def next_deadline(self) -> float | None:
        return self.deadline

    def heard(self, _spi_in: bytes, _path: Path, _now: float) -> tuple[Output, ...]:
        return ()

    def hint(self, path: Path, _now: float) -> tuple[Output, ...]:
        self.hints.append(path)
        return ()

    def unknown_spi(self, spi: bytes, _path: Path, _now: float) -> tuple[Output, ...]:
        return (Audit(spi.hex()),)

    def not_installed(self, _spi_in: bytes, reason: str, _now: float) -> tuple[Output, ...]:
        return (Audit(reason),)

    def fetched(self, _answer: Fetched, _now: float) -> tuple[Output, ...]:
        return ()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("encapsulated", [False, True])
def test_s2_11_a_datagram_is_answered_from_where_it_was_sent_to(host: str, encapsulated: bool) -> None:
    async def run() -> None:
        engine = Echo()
        node = Node(engine)
        (local,) = await node.start([Bind(host, 0, encapsulated)])
        assert local[0] == host
        assert local[1] != 0
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(5)
            peer.bind((host, 0))
            peer.sendto(b"ping", local)
            await node.wait_for(lambda: bool(engine.received), 5)
            answer, source = await asyncio.to_thread(peer.recvfrom, 100)
            assert (answer, source[:2]) == (b"ping", local)
            assert engine.received == [(b"ping", Path(local, peer.getsockname()[:2], encapsulated))]
        await node.close()

    asyncio.run(run())


def test_two_sockets_are_kept_apart() -> None:
    async def run() -> None:
        a, b = Node(Echo()), Node(engine := Echo())
        (here,) = await a.start([Bind("127.0.0.1", 0, False)])
        ike, nat = await b.start([Bind("127.0.0.1", 0, False), Bind("127.0.0.1", 0, True)])
        for target in (ike, nat):
            a.initiate(None, Path(here, target))  # type: ignore[arg-type]  # the echo does not look at it
        await b.wait_for(lambda: len(engine.received) >= 2, 5)
        assert {(path.local, path.encapsulated) for _, path in engine.received} == {(ike, False), (nat, True)}
        await a.close()
        await b.close()

    asyncio.run(run())


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_s2_23_a_wildcard_is_refused_because_nat_detection_needs_the_address(host: str) -> None:
    with pytest.raises(ValueError, match="wildcard"):
        asyncio.run(Node(Echo()).bind(Bind(host, 0, False)))


def test_sockets_open_all_or_none() -> None:
    async def run() -> None:
        node = Node(Echo())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, socket.socket(type=socket.SOCK_DGRAM) as probe:
            taken.bind(("127.0.0.1", 0))
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
            probe.close()
            with pytest.raises(OSError, match="in use"):
                await node.start([Bind("127.0.0.1", free, False), Bind("127.0.0.1", taken.getsockname()[1], True)])
        await asyncio.sleep(0.01)
        await node.start([Bind("127.0.0.1", free, False)])
        await node.close()

    asyncio.run(run())


def test_what_is_not_bound_can_not_be_sent_from() -> None:
    async def run() -> None:
        node = Node(Echo())
        with pytest.raises(LocalProtocolError, match=r"no socket is bound to 127\.0\.0\.1 port 500"):
            node.initiate(None, Path(("127.0.0.1", 500), ("127.0.0.1", 501)))  # type: ignore[arg-type]  # unused
        with pytest.raises(LocalProtocolError, match="no session 1"):
            node.command(1, DeleteIke())

    asyncio.run(run())


def test_7296_2_4_08_icmp_port_unreachable_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        node = Node(engine := Echo())
        (local,) = await node.start([Bind("127.0.0.1", 0, False)])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            nobody = gone.getsockname()
        for _ in range(3):
            node.initiate(None, Path(local, nobody))  # type: ignore[arg-type]  # the echo does not look at it
            await asyncio.sleep(0.01)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.sendto(b"still there?", local)
            await node.wait_for(lambda: bool(engine.received), 5)
        await node.close()

    with caplog.at_level(logging.INFO):
        asyncio.run(run())


def test_the_timer_fires_when_the_endpoint_wants_it_and_not_before() -> None:
    async def run() -> None:
        clock = ManualClock(100.0)
        events: list[Event] = []
        node = Node(engine := Echo(), clock=clock, observers=[lambda event, _: events.append(event)])
        await node.start([Bind("127.0.0.1", 0, False)])
        engine.deadline = 100.02
        node.arrived(b"x", Path(("127.0.0.1", 1), ("127.0.0.1", 2)))
        await asyncio.sleep(0)
        assert engine.ticks == []
        clock.advance(0.02)
        await node.wait_for(lambda: bool(engine.ticks), 5)
        assert engine.ticks == [100.02]
        assert Audit("tick") in events
        await node.close()

    asyncio.run(run())


def test_an_earlier_deadline_moves_the_timer_forward() -> None:
    async def run() -> None:
        node = Node(engine := Echo())
        for distance in (1000.0, 0.0):
            engine.deadline = monotonic() + distance
            node.arrived(b"x", Path(("127.0.0.1", 1), ("127.0.0.1", 2)))
        await node.wait_for(lambda: bool(engine.ticks), 5)
        await node.close()

    asyncio.run(run())


def test_waiting_ends_by_the_condition_or_by_the_time() -> None:
    async def run() -> None:
        node = Node(Echo())
        await node.wait_for(lambda: True)
        with pytest.raises(TimeoutError):
            await node.wait_for(lambda: False, 0.01)

    asyncio.run(run())


def test_closing_cancels_who_waits_and_ignores_what_comes_late() -> None:
    async def run() -> None:
        node = Node(engine := Echo())
        waiting = asyncio.ensure_future(node.wait_for(lambda: False))
        await asyncio.sleep(0)
        await node.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        node.arrived(b"late", Path(("127.0.0.1", 1), ("127.0.0.1", 2)))
        assert engine.received == []

    asyncio.run(run())


def test_the_source_address_is_the_one_that_the_route_has() -> None:
    assert source_address("127.0.0.1") == "127.0.0.1"


def test_each_port_of_each_address_is_bound_once(pair: Callable[..., Any]) -> None:
    connection = pair().a.connection
    ports = connection.local_port, connection.local_nat_port
    expected = (Bind("127.0.0.1", ports[0], False), Bind("127.0.0.1", ports[1], True))
    assert binds_for([connection, connection]) == expected
    assert binds_for([dataclasses.replace(connection, local_address=None)]) == expected
    with pytest.raises(LocalProtocolError, match="connection a needs a local_address"):
        binds_for([dataclasses.replace(connection, local_address=None, remote_address=None)])


# --- With the real endpoint ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("encapsulated", [False, True])
def test_two_ends_live_a_whole_life_on_loopback(pair: Callable[..., Any], host: str, encapsulated: bool) -> None:
    async def run() -> None:
        two = pair(host=host, encapsulated=encapsulated)
        number = await two.connect()
        two.a.node.command(number, CreateChild("net"))
        await two.settle(2)
        first = two.a.data_plane.pairs()
        two.a.node.command(number, RekeyChild(first[0][0]))
        await two.a.node.wait_for(
            lambda: len(two.a.data_plane.pairs()) == 2 and first[0] not in two.a.data_plane.pairs(), 10
        )
        two.a.node.command(number, RekeyIke())
        await two.b.node.wait_for(lambda: sum(type(event) is Established for event in two.b.events) == 2, 10)
        await two.a.node.wait_for(lambda: sum(type(event) is Closed for event in two.a.events) == 1, 10)
        two.a.node.command(number, DeleteIke())
        await two.settle(0)
        await two.close()
        for end in (two.a, two.b):
            assert end.data_plane.faults == []
            assert end.data_plane.open == {}
            ports = {event.path.local[1] for event in end.events if type(event) is Arrived}
            standard, nat = end.connection.local_port, end.connection.local_nat_port
            assert ports == ({standard, nat} if encapsulated else {standard})

    asyncio.run(run())


@pytest.mark.parametrize(
    "profile",
    [
        Profile(drop=0.3),
        Profile(drop_every=2),
        Profile(duplicate=0.5),
        Profile(duplicate_every=1),
        Profile(reorder_every=1),
        Profile(drop=0.2, duplicate=0.3, reorder=0.3),
    ],
    ids=str,
)
def test_s2_1_they_get_through_a_network_that_disturbs(pair: Callable[..., Any], profile: Profile) -> None:
    settings = Settings(retransmit_initial_seconds=0.02, retransmit_base=1.2, retransmit_tries=30)

    async def run() -> None:
        two = pair(disturbed=profile, settings=settings)
        number = await two.connect()
        two.a.node.command(number, CreateChild("net"))
        await two.settle(2)
        two.a.node.command(number, DeleteIke())
        await two.settle(0)
        await two.close()
        assert two.a.data_plane.faults == two.b.data_plane.faults == []
        sent = [event for end in (two.a, two.b) for event in end.events if type(event) is Sent]
        assert any(event.fate.dropped or event.fate.duplicated or event.fate.held for event in sent)

    asyncio.run(run())


def test_observers_see_a_datagram_before_what_it_leads_to(pair: Callable[..., Any]) -> None:
    async def run() -> None:
        two = pair()
        await two.connect()
        await two.close()
        kinds = [type(event) for event in two.b.events]
        assert kinds[0] is Arrived
        assert kinds.index(Install) > kinds.index(Sent) > kinds.index(Arrived)
        assert Transmit not in kinds

    asyncio.run(run())
