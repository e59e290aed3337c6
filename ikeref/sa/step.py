"""`step`: what a session becomes by one input, and what is to be done (Sections 2.1 to 2.3, 2.21, 2.25).

A function of values: the same session, input, time and environment give the same step. What must not happen is a
`LocalProtocolError` (the caller's fault, nothing has changed) or `Dropped` (the datagram changes nothing).
"""

from typing import NamedTuple, assert_never

from ikeref import wire
from ikeref.crypto import envelope
from ikeref.errors import Dropped, InvalidSyntax, LocalProtocolError, RemoteProtocolError
from ikeref.registry import ExchangeType, NotifyType, ProtocolId, name
from ikeref.sa import (
    authentication,
    child,
    fragmentation,
    informational,
    initial,
    lookups,
    rekey,
    rounds,
    timers,
    window,
)
from ikeref.sa.authentication import Reply
from ikeref.sa.certification import Fetched
from ikeref.sa.compose import notification
from ikeref.sa.environment import Environment
from ikeref.sa.outputs import Failed, Moved, Received, Step
from ikeref.sa.turn import Turn, waits
from ikeref.sa.values import (
    AnnounceWindow,
    AskConfiguration,
    Authentication,
    CheckLiveness,
    ChildRequest,
    ChildState,
    Command,
    CreateChild,
    DeleteChild,
    DeleteIke,
    IkeRequest,
    IkeSa,
    Informational,
    Initial,
    Path,
    Phase,
    RekeyChild,
    RekeyIke,
    Report,
    Session,
    TellInvalidSpi,
    changed,
)
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, Message, N
from ikeref.wire.header import Header


class Datagram(NamedTuple):
    """Octets that came in, without non-ESP marker."""

    octets: bytes
    path: Path


class Heard(NamedTuple):
    """An ESP packet of one of the Child SAs came on this path, authentic and newer than all before (Section 2.23)."""

    path: Path


class Tick(NamedTuple):
    """Time has passed; see `timers.deadline`."""


Input = Datagram | Command | Tick | Heard | Fetched


def step(session: Session, what: Input, now: float, env: Environment) -> Step:
    """Advance a session by one input at time `now` (seconds of any clock that doesn't go back).

    Raises Dropped for a datagram that changes nothing, LocalProtocolError for a command that is not allowed now.
    """
    turn = Turn(session, now, env)
    match what:
        case Datagram():
            _receive(turn, what)
        case Tick():
            timers.tick(turn)
        case Fetched():
            _go_on(turn, what)
        case Heard(path=path):
            ike = turn.current
            if ike is not None and path != ike.path and _follows(ike):
                _follow(turn, ike, path)
        case _:
            _command(turn, what)
    _pump(turn)
    return turn.finish()


def abandon(session: Session, reason: str, now: float, env: Environment) -> Step:
    """Forget a session without a word: the peer has lost it (Sections 2.1, 2.4)."""
    turn = Turn(session, now, env)
    for ike in turn.ikes:
        if ike.phase is not Phase.CLOSED:
            turn.close(ike, reason)
    turn.ikes = ()
    return turn.finish()


# Datagrams


def _receive(turn: Turn, what: Datagram) -> None:
    # Parse
    header = wire.peek(what.octets)
    ike = turn.ike(header.spi_r if header.flags & FLAG_INITIATOR else header.spi_i)
    # Check
    if ike is None or bool(header.flags & FLAG_INITIATOR) == ike.initiator:
        raise Dropped("no IKE SA has these SPIs and this direction", section="2.6")
    if header.exchange_type == ExchangeType.IKE_SA_INIT:
        _receive_initial(turn, ike, header, what)
        return
    if ike.keys is None or (header.spi_i, header.spi_r) != (ike.spi_i, ike.spi_r):
        raise Dropped("no IKE SA has these SPIs", section="2.6")
    if header.flags & FLAG_RESPONSE:
        _receive_response(turn, ike, header, what)
    else:
        _receive_request(turn, ike, header, what)


def _receive_initial(turn: Turn, ike: IkeSa, header: Header, what: Datagram) -> None:
    if not header.flags & FLAG_RESPONSE:
        raise Dropped("an IKE_SA_INIT request with our SPI in it", section="2.6")
    try:
        message = wire.decode(what.octets)
    except RemoteProtocolError as error:
        raise Dropped(f"IKE_SA_INIT response ignored: {error}", section="2.21.1") from error
    initial.receive_response(turn, ike, message, what.octets, what.path)


