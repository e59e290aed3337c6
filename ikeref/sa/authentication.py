"""IKE_AUTH in both roles, and the first Child SA with it (Sections 1.2, 2.15, 2.21.2); with EAP see `rounds`."""

from typing import Any, NamedTuple

from ikeref.crypto import auth
from ikeref.crypto.auth import PublicKey
from ikeref.errors import AuthenticationFailed, InvalidSyntax, LocalProtocolError, RemoteProtocolError
from ikeref.policy import identities, trust
from ikeref.policy.connections import ChildConfig, Connection
from ikeref.policy.credentials import EapServer, PrivateKey, RawKeys, Secret, TrustAnchors
from ikeref.policy.identities import Identity
from ikeref.registry import AuthMethod, ExchangeType, NotifyType, name
from ikeref.sa import certification, child
from ikeref.sa.compose import first_error, maybe, notification, one, window_size
from ikeref.sa.outputs import Established, InitialContact
from ikeref.sa.turn import Turn
from ikeref.sa.values import Authentication, CreateChild, Handshake, IkeSa, Informational, Phase, Report, changed
from ikeref.wire import AUTH, EAP, SA, IDi, IDr, Message, N, Payload, encode_id


class Reply(NamedTuple):
    """What a request is answered with, and whether that ends the IKE SA."""

    payloads: tuple[Payload, ...] = ()
    close: str = ""
    """Why the IKE SA is closed once the response is out; empty: it lives on."""


# Both ends


def own_octets(turn: Turn, ike: IkeSa, handshake: Handshake, id_body: bytes) -> bytes:
    """What our AUTH covers: our last IKE_SA_INIT, the peer's nonce, our identity (7296-2.15-01, 7296-2.15-04)."""
    assert ike.keys is not None
    assert ike.suite is not None
    crypto, prf = turn.env.crypto, ike.suite.prf
    if ike.initiator:
        return auth.signed_octets(crypto, prf, handshake.init_request, handshake.nr, ike.keys.sk_pi, id_body)
    return auth.signed_octets(crypto, prf, handshake.init_response, handshake.ni, ike.keys.sk_pr, id_body)


def peer_octets(turn: Turn, ike: IkeSa, handshake: Handshake, id_body: bytes) -> bytes:
    """What the peer's AUTH covers (Section 2.15)."""
    assert ike.keys is not None
    assert ike.suite is not None
    crypto, prf = turn.env.crypto, ike.suite.prf
    if ike.initiator:
        return auth.signed_octets(crypto, prf, handshake.init_response, handshake.ni, ike.keys.sk_pr, id_body)
    return auth.signed_octets(crypto, prf, handshake.init_request, handshake.nr, ike.keys.sk_pi, id_body)


def prove(turn: Turn, ike: IkeSa, handshake: Handshake, request: tuple[Payload, ...] = ()) -> tuple[Payload, ...]:
    """CERT payloads where there are any, and AUTH (Sections 2.15, 3.6, 3.8); `request`: what a responder answers.

    Raises AuthenticationFailed where our key can make no signature that the peer verifies.
    """
    assert ike.suite is not None
    local = turn.connection.local_id
    octets = own_octets(turn, ike, handshake, encode_id(IDi(local.id_type, local.data)))
    credential = turn.connection.local_auth
    if isinstance(credential, Secret):
        data = auth.shared_key_auth(turn.env.crypto, ike.suite.prf, credential.octets, octets)
        return (AUTH(AuthMethod.SHARED_KEY, data),)
    if not isinstance(credential, PrivateKey):
        raise AuthenticationFailed("this end has nothing but EAP to prove itself with", section="2.16")
    asked = certification.asked(request) if request else handshake.asked
    credential = certification.choose(turn.connection, credential, asked, turn.env.calendar())
    try:
        method, data = auth.sign(credential.key, octets, handshake.hashes)
    except LocalProtocolError as error:
        raise AuthenticationFailed(error.reason, section=error.section) from error
    return (*certification.show(credential, asked), AUTH(method, data))


