"""Addresses and ports, with NATs and without (Sections 2.11, 2.23 and 3.1): what is sent where, and what moves it."""

from dataclasses import replace

import pytest
from ikeref_properties.network import ADDRESS, ENDS, PEER, A, B, Flight, Pair, Record, connection

from ikeref import sa
from ikeref.esp import Carrier, Delivered, Sealed
from ikeref.net.dataplane import RecordingDataPlane
from ikeref.net.transport import Node
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Path, Phase, nat
from ikeref.sa.outputs import Install, Transmit
from ikeref.wire import N, decode
from ikeref.wire.encapsulation import KEEPALIVE, Esp, Ike, Keepalive, split
from tests.conformance.sections import corpus
from tests.unit.esp.test_carrier import BACK, Wire
from tests.unit.esp.test_carrier import THERE as PACKET
from tests.unit.sa.test_transport_mode import Natted

NATS = ((), (A,), (B,), (A, B))


def natted(*behind: str, settings: Settings | None = None) -> Natted:
    """Two ends that have an IKE SA, some of them behind a NAT."""
    made = Natted(9, settings=settings)
    made.behind = behind
    made.establish()
    return made


def sent(record: Record) -> list[Transmit]:
    return [output for output in record.outputs if type(output) is Transmit]


def arrive(ends: Pair, flight: Flight, remote: tuple[str, int]) -> Record:
    """A datagram that comes from another address than that from which it was sent."""
    ends.flying.remove(flight)
    path = Path(flight.path.remote, remote, flight.path.encapsulated)
    receive = ends.ends[flight.to].receive
    return ends._step(flight.to, flight, lambda: receive(flight.datagram, path, ends.now))


def path(ends: Pair, end: str) -> Path:
    (ike,) = ends.ikes(end)
    return ike.path


# --- Ports ---------------------------------------------------------------------------------------------------------


def test_2_23_01_messages_go_from_500_or_4500_to_500_or_4500() -> None:
    """And with other ports in policy they don't."""
    paths = {each.path for each in corpus.sent()}
    assert {port for each in paths for _, port in (each.local, each.remote)} == {500, 4500}
    ends = Pair(1, connections={end: connection(end) for end in ENDS})
    odd = Path(("192.0.2.1", 501), ("192.0.2.2", 500))
    _, outputs = ends.ends[A].initiate(ends.connections[A], odd, 0.0)
    assert [each.path.local[1] for each in outputs if type(each) is Transmit] == [501]


@pytest.mark.parametrize("port", [500, 4500, 61000, 1])
@pytest.mark.parametrize("host", ["192.0.2.1", "203.0.113.7"])
def test_2_23_02_any_source_port_is_answered_there(host: str, port: int) -> None:
    """7296-2.23-02, 7296-2.23-03, 7296-3.1-02: also where address and port are not those of the sender."""
    ends = Pair(1)
    ends.initiate(A)
    record = arrive(ends, ends.flying[0], (host, port))
    (answer,) = sent(record)
    assert answer.message is not None
    assert answer.message.is_response
    assert answer.path == Path(ADDRESS[B], (host, port))


@pytest.mark.parametrize("behind", NATS, ids=["no NAT", "initiator", "responder", "both"])
def test_2_23_05_behind_a_nat_all_goes_from_port_4500(behind: tuple[str, ...]) -> None:
    """7296-2.23-05, 7296-2.23-08, 7296-2.23-11, 7296-2.23-19, 7296-2.23-23, 7296-2.23-24, 7296-2.23-25, 7296-2.23-26.

    Without one all stays on port 500, without marker, and so does ESP.
    """
    ends = natted(*behind)
    for end in ENDS:
        ends.command(end, sa.RekeyIke())
        ends.deliver_all()
        ends.command(end, sa.CheckLiveness())
        ends.deliver_all()
    port = 4500 if behind else 500
    later = [each for each in ends.past if each.message is not None and each.message.exchange_type != 34]
    assert len(later) > 8
    for flight in later:
        assert (flight.path.local[1], flight.path.remote[1]) == (port, port)
        assert flight.path.encapsulated is bool(behind)
        assert (flight.datagram[:4] == bytes(4)) is bool(behind)
        octets = flight.datagram[4:] if behind else flight.datagram
        assert decode(octets).message_id == flight.message.message_id  # type: ignore[union-attr]  # no keepalive
    installed = [output for record in ends.records for output in record.outputs if type(output) is Install]
    assert {(each.path.encapsulated, each.path.remote[1]) for each in installed} == {(bool(behind), port)}
    for end in ENDS:
        (ike,) = ends.ikes(end)
        assert (ike.nat_local, ike.nat_remote) == (end in behind, PEER[end] in behind)


