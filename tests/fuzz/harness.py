"""What must hold of an endpoint for every input in every scene (Sections 2.1, 2.3, 2.6, 2.21).

Decoding gives a message that is encoded to the same octets, or says why not. An endpoint raises nothing; what is not
authentic changes no IKE SA; to a request there is at most one response, to a response none; what is sent can be read
back; what is kept is bounded; when time has passed, nothing is left but what was there.
"""

from collections import Counter
from functools import cache
from random import Random

from ikeref import wire
from ikeref.crypto import envelope
from ikeref.crypto.envelope import Fragment
from ikeref.crypto.real import RealCrypto
from ikeref.eap import tls
from ikeref.endpoint import Endpoint
from ikeref.errors import Dropped, LocalProtocolError, RemoteProtocolError
from ikeref.registry import ExchangeType, NotifyType
from ikeref.sa import IkeSa, Output, Session, Step, Transmit
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, Message, N
from ikeref.wire.encapsulation import KEEPALIVE, Ike, split, wrap
from ikeref.wire.header import HEADER_SIZE, Header, pack_generic, pack_header
from tests.fuzz.eap_tls import altered, eap_tls_scenes, handshaking, renewed
from tests.fuzz.inputs import HEAD, How, Input, Then, build, change, parse
from tests.fuzz.scenes import Scene, all_scenes

GUEST = 1_000_000
"""What an endpoint calls the session that is put into it."""
BARE = (
    NotifyType.COOKIE,
    NotifyType.INVALID_KE_PAYLOAD,
    NotifyType.NO_PROPOSAL_CHOSEN,
    NotifyType.INVALID_MAJOR_VERSION,
    NotifyType.INVALID_IKE_SPI,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
)
"""Notifications that may go without protection (Sections 1.5, 2.5, 2.6, 2.7, 2.21)."""
_CRYPTO = RealCrypto()


class Finding(AssertionError):
    """Something that must hold does not."""


