"""IKE_AUTH with EAP, in rounds, in both roles (Sections 2.16, 2.21.2, 3.16, RFC 5998).

    initiator                                responder
    SK {IDi, [CERTREQ,] [IDr,]
        SAi2, TSi, TSr}          -->
                                 <--         SK {IDr, [CERT,] AUTH, EAP}
    SK {EAP}                     -->
                                 <--         SK {EAP (success)}
    SK {AUTH}                    -->
                                 <--         SK {AUTH, SAr2, TSi, TSr}

The responder's own AUTH is to be a signature (7296-2.16-01), see Departure D-5.

The IKE SA stays half-open until the last of these (7296-2.16-02): for its limits, its timer and its window.
"""

from ikeref import eap
from ikeref.crypto import auth
from ikeref.eap import Done, Move, Packet, Peer, Server, Tools
from ikeref.errors import AuthenticationFailed, InvalidSyntax, RemoteProtocolError
from ikeref.policy.credentials import SAFE_EAP, EapOnly, EapPeer, EapServer
from ikeref.policy.identities import Identity
from ikeref.registry import AuthMethod, EapCode, ExchangeType, NotifyType, name
from ikeref.sa import authentication
from ikeref.sa.authentication import Reply
from ikeref.sa.compose import first_error, maybe, notification, one, window_size
from ikeref.sa.conversation import AsInitiator, AsResponder
from ikeref.sa.turn import Turn
from ikeref.sa.values import Authentication, Handshake, IkeSa
from ikeref.wire import AUTH, CP, EAP, SA, IDi, IDr, Message, N, Payload, TSi, TSr, encode_id
from ikeref.wire.header import Header

_KEPT = (SA, TSi, TSr, N, CP)
"""Payloads of the first request that are acted upon once the initiator is authenticated (7296-2.16-05)."""


def concerns(ike: IkeSa, message: Message) -> bool:
    """Whether an IKE_AUTH request is one of EAP: the first has no AUTH (7296-2.16-03)."""
    handshake = ike.handshake
    if handshake is not None and handshake.eap is not None:
        return True
    return not any(type(payload) is AUTH for payload in message.payloads)


def may_report(ike: IkeSa, header: Header) -> bool:
    """Whether a request may be the initiator's report that it finds fault with our AUTH or with EAP: it may come amid
    the rounds (7296-2.21.2-04, 7296-2.21.2-12)."""
    handshake = ike.handshake
    return handshake is not None and handshake.eap is not None and header.exchange_type == ExchangeType.INFORMATIONAL


def _tools(turn: Turn) -> Tools:
    return Tools(turn.env.random, turn.env.calendar)


def _secret(ike: IkeSa, done: Done, *, initiator: bool) -> bytes:
    """What the last AUTH of one end is made with: the MSK (7296-2.16-09, 7296-2.16-10), else SK_pi or SK_pr of that end
    (7296-2.16-13). The MSK is used for nothing else, and forgotten with the handshake (7296-2.16-11)."""
    assert ike.keys is not None
    if done.msk is not None:
        return done.msk.octets
    return ike.keys.sk_pi if initiator else ike.keys.sk_pr


def _prove(turn: Turn, ike: IkeSa, handshake: Handshake, done: Done) -> AUTH:
    """Our last AUTH, with the syntax of a shared key."""
    assert ike.suite is not None
    local = turn.connection.local_id
    octets = authentication.own_octets(turn, ike, handshake, encode_id(IDi(local.id_type, local.data)))
    secret = _secret(ike, done, initiator=ike.initiator)
    return AUTH(AuthMethod.SHARED_KEY, auth.shared_key_auth(turn.env.crypto, ike.suite.prf, secret, octets))


def _verify(
    turn: Turn, ike: IkeSa, handshake: Handshake, done: Done, claimed: IDi | IDr, payloads: tuple[Payload, ...]
) -> None:
    """Raises AuthenticationFailed unless the peer's last AUTH is right (7296-2.16-18)."""
    assert ike.suite is not None
    proof = one(payloads, AUTH, "2.16")
    if proof.method != AuthMethod.SHARED_KEY:
        kind = name(AuthMethod, proof.method)
        raise AuthenticationFailed(f"after EAP, AUTH is as with a shared key, not {kind}", section="2.16")
    octets = authentication.peer_octets(turn, ike, handshake, encode_id(claimed))
    secret = _secret(ike, done, initiator=not ike.initiator)
    auth.verify_shared_key(turn.env.crypto, ike.suite.prf, secret, octets, proof.data)


# Initiator


def start(turn: Turn, ike: IkeSa) -> None:
    """Send IKE_AUTH without AUTH (7296-2.16-03)."""
    credential = turn.connection.local_auth
    assert isinstance(credential, EapPeer)
    assert ike.handshake is not None
    handshake = ike.handshake._replace(eap=AsInitiator())
    only = (N(NotifyType.EAP_ONLY_AUTHENTICATION),) if credential.only else ()
    authentication.ask(turn, ike, (), only, handshake=handshake)


