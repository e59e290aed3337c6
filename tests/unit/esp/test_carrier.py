"""Two ends that agree on Child SAs by IKE, and the packets that they carry (Sections 1.4.1, 2.8, 2.9, 2.24)."""

import os
from typing import NamedTuple

import pytest

from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.esp import Carrier, Delivered, Refused, Sealed
from ikeref.esp.carrier import LAST_OF, allows
from ikeref.esp.inner import CE, ECT_0, NOT_ECT, read, with_ecn
from ikeref.esp.packet import NO_NEXT_HEADER, Opened, seal_packet
from ikeref.policy import identities, proposals, selectors
from ikeref.policy.config import ChildConfig, Connection
from ikeref.policy.credentials import Secret
from ikeref.registry import ProtocolId
from ikeref.sa.outputs import Install, Moved, Output, Remove, Transmit
from ikeref.sa.values import Command, DeleteChild, Path, RekeyChild, RekeyIke
from tests.unit.esp.test_inner import PORTS, ipv4, ipv6

ADDRESS = {"a": ("192.0.2.1", 500), "b": ("192.0.2.2", 500)}
TRAFFIC = {"a": ("10.0.1.0/24[udp]", "fd00:1::/64"), "b": ("10.0.2.0/24[udp]", "fd00:2::/64")}


class End(NamedTuple):
    """An endpoint and its data plane."""

    name: str
    endpoint: Endpoint
    carrier: Carrier
    connection: Connection


