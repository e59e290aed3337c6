"""The parts of a state that don't depend on the other end: octets, and slots for what is renamed (Sections 2.1 to 2.3).

A skeleton is made once for every value of an end and for every message, and shared by all the states that contain
it. `fingerprint` joins skeletons. Of an IKE SA, `sealed` is left out (it only counts IVs) and so are times: which
timers run is kept, and `moves` says in which order they may fire. Of a message, IV and ICV are left out: the cipher
is free. `COVERED` names every field of a session's values; a field that is new to them must be thought about here.
"""

from collections.abc import Hashable
from typing import NamedTuple

from ikeref.registry import ExchangeType, name
from ikeref.sa import (
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
)
from ikeref.sa.values import ChildRequest, Crossing, Exchange, IkeRequest, Informational, Report
from ikeref.wire import FLAG_INITIATOR, KE, SA, D, Message, N, Nonce, Payload, TSi, TSr, payload_name

COVERED = {
    Session: "ikes children retries connection* peer*",
    IkeSa: "phase initiator spi_i spi_r suite keys next_request expected outstanding answer handshake queue redundant "
    "succeeded expires path* sealed* nat_local* nat_remote* heard* sent* rekey_at*",
    ChildSa: "name spi_in spi_out suite local_ts remote_ts initiator keys transport inbound outbound state replaces "
    "redundant rekey_at*",
    ChildRequest: "command config spi_in nonce proposals* group private tsi tsr crossing condemned",
    IkeRequest: "command spi nonce proposals* group private crossing",
    Informational: "command",
    Crossing: "nonces spi spis",
    Exchange: "message_id message* datagram* intent transmissions deadline*",
}
"""Fields that make a difference, and with a star those that don't: constant, times, or implied by the others."""

IkeKey = tuple[bytes, bytes]
"""SPIi and SPIr."""


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
    outstanding: int
    """Message ID of the request without a response; -1: none."""
    rekey: int
    """The outstanding request rekeys: 4 a Child SA, 8 the IKE SA (the size of its SPIs); 0 neither."""
    answer: MessageSkeleton | None
    waits: bool
    """Commands wait in its queue."""
    expires: bool
    announced: bytes
    """This end's SPI of the IKE SA to come, in an outstanding rekey."""


class EndSkeleton(NamedTuple):
    """One end."""

    octets: bytes
    slots: tuple[bytes, ...]
    nonces: tuple[bytes, ...]
    """Of outstanding rekeys and of those that crossed them: they may still be compared."""
    rivals: tuple[tuple[int, bytes, bytes], ...]
    """Of each outstanding rekey: 4 or 8 as above, its Ni, this end's SPI of what it is to create."""
    ikes: tuple[IkeSkeleton, ...]
    lost: tuple[bytes, ...]
    """Child SAs that are gone without a successor, though no command of this end deleted them."""
    children: tuple[bytes, ...]
    """Where the present Child SAs descend from."""


_numbers: dict[Hashable, int] = {}


def _number(value: Hashable) -> int:
    """A small number for a value that hardly varies: transforms, selectors, names."""
    return _numbers.setdefault(value, len(_numbers))


