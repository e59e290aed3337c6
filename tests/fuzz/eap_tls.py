"""States of an endpoint amid EAP-TLS, in both roles, with TLS 1.2 and 1.3 (Section 2.16, RFC 5216, RFC 9190).

OpenSSL's part of such a state goes forward only (Departure D-7), so a state that an input has moved is made anew: its
life is lived again up to there. What comes out of TLS differs each time; where an input is to reach what is behind it,
it alters the message that was due (`How.ALTERED`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ikeref_properties.network import A, B, Flight, Pair, Record, connection
from OpenSSL import SSL

from ikeref import sa, wire
from ikeref.crypto.certificates import load_certificates, load_private_key, to_der
from ikeref.crypto.real import RealCrypto
from ikeref.eap import tls, tlsengine
from ikeref.policy import identities
from ikeref.policy.credentials import EapOnly, EapPeer, EapServer, PrivateKey, TrustAnchors
from ikeref.registry import EapType
from ikeref.sa import Session
from ikeref.sa.conversation import AsResponder
from ikeref.wire import EAP, Message
from tests.conformance.stations import PKI, TODAY, Station, stations
from tests.fuzz.scenes import Scene, empty

TLS = (int(EapType.TLS),)


def eap_tls_scenes() -> tuple[Scene, ...]:
    """Every moment of every such life."""
    found: list[Scene] = []
    for name, make in LIVES:
        life = make()
        life.deliver_all()
        for place, station in enumerate(stations(life)):
            found.append(Scene(name, place, station, life.ends[station.end], life.now))
    for endpoint in {id(scene.endpoint): scene.endpoint for scene in found}.values():
        empty(endpoint)
    return tuple(found)


def renewed(scene: Scene) -> Scene:
    """The scene as it is, or lived again where TLS has gone on since."""
    state = handshaking(scene.station.session)
    if state is None or state.engine.age == state.age:
        return scene
    life = dict(LIVES)[scene.life]()
    for _ in range(scene.place):
        life.deliver(life.flying[0])
    return scene._replace(station=_due(life))


def _due(life: Pair) -> Station:
    """The moment before the message that is in flight arrives."""
    flight: Flight = life.flying[0]
    assert flight.message is not None
    (session,) = life.ends[flight.to].sessions.values()
    path = sa.Path(flight.path.remote, flight.path.local, flight.path.encapsulated)
    return Station(flight.to, session, session.ikes[0].spi, flight.datagram, path, flight.message)


def altered(message: Message, alterations: bytes) -> tuple[int, bytes]:
    """A chain of payloads, and the type of the first, as the message has them but for these changes in its EAP payload.

    Each is four octets: what (set, flip, cut there, insert), where (16 bits), and an octet. The lengths are true unless
    the first bit says so.
    """
    at = next((place for place, each in enumerate(message.payloads) if type(each) is EAP), None)
    if at is None:
        return wire.first_type(message.payloads), alterations
    before = message.payloads[at]
    assert type(before) is EAP
    octets = bytearray(before.data)
    lies = False
    for start in range(0, min(len(alterations), 64), 4):
        what, high, low, value = alterations[start : start + 4].ljust(4, b"\0")
        place = (high << 8 | low) % (len(octets) + 1)
        lies = lies or what >= 0x80
        if what % 4 == 0:
            octets[place : place + 1] = bytes((value,))
        elif what % 4 == 1:
            octets[place : place + 1] = bytes(each ^ value for each in octets[place : place + 1])
        elif what % 4 == 2:
            del octets[place:]
        else:
            octets[place:place] = bytes((value,)) * (1 + value % 9)
    if not lies and len(octets) >= 4:
        octets[2:4] = len(octets).to_bytes(2, "big")
    payloads = (*message.payloads[:at], before._replace(data=bytes(octets)), *message.payloads[at + 1 :])
    return wire.first_type(payloads), wire.encode_payloads(payloads)


def handshaking(session: Session | None) -> tls.Handshaking | None:
    """The TLS that is under way in a session."""
    for ike in session.ikes if session is not None else ():
        talk = ike.handshake.eap if ike.handshake is not None else None
        side = talk.server if isinstance(talk, AsResponder) else talk.peer if talk is not None else None
        if side is not None and isinstance(side.state, tls.Handshaking):
            return side.state
    return None


# Lives


@contextmanager
def _at_most_1_2() -> Iterator[None]:
    """Without TLS 1.3, whose messages are sealed from the second on."""
    before = tlsengine._OPTIONS
    tlsengine._OPTIONS = before | SSL.OP_NO_TLSv1_3  # type: ignore[misc]
    try:
        yield
    finally:
        tlsengine._OPTIONS = before  # type: ignore[misc]


class _Old(Pair):
    """Both ends speak TLS 1.2."""

    def deliver(self, flight: Flight, *, keep: bool = False) -> Record:
        with _at_most_1_2():
            return super().deliver(flight, keep=keep)


def _key(name: str) -> PrivateKey:
    chain = load_certificates((PKI / f"ec{name}.crt").read_bytes())
    key = load_private_key((PKI / f"ec{name}.key").read_bytes())
    return PrivateKey(key, tuple(to_der(one) for one in chain))


def _life(kind: type[Pair], *, alone: bool = False, trusts: str = "rootec") -> Pair:
    """A has sent IKE_SA_INIT."""
    anchors = TrustAnchors(tuple(to_der(one) for one in load_certificates((PKI / "rootec.crt").read_bytes())))
    other = TrustAnchors(tuple(to_der(one) for one in load_certificates((PKI / f"{trusts}.crt").read_bytes())))
    own = EapPeer(TLS, b"a.vec.test", None, key=_key("A"), anchors=anchors)
    theirs = EapServer(TLS, (), key=_key("B"), anchors=other, ask_identity=alone)
    names = [identities.parse(f"{name}.vec.test") for name in "ab"]
    policies = {
        A: replace(connection(A), local_auth=own, local_id=names[0], remote_id=names[1]),
        B: replace(connection(B), remote_auth=theirs, local_id=names[1], remote_id=names[0]),
    }
    if alone:
        policies[A] = replace(policies[A], remote_auth=EapOnly(), local_auth=replace(own, only=True))
        policies[B] = replace(policies[B], local_auth=EapOnly(), remote_auth=replace(theirs, only=True))
    life = kind(19, crypto=RealCrypto, connections=policies)
    for endpoint in life.ends.values():
        endpoint.environment = endpoint.environment._replace(calendar=lambda: TODAY)
    life.initiate(A)
    return life


LIVES: tuple[tuple[str, Callable[[], Pair]], ...] = (
    ("EAP-TLS 1.3", lambda: _life(Pair)),
    ("EAP-TLS 1.2", lambda: _life(_Old)),
    ("EAP-TLS alone", lambda: _life(Pair, alone=True)),
    ("EAP-TLS 1.3 refused", lambda: _life(Pair, trusts="rootrsa")),
    ("EAP-TLS 1.2 refused", lambda: _life(_Old, trusts="rootrsa")),
)
