"""IKE_SA_INIT in both roles, with COOKIE and INVALID_KE_PAYLOAD (Sections 1.2, 2.6, 2.7, 2.14, 2.21.1, 2.23)."""

from ikeref import wire
from ikeref.crypto import IkeKeys, Suite, auth, schedule
from ikeref.errors import Dropped, InvalidKePayload, InvalidSyntax, NoProposalChosen, RemoteProtocolError
from ikeref.policy import choice, explain
from ikeref.policy.connections import Connection
from ikeref.policy.credentials import EapPeer, PrivateKey, RawKeys, TrustAnchors
from ikeref.registry import ExchangeType, NotifyType, ProtocolId, name
from ikeref.sa import authentication, certification, fragmentation, nat, rounds
from ikeref.sa.compose import first_error, notification, one
from ikeref.sa.environment import Environment
from ikeref.sa.outputs import Received, Step
from ikeref.sa.turn import Turn
from ikeref.sa.values import Answer, Handshake, IkeSa, Initial, Path, Phase, Session, changed
from ikeref.wire import (
    FLAG_INITIATOR,
    FLAG_RESPONSE,
    KE,
    NO_SPI,
    SA,
    Message,
    N,
    Nonce,
    Payload,
    Proposal,
    TrafficSelector,
)

_ANNOUNCED = N(NotifyType.SIGNATURE_HASH_ALGORITHMS, b"".join(h.to_bytes(2, "big") for h in sorted(auth.HASHES)))
"""What we verify signatures with (RFC 7427 section 4, RFC 8420)."""


# Initiator


def initiate(
    connection: Connection, path: Path, now: float, env: Environment, packet: tuple[TrafficSelector, ...] = ()
) -> Step:
    """Begin an IKE SA: a session that has sent IKE_SA_INIT (Section 1.2).

    `packet`: source and destination, one address each, of the one that asks for the first Child SA (Section 2.9).
    """
    turn = Turn(Session(connection, ()), now, env)
    rekey_at = env.lifetime(now, env.settings.rekey_ike_seconds)
    ends_at = env.end(now, env.settings.expire_ike_seconds)
    ike = IkeSa(Phase.INIT_SENT, True, env.new_spi(8), NO_SPI, path, rekey_at=rekey_at, ends_at=ends_at, heard=now)
    handshake = Handshake(env.random(env.settings.nonce_octets), packet=packet)
    _send(turn, ike, handshake, choice.groups_of(connection.ike_proposals)[0])
    return turn.finish()


def _send(turn: Turn, ike: IkeSa, handshake: Handshake, group: int) -> None:
    """Send IKE_SA_INIT, or send it anew: SAi1, Ni and SPIi stay (7296-1.2-22, 7296-2.6-13, 7296-2.6.1-03)."""
    env, private = turn.env, handshake.private
    if group != handshake.group:
        private, public = env.crypto.generate(group, env.random)
        key_exchange = KE(group, public)
    else:
        key_exchange = one(ike.outstanding[0].message.payloads, KE, "1.2")
    cookie: tuple[Payload, ...] = (N(NotifyType.COOKIE, handshake.cookie),) if handshake.cookie else ()
    payloads = (
        *cookie,
        SA(_numbered(turn.connection.ike_proposals)),
        key_exchange,
        Nonce(handshake.ni),
        *nat.notifications(ike.spi_i, NO_SPI, ike.path, pretend=turn.connection.force_encapsulation),
        *fragmentation.offered(env.settings),
        *((_ANNOUNCED,) if _certifies(turn.connection) else ()),
    )
    message = Message(ike.spi_i, NO_SPI, ExchangeType.IKE_SA_INIT, FLAG_INITIATOR, 0, payloads)
    datagram = wire.encode(message)
    handshake = changed(handshake, group=group, private=private, init_request=datagram, rounds=handshake.rounds + 1)
    turn.send_request(ike, message, (datagram,), Initial(), handshake=handshake)