class Harness:
    """All scenes, and an account of what was seen in them."""

    def __init__(self, target: str = "all") -> None:
        """`target`: one of `campaign.TARGETS`."""
        self.scenes: list[Scene] = list(eap_tls_scenes() if target == "eap-tls" else all_scenes())
        self.seen: Counter[str] = Counter()

    def seeds(self) -> tuple[bytes, ...]:
        """An input for each scene and form: the message that was about to arrive."""
        return tuple(seed for number, scene in enumerate(self.scenes) for seed in _seeds(number, scene))

    def run(self, octets: bytes) -> None:
        """Let one input happen, and see what came of it. Raises Finding."""
        self.happen(parse(octets))

    def happen(self, what: Input) -> None:
        """The same, of an input taken apart."""
        number = what.scene % len(self.scenes)
        scene = renewed(self.scenes[number])
        if scene is not self.scenes[number]:
            self.scenes[number] = scene
            self.seen["TLS had gone on"] += 1
        endpoint = scene.endpoint
        if what.how is How.DATAGRAM:
            self._decode(what.rest)
        _place(endpoint, scene.station.session)
        try:
            datagram = self._datagram(what, scene)
            if scene.station.path.encapsulated:
                datagram = wrap(datagram)
            self._arrive(scene, datagram, forged=what.how is How.DATAGRAM)
            self._then(what, scene, datagram)
        finally:
            self._leave(endpoint)

    # What arrives

    def _datagram(self, what: Input, scene: Scene) -> bytes:
        ike = scene.station.ike(scene.station.session)
        if what.how is How.DATAGRAM or ike is None or ike.keys is None:
            return what.rest
        if what.how is How.ALTERED:
            first, rest = altered(scene.station.message, what.rest)
            message = scene.station.message
            what = what._replace(first=first, rest=rest, number=0, exchange=message.exchange_type, flags=message.flags)
        return sealed(what, ike)

    def _arrive(self, scene: Scene, datagram: bytes, *, forged: bool) -> tuple[Output, ...]:
        endpoint, path = scene.endpoint, scene.station.path
        before = endpoint.sessions.get(GUEST)
        try:
            outputs = endpoint.receive(datagram, path, scene.now)
        except Exception as error:
            raise Finding(f"receive raised {type(error).__name__}: {error}") from error
        after = endpoint.sessions.get(GUEST)
        header = _peek(datagram, encapsulated=path.encapsulated)
        if after is not before and (header is None or (forged and header.exchange_type != ExchangeType.IKE_SA_INIT)):
            inner = datagram[4:] if path.encapsulated else datagram
            _require(before is not None and _authentic(before, inner), "what is not authentic changed an IKE SA")
        self._answers(header, outputs, scene)
        _bounded(endpoint, before, after)
        self.seen["changed something" if after is not before else "changed nothing"] += 1
        return outputs

    def _then(self, what: Input, scene: Scene, datagram: bytes) -> None:
        match what.then:
            case Then.NOTHING:
                return
            case Then.AGAIN:
                session = scene.endpoint.sessions.get(GUEST)
                self._arrive(scene, datagram, forged=False)
                after = scene.endpoint.sessions.get(GUEST)
                _require(_shape(session) == _shape(after), "a message that came again was processed again")
            case Then.TIME:
                self._tick(scene.endpoint, scene.now + 1.0)
            case Then.GENUINE:
                self._arrive(scene, scene.station.datagram, forged=False)

    def _tick(self, endpoint: Endpoint, now: float) -> None:
        try:
            outputs = endpoint.timer(now)
        except Exception as error:
            raise Finding(f"timer raised {type(error).__name__}: {error}") from error
        for output in outputs:
            if type(output) is Transmit:
                self._readable(output)

    def _leave(self, endpoint: Endpoint) -> None:
        """Take all sessions out; nothing may be left in any container of the endpoint but deadlines that passed."""
        for number in list(endpoint.sessions):
            endpoint._keep(number, endpoint.sessions[number], Step(None, ()))
        endpoint._deadlines.clear()
        _require(not endpoint.leases.held, "internal addresses are still held")
        left = [name for name in _containers() if vars(endpoint)[name]]
        half_open, endpoint.half_open = endpoint.half_open, 0
        for name in left:
            vars(endpoint)[name].clear()
        if endpoint.leases._of:  # who held an address last is remembered; here it is not
            endpoint.leases._of.clear()
            endpoint.leases._to.clear()
        _require(not left, f"the endpoint keeps something in {left}")
        _require(half_open == 0, "the count of half-open IKE SAs is wrong")

    # What comes of it

    def _decode(self, octets: bytes) -> None:
        try:
            again = wire.encode(wire.decode(octets))
        except (Dropped, RemoteProtocolError) as error:
            _require(bool(error.reason) and -1 < error.offset <= len(octets), f"no reason or place: {error!r}")
            self.seen["refused by decode"] += 1
            return
        except Exception as error:
            raise Finding(f"decode raised {type(error).__name__}: {error}") from error
        _require(again == octets, "encoded otherwise than it was decoded")
        self.seen["decoded"] += 1

    def _answers(self, asked: Header | None, outputs: tuple[Output, ...], scene: Scene) -> None:
        responses = 0
        for output in outputs:
            if type(output) is not Transmit:
                continue
            self._readable(output)
            message = output.message
            if message is None or not message.is_response:
                continue
            responses += 1
            _require(asked is not None and not asked.flags & FLAG_RESPONSE, "a response to what is no request")
            assert asked is not None
            _require(message.message_id == asked.message_id, "a response with another message ID")
            same = message.exchange_type == asked.exchange_type or output.again
            _require(same, "a response of another exchange")
            _require(message.spi_i == asked.spi_i, "a response with another SPIi")
            _require(output.path == scene.station.path, "a response to somewhere else")
        _require(responses <= 1, f"{responses} responses to one datagram")
        self.seen["answered" if responses else "not answered"] += 1

    def _readable(self, sent: Transmit) -> None:
        """What goes out can be read: by anyone the outside, and the clear message is one that can be encoded."""
        if sent.datagram == KEEPALIVE:
            return
        datagram = sent.datagram
        if sent.path.encapsulated:
            content = split(datagram)
            _require(type(content) is Ike, "no non-ESP marker")
            assert type(content) is Ike
            datagram = content.datagram
        try:
            outer = wire.decode(datagram)
            message = sent.message
            if message is not None:
                clear = wire.decode_payloads(wire.first_type(message.payloads), wire.encode_payloads(message.payloads))
                _require(clear == message.payloads, "what was sent reads otherwise")
        except (Dropped, RemoteProtocolError) as error:
            raise Finding(f"what was sent can't be read: {error}") from error
        if not outer.payloads or type(outer.payloads[-1]) not in (wire.SK, wire.SKF):
            first = outer.exchange_type == ExchangeType.IKE_SA_INIT
            bare = all(type(each) is N and each.type in BARE for each in outer.payloads)
            _require(first or bare, "sent without protection")


