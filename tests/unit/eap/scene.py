"""Two ends of which A proves itself by EAP, and what happened between them."""

from dataclasses import replace

from ikeref_properties.network import A, B, Flight, Pair, connection

from ikeref import eap, sa
from ikeref.crypto.certificates import load_certificates, load_private_key, to_der
from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import EapOnly, EapPeer, EapServer, PrivateKey, Secret, TrustAnchors
from ikeref.registry import EapType, ExchangeType
from ikeref.wire import EAP, Message, Payload
from tests.interop.pki import make_pki

MD5, MSCHAPV2, TLS = int(EapType.MD5_CHALLENGE), int(EapType.MSCHAPV2), int(EapType.TLS)
METHODS = (MD5, MSCHAPV2, TLS)
PKI = make_pki("a.example", "b.example", "mallory.example")
STRANGERS = make_pki("a.example", "b.example")
USERS = ((b"carol", Secret(b"Ar3etTnp")), (b"dave", Secret(b"another")))


def authorities(pki: object = PKI) -> TrustAnchors:
    assert isinstance(pki, type(PKI))
    return TrustAnchors(tuple(to_der(each) for each in load_certificates(pki.authority)))


def key(name: str, pki: object = PKI) -> PrivateKey:
    assert isinstance(pki, type(PKI))
    made = pki.credentials[name]
    return PrivateKey(
        load_private_key(made.private_key), tuple(to_der(each) for each in load_certificates(made.certificate))
    )


def peer(*methods: int, password: bytes = b"Ar3etTnp", identity: bytes = b"carol", **changes: object) -> EapPeer:
    """A's credential."""
    with_tls = {"key": key("a.example"), "anchors": authorities()} if TLS in methods else {}
    return replace(EapPeer(methods, identity, Secret(password), **with_tls), **changes)  # type: ignore[arg-type]


def server(*methods: int, **changes: object) -> EapServer:
    """B's."""
    with_tls = {"key": key("b.example"), "anchors": authorities()} if TLS in methods else {}
    return replace(EapServer(methods, USERS, **with_tls), **changes)  # type: ignore[arg-type]


def connections(
    own: EapPeer, theirs: EapServer, *, certified: bool = False, alone: bool = False
) -> dict[str, Connection]:
    """Policy of both ends; B proves itself by a shared key, a certificate or, `alone`, by EAP."""
    initiator, responder = replace(connection(A), local_auth=own), replace(connection(B), remote_auth=theirs)
    if certified:
        initiator, responder = (
            replace(initiator, remote_auth=authorities()),
            replace(responder, local_auth=key("b.example")),
        )
    if alone:
        initiator, responder = replace(initiator, remote_auth=EapOnly()), replace(responder, local_auth=EapOnly())
    return {A: initiator, B: responder}


def pair(
    own: EapPeer,
    theirs: EapServer,
    *,
    certified: bool = False,
    alone: bool = False,
    settings: Settings | None = None,
    **changes: object,
) -> Pair:
    """A has begun; nothing has arrived."""
    made = connections(own, theirs, certified=certified, alone=alone)
    ends = Pair(5, connections=made, settings=settings, **changes)  # type: ignore[arg-type]
    ends.initiate(A)
    return ends


def run(own: EapPeer, theirs: EapServer, **changes: object) -> Pair:
    """Nothing is lost."""
    ends = pair(own, theirs, **changes)  # type: ignore[arg-type]
    ends.deliver_all()
    return ends


def is_up(ends: Pair) -> bool:
    """Whether both ends have the IKE SA and a Child SA."""
    return all(
        [ike.phase for ike in ends.ikes(end)] == [sa.Phase.ESTABLISHED] and len(ends.children(end)) == 1
        for end in (A, B)
    )


def reasons(ends: Pair, end: str) -> list[str]:
    """Why IKE SAs of an end were closed."""
    return [
        output.reason
        for each in ends.records
        if each.end == end
        for output in each.outputs
        if type(output) is sa.Closed
    ]


def audits(ends: Pair, end: str) -> str:
    return " ".join(
        output.reason for each in ends.records if each.end == end for output in each.outputs if type(output) is sa.Audit
    )


def rounds(ends: Pair) -> list[Message]:
    """The IKE_AUTH messages, retransmissions left out."""
    return [
        each.message
        for each in ends.past
        if each.message is not None and each.message.exchange_type == ExchangeType.IKE_AUTH and not each.again
    ]


def said(message: Message) -> eap.Packet | None:
    """The EAP message in it."""
    return next((eap.parse(each.data) for each in message.payloads if type(each) is EAP), None)


def kinds(message: Message) -> list[str]:
    return [type(each).__name__ for each in message.payloads]


def until(ends: Pair, number: int) -> Flight:
    """Deliver until so many IKE_AUTH messages are sent; the last, which is in flight."""
    while len(rounds(ends)) < number:
        ends.deliver(ends.flying[0])
    return ends.flying[0]


def forge(ends: Pair, payloads: tuple[Payload, ...]) -> Flight:
    """In place of the message in flight, another with these payloads, rightly protected by who sent it."""
    flight = ends.flying.pop(0)
    message = flight.message
    assert message is not None
    end = A if flight.to == B else B
    endpoint = ends.ends[end]
    (session,) = endpoint.sessions.values()
    turn = sa.turn.Turn(session, ends.now, endpoint.environment)
    changed = message._replace(payloads=payloads)
    (datagram,) = turn.seal(session.ikes[0], changed)
    forged = flight._replace(datagram=datagram, message=changed)
    ends.flying.insert(0, forged)
    return forged