def _numbered(offer: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """Proposals are numbered from 1 (Section 3.3.1)."""
    if [proposal.number for proposal in offer] == [*range(1, len(offer) + 1)]:
        return offer
    return tuple([proposal._replace(number=index) for index, proposal in enumerate(offer, 1)])


def receive_response(turn: Turn, ike: IkeSa, message: Message, datagram: bytes, path: Path) -> None:
    """Process what came in answer to IKE_SA_INIT.

    Nothing in it is authenticated: what does not help is ignored and waiting goes on (7296-2.21.1-02).
    """
    # Check
    if ike.phase is not Phase.INIT_SENT or message.message_id != 0 or not ike.outstanding or ike.handshake is None:
        raise Dropped("no IKE_SA_INIT of ours is waiting for this", section="2.1")
    handshake = ike.handshake
    payloads = message.payloads
    if any(type(payload) is SA for payload in payloads):
        try:
            _accept(turn, ike, handshake, message, datagram, path)
        except RemoteProtocolError as error:
            turn.put(ike._replace(handshake=handshake._replace(hint=error.reason)))
            turn.audit(f"IKE_SA_INIT response ignored: {error}")
        return
    # State
    turn.outputs.append(Received(message, path))
    if (cookie := notification(payloads, NotifyType.COOKIE)) is not None:
        handshake = handshake._replace(cookie=cookie.data)
        _again(turn, ike, handshake, handshake.group)
    elif (wanted := notification(payloads, NotifyType.INVALID_KE_PAYLOAD)) is not None:
        group = int.from_bytes(wanted.data, "big") if len(wanted.data) == 2 else 0
        if group == handshake.group or group not in choice.groups_of(turn.connection.ike_proposals):
            turn.audit(
                f"INVALID_KE_PAYLOAD names group {group}, which was not offered or just used: ignored (Section 1.2)"
            )
            return
        _again(turn, ike, handshake, group)
    elif (error_notify := first_error(payloads)) is not None:
        hint = name(NotifyType, error_notify.type)
        turn.put(ike._replace(handshake=handshake._replace(hint=hint)))
        turn.audit(f"the peer said {hint}, unauthenticated: waiting goes on (Section 2.21.1)")
        if error_notify.type == NotifyType.NO_PROPOSAL_CHOSEN:
            turn.audit(explain.offer(turn.connection.ike_proposals), ike.spi)


def _again(turn: Turn, ike: IkeSa, handshake: Handshake, group: int) -> None:
    if handshake.rounds >= turn.env.settings.initial_rounds:
        turn.audit("IKE_SA_INIT is not sent anew: too many rounds (Section 2.6.1)")
        return
    _send(turn, ike, handshake, group)


def _accept(turn: Turn, ike: IkeSa, handshake: Handshake, message: Message, datagram: bytes, path: Path) -> None:
    # Parse
    payloads = message.payloads
    answer = one(payloads, SA, "1.2")
    key_exchange = one(payloads, KE, "1.2")
    nonce = one(payloads, Nonce, "1.2")
    # Check
    if message.spi_r == NO_SPI:
        raise InvalidSyntax("the responder's SPI is zero", section="3.1", field="SPIr")
    offer = _numbered(turn.connection.ike_proposals)
    chosen = choice.verify_choice(offer, answer.proposals)
    suite = choice.suite_of(chosen)
    if not key_exchange.group == suite.group == handshake.group:
        raise InvalidSyntax("KE is not of the group chosen", section="1.2", field="KE.group")
    # Derive
    assert handshake.private is not None
    g_ir = turn.env.crypto.agree(suite.group, handshake.private, key_exchange.public)
    handshake = changed(
        handshake,
        nr=nonce.data,
        init_response=datagram,
        hashes=_announced(payloads),
        private=None,
        childless=notification(payloads, NotifyType.CHILDLESS_IKEV2_SUPPORTED) is not None,
    )
    if isinstance(turn.connection.local_auth, PrivateKey):
        handshake = handshake._replace(asked=certification.asked(payloads))
    keys = _keys(turn, suite, handshake, message.spi_i, message.spi_r, g_ir)
    local, remote = nat.detect(payloads, message.spi_i, message.spi_r, path)
    moves = (local or remote or turn.connection.force_encapsulation) and not ike.path.encapsulated
    # State
    turn.outputs.append(Received(message, path))
    ike = changed(
        ike,
        phase=Phase.AUTH_SENT,
        spi_r=message.spi_r,
        path=_encapsulated(ike.path, turn.connection) if moves else ike.path,
        suite=suite,
        keys=keys,
        outstanding=(),
        fragmentation=fragmentation.accepted(turn.env.settings, payloads),
        handshake=handshake,
        nat_local=local,
        nat_remote=remote,
        heard=turn.now,
    )
    if isinstance(turn.connection.local_auth, EapPeer):
        rounds.start(turn, ike)
    else:
        authentication.start(turn, ike)


def _encapsulated(path: Path, connection: Connection) -> Path:
    """From port 500 to port 4500, where a NAT was found (7296-2.23-25)."""
    local = (path.local[0], connection.local_nat_port)
    remote = (path.remote[0], connection.remote_nat_port)
    return Path(local, remote, encapsulated=True)


def _announced(payloads: tuple[Payload, ...]) -> frozenset[int]:
    found = notification(payloads, NotifyType.SIGNATURE_HASH_ALGORITHMS)
    if found is None:
        return frozenset()
    data = found.data
    return frozenset(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data) - 1, 2))


def _keys(turn: Turn, suite: Suite, handshake: Handshake, spi_i: bytes, spi_r: bytes, g_ir: bytes) -> IkeKeys:
    """SKEYSEED, and from it the seven keys (Section 2.14)."""
    crypto, ni, nr = turn.env.crypto, handshake.ni, handshake.nr
    skeyseed = schedule.skeyseed(crypto, suite.prf, ni, nr, g_ir)
    keys = schedule.ike_keys(crypto, suite, skeyseed, ni, nr, spi_i, spi_r)
    turn.announce_keys(spi_i, spi_r, suite, keys)
    return keys