def test_2_23_06_port_4500_may_be_used_from_the_start() -> None:
    ends = Pair(1)
    begun = Path((ADDRESS[A][0], 4500), (ADDRESS[B][0], 4500), encapsulated=True)
    _, outputs = ends.ends[A].initiate(ends.connections[A], begun, 0.0)
    ends.flying += [
        Flight(index, B, each.datagram, each.path, each.message)
        for index, each in enumerate(outputs)
        if type(each) is Transmit
    ]
    ends.deliver_all()
    assert [ike.phase for end in ENDS for ike in ends.ikes(end)] == [Phase.ESTABLISHED] * 2
    assert {path(ends, end).local[1] for end in ENDS} == {4500}
    assert not any(ike.nat_local or ike.nat_remote for end in ENDS for ike in ends.ikes(end))


def test_2_23_26_the_first_four_octets_tell_ike_from_esp() -> None:
    message = corpus.sent()[0].datagram
    assert split(bytes(4) + message) == Ike(message)
    assert split(b"\0\0\0\1" + message) == Esp(b"\0\0\0\1", b"\0\0\0\1" + message)
    assert split(KEEPALIVE) == Keepalive()


@pytest.mark.parametrize("behind", NATS, ids=["no NAT", "initiator", "responder", "both"])
def test_2_23_07_esp_on_port_4500_is_no_ike(behind: tuple[str, ...]) -> None:
    """It is left to who carries packets, NAT or not; the same octets behind a marker are taken for IKE and dropped."""
    ends = natted(*behind)
    packet = ends.children(B)[0].spi_in + b"\0\0\0\1" + bytes(40)
    where = Path((ADDRESS[B][0], 4500), (ADDRESS[A][0], 4500), encapsulated=True)
    before = ends.sessions(B)
    assert ends.ends[B].receive(packet, where, ends.now) == ()
    (audit,) = ends.ends[B].receive(bytes(4) + packet, where, ends.now)
    assert type(audit) is sa.Audit
    assert ends.sessions(B) == before


# --- Detection -----------------------------------------------------------------------------------------------------

SPIS = b"initiate", bytes(8)
HERE, THERE = ("192.0.2.1", 500), ("192.0.2.2", 500)


def notified(kind: int, *addresses: tuple[str, int]) -> tuple[N, ...]:
    return tuple(N(kind, nat.digest(*SPIS, address)) for address in addresses)


SOURCE, DESTINATION = NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP
OTHER = ("10.0.0.1", 500)
DETECTED = {
    "as sent": ((THERE,), (HERE,), (False, False)),
    "another source": ((OTHER,), (HERE,), (False, True)),
    "another source port": (((THERE[0], 1024),), (HERE,), (False, True)),
    "another destination": ((THERE,), (OTHER,), (True, False)),
    "both": ((OTHER,), (OTHER,), (True, True)),
    "one of several sources": ((OTHER, ("10.0.0.2", 500), THERE), (HERE,), (False, False)),
    "none of several sources": ((OTHER, ("10.0.0.2", 500)), (HERE,), (False, True)),
    "nothing is said": ((), (), (False, False)),
}