def receive_response(turn: Turn, ike: IkeSa, message: Message, intent: Authentication) -> None:
    """Process an IKE_AUTH response while EAP goes on, and when it is over."""
    assert ike.handshake is not None
    state = ike.handshake.eap
    assert isinstance(state, AsInitiator)
    payloads = message.payloads
    said: Packet | None = None
    try:
        # Parse
        proof, carried = maybe(payloads, AUTH, "2.16"), maybe(payloads, EAP, "2.16")
        said = eap.parse(carried.data) if carried is not None else None
        error = first_error(payloads)
        # Check
        if error is not None and proof is None:
            turn.close(ike, f"the peer refused: {name(NotifyType, error.type)}")
        elif said is not None and said.code == EapCode.FAILURE:
            why = eap.why_failed(state.peer) if state.peer is not None else "no method has begun"
            turn.close(ike, f"EAP failed: {why}")
        elif state.peer is None:
            _receive_first(turn, ike, state, payloads, said, intent)
        elif state.done is None:
            _receive_round(turn, ike, state, state.peer, said, intent)
        else:
            _receive_last(turn, ike, state, state.done, payloads, said, intent)
    except RemoteProtocolError as failure:
        if state.peer is None or state.done is not None or (said is not None and said.code == EapCode.REQUEST):
            authentication.report(turn, ike, failure)
        else:
            turn.audit(f"EAP ends: {failure}")
            turn.close(ike, f"authentication by EAP failed: {failure.reason}")


def _receive_first(
    turn: Turn,
    ike: IkeSa,
    state: AsInitiator,
    payloads: tuple[Payload, ...],
    said: Packet | None,
    intent: Authentication,
) -> None:
    """IDr, AUTH and the first EAP request (7296-2.16-06); without AUTH only where EAP alone is to authenticate."""
    credential, handshake = turn.connection.local_auth, ike.handshake
    assert isinstance(credential, EapPeer)
    assert handshake is not None
    # Check
    claimed = authentication.claim(turn, payloads)
    only = credential.only and maybe(payloads, AUTH, "2.16") is None
    if not only:
        authentication.verify(turn, ike, handshake, claimed, payloads)
    if said is None or said.code != EapCode.REQUEST:
        turn.close(ike, "the responder does not begin EAP, and EAP is all we have")  # 7296-2.16-05
        return
    # State
    contact = notification(payloads, NotifyType.INITIAL_CONTACT)
    server = credential.server or Identity(claimed.id_type, claimed.data)
    peer = Peer(credential, server, only)
    state = state._replace(peer=peer, responder=claimed, contact=(contact,) if contact is not None else ())
    _answer(turn, ike, state, peer, said, intent)


def _receive_round(
    turn: Turn, ike: IkeSa, state: AsInitiator, peer: Peer, said: Packet | None, intent: Authentication
) -> None:
    """Another EAP request, or Success, after which comes AUTH (7296-2.16-18)."""
    handshake = ike.handshake
    assert handshake is not None
    if said is None:
        raise InvalidSyntax("an EAP message is due", section="2.16", field="EAP")
    if said.code != EapCode.SUCCESS:
        _answer(turn, ike, state, peer, said, intent)
        return
    done = eap.conclude(peer)
    handshake = handshake._replace(eap=state._replace(done=done, rounds=state.rounds + 1))
    size = turn.env.settings.window_size
    payloads = (_prove(turn, ike, handshake, done), *window_size(size))
    turn.request(ike, ExchangeType.IKE_AUTH, payloads, intent, handshake=handshake, window=size)  # 7296-2.16-07


def _answer(turn: Turn, ike: IkeSa, state: AsInitiator, peer: Peer, said: Packet, intent: Authentication) -> None:
    """The next IKE_AUTH request, with the EAP response; each has the next message ID (7296-2.16-08)."""
    assert ike.handshake is not None
    if state.rounds >= turn.env.settings.eap_rounds:
        turn.close(ike, f"EAP has not come to an end in {state.rounds} rounds")  # 7296-2.16-14
        return
    peer, response = eap.answer(peer, said, _tools(turn))
    handshake = ike.handshake._replace(eap=state._replace(peer=peer, rounds=state.rounds + 1))
    payloads = (EAP(eap.build(response)),)
    turn.request(ike, ExchangeType.IKE_AUTH, payloads, intent, handshake=handshake)


def _receive_last(
    turn: Turn,
    ike: IkeSa,
    state: AsInitiator,
    done: Done,
    payloads: tuple[Payload, ...],
    said: Packet | None,
    intent: Authentication,
) -> None:
    """AUTH, and the answer to what the first request asked for (7296-2.16-07)."""
    assert ike.handshake is not None
    assert state.responder is not None
    if said is not None:
        turn.close(ike, "the responder goes on with EAP after its end")
        return
    _verify(turn, ike, ike.handshake, done, state.responder, payloads)
    authentication.complete(turn, ike, state.responder, state.contact, payloads, intent)


# Responder


def respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:
    """Answer an IKE_AUTH request without AUTH, and what follows it."""
    handshake = ike.handshake
    assert handshake is not None
    state = handshake.eap
    assert not isinstance(state, AsInitiator)
    try:
        if state is None:
            return _respond_first(turn, ike, handshake, message.payloads)
        if state.done is None:
            return _respond_round(turn, ike, handshake, state, message.payloads)
        return _respond_last(turn, ike, handshake, state, state.done, message)
    except RemoteProtocolError as failure:
        turn.audit(f"authentication of the initiator failed: {failure}")
        return Reply((N(failure.notify, failure.data),), close=f"authentication failed: {failure.reason}")


def _respond_first(turn: Turn, ike: IkeSa, handshake: Handshake, payloads: tuple[Payload, ...]) -> Reply:
    """Prove ourselves, and begin EAP; SAr2, TSi and TSr wait (7296-2.16-05, 7296-2.16-06)."""
    # Parse
    claimed = one(payloads, IDi, "2.16")
    wanted = maybe(payloads, IDr, "2.16")
    # Check
    credential = _choose(turn, ike, claimed, wanted)
    asked = notification(payloads, NotifyType.EAP_ONLY_AUTHENTICATION) is not None
    only = asked and credential.only
    if not only and isinstance(turn.connection.local_auth, EapOnly):
        raise AuthenticationFailed("we have nothing but EAP to prove ourselves with", section="RFC 5998 3")
    proof = () if only else authentication.prove(turn, ike, handshake, payloads)
    # Derive
    local = turn.connection.local_id
    methods = tuple([method for method in credential.methods if method in SAFE_EAP or not only])
    server = Server(credential, claimed.data, _own_name(local), turn.connection.remote_id, methods)
    move = eap.begin(server, _tools(turn))
    # State
    kept = tuple([payload for payload in payloads if type(payload) in _KEPT])
    state = AsResponder(move.server, claimed, kept, only)
    turn.put(ike._replace(handshake=handshake._replace(eap=state)))
    # Reply
    reply = _reply(turn, move)
    return reply._replace(payloads=(IDr(local.id_type, local.data), *proof, *reply.payloads))


def _choose(turn: Turn, ike: IkeSa, claimed: IDi, wanted: IDr | None) -> EapServer:
    """The connection, by IDi: who the initiator is will be known by EAP (7296-2.16-19)."""
    for connection in authentication.fitting_connections(turn, ike, claimed, wanted):
        if isinstance(connection.remote_auth, EapServer):
            turn.connection = connection
            return connection.remote_auth
    identity = Identity(claimed.id_type, claimed.data)
    raise AuthenticationFailed(f"{identity} sent no AUTH, and no connection for it is by EAP", section="2.16")


def _own_name(local: Identity) -> bytes:
    return str(local).encode("utf-8")


def _reply(turn: Turn, move: Move) -> Reply:
    """What the EAP server says; Failure ends the IKE SA, and no notification is needed (7296-2.16-16, 7296-2.21-06)."""
    payloads = (EAP(eap.build(move.message)),)
    if move.message.code == EapCode.FAILURE:
        turn.audit(f"EAP failed: {move.reason}")
        return Reply(payloads, close=f"EAP failed: {move.reason}")
    return Reply(payloads)


def _respond_round(
    turn: Turn, ike: IkeSa, handshake: Handshake, state: AsResponder, payloads: tuple[Payload, ...]
) -> Reply:
    """The next EAP message: a request, Success (7296-2.16-15) or Failure."""
    # Parse
    if maybe(payloads, AUTH, "2.16") is not None:
        raise AuthenticationFailed("AUTH comes before EAP Success", section="2.16", field="AUTH")  # 7296-2.16-18
    response = eap.parse(one(payloads, EAP, "2.16").data)
    # Derive
    if state.rounds >= turn.env.settings.eap_rounds:
        move = eap.fail(state.server, f"it has not come to an end in {state.rounds} rounds")
    else:
        move = eap.proceed(state.server, response, _tools(turn))
    done = move.done
    if done is not None and state.only and done.msk is None:
        move, done = eap.fail(move.server, "a method without a key may not stand alone"), None
    # State
    state = state._replace(server=move.server, done=done, rounds=state.rounds + 1)
    turn.put(ike._replace(handshake=handshake._replace(eap=state)))
    # Reply
    return _reply(turn, move)


def _respond_last(
    turn: Turn, ike: IkeSa, handshake: Handshake, state: AsResponder, done: Done, message: Message
) -> Reply:
    """AUTH by what EAP made, ours for the initiator's, and what the first request asked for (7296-2.16-07)."""
    # Check
    if maybe(message.payloads, EAP, "2.16") is not None:
        raise InvalidSyntax("EAP goes on after Success", section="2.16", field="EAP")
    _verify(turn, ike, handshake, done, state.initiator, message.payloads)
    # Reply
    proof = _prove(turn, ike, handshake, done)
    assert done.user is not None
    size = window_size(turn.env.settings.window_size)
    return authentication.accept(turn, ike, done.user, state.first, (proof, *size), message.message_id)
