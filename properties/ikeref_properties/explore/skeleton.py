"""The parts of a state that don't depend on the other end: octets, and slots for what is renamed (Sections 2.1 to 2.3).

A skeleton is made once for every value of an end and for every message, and shared by all the states that contain
it. `fingerprint` joins skeletons. Of an IKE SA, `sealed` is left out (it only counts IVs) and so are times: which
timers run is kept, and `moves` says in which order they may fire. Of a message, IV and ICV are left out: the cipher
is free. `COVERED` names every field of a session's values; a field that is new to them must be thought about here.

Nothing says which end is A: who was the original initiator of the first IKE SA and of the first Child SAs is left out
(of all later ones it is kept), and the traffic selectors of policy are slots, so that the two ends can change places.
"""

from hashlib import blake2b
from typing import NamedTuple

from ikeref.registry import ExchangeType, name
from ikeref.sa import (
    AnnounceWindow,
    CheckLiveness,
    ChildSa,
    Command,
    CreateChild,
    DeleteChild,
    DeleteIke,
    IkeSa,
    Phase,
    RekeyChild,
    RekeyIke,
    Session,
    TellInvalidSpi,
)
from ikeref.sa.values import ChildRequest, Crossing, Exchange, IkeRequest, Informational, Report
from ikeref.wire import FLAG_INITIATOR, KE, SA, D, Message, N, Nonce, Payload, TrafficSelector, TSi, TSr, payload_name
from ikeref_properties.explore.comparison import CHILD_SPI, IKE_SPI, IkeKey, Rekey

COVERED = {
    Session: "ikes children retries connection* peer* internal*",
    IkeSa: "phase initiator spi_i spi_r suite keys next_request expected outstanding answers handshake queue redundant "
    "succeeded expires window peer_window path* sealed* fragmentation* partial* nat_local* nat_remote* "
    "authenticated_by* heard* sent* rekey_at* ends_at*",
    ChildSa: "name spi_in spi_out suite local_ts remote_ts initiator keys transport inbound outbound state replaces "
    "redundant rekey_at* ends_at* options* original*",
    ChildRequest: "command config spi_in nonce proposals* group private tsi tsr transport* crossing condemned",
    IkeRequest: "command spi nonce proposals* group private crossing",
    Informational: "command",
    Crossing: "nonces spi spis",
    Exchange: "message_id message* datagrams* intent transmissions deadline*",
}
"""Fields that make a difference, and with a star those that don't: constant, times, or implied by the others."""


class Origin(NamedTuple):
    """What there is at the start, made by A as the original initiator."""

    ike: IkeKey
    children: frozenset[bytes]
    """SPIs of the first Child SAs, of both ends."""
    selectors: tuple[bytes, bytes]
    """The slots of A's and of B's traffic, by policy."""


class MessageSkeleton(NamedTuple):
    """A message in clear."""

    ike: IkeKey
    response: bool
    message_id: int
    to_spi: bytes
    """The receiver's SPI of the IKE SA."""
    octets: bytes
    slots: tuple[bytes, ...]
    """SPIs and public values."""
    nonces: tuple[bytes, ...]
    message: Message

    @property
    def title(self) -> str:
        """For people."""
        message = self.message
        words = ", ".join(payload_name(payload) for payload in message.payloads)
        way = "response" if self.response else "request"
        return f"{name(ExchangeType, message.exchange_type)} {way} {message.message_id} {{{words}}}"


class IkeSkeleton(NamedTuple):
    """An IKE SA as one end has it: what the other end's numbers are to be compared with."""

    ike: IkeKey
    spi: bytes
    """This end's."""
    phase: Phase
    next_request: int
    expected: int
    answered: tuple[int, ...]
    """Message IDs of the peer's requests whose responses are kept."""
    outstanding: tuple[int, ...]
    """Message IDs of the requests without a response."""
    rekeys: tuple[int, ...]
    """Those of them that rekey something."""
    answers: tuple[MessageSkeleton, ...]
    waits: bool
    """Commands wait in its queue."""
    expires: bool
    announced: tuple[bytes, ...]
    """This end's SPI of the IKE SA to come, in an outstanding rekey."""


class EndSkeleton(NamedTuple):
    """One end."""

    octets: bytes
    slots: tuple[bytes, ...]
    nonces: tuple[bytes, ...]
    """Of outstanding rekeys and of those that crossed them: they may still be compared."""
    rekeys: tuple[Rekey, ...]
    """Its rekeys without a response."""
    ikes: tuple[IkeSkeleton, ...]
    lost: tuple[bytes, ...]
    """Child SAs that are gone without a successor, though no command of this end deleted them."""
    children: tuple[bytes, ...]
    """Where the present Child SAs descend from, in the session's order."""
    sorted_children: tuple[bytes, ...]
    """The same in the order of `octets` and `slots`: nothing depends on the session's."""


