"""What daemons stumbled over, tried in every value and in every state (docs/incidents.md says which and whose).

Each input goes through `tests.fuzz.harness`, which demands for each that nothing is raised, that there is at most one
answer, that it can be read, and that what is kept is bounded.
"""

import ast
import os
from itertools import combinations, permutations
from pathlib import Path as File

import pytest
from ikeref_properties.network import ADDRESS, ENDS, PEER, A, B, Pair, connection

import ikeref
from ikeref import sa, wire
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import Dropped, RemoteProtocolError
from ikeref.policy import proposals
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, KeGroup, NotifyType, ProtocolId
from ikeref.sa import Path, Phase, Transmit
from ikeref.wire import KE, SA, D, IDi, N, Nonce, Payload, TSi, TSr
from tests.conformance.stations import Station
from tests.fuzz.harness import Harness, _shape
from tests.fuzz.inputs import How, Input, Then

TO_B = Path(ADDRESS[B], ADDRESS[A])
INIT, AUTH, CREATE, INFORM = (
    ExchangeType.IKE_SA_INIT,
    ExchangeType.IKE_AUTH,
    ExchangeType.CREATE_CHILD_SA,
    ExchangeType.INFORMATIONAL,
)
LIFE = "AEAD"


@pytest.fixture(scope="module")
def harness() -> Harness:
    return Harness()


def places(harness: Harness, *exchanges: int, life: str = LIFE) -> list[tuple[int, Station]]:
    """The scenes of a life just before a message of these exchanges."""
    return [
        (number, scene.station)
        for number, scene in enumerate(harness.scenes)
        if scene.life == life and (not exchanges or scene.station.message.exchange_type in exchanges)
    ]


def put(harness: Harness, number: int, payloads: tuple[Payload, ...] | None = None, **changes: int) -> object:
    """Let the message of a scene come with other payloads; what the session looks like then."""
    station = harness.scenes[number].station
    message = station.message if payloads is None else station.message._replace(payloads=payloads)
    seen: list[object] = []
    leave = harness._leave

    def look(endpoint: Endpoint) -> None:
        sessions = sorted(endpoint.sessions.items())
        seen.extend(_shape(session) for _, session in sessions)
        leave(endpoint)

    harness._leave = look  # type: ignore[method-assign]
    try:
        if message.exchange_type == INIT:
            what = Input(number, How.DATAGRAM, Then.NOTHING, 0, 0, 0, 0, 0, 0, wire.encode(message))
        else:
            first, chain = wire.first_type(message.payloads), wire.encode_payloads(message.payloads)
            given = {"exchange": int(message.exchange_type), "flags": message.flags, "number": 0, **changes}
            what = Input(number, How.SEALED, Then.NOTHING, first, fragment=0, total=0, rest=chain, **given)
        harness.happen(what)
    finally:
        harness._leave = leave  # type: ignore[method-assign]
    return seen


def made(seen: object) -> tuple[int, int]:
    """How many IKE SAs can be used, and how many Child SAs there are."""
    assert isinstance(seen, list)
    ikes = [ike for session in seen for ike in session[0] if ike[1] not in (Phase.HALF_OPEN, Phase.CLOSED)]
    return len(ikes), sum(len(session[1]) for session in seen)


# Payloads left out, doubled, in excess (libreswan CVE-2013-6467, strongSwan CVE-2009-1957, libreswan 1574)

NEEDED = {INIT: (SA, KE, Nonce), AUTH: (IDi,), CREATE: (SA, Nonce)}


def test_any_payload_and_any_two_may_be_missing(harness: Harness) -> None:
    tried = 0
    for number, station in places(harness):
        payloads = station.message.payloads
        whole = put(harness, number)
        for left_out in [*combinations(range(len(payloads)), 1), *combinations(range(len(payloads)), 2)]:
            rest = tuple(each for place, each in enumerate(payloads) if place not in left_out)
            seen = put(harness, number, rest)
            gone = {type(payloads[place]) for place in left_out}
            request = not station.message.is_response
            if request and gone & set(NEEDED.get(ExchangeType(station.message.exchange_type), ())):
                before = made(_before(station))
                assert made(seen)[1] <= before[1], f"a Child SA without {gone}"
                assert seen != whole or station.session is None
                assert station.session is not None or seen == [], f"an IKE SA began without {gone}"
            if request and station.message.exchange_type == CREATE and gone & {TSi, TSr} and len(gone) == 1:
                assert made(seen)[1] <= made(_before(station))[1], "a Child SA without traffic selectors"
            tried += 1
    assert tried > 200


