"""EAP-TLS: both ends show certificates, and TLS makes the key (RFC 5216; with TLS 1.3 RFC 9190).

A TLS message may be larger than an EAP message, so it goes in fragments, each acknowledged by an empty message.
Type_Data is an octet of flags, the length of the whole in the first fragment, and the fragment:

     0 1 2 3 4 5 6 7
    +-+-+-+-+-+-+-+-+-------------------------------+----------------+
    |L M S R R R R R|  TLS Message Length (4, if L)  |  TLS Data ...  ~
    +-+-+-+-+-+-+-+-+-------------------------------+----------------+

This module is the fragments and the order of messages; `tlsengine` is TLS itself.
"""

from typing import NamedTuple

from ikeref.crypto import certificates
from ikeref.crypto.paths import UNREADABLE
from ikeref.eap.packet import Done, Packet, Tools, as_identity
from ikeref.eap.tlsengine import Engine, Rules, subject_of
from ikeref.errors import AuthenticationFailed, InvalidSyntax
from ikeref.policy.credentials import EapPeer, EapServer
from ikeref.policy.identities import Identity

LENGTH, MORE, START = 0x80, 0x40, 0x20
FRAGMENT_OCTETS = 1024
"""At most so much TLS in one EAP message of ours: with IKE around it that fits a datagram on any path."""
MESSAGE_OCTETS = 65536
"""At most so much TLS in one message of the other end, over all its fragments."""

_ACKNOWLEDGEMENT = b"\0"


class Handshaking(NamedTuple):
    """TLS under way at one end.

    Departure D-7: `engine` is the library's and changes in place, so this state is good for one step, once; `age` tells
    when somebody tries a second.
    """

    engine: Engine
    age: int
    claimed: bytes = b""
    """At the server: the identity that the peer claims."""
    expected: Identity | None = None
    """At the server: whose certificate the peer must show."""
    incoming: bytes = b""
    """Fragments of the message that is coming in."""
    announced: int = 0
    """Its length, if its first fragment said so."""
    outgoing: bytes = b""
    """What is still to be sent of ours."""

    @property
    def fault(self) -> str:
        """Why TLS failed at this end; empty if it has not."""
        return self.engine.fault


# Peer


def begin(request: Packet, credential: EapPeer, server: Identity | None, tools: Tools) -> tuple[Handshaking, bytes]:
    """Answer Start with the first TLS message (RFC 5216 section 2.1.1)."""
    flags, _, data = _parse(request.data)
    if not flags & START or data:
        raise InvalidSyntax("EAP-TLS begins with Start", section="RFC 5216 2.1.1", field="EAP")
    assert credential.key is not None
    assert credential.anchors is not None
    engine = Engine(Rules(credential.key, credential.anchors, server, tools.calendar()), server=False)
    return _send(Handshaking(engine, 0), engine.take(b"", 0))


def advance(state: Handshaking, request: Packet) -> tuple[Handshaking, bytes]:
    """Answer another request."""
    if state.fault:
        raise AuthenticationFailed(state.fault, section="RFC 5216 2.1.3")
    message, state, reply = _receive(state, request.data)
    if message is None:
        return state, reply
    return _send(state, state.engine.take(message, state.age))


def conclude(state: Handshaking) -> Done:
    """The key, once the server has sent EAP Success. Raises AuthenticationFailed where TLS is not at its end."""
    if state.fault or not state.engine.confirmed or state.outgoing or state.incoming:
        raise AuthenticationFailed(state.fault or "EAP Success came before TLS had ended", section="RFC 5216 2.1.1")
    return Done(state.engine.msk())


# Server


def offer(credential: EapServer, claimed: bytes, expected: Identity | None, tools: Tools) -> tuple[Handshaking, bytes]:
    """Start."""
    assert credential.key is not None
    assert credential.anchors is not None
    engine = Engine(Rules(credential.key, credential.anchors, None, tools.calendar()), server=True)
    return Handshaking(engine, 0, claimed, expected), bytes((START,))