# Responder


def respond(request: Message, datagram: bytes, path: Path, now: float, env: Environment) -> Step:
    """Answer a first IKE_SA_INIT request: a session with a half-open IKE SA (Section 1.2).

    Raises RemoteProtocolError where the request gets an error notification instead; there is no state then.
    """
    # Parse
    payloads = request.payloads
    offer = one(payloads, SA, "1.2")
    key_exchange = one(payloads, KE, "1.2")
    nonce = one(payloads, Nonce, "1.2")
    # Check
    connection, chosen = _choose(offer, env, path)
    suite = choice.suite_of(chosen)
    if key_exchange.group != suite.group:
        wanted = suite.group.to_bytes(2, "big")
        raise InvalidKePayload(
            f"the group chosen is {suite.group}, not {key_exchange.group}", section="1.2", data=wanted
        )
    # Derive
    private, public = env.crypto.generate(suite.group, env.random)
    g_ir = env.crypto.agree(suite.group, private, key_exchange.public)
    spi_i, spi_r, nr = request.spi_i, env.new_spi(8), env.random(env.settings.nonce_octets)
    local, remote = nat.detect(payloads, spi_i, NO_SPI, path)
    # Reply
    fragments = fragmentation.accepted(env.settings, payloads)
    certifying = any(_certifies(c) for c in env.candidates(path))
    reply = (
        SA((chosen,)),
        KE(suite.group, public),
        Nonce(nr),
        *nat.notifications(spi_i, spi_r, path, pretend=connection.force_encapsulation),
        *(fragmentation.offered(env.settings) if fragments else ()),
        *((_ANNOUNCED, *certification.requests(env.candidates(path))) if certifying else ()),
        *((N(NotifyType.CHILDLESS_IKEV2_SUPPORTED),) if connection.childless else ()),
    )
    message = Message(spi_i, spi_r, ExchangeType.IKE_SA_INIT, FLAG_RESPONSE, 0, reply)
    response = wire.encode(message)
    # State
    turn = Turn(Session(connection, ()), now, env)
    turn.outputs.append(Received(request, path))
    handshake = Handshake(
        nonce.data,
        nr,
        init_request=datagram,
        init_response=response,
        hashes=_announced(payloads),
        expires=now + env.settings.half_open_seconds,
    )
    ike = IkeSa(
        Phase.HALF_OPEN,
        False,
        spi_i,
        spi_r,
        path,
        suite,
        _keys(turn, suite, handshake, spi_i, spi_r, g_ir),
        expected=1,
        handshake=handshake,
        fragmentation=fragments,
        nat_local=local,
        nat_remote=remote,
        rekey_at=env.lifetime(now, env.settings.rekey_ike_seconds),
        ends_at=env.end(now, env.settings.expire_ike_seconds),
        heard=now,
        sent=now,
    )
    turn.put(ike)
    turn.transmit(path, (response,), message)
    return turn.finish()


def _certifies(connection: Connection) -> bool:
    """Whether signatures may pass, theirs or ours: then both ends have to announce hashes (RFC 7427 section 3)."""
    verifies = isinstance(connection.remote_auth, (TrustAnchors, RawKeys))
    return verifies or isinstance(connection.local_auth, PrivateKey)


def _choose(offer: SA, env: Environment, path: Path) -> tuple[Connection, Proposal]:
    """By our policy's order and never by KEi, so that a forged INVALID_KE_PAYLOAD gains nothing (7296-1.2-20)."""
    for proposal in offer.proposals:
        if proposal.protocol_id == ProtocolId.IKE and proposal.spi:
            raise InvalidSyntax(
                "SPI Size is not zero for an initial IKE SA", section="3.3.1", field="SA.Proposal.SPI Size"
            )
    for connection in env.candidates(path):
        chosen = choice.choose(offer.proposals, connection.ike_proposals)
        if chosen is not None:
            return connection, chosen
    acceptable = tuple(proposal for connection in env.candidates(path) for proposal in connection.ike_proposals)
    detail = explain.suites(offer.proposals, acceptable)
    raise NoProposalChosen("no proposal for an IKE SA is acceptable", section="2.7", field="SA", detail=detail)


def replay(session: Session, datagram: bytes, path: Path, now: float, env: Environment) -> Step:
    """Answer an IKE_SA_INIT request that came again, the same to the octet, with the same response (7296-2.1-12).

    Raises Dropped once the IKE SA has come further: the initiator has that response (7296-2.1-13).
    """
    ike = session.ikes[0]
    handshake = ike.handshake
    if handshake is None or ike.phase is not Phase.HALF_OPEN or handshake.init_request != datagram:
        raise Dropped("an IKE_SA_INIT request on an IKE SA that has come further", section="2.1")
    turn = Turn(session, now, env)
    answer = Answer(wire.decode(handshake.init_response), (handshake.init_response,))
    turn.replay(wire.decode(datagram), answer, path)
    return turn.finish()