@pytest.mark.parametrize("case", DETECTED)
def test_2_23_18_hashes_are_compared(case: str) -> None:
    """7296-2.23-16, 7296-2.23-18, 7296-2.23-23."""
    sources, destinations, found = DETECTED[case]
    payloads = notified(SOURCE, *sources) + notified(DESTINATION, *destinations)
    assert nat.detect(payloads, *SPIS, Path(HERE, THERE)) == found


def test_2_23_12_without_nat_detection_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends that do not take part in NAT traversal: the IKE SA comes up and stays on port 500, even through a NAT."""
    assert {path(natted(A), end).local[1] for end in ENDS} == {4500}
    monkeypatch.setattr(nat, "notifications", lambda *_, **__: ())
    for behind in NATS:
        ends = natted(*behind)
        assert [ike.phase for end in ENDS for ike in ends.ikes(end)] == [Phase.ESTABLISHED] * 2
        assert {path(ends, end).local[1] for end in ENDS} == {500}


def test_2_23_20_a_mismatch_is_no_reason_to_reject() -> None:
    """7296-2.23-20, 7296-2.23-22: NAT traversal goes on instead, whichever hash does not fit."""
    for behind in NATS:
        ends = natted(*behind)
        assert len(ends.children(A)) == len(ends.children(B)) == 1
        assert path(ends, A).encapsulated is bool(behind)


def test_2_23_10_either_side_may_ask_for_encapsulation() -> None:
    """An end that pretends a NAT has both ends encapsulate; without that nobody does."""
    for forced, port in ((A, 4500), (B, 4500), ("", 500)):
        policies = {end: replace(connection(end), force_encapsulation=end == forced) for end in ENDS}
        ends = Pair(3, connections=policies).establish()
        assert {path(ends, end).local[1] for end in ENDS} == {port}


# --- Keepalives ----------------------------------------------------------------------------------------------------


def keepalives(ends: Pair, end: str, seconds: float) -> list[float]:
    """When an end sends keepalives, in so many seconds of silence."""
    start, first = ends.now, len(ends.records)
    for _ in range(100):
        due = [each for other in ENDS if (each := ends.ends[other].next_deadline()) is not None]
        if not due or min(due) > start + seconds:
            break
        ends.advance()
        ends.deliver_all()
    idle = [each for each in ends.records[first:] if each.end == end]
    return [each.now - start for each in idle if any(out.datagram == KEEPALIVE for out in sent(each))]


@pytest.mark.parametrize("behind", NATS, ids=["no NAT", "initiator", "responder", "both"])
@pytest.mark.parametrize("end", ENDS)
def test_2_23_21_who_is_behind_a_nat_sends_keepalives_while_idle(behind: tuple[str, ...], end: str) -> None:
    """Every 20 seconds, and nobody else does."""
    ends = natted(*behind)
    assert keepalives(ends, end, 70) == ([20.0, 40.0, 60.0] if end in behind else [])


def test_2_23_21_who_is_busy_sends_no_keepalive() -> None:
    """Twenty seconds count from what was sent last, whatever it was."""
    ends = natted(A)
    ends.now += 15
    ends.command(A, sa.CheckLiveness())
    ends.deliver_all()
    assert keepalives(ends, A, 25) == [20.0]


# --- A NAT has a new mapping ---------------------------------------------------------------------------------------

NEW = ("203.0.113.99", 31337)


@pytest.mark.parametrize("behind", NATS, ids=["no NAT", "initiator", "responder", "both"])
@pytest.mark.parametrize("end", ENDS)
def test_2_23_30_who_is_not_behind_a_nat_follows_a_request(behind: tuple[str, ...], end: str) -> None:
    """7296-2.23-30, 7296-2.23-31, 7296-2.23-32: the answer goes where the request came from, and all that follows goes
    there, ESP too, from an end that is not behind a NAT itself."""
    ends = natted(*behind)
    peer, before = PEER[end], path(ends, end)
    ends.command(peer, sa.CheckLiveness())
    record = arrive(ends, ends.flying[0], NEW)
    assert [each.path.remote for each in sent(record)] == [NEW]
    assert path(ends, end) == (before if end in behind else before._replace(remote=NEW))
    moved = [output for output in record.outputs if type(output) is sa.Moved]
    assert [(each.path.remote, each.children) for each in moved] == (
        [] if end in behind else [(NEW, tuple(ends.children(end)))]
    )
    ends.flying.clear()
    ends.command(end, sa.CheckLiveness())
    assert ends.flying[-1].path.remote == (before.remote if end in behind else NEW)


@pytest.mark.parametrize("behind", NATS, ids=["no NAT", "initiator", "responder", "both"])
def test_2_23_30_a_response_is_followed_too_and_retransmissions_follow(behind: tuple[str, ...]) -> None:
    ends = natted(*behind, settings=Settings(window_size=2))
    before = path(ends, B)
    ends.command(B, sa.CheckLiveness())
    ends.command(B, sa.CreateChild("web"))
    first, second = ends.flying
    ends.lose(second)
    ends.deliver(first)
    arrive(ends, ends.flying[-1], NEW)
    assert path(ends, B) == (before if B in behind else before._replace(remote=NEW))
    ends.advance()
    again = next(each for each in ends.flying if each.to == A and each.again)
    assert again.datagram == second.datagram
    assert again.path.remote == (before.remote if B in behind else NEW)


def test_2_23_33_what_was_here_before_moves_nothing() -> None:
    """An old request from elsewhere gets its answer again, there; and what is not authentic gets none."""
    ends = natted(A)
    before = path(ends, B)
    ends.command(A, sa.CheckLiveness())
    flight = ends.flying[0]
    ends.deliver(flight, keep=True)
    again = arrive(ends, flight, NEW)
    assert [each.path.remote for each in sent(again)] == [NEW]
    assert path(ends, B) == before
    ends.deliver_all()
    ends.command(A, sa.CheckLiveness())
    forged = ends.flying[0]._replace(datagram=ends.flying[0].datagram[:-1] + b"\0")
    ends.flying[0] = forged
    assert not sent(arrive(ends, forged, NEW))
    assert path(ends, B) == before


def test_2_23_34_mobike_is_never_announced() -> None:
    """So nothing takes the place of what is said above."""
    said = {p.type for each in corpus.sent() for p in each.message.payloads if type(p) is N}
    assert NotifyType.MOBIKE_SUPPORTED not in said
    assert NotifyType.NAT_DETECTION_SOURCE_IP in said


# --- ESP in UDP and without ----------------------------------------------------------------------------------------


class Plane(RecordingDataPlane):
    """A data plane that takes ESP."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__()
        self.carrier = carrier
        self.results: list[object] = []

    def arrived(self, packet: bytes, path: Path, ecn: int) -> None:  # noqa: ARG002
        self.results.append(self.carrier.receive(packet, ecn))


def test_2_23_27_esp_in_udp_is_processed_though_no_nat_was_found() -> None:
    """7296-2.23-09, 7296-2.23-27: and so is the same without UDP. Altered is the SPI, to the marker of IKE: then it is
    no ESP. 7296-2.23-10: who gets ESP in UDP still sends its own without."""
    esp = Wire()
    plane = Plane(esp.b.carrier)
    node = Node(esp.b.endpoint, data_plane=plane)
    where = Path(("192.0.2.2", 4500), ("192.0.2.1", 4500), encapsulated=True)
    in_udp, plain, other = (esp.a.carrier.send(PACKET) for _ in "123")
    assert isinstance(in_udp, Sealed)
    assert isinstance(plain, Sealed)
    assert isinstance(other, Sealed)
    assert not in_udp.path.encapsulated
    node.arrived(in_udp.packet, where)
    plane.arrived(plain.packet, where, 0)
    node.arrived(bytes(4) + other.packet[4:], where)
    assert [type(each) for each in plane.results] == [Delivered, Delivered]
    answer = esp.b.carrier.send(BACK)
    assert isinstance(answer, Sealed)
    assert not answer.path.encapsulated