_codes: dict[object, bytes] = {}


def _code(value: object) -> bytes:
    """Four octets for a value that hardly varies, such as transforms and names: the same in every process."""
    known = _codes.get(value)
    if known is None:
        known = _codes[value] = blake2b(repr(_plain(value)).encode(), digest_size=4).digest()
    return known


def _plain(value: object) -> object:
    """Equal values have one spelling: neither a member of an enum nor a tuple's type shows."""
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    return int(value) if isinstance(value, int) else value


def selectors(traffic: tuple[TrafficSelector, ...]) -> bytes:
    """The slot of traffic selectors."""
    return b"TS" + _code(traffic)


def of_message(message: Message, origin: Origin) -> MessageSkeleton:
    """What a message says."""
    key = (message.spi_i, message.spi_r)
    flags = message.flags & ~FLAG_INITIATOR if key == origin.ike else message.flags
    octets = [message.exchange_type, flags]
    to_spi, from_spi = key if not message.flags & FLAG_INITIATOR else (message.spi_r, message.spi_i)
    slots: list[bytes] = [to_spi, from_spi]
    nonces: list[bytes] = []
    for payload in message.payloads:
        _payload(payload, octets, slots, nonces)
    return MessageSkeleton(
        key,
        message.is_response,
        message.message_id,
        to_spi,
        bytes(octets),
        tuple(slots),
        tuple(nonces),
        message,
    )


def _payload(payload: Payload, octets: list[int], slots: list[bytes], nonces: list[bytes]) -> None:
    match payload:
        case SA(proposals):
            octets += (1, len(proposals))
            for proposal in proposals:
                octets.append(proposal.number)
                octets += _code((proposal.protocol_id, proposal.transforms))
                slots.append(proposal.spi)
        case Nonce(data):
            octets.append(2)
            nonces.append(data)
        case KE(group, public):
            octets += (3, group)
            slots.append(public)
        case TSi(traffic) | TSr(traffic):
            octets.append(4)
            slots.append(selectors(traffic))
        case N():
            octets += (5, *_code((payload.type, payload.data)), payload.protocol_id)
            slots.append(payload.spi)
        case D(protocol_id, _, spis):
            octets += (6, protocol_id, len(spis))
            slots += spis
        case _:
            octets += (7, *_code(payload))


def of_end(
    session: Session | None,
    plane: dict[tuple[bool, bytes], bytes],
    roots: dict[bytes, bytes],
    doomed: frozenset[bytes],
    closing: bool,
    deferred: frozenset[bytes],
    origin: Origin,
) -> EndSkeleton:
    """What an end is."""
    if session is None:
        lost = tuple(root for root in dict.fromkeys(roots.values()) if root not in doomed)
        return EndSkeleton(bytes((closing,)), (), (), (), (), lost, (), ())
    octets = [closing, len(session.ikes), len(session.children), len(session.retries)]
    slots: list[bytes] = []
    nonces: list[bytes] = []
    found: list[Rekey] = []
    ikes = tuple([_ike(ike, session.children, roots, octets, slots, nonces, found, origin) for ike in session.ikes])
    present = tuple([roots.get(child.spi_in, b"") for child in session.children])
    children = sorted([(_child(child, deferred, origin), place) for place, child in enumerate(session.children)])
    for words, place in children:
        child = session.children[place]
        octets += words
        slots += (child.spi_in, child.spi_out, child.replaces, selectors(child.local_ts), selectors(child.remote_ts))
        slots += (present[place], plane.get((True, child.spi_in), b""), plane.get((False, child.spi_out), b""))
    for retry in session.retries:
        _command(retry.command, octets, slots)
    lost = tuple(root for root in dict.fromkeys(roots.values()) if root not in doomed and root not in present)
    return EndSkeleton(
        bytes(octets),
        tuple(slots),
        tuple(nonces),
        tuple(found),
        ikes,
        lost,
        present,
        tuple([present[place] for _, place in children]),
    )


