"""Mutated datagrams by the thousand, into decoding and into live endpoints (Sections 2.4, 2.5, 2.6, 2.21).

Whatever comes, decoding raises a ProtocolError and nothing else, and an endpoint raises nothing; half-open IKE SAs stay
within their limit and expire; nothing is left behind; an established IKE SA is as alive as before. Some input is sealed
with valid keys, at every moment of an IKE SA's life. IKEREF_HOSTILE=1000000 makes it a full run.
"""

import os
from collections import Counter
from random import Random
from typing import Any

import pytest
from ikeref_properties.network import ENDS
from ikeref_properties.strategies import mutate

from ikeref import sa, wire
from ikeref.crypto import envelope
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import Dropped, ProtocolError, RemoteProtocolError
from ikeref.policy import selectors
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import Output, Path, Session, Step, Transmit
from ikeref.sa.values import IkeSa
from ikeref.wire import FLAG_RESPONSE, Message, N, TrafficSelector
from ikeref.wire.encapsulation import wrap
from ikeref.wire.header import HEADER_SIZE, pack_generic, pack_header
from tests.conformance.judging import residue
from tests.conformance.stations import Station, all_stations, pair

COUNT = int(os.environ.get("IKEREF_HOSTILE", "30000"))
HALF_OPEN = 40
WITNESS = 1
"""What both ends call the IKE SA that must survive."""
GUEST = 1_000_000
"""What an end calls the session that is put into it."""
BURST = 8
"""Datagrams that one session has to bear before another takes its place."""
SECOND = 1000
"""Datagrams in a second of the simulated clock."""

_PATHS = (Path(("192.0.2.1", 4500), ("192.0.2.2", 4500), encapsulated=True), Path(("2001:db8::1", 500), ("::1", 9)))
_CRYPTO = RealCrypto()
Selectors = tuple[TrafficSelector, ...]