def serve(state: Handshaking, response: Packet) -> tuple[Handshaking | Done, bytes]:
    """Take a response. The last one is empty: it acknowledges our last message."""
    message, state, reply = _receive(state, response.data)
    if message is None:
        return state, reply
    if not message:
        return _finish(state), b""
    if state.fault or state.engine.confirmed:
        raise AuthenticationFailed(state.fault or "the peer goes on after the end of TLS", section="RFC 5216 2.1.1")
    octets = state.engine.take(message, state.age)
    if state.fault and not octets:
        raise AuthenticationFailed(state.fault, section="RFC 5216 2.1.3")  # The peer's alert, or it needs none.
    return _send(state, octets)


def _finish(state: Handshaking) -> Done:
    if state.fault or not state.engine.confirmed:
        raise AuthenticationFailed(state.fault or "the peer stopped amid TLS", section="RFC 5216 2.1.3")
    certificate = state.engine.certificate()
    claimed = as_identity(state.claimed)
    try:
        subject, is_claimed = subject_of(certificate), certificates.matches(claimed, certificate)
        is_expected = state.expected is None or certificates.matches(state.expected, certificate)
    except UNREADABLE:
        raise AuthenticationFailed("a certificate cannot be read", section="RFC 5216 5.3") from None
    if not is_expected:
        raise AuthenticationFailed(f"the certificate of {subject} is not for {state.expected}", section="RFC 5216 5.2")
    return Done(state.engine.msk(), claimed if is_claimed else subject)


# Fragments


def _parse(data: bytes) -> tuple[int, int | None, bytes]:
    """Flags, length of the whole where it is told, and TLS Data."""
    if not data:
        raise InvalidSyntax("EAP-TLS has flags", section="RFC 5216 3.1", field="EAP")
    flags = data[0]
    if not flags & LENGTH:
        return flags, None, data[1:]
    if len(data) < 5:
        raise InvalidSyntax("TLS Message Length is cut off", section="RFC 5216 3.1", field="EAP")
    length = int.from_bytes(data[1:5], "big")
    if length > MESSAGE_OCTETS:
        raise InvalidSyntax(f"a TLS message of {length} octets is too long", section="RFC 5216 2.1.5", field="EAP")
    return flags, length, data[5:]


def _receive(state: Handshaking, data: bytes) -> tuple[bytes | None, Handshaking, bytes]:
    """A whole TLS message (empty: an acknowledgement of our last fragment); or None, and what to answer instead."""
    flags, length, fragment = _parse(data)
    if flags & START:
        raise InvalidSyntax("EAP-TLS starts anew", section="RFC 5216 2.1.1", field="EAP")
    if state.outgoing:
        if fragment or flags & MORE:
            raise InvalidSyntax("a fragment was to be acknowledged", section="RFC 5216 2.1.5", field="EAP")
        state, reply = _send(state, state.outgoing, first=False)
        return None, state, reply
    if length is not None and state.incoming and length != state.announced:
        raise InvalidSyntax("TLS Message Length changes", section="RFC 5216 2.1.5", field="EAP")
    announced = length if length is not None else state.announced
    whole = state.incoming + fragment
    if len(whole) > (announced or MESSAGE_OCTETS) or (flags & MORE and not fragment):
        raise InvalidSyntax("the fragments do not fit TLS Message Length", section="RFC 5216 2.1.5", field="EAP")
    if flags & MORE:
        if not announced:
            raise InvalidSyntax("the first fragment tells no length", section="RFC 5216 2.1.5", field="EAP")
        return None, state._replace(incoming=whole, announced=announced), _ACKNOWLEDGEMENT
    if announced and len(whole) != announced:
        raise InvalidSyntax("the fragments do not fit TLS Message Length", section="RFC 5216 2.1.5", field="EAP")
    return whole, state._replace(incoming=b"", announced=0), b""


def _send(state: Handshaking, octets: bytes, *, first: bool = True) -> tuple[Handshaking, bytes]:
    """The next fragment of a message, the length of the whole before the first of several."""
    now, later = octets[:FRAGMENT_OCTETS], octets[FRAGMENT_OCTETS:]
    flags = MORE if later else 0
    length = b""
    if first and later:
        flags |= LENGTH
        length = len(octets).to_bytes(4, "big")
    return state._replace(age=state.engine.age, outgoing=later), bytes((flags,)) + length + now