class Wire:
    """Two ends; IKE datagrams go at once, or wait in `held`."""

    def __init__(self, esp: str = "aes128gcm16") -> None:
        self.a, self.b = end("a", esp), end("b", esp)
        self.held: list[tuple[End, Transmit]] = []
        self.holding = False
        path = Path(ADDRESS["a"], ADDRESS["b"])
        self.number, outputs = self.a.endpoint.initiate(self.a.connection, path, 0.0)
        self.perform(self.a, outputs)

    def perform(self, at: End, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            if isinstance(output, Transmit):
                if self.holding:
                    self.held.append((at, output))
                else:
                    self.pass_on(at, output)
            elif isinstance(output, Install):
                at.carrier.install(output)
            elif isinstance(output, Remove):
                at.carrier.remove(output)
            elif isinstance(output, Moved):
                at.carrier.moved(output)

    def pass_on(self, sender: End, transmit: Transmit) -> None:
        to = self.b if sender is self.a else self.a
        arrived = Path(transmit.path.remote, transmit.path.local, transmit.path.encapsulated)
        self.perform(to, to.endpoint.receive(transmit.datagram, arrived, 0.0))

    def command(self, command: Command) -> None:
        self.perform(self.a, self.a.endpoint.command(self.number, command, 0.0))

    @property
    def child(self) -> bytes:
        return self.a.endpoint.sessions[self.number].children[-1].spi_in


def end(name: str, esp: str) -> End:
    other = "ab".replace(name, "")
    local, remote = (tuple(selectors.from_text(text) for text in TRAFFIC[each]) for each in (name, other))
    connection = Connection(
        name=name,
        local_id=identities.parse(f"@{name}.example"),
        remote_id=identities.parse(f"@{other}.example"),
        local_auth=Secret(b"a shared key"),
        remote_auth=Secret(b"a shared key"),
        ike_proposals=proposals.parse("aes128gcm16-prfsha256-x25519", ProtocolId.IKE),
        children=(ChildConfig("net", proposals.parse(esp, ProtocolId.ESP), local, remote),),
        local_address=ADDRESS[name][0],
        remote_address=ADDRESS[other][0],
    )
    return End(name, Endpoint((connection,), RealCrypto(), os.urandom), Carrier(os.urandom), connection)


THERE = ipv4("10.0.1.1", "10.0.2.2", 17, PORTS)
BACK = ipv4("10.0.2.2", "10.0.1.1", 17, PORTS)
THERE_6 = ipv6("fd00:1::1", "fd00:2::2", 6, PORTS)


def carried(sender: End, to: End, packet: bytes, ecn: int | None = None) -> bytes | str:
    """What comes out at the other end, or why nothing does."""
    sealed = sender.carrier.send(packet)
    if isinstance(sealed, Refused):
        return sealed.reason
    delivered = to.carrier.receive(sealed.packet, sealed.ecn if ecn is None else ecn)
    return delivered.packet if isinstance(delivered, Delivered) else delivered.reason


@pytest.mark.parametrize(
    "esp", ["aes128gcm16", "aes256-sha256", "chacha20poly1305", "aes128gcm16-esn", "aes256-sha1-esn"]
)
def test_packets_go_both_ways(esp: str) -> None:
    wire = Wire(esp)
    for packet in (THERE, THERE_6, THERE):
        assert carried(wire.a, wire.b, packet) == packet
    assert carried(wire.b, wire.a, BACK) == BACK
    spi = wire.a.endpoint.sessions[1].children[0].spi_in
    assert wire.a.carrier.counted[True, spi] == (1, len(BACK))


def test_s2_9_what_no_selector_allows_is_not_sent() -> None:
    wire = Wire()
    for packet in (BACK, ipv4("10.0.1.1", "10.0.2.2", 6, PORTS), ipv4("10.0.1.1", "10.0.3.1", 17, PORTS)):
        refused = wire.a.carrier.send(packet)
        assert isinstance(refused, Refused)
        assert refused.reason == "no Child SA is for it"
        assert refused.packet == read(packet)  # for a Child SA that is wanted


def test_s2_9_what_no_selector_allows_is_not_delivered() -> None:
    """The peer seals what it should not: its own policy is made to think that all is well."""
    wire = Wire()
    key, outbound = next(iter(wire.a.carrier._outbound.items()))
    anything = tuple(selectors.from_text(text) for text in ("0.0.0.0/0",))
    child = outbound.child._replace(local_ts=anything, remote_ts=anything)
    wire.a.carrier._outbound[key] = outbound._replace(child=child)
    assert carried(wire.a, wire.b, THERE) == THERE
    assert carried(wire.a, wire.b, ipv4("10.0.1.1", "10.0.9.9", 17, PORTS)).startswith("it is not what")  # type: ignore[arg-type]
    assert carried(wire.a, wire.b, BACK).startswith("it is not what")  # type: ignore[arg-type]


def test_a_packet_is_delivered_once() -> None:
    wire = Wire()
    sealed = [wire.a.carrier.send(THERE) for _ in range(3)]
    assert all(isinstance(each, Sealed) for each in sealed)
    packets = [each.packet for each in sealed if isinstance(each, Sealed)]
    for packet in (packets[2], packets[0], packets[1]):  # reordered
        assert isinstance(wire.b.carrier.receive(packet), Delivered)
    for packet in packets:
        assert isinstance(wire.b.carrier.receive(packet), Refused)


def test_a_forged_packet_does_not_move_the_window() -> None:
    wire = Wire()
    sealed = wire.a.carrier.send(THERE)
    assert isinstance(sealed, Sealed)
    forged = sealed.packet[:4] + b"\x7f" + sealed.packet[5:]
    assert wire.b.carrier.receive(forged) == Refused("the ICV is wrong")
    assert isinstance(wire.b.carrier.receive(sealed.packet), Delivered)


def test_s2_23_who_is_moved_by_a_nat_is_followed() -> None:
    """7296-2.23-30, 7296-2.23-33: by the newest ESP packet, and not by an older one that comes from elsewhere."""
    wire = Wire()
    spi = wire.b.endpoint.sessions[1].children[0].spi_in
    sealed = [wire.a.carrier.send(THERE) for _ in range(2)]
    packets = [each.packet for each in sealed if isinstance(each, Sealed)]
    (before,) = [each.path for each in wire.b.carrier._outbound.values()]
    assert wire.b.carrier.path(spi) == before
    moved = before._replace(remote=("203.0.113.9", 40000))
    newest = [wire.b.carrier.receive(packet) for packet in reversed(packets)]
    assert [isinstance(each, Delivered) and each.newest for each in newest] == [True, False]
    wire.perform(wire.b, wire.b.endpoint.heard(spi, moved, 0.0))
    assert wire.b.carrier.path(spi) == moved
    back = wire.b.carrier.send(BACK)
    assert isinstance(back, Sealed)
    assert back.path == moved
    assert wire.b.endpoint.sessions[1].current.path == moved  # type: ignore[union-attr]


def test_s2_23_who_is_behind_a_nat_follows_nobody() -> None:
    wire = Wire()
    number, session = next(iter(wire.b.endpoint.sessions.items()))
    behind = tuple(ike._replace(nat_local=True) for ike in session.ikes)
    wire.b.endpoint.sessions[number] = session._replace(ikes=behind)
    before = behind[-1].path
    moved = before._replace(remote=("203.0.113.9", 40000))
    assert wire.b.endpoint.heard(session.children[0].spi_in, moved, 0.0) == ()
    assert wire.b.endpoint.sessions[number].current.path == before  # type: ignore[union-attr]


def test_s2_8_a_rekey_loses_no_packet_whenever_it_is_sent() -> None:
    """7296-2.8-18: packets are sealed between any two IKE datagrams, and delivered before and after later ones."""
    wire = Wire()
    for command in (RekeyChild(wire.child), RekeyIke()):
        wire.holding = True
        wire.command(command)
        late: list[tuple[Carrier, bytes]] = []
        steps = 0
        while wire.held:
            for one, other, packet in ((wire.a, wire.b, THERE), (wire.b, wire.a, BACK)):
                assert carried(one, other, packet) == packet
                sealed = one.carrier.send(packet)
                assert isinstance(sealed, Sealed)
                late.append((other.carrier, sealed.packet))
            wire.pass_on(*wire.held.pop(0))
            steps += 1
            for carrier, packet in late:  # overtaken by that IKE datagram
                assert isinstance(carrier.receive(packet), Delivered)
            late.clear()
        wire.holding = False
        assert steps == 4
        assert len(wire.a.carrier._inbound) == len(wire.b.carrier._outbound) == 1


def test_s1_4_1_a_deleted_child_sa_carries_nothing() -> None:
    wire = Wire()
    sealed = wire.a.carrier.send(THERE)
    assert isinstance(sealed, Sealed)
    wire.command(DeleteChild(wire.child))
    assert wire.b.carrier.receive(sealed.packet) == Refused("no Child SA has its SPI")
    assert carried(wire.a, wire.b, THERE) == "no Child SA is for it"
    assert not wire.a.carrier._inbound
    assert not wire.a.carrier._outbound


@pytest.mark.parametrize("packet", [THERE, THERE_6])
def test_s2_24_7296_2_24_02_congestion_in_the_outer_header_gets_through(packet: bytes) -> None:
    wire = Wire()
    able = with_ecn(packet, ECT_0)
    sealed = wire.a.carrier.send(able)
    assert isinstance(sealed, Sealed)
    assert sealed.ecn == ECT_0
    assert wire.b.carrier.receive(sealed.packet, CE) == Delivered(with_ecn(packet, CE), sealed.packet[:4], newest=True)
    assert carried(wire.a, wire.b, able) == able
    assert carried(wire.a, wire.b, packet, NOT_ECT) == packet
    assert carried(wire.a, wire.b, packet, CE) == "congestion, and the packet can't tell of it"


def test_sequence_numbers_never_begin_anew() -> None:
    wire = Wire()
    key, outbound = next(iter(wire.a.carrier._outbound.items()))
    wire.a.carrier._outbound[key] = outbound._replace(sent=(3 * LAST_OF[0] + 3) // 4 - 3)
    sealed = [wire.a.carrier.send(THERE) for _ in range(4)]
    assert [each.worn for each in sealed if isinstance(each, Sealed)] == [b"", b"", wire.child, wire.child]
    wire.a.carrier._outbound[key] = outbound._replace(sent=LAST_OF[0] - 1)
    assert isinstance(wire.a.carrier.send(THERE), Sealed)
    assert carried(wire.a, wire.b, THERE) == "the sequence numbers of its Child SA are used up"


@pytest.mark.parametrize("esp", ["aes128gcm16-esn"])
def test_with_esn_numbers_go_on_beyond_32_bits(esp: str) -> None:
    wire = Wire(esp)
    key, outbound = next(iter(wire.a.carrier._outbound.items()))
    for sent in (2**31, 2**32 - 2):  # the receiver learns of the upper half as the window moves
        wire.a.carrier._outbound[key] = outbound._replace(sent=sent)
        for _ in range(4):
            assert carried(wire.a, wire.b, THERE) == THERE
    assert wire.a.carrier._outbound[key].sent == 2**32 + 2


def test_a_dummy_goes_no_further() -> None:
    wire = Wire()
    outbound = next(iter(wire.a.carrier._outbound.values()))
    packet = seal_packet(
        outbound.child.suite, outbound.keys, outbound.child.spi_out, 1, Opened(NO_NEXT_HEADER, bytes(99))
    )
    assert wire.b.carrier.receive(packet) == Refused("a dummy, which only hides that there is no traffic")
    assert wire.b.carrier.refusals == {"a dummy, which only hides that there is no traffic": 1}


def test_s1_3_1_12_fragments_without_ports() -> None:
    """Selectors with ports refuse them, unless both ends said NON_FIRST_FRAGMENTS_ALSO."""
    wire = Wire()
    fragment = ipv4("10.0.1.1", "10.0.2.2", 17, PORTS, offset=5)
    assert carried(wire.a, wire.b, fragment) == fragment  # any port of UDP
    narrowed = tuple(selectors.from_text(text) for text in ("10.0.0.0/16[udp/443]",))
    _, outbound = next(iter(wire.a.carrier._outbound.items()))
    for agreed in (False, True):
        options = outbound.child.options._replace(non_first_fragments=agreed)
        child = outbound.child._replace(local_ts=narrowed, remote_ts=narrowed, options=options)
        assert allows(child, read(fragment), inbound=False) == agreed
        assert allows(child, read(fragment), inbound=True) == agreed
        assert allows(child, read(ipv4("10.0.1.1", "10.0.2.2", 17, PORTS)), inbound=False) is False  # port 40000


def test_s3_13_a_packet_needs_one_selector_of_each_side() -> None:
    """7296-3.13-07, 7296-3.13.1-02: of three and two, whichever; protocol 0 is any. Altered are the packet's ends."""
    wire = Wire()
    (child,) = {each.child.spi_in: each.child for each in wire.a.carrier._outbound.values()}.values()
    ours = tuple(map(selectors.from_text, ("10.1.1.0/24[udp]", "10.1.2.0/24[udp]", "10.1.3.0/24")))
    theirs = tuple(map(selectors.from_text, ("10.2.1.0/24", "10.2.2.0/24[udp]")))
    child = child._replace(local_ts=ours, remote_ts=theirs)
    for protocol in (17, 6):
        for third in range(5):
            for other in range(4):
                packet = read(ipv4(f"10.1.{third}.1", f"10.2.{other}.1", protocol, PORTS))
                local = third in (1, 2, 3) if protocol == 17 else third == 3
                remote = other in (1, 2) if protocol == 17 else other == 1
                assert allows(child, packet, inbound=False) is (local and remote)