class Assault:
    """Two live endpoints with an IKE SA between them, and a stream of hostile datagrams to both."""

    def __init__(self, seed: int, scenes: tuple[Station, ...]) -> None:
        self.rng = Random(seed)
        self.firsts = tuple(station for station in scenes if station.session is None)
        self.later = tuple(station for station in scenes if station.session is not None)
        settings = Settings(half_open_limit=HALF_OPEN, cookie_threshold=HALF_OPEN // 2, half_open_seconds=2.0)
        self.pair = pair(seed, settings=settings).establish()
        self.ends: dict[str, Endpoint] = self.pair.ends
        self.before = {end: self.at_rest(endpoint) for end, endpoint in self.ends.items()}
        self.overheard = [flight.datagram for flight in self.pair.past]
        self.now = 1.0
        self.count = 0
        self.seen: Counter[str] = Counter()
        """How many datagrams were decoded, refused, dropped, answered."""

    def run(self, count: int) -> None:
        """Send `count` datagrams, and see at the end that all is as it was."""
        while self.count < count:
            sort = self.rng.random()
            if sort < 0.1:
                self.strangers(ENDS[int(self.rng.random() * 2)])
            elif sort < 0.35:
                self.knock(self.firsts[int(self.rng.random() * len(self.firsts))])
            else:
                self.visit(self.later[int(self.rng.random() * len(self.later))])
            if self.count % SECOND < BURST:
                for endpoint in self.ends.values():
                    endpoint.timer(self.now)
            if self.count % 10_000 < BURST:
                self.witness()
        self.leave()

    # What is sent

    def strangers(self, end: str) -> None:
        """Datagrams that the witness's peers once sent, damaged; and noise."""
        for _ in range(BURST):
            seed = self.overheard[int(self.rng.random() * len(self.overheard))]
            sort = self.rng.random()
            path = _PATHS[int(self.rng.random() * 2)] if sort < 0.2 else Path(("192.0.2.1", 500), ("192.0.2.2", 500))
            datagram = mutate.message(self.rng, seed) if sort > 0.1 else mutate.raw(self.rng, seed)
            if sort < 0.05:
                datagram = wrap(datagram)
            before = self.ends[end].sessions[WITNESS]
            self.deliver(end, datagram, path)
            if datagram not in self.overheard and not _is_first(datagram):
                assert self.ends[end].sessions[WITNESS] is before, "a forged message changed an IKE SA"

    def knock(self, station: Station) -> None:
        """IKE_SA_INIT requests; sometimes again with the cookie that was asked for."""
        for _ in range(BURST // 2):
            head = self.rng.randbytes(8) if self.rng.random() < 0.8 else station.datagram[:8]
            datagram = mutate.message(self.rng, head + station.datagram[8:])
            outputs = self.deliver(station.end, datagram, station.path)
            cookie = _cookie(outputs)
            if cookie is not None:
                chain = wire.encode_payloads((N(NotifyType.COOKIE, cookie),))
                kind, rest = datagram[16], datagram[HEADER_SIZE:]
                again = datagram[:16] + b"\x29" + datagram[17:24] + (len(datagram) + len(chain)).to_bytes(4, "big")
                again += bytes((kind,)) + chain[1:] + rest
                if self.rng.random() < 0.3:
                    again = mutate.message(self.rng, again)
                self.deliver(station.end, again, station.path)

    def visit(self, station: Station) -> None:
        """Messages to an IKE SA at some moment of its life: sealed with its peer's keys, or damaged on the way."""
        endpoint = self.ends[station.end]
        self.place(endpoint, station.session)
        for _ in range(BURST):
            session = endpoint.sessions.get(GUEST)
            ike = station.ike(session)
            if ike is None or ike.phase is sa.Phase.CLOSED:
                self.place(endpoint, station.session)
                session = endpoint.sessions[GUEST]
                ike = station.ike(session)
            assert ike is not None
            if ike.keys is None:
                self.deliver(station.end, mutate.message(self.rng, station.datagram), station.path)
            elif self.rng.random() < 0.2:
                datagram = mutate.message(self.rng, station.datagram)
                self.deliver(station.end, datagram, station.path)
                if datagram != station.datagram and not _is_first(datagram):
                    assert endpoint.sessions.get(GUEST) is session, "a forged message changed an IKE SA"
            else:
                self.deliver(station.end, self.sealed(station, ike), station.path)

    def sealed(self, station: Station, ike: IkeSa) -> bytes:
        """The message of a station with mutated contents, authentic all the same (Section 3.14)."""
        rng, message, suite, keys = self.rng, station.message, ike.suite, ike.keys
        assert suite is not None
        assert keys is not None
        first, inner = mutate.chain(rng, wire.first_type(message.payloads), wire.encode_payloads(message.payloads))
        message_id = ike.expected
        if message.flags & FLAG_RESPONSE:
            message_id = ike.outstanding[0].message_id if ike.outstanding else message.message_id
        size = _CRYPTO.block_size(suite)
        padding = -(len(inner) + 1) % size
        plaintext = inner + bytes(padding) + bytes((padding if rng.random() < 0.97 else int(rng.random() * 256),))
        head = pack_header(
            message.spi_i, message.spi_r, 46, 0x20, message.exchange_type, message.flags, message_id % 2**32, 0
        )
        outer = b""
        if rng.random() < 0.1:
            head = mutate.header(rng, head)
            if rng.random() < 0.3:
                kind, outer = mutate.join([mutate.Part(int(rng.random() * 256), 0, rng.randbytes(8))], 46)
                head = head[:16] + bytes((kind,)) + head[17:]
        iv = rng.randbytes(_CRYPTO.iv_size(suite))
        sealed = len(iv) + len(plaintext) + _CRYPTO.icv_size(suite)
        length = HEADER_SIZE + len(outer) + 4 + sealed
        prefix = head[:24] + length.to_bytes(4, "big") + outer + pack_generic(first, 0, 4 + sealed)
        sk_e, sk_a = (keys.sk_er, keys.sk_ar) if ike.initiator else (keys.sk_ei, keys.sk_ai)
        return prefix + _CRYPTO.encrypt(suite, sk_e, sk_a, prefix, iv, plaintext)

    # What is seen

    def deliver(self, end: str, datagram: bytes, path: Path) -> tuple[Output, ...]:
        """One datagram, decoded and then received."""
        self.count += 1
        self.now += 1 / SECOND
        self.decode(datagram)
        endpoint = self.ends[end]
        limit = max(HALF_OPEN, endpoint.half_open)
        try:
            outputs = endpoint.receive(datagram, path, self.now)
        except Exception as error:
            raise AssertionError(f"{end} raised at datagram {self.count}: {datagram.hex()}") from error
        assert endpoint.half_open <= limit, "too many half-open IKE SAs"
        assert len(endpoint.sessions) <= endpoint.half_open + 2, "a session that nobody has authenticated"
        self.seen["answered" if any(type(output) is Transmit for output in outputs) else "not answered"] += 1
        return outputs

    def decode(self, datagram: bytes) -> None:
        """Decoding gives a message that is encoded to the same octets, or says what is wrong with it."""
        refused: ProtocolError | None = None
        again = b""
        try:
            again = wire.encode(wire.decode(datagram))
        except (Dropped, RemoteProtocolError) as error:
            refused = error
        except Exception as error:
            raise AssertionError(f"decode raised at datagram {self.count}: {datagram.hex()}") from error
        if refused is None:
            assert again == datagram, f"encoded otherwise at datagram {self.count}: {datagram.hex()}"
        else:
            assert refused.reason, "no reason given"
            assert -1 < refused.offset <= len(datagram), f"no place given: {refused}"
        self.seen["decoded" if refused is None else "refused by decode"] += 1

    def witness(self) -> None:
        """Both ends of the established IKE SA answer each other."""
        self.pair.now = self.now
        for end in ENDS:
            (before,) = self.ends[end].sessions[WITNESS].ikes
            self.pair.command(end, sa.CheckLiveness(), WITNESS)
            self.pair.deliver_all()
            (after,) = self.ends[end].sessions[WITNESS].ikes
            assert not after.outstanding, f"{end} got no answer"
            assert after.next_request == before.next_request + 1
        self.seen["liveness checks answered"] += len(ENDS)
        self.pair.records.clear()
        self.pair.past.clear()

    def at_rest(self, endpoint: Endpoint) -> dict[str, int]:
        """What an endpoint holds when nothing is due."""
        assert endpoint.next_deadline() is None
        return residue(endpoint)

    def place(self, endpoint: Endpoint, session: Session | None) -> None:
        """Put a session into an endpoint, in place of the one before it."""
        endpoint._keep(GUEST, endpoint.sessions.get(GUEST), Step(session, ()))

    def leave(self) -> None:
        """Time passes until everything has expired, and nothing is left but the witness."""
        self.witness()
        for end, endpoint in self.ends.items():
            self.place(endpoint, None)
            endpoint.timer(self.now + 1000)
            assert self.at_rest(endpoint) == self.before[end], f"{end} keeps something"
        self.witness()


def _is_first(datagram: bytes) -> bool:
    """Whether an IKE SA may begin with it, or go on, though nothing protects it."""
    return datagram[18:19] == b"\x22"


def _cookie(outputs: tuple[Output, ...]) -> bytes | None:
    for output in outputs:
        if type(output) is Transmit and output.message is not None:
            for payload in output.message.payloads:
                if type(payload) is N and payload.type == NotifyType.COOKIE:
                    return payload.data
    return None


@pytest.fixture(scope="module")
def scenes() -> tuple[Station, ...]:
    return all_stations()


def test_hostile_datagrams_raise_nothing_and_leave_nothing(scenes: tuple[Station, ...]) -> None:
    assault = Assault(7296, scenes)
    assault.run(COUNT)
    seen = assault.seen
    # It is no test if all is refused at the door, or nothing is.
    assert min(seen["decoded"], seen["refused by decode"], seen["answered"], seen["not answered"]) > COUNT // 20
    assert seen["liveness checks answered"] >= COUNT // 5000


def test_a_run_is_repeated_by_its_seed(scenes: tuple[Station, ...]) -> None:
    datagrams = [scene.datagram for scene in scenes]
    first, second, other = (
        [mutate.message(rng, datagram) for datagram in datagrams] for rng in (Random(1), Random(1), Random(2))
    )
    assert first == second
    assert first != other
    assert first != datagrams


def test_a_chain_that_is_taken_apart_and_joined_is_the_same(scenes: tuple[Station, ...]) -> None:
    for scene in scenes:
        first, octets = wire.first_type(scene.message.payloads), wire.encode_payloads(scene.message.payloads)
        assert mutate.join(mutate.parts(first, octets)) == (first, octets)


# Twins: what must be noticed.

FEW = 4000


def test_an_endpoint_that_raises_on_some_input_is_caught(
    scenes: tuple[Station, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = selectors.narrow

    def careless(offered: Selectors, mine: Selectors) -> Selectors:
        if offered[0].ip_protocol:
            raise KeyError(offered[0].ip_protocol)
        return narrow(offered, mine)

    monkeypatch.setattr(selectors, "narrow", careless)
    with pytest.raises(AssertionError, match="raised at datagram"):
        Assault(102, scenes).run(3 * FEW)


def test_a_decoder_that_raises_on_some_input_is_caught(
    scenes: tuple[Station, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = wire.decode

    def hasty(datagram: bytes) -> Message:
        if datagram[17] == 0x21:
            raise IndexError("minor version 1")
        return decode(datagram)

    monkeypatch.setattr(wire, "decode", hasty)
    with pytest.raises(AssertionError, match="decode raised at datagram"):
        Assault(102, scenes).run(FEW)


class Leaking(Endpoint):
    """Keeps a word of everything that it drops."""

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        outputs = super().receive(datagram, path, now)
        if not outputs:
            self._request_of[-1 - len(self._request_of)] = datagram
        return outputs


def test_an_endpoint_that_keeps_what_it_drops_is_caught(scenes: tuple[Station, ...]) -> None:
    assault = Assault(103, scenes)
    for endpoint in assault.ends.values():
        endpoint.__class__ = Leaking
    with pytest.raises(AssertionError, match="keeps something"):
        assault.run(FEW)


def test_an_endpoint_without_limit_is_caught(scenes: tuple[Station, ...]) -> None:
    assault = Assault(104, scenes)
    for endpoint in assault.ends.values():
        endpoint.settings = Settings(half_open_limit=1000, cookie_threshold=1000)
    with pytest.raises(AssertionError, match="too many half-open IKE SAs"):
        assault.run(FEW)


def test_an_ike_sa_that_dies_of_a_forged_message_is_caught(
    scenes: tuple[Station, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(*opening: Any) -> envelope.Opened:
        return envelope.Opened(opening[-1]._replace(payloads=()), b"", b"")

    assault = Assault(105, scenes)
    monkeypatch.setattr(envelope, "unprotect", trusting)
    with pytest.raises(AssertionError, match="a forged message changed an IKE SA"):
        assault.run(FEW)