def _authentic(session: Session, datagram: bytes) -> bool:
    """Whether keys of an IKE SA open it: signatures are random, so what one process sent is new to another."""
    for ike in session.ikes:
        if ike.keys is not None and ike.suite is not None:
            sk_e, sk_a = (ike.keys.sk_er, ike.keys.sk_ar) if ike.initiator else (ike.keys.sk_ei, ike.keys.sk_ai)
            for opening in (envelope.unprotect, envelope.unprotect_fragment):
                try:
                    opening(_CRYPTO, ike.suite, sk_e, sk_a, datagram)
                except (Dropped, LocalProtocolError):
                    continue
                except RemoteProtocolError:
                    return True
                return True
    return False


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Finding(what)


def _peek(datagram: bytes, *, encapsulated: bool) -> Header | None:
    try:
        if encapsulated:
            content = split(datagram)
            if type(content) is not Ike:
                return None
            datagram = content.datagram
        return wire.peek(datagram)
    except Dropped:
        return None


@cache
def _containers() -> tuple[str, ...]:
    """What an endpoint keeps things in."""
    fresh = vars(Endpoint((), _CRYPTO, bytes))
    return tuple(name for name, held in fresh.items() if isinstance(held, dict | list))


def _place(endpoint: Endpoint, session: Session | None) -> None:
    if session is not None:
        endpoint._keep(GUEST, None, Step(session, ()))


def _bounded(endpoint: Endpoint, before: Session | None, after: Session | None) -> None:
    _require(len(endpoint.sessions) <= 2, "a datagram made more than one session")
    if after is None:
        return
    old = before or after
    _require(len(after.ikes) <= len(old.ikes) + 1, "more than one new IKE SA")
    _require(len(after.children) <= len(old.children) + 1, "more than one new Child SA")
    _require(len(after.retries) <= len(old.retries) + 1, "more than one new retry")
    limit = endpoint.settings.fragment_limit
    for ike in after.ikes:
        _require(len(ike.answers) <= ike.window, "more responses kept than the window asks for")
        _require(len(ike.outstanding) <= max(ike.peer_window, 1), "more requests than the peer's window")
        _require(len(ike.partial) <= ike.window + len(ike.outstanding) + 1, "too many messages in pieces")
        _require(all(len(each.parts) <= limit for each in ike.partial), "too many fragments")
        _require(len(ike.queue) <= 16, "a long queue")
    state = handshaking(after)
    if state is not None:
        _require(len(state.incoming) <= tls.MESSAGE_OCTETS, "too much of a TLS message is kept")
        _require(len(state.outgoing) <= tls.MESSAGE_OCTETS, "too much is to be sent by TLS")