def _ike(
    ike: IkeSa,
    children: tuple[ChildSa, ...],
    roots: dict[bytes, bytes],
    octets: list[int],
    slots: list[bytes],
    nonces: list[bytes],
    found: list[Rekey],
    origin: Origin,
) -> IkeSkeleton:
    expires = bool(ike.expires)
    initiator = ike.initiator and (ike.spi_i, ike.spi_r) != origin.ike
    octets += (
        ike.phase,
        initiator | ike.redundant << 1 | ike.succeeded << 2 | expires << 3 | (ike.handshake is not None) << 4,
        len(ike.queue),
    )
    octets += _code(ike.suite)
    slots += (ike.spi, ike.peer_spi, ike.keys.sk_d if ike.keys is not None else b"")
    for command in ike.queue:
        _command(command, octets, slots)
    octets += (ike.window, ike.peer_window, len(ike.outstanding))
    rekeys: list[int] = []
    announced: list[bytes] = []
    for exchange in ike.outstanding:
        octets += ((exchange.message_id - ike.next_request) & 0xFF, min(exchange.transmissions, 255))
        _exchange(exchange, roots, octets, slots, nonces)
        rekey = _rekey((ike.spi_i, ike.spi_r), exchange, children)
        if rekey is not None:
            found.append(rekey)
            rekeys.append(exchange.message_id)
            if rekey.size == IKE_SPI:
                announced.append(rekey.spi)
    octets += [(number - ike.expected) & 0xFF for number in ike.answered if number > ike.expected]
    return IkeSkeleton(
        (ike.spi_i, ike.spi_r),
        ike.spi,
        ike.phase,
        ike.next_request,
        ike.expected,
        ike.answered,
        ike.waiting,
        tuple(rekeys),
        tuple([of_message(answer.message, origin) for answer in ike.answers]),
        bool(ike.queue),
        expires,
        tuple(announced),
    )


def _exchange(
    exchange: Exchange,
    roots: dict[bytes, bytes],
    octets: list[int],
    slots: list[bytes],
    nonces: list[bytes],
) -> None:
    match exchange.intent:
        case ChildRequest() as intent:
            _command(intent.command, octets, slots)
            octets += (intent.group, len(intent.condemned), *_code(intent.config.name))
            slots += (intent.spi_in, intent.private or b"", selectors(intent.tsi), selectors(intent.tsr))
            slots += intent.condemned
            if isinstance(intent.command, RekeyChild):
                slots.append(roots.get(intent.command.spi_in, b""))
                nonces.append(intent.nonce)
                _crossing(intent.crossing, octets, slots, nonces)
        case IkeRequest() as intent:
            _command(intent.command, octets, slots)
            octets.append(intent.group)
            slots += (intent.spi, intent.private)
            nonces.append(intent.nonce)
            _crossing(intent.crossing, octets, slots, nonces)
        case Informational(command):
            _command(command, octets, slots)
        case intent:
            raise TypeError(f"{type(intent).__name__} has no place in an established IKE SA")


def _rekey(ike: IkeKey, exchange: Exchange, children: tuple[ChildSa, ...]) -> Rekey | None:
    """An exchange as one whose nonces may be compared."""
    match exchange.intent:
        case ChildRequest(command=RekeyChild(spi_in=old)) as intent:
            theirs = next((child.spi_out for child in children if child.spi_in == old), b"")
            made = Rekey(CHILD_SPI, ike, exchange.message_id, intent.nonce, intent.spi_in, old, theirs)
            crossing = intent.crossing
        case IkeRequest() as request:
            made = Rekey(IKE_SPI, ike, exchange.message_id, request.nonce, request.spi)
            crossing = request.crossing
        case _:
            return None
    if crossing is None:
        return made
    return made._replace(crossed=crossing.nonces, crossed_spi=crossing.spis[0])


def _crossing(crossing: Crossing | None, octets: list[int], slots: list[bytes], nonces: list[bytes]) -> None:
    if crossing is None:
        octets.append(0)
        return
    octets.append(1)
    slots += (crossing.spi, *crossing.spis)
    nonces += crossing.nonces


def _child(child: ChildSa, deferred: frozenset[bytes], origin: Origin) -> bytes:
    return (
        bytes(
            (
                child.state,
                (child.initiator and child.spi_in not in origin.children)
                | child.inbound << 1
                | child.outbound << 2
                | child.redundant << 3
                | child.transport << 4
                | (child.keys is not None) << 5
                | (child.spi_in in deferred) << 6,
            )
        )
        + _code(child.name)
        + _code(child.suite)
    )


def _command(command: Command, octets: list[int], slots: list[bytes]) -> None:
    match command:
        case CreateChild(wanted, attempt, group):
            octets += (1, attempt, group, *_code(wanted))
        case RekeyChild(spi, attempt, group):
            octets += (2, attempt, group)
            slots.append(spi)
        case RekeyIke(attempt, group):
            octets += (3, attempt, group)
        case DeleteChild(spi, protocol, spi_out):
            octets += (4, protocol)
            slots += (spi, spi_out)
        case DeleteIke():
            octets.append(5)
        case CheckLiveness():
            octets.append(6)
        case AnnounceWindow():
            octets.append(8)
        case TellInvalidSpi(spi):
            octets.append(9)
            slots.append(spi)
        case Report(notify):
            octets += (7, *_code(notify))