def verify(turn: Turn, ike: IkeSa, handshake: Handshake, payload: IDi | IDr, payloads: tuple[Payload, ...]) -> None:
    """Raises AuthenticationFailed unless the peer proved the identity that it claims (7296-1.2-18)."""
    assert ike.suite is not None
    proof = one(payloads, AUTH, "1.2")
    octets = peer_octets(turn, ike, handshake, encode_id(payload))
    credential = turn.connection.remote_auth
    if isinstance(credential, Secret):
        if proof.method != AuthMethod.SHARED_KEY:
            raise AuthenticationFailed(
                f"a shared key is expected, not {name(AuthMethod, proof.method)}", section="2.15"
            )
        auth.verify_shared_key(turn.env.crypto, ike.suite.prf, credential.octets, octets, proof.data)
        return
    if not isinstance(credential, TrustAnchors | RawKeys):
        way = "EAP" if isinstance(credential, EapServer) else "EAP alone, and asks for other trust"
        raise AuthenticationFailed(f"the peer is to prove itself by {way}", section="2.16", field="AUTH")
    identity = Identity(payload.id_type, payload.data)
    # We announced our hash algorithms; once both ends have, only method 14 is right (RFC 7427 section 3).
    hashes = auth.HASHES if handshake.hashes else frozenset()
    failure = AuthenticationFailed("no key is known", section="2.15", field="AUTH")
    for public_key in _public_keys(turn, handshake, credential, identity, payloads):
        try:
            auth.verify(public_key, proof.method, proof.data, octets, hashes)
            return
        except AuthenticationFailed as error:
            failure = error
    raise failure


def _public_keys(
    turn: Turn,
    handshake: Handshake,
    credential: TrustAnchors | RawKeys,
    identity: Identity,
    payloads: tuple[Payload, ...],
) -> tuple[PublicKey, ...]:
    """The one that the peer shows, or those that we know of it (Section 3.6, RFC 7670)."""
    if isinstance(credential, RawKeys):
        return trust.raw_public_keys(credential, certification.shown(payloads), identity)
    shown = certification.shown(payloads, handshake.fetched, credential.lookup_hosts)
    return (trust.public_key(credential, shown, identity, turn.env.calendar()),)


def _initial_contact(turn: Turn, peer: Identity | None) -> tuple[Payload, ...]:
    """INITIAL_CONTACT, only ever in the first IKE_AUTH message of its sender (7296-2.4-03, 7296-2.4-06)."""
    if peer is None or not turn.connection.initial_contact or turn.env.knows(turn.connection.local_id, peer):
        return ()
    return (N(NotifyType.INITIAL_CONTACT),)


def _heed_initial_contact(turn: Turn, peer: Identity, payloads: tuple[Payload, ...]) -> None:
    """Only once the peer is authenticated, and for the same identities alone (7296-2.4-02, 7296-2.4-04)."""
    if notification(payloads, NotifyType.INITIAL_CONTACT) is not None:
        turn.outputs.append(InitialContact(turn.connection.local_id, peer))


# Initiator


def start(turn: Turn, ike: IkeSa) -> None:
    """Send IKE_AUTH (Section 1.2)."""
    handshake = ike.handshake
    assert handshake is not None
    try:
        proof = prove(turn, ike, handshake)
    except AuthenticationFailed as failure:
        turn.close(ike, failure.reason)
        return
    size = turn.env.settings.window_size
    ask(turn, ike, proof, window_size(size), window=size)


def ask(turn: Turn, ike: IkeSa, proof: tuple[Payload, ...], notifications: tuple[Payload, ...], **changes: Any) -> None:
    """Send the first IKE_AUTH request, whose AUTH is in `proof`, or comes later (7296-2.16-03, 7296-2.16-04)."""
    connection, handshake = turn.connection, ike.handshake
    assert handshake is not None
    local, remote = connection.local_id, connection.remote_id
    try:
        intent, offer = child.first_offer(turn, ike, _first_child(connection, handshake))
    except RemoteProtocolError as failure:
        turn.close(ike, failure.reason)
        return
    payloads = (
        IDi(local.id_type, local.data),
        *proof[:-1],
        *_initial_contact(turn, remote),
        *certification.requests((connection,)),
        *((IDr(remote.id_type, remote.data),) if remote is not None else ()),
        *proof[-1:],
        *notifications,
        *offer,
    )
    turn.request(ike, ExchangeType.IKE_AUTH, payloads, intent, **changes)