def _open(turn: Turn, ike: IkeSa, what: Datagram, *, wanted: bool = True) -> Message | None:
    """Verify and decrypt; None for a fragment of a message that is not complete. `wanted`: it is to be processed.

    Raises Dropped for what isn't authentic, RemoteProtocolError for what is, and malformed.
    """
    assert ike.keys is not None
    assert ike.suite is not None
    keys = ike.keys
    sk_e, sk_a = (keys.sk_er, keys.sk_ar) if ike.initiator else (keys.sk_ei, keys.sk_ai)
    try:
        outer = wire.decode(what.octets)
    except RemoteProtocolError as error:
        raise Dropped(f"not authentic: {error.reason}", section="2.21.4", offset=error.offset) from error
    if outer.payloads and type(outer.payloads[-1]) is wire.SKF:
        return fragmentation.arrived(turn, ike, outer, what.octets, wanted=wanted)
    if not outer.payloads or type(outer.payloads[-1]) is not wire.SK:
        raise Dropped("not protected, though this IKE SA has keys", section="2.21.4")
    return envelope.unprotect(turn.env.crypto, ike.suite, sk_e, sk_a, what.octets, outer).message


def _receive_request(turn: Turn, ike: IkeSa, header: Header, what: Datagram) -> None:
    # Check
    position = window.request_position(header.message_id, ike.expected, ike.window, ike.answered)
    if position is window.Position.OUTSIDE or (position is window.Position.NEW and ike.phase is Phase.CLOSED):
        raise Dropped(f"message ID {header.message_id} is outside the window", section="2.3", field="Message ID")
    if turn.peer is None and ike.phase not in (Phase.HALF_OPEN, Phase.CLOSED):
        raise Dropped("a request of a responder that isn't authenticated", section="1.2")
    early = ike.phase is Phase.HALF_OPEN and header.exchange_type != ExchangeType.IKE_AUTH
    if early and not rounds.may_report(ike, header):
        raise Dropped("only IKE_AUTH may follow IKE_SA_INIT", section="1", field="Exchange Type")  # 7296-1-02
    # Parse
    broken: RemoteProtocolError | None = None
    message: Message | None = None
    try:
        message = _open(turn, ike, what, wanted=position is window.Position.NEW)
        if message is None:
            return
    except RemoteProtocolError as error:
        broken = error
        message = Message(
            header.spi_i, header.spi_r, header.exchange_type, header.flags, header.message_id, (), header.version
        )
    if early and position is window.Position.NEW and not authentication.is_report(message):
        raise Dropped("only IKE_AUTH may follow IKE_SA_INIT", section="1", field="Exchange Type")  # 7296-1-02
    if position is window.Position.AGAIN:
        answer = ike.answers[ike.answered.index(header.message_id)]
        turn.replay(message, answer, what.path)
        return
    ike = turn.ike(ike.spi) or ike
    if ike.handshake is not None and broken is None and lookups.waits(turn, ike, message, what.path):
        return
    _process_request(turn, ike, message, what.path, broken)


def _go_on(turn: Turn, what: Fetched) -> None:
    """Process a message that waited for lookups, if it need not wait any longer (Section 3.6)."""
    done = lookups.arrived(turn, what)
    if done is None:
        return
    ike, held = done
    if held.message.is_response:
        place = window.answered_by(held.message.message_id, ike.waiting)
        _process_response(turn, ike, place, held.message, held.path, "")
    else:
        _process_request(turn, ike, held.message, held.path, None)


def _process_request(turn: Turn, ike: IkeSa, message: Message, path: Path, broken: RemoteProtocolError | None) -> None:
    # State
    turn.outputs.append(Received(message, path))
    if path != ike.path and _follows(ike):
        ike = _follow(turn, ike, path)
    reply = _answer(turn, ike, message, broken)
    _heed_window(turn, ike.spi, message)
    # Reply
    after = turn.ike(ike.spi)
    assert after is not None
    after = turn.respond(after, message, reply.payloads, path)
    if reply.close:
        turn.close(after, reply.close, linger=True)


def _follows(ike: IkeSa) -> bool:
    """Whether the peer's address may change: it goes to port 4500, or a NAT gives it another (Section 2.23).

    Only an authentic message that was not here before says so (7296-2.23-30, 7296-2.23-33); who is behind a NAT itself
    follows nobody (7296-2.23-32).
    """
    return ike.phase is Phase.HALF_OPEN or (ike.phase > Phase.AUTH_SENT and not ike.nat_local)


def _follow(turn: Turn, ike: IkeSa, path: Path) -> IkeSa:
    """All that is sent from now on goes there, retransmissions too (7296-2.23-30, 7296-2.23-31)."""
    if ike.phase is not Phase.HALF_OPEN:
        turn.outputs.append(Moved(path, tuple(child for child in turn.children if child.outbound)))
    return turn.put(ike._replace(path=path))