def test_each_transform_type_may_be_missing(harness: Harness) -> None:
    """Libreswan CVE-2016-5391: of each proposal, and of all of them."""
    for number, station in places(harness, INIT, AUTH, CREATE):
        payloads = station.message.payloads
        offer = next((each for each in payloads if type(each) is SA), None)
        if offer is None:
            continue
        for kind in range(1, 6):
            for only_first in (True, False):
                less = tuple(
                    each._replace(transforms=tuple(t for t in each.transforms if t.type != kind))
                    if place == 0 or not only_first
                    else each
                    for place, each in enumerate(offer.proposals)
                )
                if less != offer.proposals and all(each.transforms for each in less):
                    changed = tuple(SA(less) if each is offer else each for each in payloads)
                    put(harness, number, changed)


def _before(station: Station) -> list[object]:
    return [_shape(station.session)] if station.session is not None else []


def test_any_payload_may_come_twice(harness: Harness) -> None:
    for number, station in places(harness):
        payloads = station.message.payloads
        for place, each in enumerate(payloads):
            put(harness, number, (*payloads[:place], each, *payloads[place:]))


def test_status_notifications_that_nobody_asked_for_change_nothing(harness: Harness) -> None:
    """Libreswan 1574: in responses, of every type that there is, and of types that there are not."""
    known = [int(each) for each in NotifyType if each >= 16384]
    meant = {
        *(NotifyType.COOKIE, NotifyType.SET_WINDOW_SIZE, NotifyType.USE_TRANSPORT_MODE, NotifyType.REKEY_SA),
        *(NotifyType.IPCOMP_SUPPORTED, NotifyType.INITIAL_CONTACT, NotifyType.NAT_DETECTION_SOURCE_IP),
        *(NotifyType.NAT_DETECTION_DESTINATION_IP, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED),
    }
    for number, station in places(harness, AUTH, CREATE, INFORM):
        if station.message.is_response:
            whole = put(harness, number)
            for kind in (*known, 16999, 40959, 40960, 65535):
                for data in (b"", b"\1" * 4):
                    seen = put(harness, number, (*station.message.payloads, N(kind, data)))
                    if kind not in meant:
                        assert seen == whole, f"{kind} in a response changed something"


# Exchange types and flags in every state (CVE-2014-2338, CVE-2009-1957)


def test_any_exchange_type_may_come_in_any_state(harness: Harness) -> None:
    for number, scene in enumerate(harness.scenes):
        ike = scene.station.ike(scene.station.session)
        if ike is None or ike.keys is None:
            continue
        for exchange in (*range(30, 48), 0, 1, 200, 255):
            for flags in (0x00, 0x20):
                seen = put(harness, number, exchange=exchange, flags=flags)
                if ike.phase is Phase.HALF_OPEN and exchange != AUTH:
                    assert made(seen) == (0, 0), f"exchange {exchange} on a half-open IKE SA made something of it"
        if ike.phase is Phase.HALF_OPEN:
            for _, other in places(harness, CREATE, INFORM):
                seen = put(harness, number, other.message.payloads, exchange=int(other.message.exchange_type))
                assert made(seen) == (0, 0), "what an authenticated peer may ask for was done for a stranger"


# Lengths (Openswan 489, CVE-2013-4564, CVE-2025-9242, CVE-2023-41913)


def test_nonces_of_any_length_in_every_exchange(harness: Harness) -> None:
    """Section 2.10: 16 to 256 octets."""
    for number, station in places(harness, INIT, CREATE):
        payloads = station.message.payloads
        if not any(type(each) is Nonce for each in payloads):
            continue
        for size in (*range(18), 255, 256, 257, 300):
            changed = tuple(Nonce(b"\5" * size) if type(each) is Nonce else each for each in payloads)
            seen = put(harness, number, changed)
            if not 16 <= size <= 256 and not station.message.is_response:
                assert made(seen)[1] <= made(_before(station))[1]
                assert len(seen) <= len(_before(station)), "a nonce of wrong length began an IKE SA"  # type: ignore[arg-type]


def test_key_exchange_data_of_any_length_is_refused(harness: Harness) -> None:
    for number, station in places(harness, INIT, CREATE):
        payloads = station.message.payloads
        key = next((each for each in payloads if type(each) is KE), None)
        if key is None or station.message.is_response:
            continue
        for public in (b"", b"\0" * 32, b"\1" + bytes(31), b"\2" * 31, b"\2" * 33, b"\2" * 3000):
            changed = tuple(KE(key.group, public) if type(each) is KE else each for each in payloads)
            seen = put(harness, number, changed)
            assert len(seen) <= len(_before(station))  # type: ignore[arg-type]
            assert made(seen) <= made(_before(station))


def test_identities_of_any_length_before_authentication(harness: Harness) -> None:
    for number, station in places(harness, AUTH):
        payloads = station.message.payloads
        if station.message.is_response:
            continue
        for size in (*range(24), 63, 64, 65, 127, 128, 255, 256, 257, 520, 1024, 4096, 30000):
            for kind in (0, 1, 2, 3, 5, 9, 10, 11, 200):
                changed = tuple(IDi(kind, b"\x30" * size) if type(each) is IDi else each for each in payloads)
                assert made(put(harness, number, changed)) == (0, 0)