def _first_child(connection: Connection, handshake: Handshake) -> ChildConfig | None:
    """The first Child SA to create; none where both ends can do without (RFC 6023)."""
    if connection.childless and handshake.childless:
        return None
    for config in connection.children:
        if config.start:
            return config
    return connection.children[0] if connection.children else None


def receive_response(turn: Turn, ike: IkeSa, message: Message, intent: Authentication) -> None:
    """Process the responder's IKE_AUTH (Sections 1.2, 2.21.2)."""
    handshake = ike.handshake
    assert handshake is not None
    payloads = message.payloads
    try:
        # Parse
        proof = maybe(payloads, AUTH, "1.2")
        error = first_error(payloads)
        if maybe(payloads, EAP, "2.16") is not None:
            turn.close(ike, "the responder speaks EAP, and we have sent AUTH")  # 7296-2.16-03
            return
        if proof is None:
            what = "IKE_AUTH was answered without AUTH" if error is None else name(NotifyType, error.type)
            if error is not None:
                turn.close(ike, f"the peer refused: {what}")
                return
            raise InvalidSyntax(what, section="1.2", field="AUTH")
        # Check
        claimed = claim(turn, payloads)
        verify(turn, ike, handshake, claimed, payloads)
    except RemoteProtocolError as failure:
        report(turn, ike, failure)
        return
    complete(turn, ike, claimed, payloads, payloads, intent)


def claim(turn: Turn, payloads: tuple[Payload, ...]) -> IDr:
    """Who the responder claims to be. Raises AuthenticationFailed where policy wanted somebody else."""
    claimed = one(payloads, IDr, "1.2")
    identity = Identity(claimed.id_type, claimed.data)
    if not identities.matches(turn.connection.remote_id, identity):
        raise AuthenticationFailed(
            f"the responder is {identity}, wanted was {turn.connection.remote_id}", section="1.2"
        )
    return claimed


def report(turn: Turn, ike: IkeSa, failure: RemoteProtocolError) -> None:
    """End an IKE SA whose responder failed to authenticate, and tell it so in an exchange of its own, which is
    allowed (7296-2.21.2-04)."""
    turn.audit(f"authentication of the responder failed: {failure}")
    reported = turn.request(
        ike._replace(phase=Phase.DELETING, handshake=None),
        ExchangeType.INFORMATIONAL,
        (N(failure.notify, failure.data),),
        Informational(Report(failure.notify)),
    )
    turn.audit(f"the peer is told {name(NotifyType, failure.notify)}", reported.spi)


def complete(
    turn: Turn,
    ike: IkeSa,
    claimed: IDr,
    first: tuple[Payload, ...],
    last: tuple[Payload, ...],
    intent: Authentication,
) -> None:
    """The responder is authenticated: the IKE SA is up, and a Child SA with it where the last answer has one."""
    handshake = ike.handshake
    assert handshake is not None
    identity = Identity(claimed.id_type, claimed.data)
    turn.authenticated(identity)
    ike = established(turn, ike, identity, ike.next_request - 1)
    _heed_initial_contact(turn, identity, first)
    if intent.child is not None:
        child.first_answer(turn, ike, handshake, intent, last)
    _create_further_children(turn, intent.child)


def _create_further_children(turn: Turn, first: ChildConfig | None) -> None:
    for config in turn.connection.children:
        if config.start and (first is None or config.name != first.name) and (ike := turn.current) is not None:
            turn.enqueue(ike, CreateChild(config.name))


def established(turn: Turn, ike: IkeSa, peer: Identity, message_id: int, **changes: Any) -> IkeSa:
    """The IKE SA is up; `message_id` is that of the IKE_AUTH exchange which did it."""
    turn.outputs.append(Established(ike.spi_i, ike.spi_r, peer))
    return turn.put(changed(ike, phase=Phase.ESTABLISHED, handshake=None, authenticated_by=message_id, **changes))


# Responder