def _answer(turn: Turn, ike: IkeSa, message: Message, broken: RemoteProtocolError | None) -> Reply:
    """What a request is answered with. A request that fails has changed nothing (7296-2.21.3-01)."""
    saved, count = turn.session(), len(turn.outputs)
    try:
        if broken is not None:
            raise broken
        return _respond(turn, ike, message)
    except RemoteProtocolError as error:
        turn.restore(saved, count)
        turn.audit(f"request refused: {error}", ike.spi)
        fatal = error.notify == NotifyType.INVALID_SYNTAX or ike.phase is Phase.HALF_OPEN
        return Reply((N(error.notify, error.data),), close=f"malformed request: {error.reason}" if fatal else "")


def _respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:
    if ike.phase is Phase.HALF_OPEN:
        if message.exchange_type == ExchangeType.INFORMATIONAL:
            return informational.respond(turn, ike, message)
        if rounds.concerns(ike, message):
            return rounds.respond(turn, ike, message)
        return authentication.respond(turn, ike, message)
    match message.exchange_type:
        case ExchangeType.CREATE_CHILD_SA:
            if child.protocol_of(message) == ProtocolId.IKE:
                return Reply(rekey.respond(turn, ike, message))
            return Reply(child.respond(turn, ike, message))
        case ExchangeType.INFORMATIONAL:
            return informational.respond(turn, ike, message)
        case _:
            exchange = name(ExchangeType, message.exchange_type)
            raise InvalidSyntax(f"{exchange} has no place here", section="1.3", field="Exchange Type")


def _receive_response(turn: Turn, ike: IkeSa, header: Header, what: Datagram) -> None:
    # Check
    place = window.answered_by(header.message_id, ike.waiting)
    if place < 0:
        raise Dropped("no request of ours is waiting for this response", section="2.1", field="Message ID")
    exchange = ike.outstanding[place]
    if exchange.message.exchange_type != header.exchange_type:
        raise Dropped("the response is of another exchange than the request", section="2.1", field="Exchange Type")
    # Parse
    broken = ""
    try:
        opened = _open(turn, ike, what)
        if opened is None:
            return
        message = opened
        if notification(message.payloads, NotifyType.INVALID_SYNTAX) is not None:
            broken = "the peer found our request malformed"
    except RemoteProtocolError as error:
        broken = f"malformed response: {error}"
        message = Message(
            header.spi_i, header.spi_r, header.exchange_type, header.flags, header.message_id, (), header.version
        )
    ike = turn.ike(ike.spi) or ike
    if ike.handshake is not None and not broken and lookups.waits(turn, ike, message, what.path):
        return
    _process_response(turn, ike, place, message, what.path, broken)


def _process_response(turn: Turn, ike: IkeSa, place: int, message: Message, path: Path, broken: str) -> None:
    exchange = ike.outstanding[place]
    # State
    turn.outputs.append(Received(message, path))
    others = ike.outstanding[:place] + ike.outstanding[place + 1 :]
    ike = turn.put(changed(ike, outstanding=others, heard=turn.now))
    if path != ike.path and _follows(ike):
        ike = _follow(turn, ike, path)
    if broken:
        # Fatal at both ends (7296-2.21.3-04), and no answer to a response (7296-2.21-02).
        turn.close(ike, broken)
        return
    match exchange.intent:
        case Authentication() as intent if ike.handshake is not None and ike.handshake.eap is not None:
            rounds.receive_response(turn, ike, message, intent)
        case Authentication() as intent:
            authentication.receive_response(turn, ike, message, intent)
        case ChildRequest() as intent:
            child.receive_response(turn, ike, message, intent)
        case IkeRequest() as intent:
            rekey.receive_response(turn, ike, message, intent)
        case Informational() as intent:
            informational.receive_response(turn, ike, message, intent)
        case Initial():
            raise Dropped("IKE_SA_INIT is not answered under protection", section="1.2")
        case _:
            assert_never(exchange.intent)
    _heed_window(turn, ike.spi, message)


def _heed_window(turn: Turn, spi: bytes, message: Message) -> None:
    """SET_WINDOW_SIZE of a peer that has proved who it is (7296-2.3-01, 7296-2.3-03)."""
    said = notification(message.payloads, NotifyType.SET_WINDOW_SIZE)
    if said is None:
        return
    ike = turn.ike(spi)
    if len(said.data) != 4:
        turn.audit("SET_WINDOW_SIZE without a number of four octets: ignored (Section 2.3)", spi)
    elif ike is not None and Phase.CANDIDATE <= ike.phase < Phase.CLOSED:
        size = int.from_bytes(said.data, "big")
        turn.put(ike._replace(peer_window=window.widened(ike.peer_window, size)))