def of_message(message: Message) -> MessageSkeleton:
    """What a message says."""
    octets = [message.exchange_type, message.flags]
    slots: list[bytes] = [message.spi_i, message.spi_r]
    nonces: list[bytes] = []
    for payload in message.payloads:
        _payload(payload, octets, slots, nonces)
    return MessageSkeleton(
        (message.spi_i, message.spi_r),
        message.is_response,
        message.message_id,
        message.spi_r if message.flags & FLAG_INITIATOR else message.spi_i,
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
                octets += (proposal.number, _number((proposal.protocol_id, proposal.transforms)))
                slots.append(proposal.spi)
        case Nonce(data):
            octets.append(2)
            nonces.append(data)
        case KE(group, public):
            octets += (3, group)
            slots.append(public)
        case TSi(selectors) | TSr(selectors):
            octets += (4, _number(selectors))
        case N():
            octets += (5, _number((payload.type, payload.data)), payload.protocol_id)
            slots.append(payload.spi)
        case D(protocol_id, _, spis):
            octets += (6, protocol_id, len(spis))
            slots += spis
        case _:
            octets += (7, _number(payload))


def of_end(
    session: Session | None,
    plane: dict[tuple[bool, bytes], bytes],
    roots: dict[bytes, bytes],
    doomed: frozenset[bytes],
    closing: bool,
) -> EndSkeleton:
    """What an end is."""
    if session is None:
        lost = tuple(root for root in dict.fromkeys(roots.values()) if root not in doomed)
        return EndSkeleton(bytes((closing,)), (), (), (), (), lost, ())
    octets = [closing, len(session.ikes), len(session.children), len(session.retries)]
    slots: list[bytes] = []
    nonces: list[bytes] = []
    rivals: list[tuple[int, bytes, bytes]] = []
    ikes = tuple([_ike(ike, roots, octets, slots, nonces, rivals) for ike in session.ikes])
    present = []
    for child in session.children:
        _child(child, octets, slots)
        root = roots.get(child.spi_in, b"")
        present.append(root)
        slots += (root, plane.get((True, child.spi_in), b""), plane.get((False, child.spi_out), b""))
    for retry in session.retries:
        _command(retry.command, octets, slots)
    lost = tuple(root for root in dict.fromkeys(roots.values()) if root not in doomed and root not in present)
    return EndSkeleton(bytes(octets), tuple(slots), tuple(nonces), tuple(rivals), ikes, lost, tuple(present))


def _ike(
    ike: IkeSa,
    roots: dict[bytes, bytes],
    octets: list[int],
    slots: list[bytes],
    nonces: list[bytes],
    rivals: list[tuple[int, bytes, bytes]],
) -> IkeSkeleton:
    expires = bool(ike.expires)
    octets += (
        ike.phase,
        ike.initiator | ike.redundant << 1 | ike.succeeded << 2 | expires << 3 | (ike.handshake is not None) << 4,
        _number(ike.suite),
        len(ike.queue),
    )
    slots += (ike.spi_i, ike.spi_r, ike.keys.sk_d if ike.keys is not None else b"")
    for command in ike.queue:
        _command(command, octets, slots)
    exchange = ike.outstanding
    outstanding, rekey, announced = -1, 0, b""
    if exchange is None:
        octets.append(0)
    else:
        outstanding = exchange.message_id
        octets += (1, (exchange.message_id - ike.next_request) & 0xFF, min(exchange.transmissions, 255))
        rekey, announced = _exchange(exchange, roots, octets, slots, nonces, rivals)
    answer = of_message(ike.answer.message) if ike.answer is not None else None
    return IkeSkeleton(
        (ike.spi_i, ike.spi_r),
        ike.spi,
        ike.phase,
        ike.next_request,
        ike.expected,
        outstanding,
        rekey,
        answer,
        bool(ike.queue),
        expires,
        announced,
    )


def _exchange(
    exchange: Exchange,
    roots: dict[bytes, bytes],
    octets: list[int],
    slots: list[bytes],
    nonces: list[bytes],
    rivals: list[tuple[int, bytes, bytes]],
) -> tuple[int, bytes]:
    match exchange.intent:
        case ChildRequest() as intent:
            _command(intent.command, octets, slots)
            octets += (_number((intent.config.name, intent.group, intent.tsi, intent.tsr)), len(intent.condemned))
            slots += (intent.spi_in, intent.private or b"", *intent.condemned)
            if isinstance(intent.command, RekeyChild):
                slots.append(roots.get(intent.command.spi_in, b""))
                nonces.append(intent.nonce)
                rivals.append((4, intent.nonce, intent.spi_in))
                _crossing(intent.crossing, intent.spi_in, octets, slots, nonces)
                return 4, b""
            return 0, b""
        case IkeRequest() as intent:
            _command(intent.command, octets, slots)
            octets.append(intent.group)
            slots += (intent.spi, intent.private)
            nonces.append(intent.nonce)
            rivals.append((8, intent.nonce, intent.spi))
            _crossing(intent.crossing, intent.spi, octets, slots, nonces)
            return 8, intent.spi
        case Informational(command):
            _command(command, octets, slots)
            return 0, b""
        case intent:
            raise TypeError(f"{type(intent).__name__} has no place in an established IKE SA")


def _crossing(
    crossing: Crossing | None, own: bytes, octets: list[int], slots: list[bytes], nonces: list[bytes]
) -> None:
    if crossing is None:
        octets.append(0)
        return
    octets.append(1 + (own < crossing.spis[0]))
    slots += (crossing.spi, *crossing.spis)
    nonces += crossing.nonces


def _child(child: ChildSa, octets: list[int], slots: list[bytes]) -> None:
    octets += (
        _number((child.name, child.suite, child.local_ts, child.remote_ts)),
        child.initiator
        | child.inbound << 1
        | child.outbound << 2
        | child.redundant << 3
        | child.transport << 4
        | (child.keys is not None) << 5,
        child.state,
    )
    slots += (child.spi_in, child.spi_out, child.replaces)


def _command(command: Command, octets: list[int], slots: list[bytes]) -> None:
    match command:
        case CreateChild(wanted, attempt, group):
            octets += (1, _number(wanted), attempt, group)
        case RekeyChild(spi, attempt, group):
            octets += (2, attempt, group)
            slots.append(spi)
        case RekeyIke(attempt, group):
            octets += (3, attempt, group)
        case DeleteChild(spi, protocol):
            octets += (4, protocol)
            slots.append(spi)
        case DeleteIke():
            octets.append(5)
        case CheckLiveness():
            octets.append(6)
        case Report(notify):
            octets += (7, _number(notify))