def respond(turn: Turn, ike: IkeSa, message: Message) -> Reply:
    """Answer IKE_AUTH (Sections 1.2, 2.15, 2.21.2). A failure that is not the Child SA's ends the IKE SA."""
    handshake = ike.handshake
    assert handshake is not None
    payloads = message.payloads
    try:
        # Parse
        claimed = one(payloads, IDi, "1.2")
        wanted = maybe(payloads, IDr, "1.2")
        # Check
        identity = Identity(claimed.id_type, claimed.data)
        _verify_any(turn, ike, handshake, claimed, wanted, payloads)
        proof = prove(turn, ike, handshake, payloads)
    except RemoteProtocolError as failure:
        turn.audit(f"authentication of the initiator failed: {failure}")
        return Reply((N(failure.notify, failure.data),), close=f"authentication failed: {failure.reason}")
    local, size = turn.connection.local_id, turn.env.settings.window_size
    proof = (IDr(local.id_type, local.data), *proof, *_initial_contact(turn, identity), *window_size(size))
    return accept(turn, ike, identity, payloads, proof, message.message_id)


def accept(
    turn: Turn,
    ike: IkeSa,
    identity: Identity,
    first: tuple[Payload, ...],
    proof: tuple[Payload, ...],
    message_id: int,
) -> Reply:
    """The initiator is authenticated: the IKE SA is up, and what the first request asked for is answered."""
    handshake = ike.handshake
    assert handshake is not None
    # Check
    if not turn.connection.childless and not any(type(payload) is SA for payload in first):
        reason = "no Child SA is asked for, and policy wants one"  # 6023-3-07, 6023-3-09
        turn.audit(reason)
        return Reply((N(NotifyType.INVALID_SYNTAX),), close=reason)
    # State
    turn.authenticated(identity)
    ike = established(turn, ike, identity, message_id, window=turn.env.settings.window_size)
    _heed_initial_contact(turn, identity, first)
    # Reply
    if maybe(first, SA, "1.2") is None:
        return Reply(proof)  # RFC 6023 section 3; 6023-3-04, 6023-3-05
    saved, count = turn.session(), len(turn.outputs)
    try:
        return Reply((*proof, *child.first_accept(turn, ike, handshake, first)))
    except RemoteProtocolError as failure:
        # The IKE SA survives (7296-2.21.2-08, 7296-2.21.2-09).
        turn.restore(saved, count)
        turn.audit(f"the first Child SA is refused: {failure}")
        return Reply((*proof, N(failure.notify, failure.data)))


def _verify_any(
    turn: Turn, ike: IkeSa, handshake: Handshake, claimed: IDi, wanted: IDr | None, payloads: tuple[Payload, ...]
) -> None:
    """Verify against the connections that these identities may use."""
    fitting = fitting_connections(turn, ike, claimed, wanted)
    for index, connection in enumerate(fitting):
        turn.connection = connection
        try:
            return verify(turn, ike, handshake, claimed, payloads)
        except AuthenticationFailed:
            if index == len(fitting) - 1:
                raise
    return None


def fitting_connections(turn: Turn, ike: IkeSa, claimed: IDi, wanted: IDr | None) -> list[Connection]:
    """Those that these identities may use, first those of the responder that is wanted. Raises AuthenticationFailed
    where there are none."""
    identity = Identity(claimed.id_type, claimed.data)
    fitting = [c for c in turn.env.candidates(ike.path) if identities.matches(c.remote_id, identity)]
    if not fitting:
        raise AuthenticationFailed(f"no connection is for {identity}", section="2.15", field="IDi")
    if wanted is not None and len(fitting) > 1:
        asked = Identity(wanted.id_type, wanted.data)
        fitting.sort(key=lambda c: not identities.matches(asked, c.local_id))
    return fitting


def is_report(message: Message) -> int:
    """The error of a failed IKE_AUTH that an INFORMATIONAL right after it reports, 0 for none (7296-2.21.2-12)."""
    for fatal in (NotifyType.AUTHENTICATION_FAILED, NotifyType.INVALID_SYNTAX, NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD):
        if notification(message.payloads, fatal) is not None:
            return fatal
    return 0