def _shape(session: Session | None) -> object:
    """What a replayed message must not change: SAs, message IDs, requests."""
    if session is None:
        return None
    ikes = [(ike.spi, ike.phase, ike.expected, ike.next_request, len(ike.outstanding)) for ike in session.ikes]
    return ikes, [(child.spi_in, child.state, child.inbound, child.outbound) for child in session.children]


# Seals


def sealed(what: Input, ike: IkeSa) -> bytes:
    """The datagram that the peer of an IKE SA could have sent with this content (Section 3.14, RFC 7383)."""
    keys, suite = ike.keys, ike.suite
    assert keys is not None
    assert suite is not None
    sk_e, sk_a = (keys.sk_er, keys.sk_ar) if ike.initiator else (keys.sk_ei, keys.sk_ai)
    due = ike.expected
    if what.flags & FLAG_RESPONSE and ike.outstanding:
        due = ike.outstanding[0].message_id
    message_id = (due + what.number) % (1 << 32)
    flags = (what.flags & ~FLAG_INITIATOR) | (0 if ike.initiator else FLAG_INITIATOR)
    iv = bytes(_CRYPTO.iv_size(suite))
    head = Message(ike.spi_i, ike.spi_r, what.exchange, flags, message_id, ())
    if what.how is How.FRAGMENT:
        part = Fragment(head, what.fragment, what.total, what.first if what.fragment == 1 else 0, what.rest[:60000], iv)
        return envelope.protect_fragment(_CRYPTO, suite, sk_e, sk_a, part)
    block = _CRYPTO.block_size(suite)
    padding = -(len(what.rest) + 1) % block
    plaintext = what.rest[:60000] + bytes(padding) + bytes((padding,))
    plaintext = plaintext[: len(plaintext) - len(plaintext) % block]
    size = len(iv) + len(plaintext) + _CRYPTO.icv_size(suite)
    prefix = pack_header(
        ike.spi_i, ike.spi_r, 46, 0x20, what.exchange, flags, message_id, HEADER_SIZE + 4 + size
    ) + pack_generic(what.first, 0, size + 4)
    return prefix + _CRYPTO.encrypt(suite, sk_e, sk_a, prefix, iv, plaintext)


def _seeds(number: int, scene: Scene) -> list[bytes]:
    """The scene's own message: as it is, and, where it has keys, to be sealed whole and in two fragments."""
    message, datagram = scene.station.message, scene.station.datagram
    if scene.station.path.encapsulated:
        datagram = datagram[4:]
    found = [build(Input(number, How.DATAGRAM, Then.NOTHING, 0, 0, 0, 0, 0, 0, datagram))]
    ike = scene.station.ike(scene.station.session)
    if ike is not None and ike.keys is not None:
        first, chain = wire.first_type(message.payloads), wire.encode_payloads(message.payloads)
        whole = Input(number, How.SEALED, Then.NOTHING, first, message.exchange_type, message.flags, 0, 0, 0, chain)
        found.append(build(whole))
        if ike.fragmentation:
            half = whole._replace(how=How.FRAGMENT, fragment=1, total=2, rest=chain[: len(chain) // 2])
            found += [build(half), build(half._replace(total=1, rest=chain))]
        if handshaking(scene.station.session) is not None:
            due = whole._replace(how=How.ALTERED, rest=b"")
            found += [build(due._replace(rest=each)) for each in (b"", b"\0\0\5\0", b"\1\1\0\1", b"\2\0\x40\0")]
    return found


def random_input(harness: Harness, rng: Random, corpus: tuple[bytes, ...]) -> bytes:
    """One input made of another by one to four changes."""
    return build(random_change(harness, rng, parse(corpus[int(rng.random() * len(corpus))])))


def random_change(harness: Harness, rng: Random, what: Input) -> Input:
    """An input after one to four changes."""
    for _ in range(1 + int(rng.random() * 4)):
        what = change(what, rng, len(harness.scenes))
    return what


__all__ = ["HEAD", "Finding", "Harness", "random_change", "random_input", "sealed"]