# Commands


def _command(turn: Turn, command: Command) -> None:
    """Take a command in; it starts as soon as the window has room (Section 2.3)."""
    ike = turn.current
    if ike is None or ike.phase is not Phase.ESTABLISHED:
        raise LocalProtocolError("the IKE SA is not established", section="1.3")
    if waits(ike, command):
        raise LocalProtocolError("that is waiting to be done already", section="2.3")
    match command:
        case CreateChild(name=wanted):
            if not any(config.name == wanted for config in turn.connection.children):
                known = ", ".join(config.name for config in turn.connection.children) or "none"
                raise LocalProtocolError(f"no Child SA {wanted!r} is configured; there are: {known}", section="1.3.1")
        case RekeyChild(spi_in=spi):
            sa = turn.child(spi)
            if sa is None or sa.state is not ChildState.OPEN:
                raise LocalProtocolError(f"no open Child SA has the inbound SPI {spi.hex()}", section="1.3.3")
        case DeleteChild(spi_in=spi):
            sa = turn.child(spi)
            if sa is None or sa.state is ChildState.DELETING:
                raise LocalProtocolError(f"no Child SA to delete has the inbound SPI {spi.hex()}", section="1.4.1")
        case AskConfiguration(attributes=attributes):
            if not attributes and not turn.connection.request:
                raise LocalProtocolError("the connection says nothing to ask for", section="2.19")
        case RekeyIke() | DeleteIke() | CheckLiveness() | Report() | AnnounceWindow() | TellInvalidSpi():
            pass
        case _:
            assert_never(command)
    turn.enqueue(ike, command)


def _pump(turn: Turn) -> None:
    """Start what waits, as far as windows have room."""
    _renew(turn)
    if not [ike for ike in turn.ikes if ike.queue]:
        return
    for spi in [ike.spi for ike in turn.ikes]:
        ike = turn.ike(spi)
        while ike is not None and ike.queue and _may_start(turn, ike, ike.queue[0]):
            command, *rest = ike.queue
            ike = turn.put(ike._replace(queue=tuple(rest)))
            _start(turn, ike, command)
            ike = turn.ike(spi)


def _renew(turn: Turn) -> None:
    """Rekey an IKE SA before its message IDs are used up, and close it when they are (Section 2.2)."""
    for ike in turn.ikes:
        used = max(ike.next_request, ike.expected)
        if used < window.RENEWAL or ike.phase is not Phase.ESTABLISHED:
            continue
        if window.exhausted(used):
            rekey.promote_candidate(turn, ike)
            turn.close(turn.ike(ike.spi) or ike, "its message IDs are used up")
        elif ike.rekey is None and not any(isinstance(command, RekeyIke) for command in ike.queue):
            turn.enqueue_first(ike, RekeyIke())


def _may_start(turn: Turn, ike: IkeSa, command: Command) -> bool:
    """Whether the window has room, and what is under way lets the command begin (Sections 2.3, 2.8).

    What ends or replaces the IKE SA is begun alone, and so are exchanges that concern the same Child SA: requests of
    one window arrive in any order.
    """
    if ike.outstanding:
        if not window.has_room(ike.next_request, ike.waiting, ike.peer_window):
            return False
        if isinstance(command, RekeyIke | DeleteIke | Report) or ike.rekey is not None:
            return False
        if isinstance(command, DeleteChild) and ike.rekey_of(command.spi_in) is not None:
            return False
        if isinstance(command, RekeyChild) and ike.may_lose(command.spi_in):
            return False
    return ike.phase is Phase.ESTABLISHED or _may_delete(turn, ike)


def _may_delete(turn: Turn, ike: IkeSa) -> bool:
    """An IKE SA that was rekeyed waits with its Delete until the peer's redundant successor is gone.

    Else the peer, which has yet to learn of that one by a retransmission on the old IKE SA, would never delete it.
    """
    redundant = any(other.redundant and not other.initiator and other.phase is Phase.REKEYED for other in turn.ikes)
    return ike.phase is Phase.REKEYED and (ike.redundant or not redundant)


def _start(turn: Turn, ike: IkeSa, command: Command) -> None:
    try:
        match command:
            case CreateChild() | RekeyChild():
                child.start(turn, ike, command)
            case RekeyIke():
                rekey.start(turn, ike, command)
            case (
                DeleteChild()
                | DeleteIke()
                | CheckLiveness()
                | Report()
                | AnnounceWindow()
                | TellInvalidSpi()
                | AskConfiguration()
            ):
                informational.start(turn, ike, command)
            case _:
                assert_never(command)
    except LocalProtocolError as error:
        turn.outputs.append(Failed(type(command).__name__, error.reason))