def test_datagrams_of_any_length_and_any_length_field(harness: Harness) -> None:
    for number, station in places(harness):
        datagram = station.datagram
        for size in (*range(30), len(datagram) - 1):
            raw = Input(number, How.DATAGRAM, Then.NOTHING, 0, 0, 0, 0, 0, 0, datagram[:size])
            harness.happen(raw)
        for length in (0, 1, 27, 28, len(datagram) - 1, len(datagram) + 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF):
            lying = datagram[:24] + length.to_bytes(4, "big") + datagram[28:]
            with pytest.raises((Dropped, RemoteProtocolError)):
                wire.decode(lying)
            harness.happen(raw._replace(rest=lying))


# Numbers (CVE-2014-9221, CVE-2015-3991, CVE-2023-23009, Openswan 487)


def test_every_number_of_a_key_exchange_group() -> None:
    """Each but our own gets INVALID_KE_PAYLOAD or nothing, and no state; IKEREF_SWEEP=1 tries all 65536."""
    pair = Pair(3, crypto=RealCrypto)
    pair.initiate()
    message = wire.decode(pair.flying.pop().datagram)
    victim = pair.ends[B]
    victim._answers._rate = victim._answers._left = 1e9
    key = next(each for each in message.payloads if type(each) is KE)
    before, after = wire.encode(message).split(key.group.to_bytes(2, "big") + bytes(2) + key.public)
    step = int(os.environ.get("IKEREF_SWEEP", "37"))
    for group in (*range(1, 2048), *range(2048, 1 << 16, step)):
        if group == KeGroup.CURVE25519:
            continue
        datagram = before + group.to_bytes(2, "big") + bytes(2) + key.public + after
        outputs = victim.receive(datagram, TO_B, 1.0)
        for output in outputs:
            if type(output) is Transmit:
                assert output.message is not None
                (answer,) = output.message.payloads
                assert type(answer) is N
                assert answer.type == NotifyType.INVALID_KE_PAYLOAD
    assert not victim.sessions


def test_payload_types_of_one_version_in_messages_of_another(harness: Harness) -> None:
    number, station = places(harness, INIT)[0]
    for version in (0x00, 0x10, 0x11, 0x20, 0x21, 0x2F, 0x30, 0xF0):
        for first in range(256):
            datagram = station.datagram[:16] + bytes((first, version)) + station.datagram[18:]
            for exchange in (2, 4, 34, 36):
                altered = datagram[:18] + bytes((exchange,)) + datagram[19:]
                harness.happen(Input(number, How.DATAGRAM, Then.NOTHING, 0, 0, 0, 0, 0, 0, altered))
                if version >> 4 < 2:
                    with pytest.raises(Dropped):
                        wire.decode(altered)


def test_selectors_that_are_not_as_many_as_they_say(harness: Harness) -> None:
    for number, station in places(harness, AUTH, CREATE):
        for place, each in enumerate(station.message.payloads):
            if type(each) not in (TSi, TSr):
                continue
            assert isinstance(each, TSi | TSr)
            many = each._replace(selectors=each.selectors * 255)
            put(harness, number, (*station.message.payloads[:place], many, *station.message.payloads[place + 1 :]))
            first, chain = wire.first_type((each,)), bytearray(wire.encode_payloads((each,)))
            for count in range(256):
                if count != len(each.selectors):
                    chain[4] = count
                    with pytest.raises(RemoteProtocolError):
                        wire.decode_payloads(first, bytes(chain))


# Deletes (libreswan 67)


def test_several_deletes_in_any_order(harness: Harness) -> None:
    """Of a Child SA, of one that there is not, of AH, of the IKE SA, doubled; each order."""
    for number, station in places(harness, INFORM):
        if station.message.is_response or station.session is None:
            continue
        children = station.session.children
        known = children[0].spi_out if children else b"\1\2\3\4"
        deletes = (
            D(ProtocolId.ESP, 4, (known,)),
            D(ProtocolId.ESP, 4, (b"\0\0\0\1", known, known)),
            D(ProtocolId.AH, 4, (known,)),
            D(ProtocolId.IKE, 0, ()),
        )
        for count in range(1, 5):
            for order in permutations(deletes, count):
                seen = put(harness, number, order)
                if any(each.protocol_id == ProtocolId.IKE for each in order):
                    assert made(seen)[1] == 0 or len(station.session.ikes) > 1


# Answers (VU 419128, CVE-2016-5361) and reflection (Cremers 2011)


def test_s2_6_what_is_answered_without_state_is_not_much_longer_than_what_was_asked(harness: Harness) -> None:
    """One datagram, shorter than the request or a header with one notification: no amplifier."""
    victim = Endpoint((connection(B),), RealCrypto(), Pair(1)._draw(B), Settings(cookie_threshold=0))
    seen = 0
    for _, station in places(harness):
        for datagram in (station.datagram, station.datagram[:17] + b"\x30" + station.datagram[18:]):
            sent = [each for each in victim.receive(datagram, TO_B, 1.0) if type(each) is Transmit]
            assert len(sent) <= 1
            seen += len(sent)
            assert all(len(each.datagram) <= max(len(datagram), 28 + 8 + 8 + 20) for each in sent)
    assert seen > 20
    assert not victim.sessions
    assert victim.next_deadline() is None


def test_s2_6_what_an_end_sent_means_nothing_when_it_comes_back() -> None:
    """Whatever either end sends is reflected to it at once, as it is and with the flags turned."""
    life = Pair(4, crypto=RealCrypto)
    life.initiate(A)
    deliver_reflected(life)
    for end in (B, B, A, A):  # so that message IDs of both directions are the same
        life.command(end, sa.CheckLiveness())
        deliver_reflected(life)
    for end, command in ((A, sa.RekeyIke()), (B, sa.CheckLiveness()), (B, sa.RekeyIke()), (A, sa.CheckLiveness())):
        life.command(end, command)
        deliver_reflected(life)
        life.command(PEER[end], sa.RekeyChild(life.children(PEER[end])[0].spi_in))
        deliver_reflected(life)


def deliver_reflected(life: Pair) -> None:
    while life.flying:
        flight = life.flying[0]
        sender = PEER[flight.to]
        before = dict(life.ends[sender].sessions)
        flags = flight.datagram[19]
        for turned in (flags, flags ^ 0x08, flags ^ 0x20, flags ^ 0x28):
            datagram = flight.datagram[:19] + bytes((turned,)) + flight.datagram[20:]
            if wire.peek(datagram).exchange_type == INIT and turned == flags and not flags & 0x20:
                continue  # an IKE_SA_INIT request is a new one to whoever gets it
            life.ends[sender].receive(datagram, Path(ADDRESS[sender], ADDRESS[PEER[sender]]), life.now)
            after = {number: session for number, session in life.ends[sender].sessions.items() if number in before}
            if wire.peek(datagram).exchange_type == INIT:  # what it said is kept as a hint for people
                assert list(map(_shape, after.values())) == list(map(_shape, before.values()))
            else:
                assert after == before
            life.ends[sender].sessions.update(before)
        life.deliver(flight)


# What is offered works (CVE-2016-3071)

ENCRYPTION = ("aes128", "aes192", "aes256", "aes128ctr", "aes256ctr", "3des")
COMBINED = ("aes128gcm16", "aes256gcm16", "aes128gcm12", "aes256gcm8", "aes128ccm16", "aes256ccm12", "chacha20poly1305")
INTEGRITY = ("sha1", "sha256", "sha384", "sha512", "aesxcbc", "aescmac")
PRFS = ("prfsha1", "prfsha256", "prfsha384", "prfsha512", "prfaesxcbc", "prfaescmac")
GROUPS = ("modp2048", "modp3072", "ecp256", "ecp384", "ecp521", "x25519", "x448")


def suites() -> list[str]:
    found = [f"{encryption}-sha256-x25519" for encryption in ENCRYPTION]
    found += [f"{combined}-prfsha256-x25519" for combined in COMBINED]
    found += [f"aes128-{integrity}-prfsha256-x25519" for integrity in INTEGRITY]
    found += [f"aes256gcm16-{prf}-x25519" for prf in PRFS]
    return found + [f"aes256gcm16-prfsha256-{group}" for group in GROUPS]


@pytest.mark.parametrize("suite", suites())
def test_s3_3_2_each_transform_that_can_be_offered_completes_a_handshake(suite: str) -> None:
    assert proposals.parse(suite, ProtocolId.IKE)
    policies = {end: connection(end, ike=suite) for end in ENDS}
    life = Pair(5, crypto=lambda: RealCrypto(legacy=True), connections=policies).establish()
    assert all([ike.phase for ike in life.ikes(end)] == [Phase.ESTABLISHED] for end in ENDS)
    life.command(A, sa.RekeyIke())
    life.deliver_all()
    assert all(ike.phase in (Phase.ESTABLISHED, Phase.CLOSED) for end in ENDS for ike in life.ikes(end))


# What peers say is data (CVE-2023-28771)


def test_nothing_of_ikeref_hands_words_to_a_shell() -> None:
    source = File(ikeref.__file__).parent
    found = []
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                shell = any(each.arg == "shell" for each in node.keywords)
                if shell or name in ("eval", "exec", "os.system", "os.popen", "subprocess.getoutput"):
                    found.append(f"{path.name}:{node.lineno} {name}")
    assert found == []
