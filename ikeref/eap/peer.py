"""The peer of EAP: the initiator of IKE (Section 2.16, RFC 3748 sections 2.1, 4 and 5).

A `Peer` is a value. `answer` takes a request and gives the response; `conclude` says what the method made once EAP
Success has come. What a request may not be raises a RemoteProtocolError, which ends the conversation.
"""

from typing import NamedTuple

from ikeref.eap import md5, mschapv2, tls
from ikeref.eap.packet import Done, Packet, Tools
from ikeref.errors import AuthenticationFailed, InvalidSyntax
from ikeref.policy.credentials import SAFE_EAP, EapPeer
from ikeref.policy.identities import Identity
from ikeref.registry import EapCode, EapType, name

State = mschapv2.Proved | mschapv2.GaveUp | tls.Handshaking | Done | None


class Peer(NamedTuple):
    """One end of a conversation."""

    credential: EapPeer
    server: Identity | None
    """Whose certificate the server must show; None accepts any of the authorities."""
    only: bool = False
    """Nothing but EAP authenticates the server (RFC 5998)."""
    method: int = 0
    """The one under way; 0 before the first."""
    state: State = None
    notice: str = ""
    """What the server wanted a person to read."""


def answer(peer: Peer, request: Packet, tools: Tools) -> tuple[Peer, Packet]:
    """The response to a request: same identifier, same type or Nak (7296-3.16-03, 7296-3.16-07)."""
    if request.code != EapCode.REQUEST:
        raise InvalidSyntax("EAP code of a server is Request, Success or Failure", section="3.16", field="EAP.Code")
    if request.type == EapType.IDENTITY and not peer.method:
        return peer, _response(request, EapType.IDENTITY, peer.credential.identity)  # 7296-3.16-09, 7296-3.16-11
    if request.type == EapType.NOTIFICATION and not isinstance(peer.state, Done):
        text = request.data.decode("utf-8", "backslashreplace")[:200]
        return peer._replace(notice=text), _response(request, EapType.NOTIFICATION, b"")
    if request.type in (EapType.IDENTITY, EapType.NOTIFICATION, EapType.NAK):
        kind = name(EapType, request.type)
        raise InvalidSyntax(f"EAP {kind} has no place here", section="RFC 3748 5", field="EAP.Type")
    if not peer.method:
        if peer.only and request.type not in SAFE_EAP:
            kind = name(EapType, request.type)
            raise AuthenticationFailed(f"EAP method {kind} may not stand alone", section="RFC 5998 3")
        if request.type not in peer.credential.methods:
            return peer, _response(request, EapType.NAK, bytes(peer.credential.methods))
    elif request.type != peer.method:
        kind = name(EapType, request.type)
        raise InvalidSyntax(f"EAP {kind} amid {name(EapType, peer.method)}", section="RFC 3748 2.1", field="EAP.Type")
    state, data = _step(peer, request, tools)
    return peer._replace(method=request.type, state=state), _response(request, request.type, data)


def _response(request: Packet, kind: int, data: bytes) -> Packet:
    return Packet(EapCode.RESPONSE, request.identifier, kind, data)


def _step(peer: Peer, request: Packet, tools: Tools) -> tuple[State, bytes]:
    credential, state = peer.credential, peer.state
    if request.type == EapType.TLS:
        if state is None:
            return tls.begin(request, credential, peer.server, tools)
        if isinstance(state, tls.Handshaking):
            return tls.advance(state, request)
    elif request.type == EapType.MSCHAPV2:
        if state is None:
            assert credential.password is not None
            return mschapv2.respond(request, credential.password, credential.identity, tools)
        if isinstance(state, mschapv2.Proved):
            return mschapv2.conclude(state, request)
    elif state is None:
        assert credential.password is not None
        return md5.respond(request, credential.password, credential.identity)
    raise InvalidSyntax("the EAP method is over, yet goes on", section="RFC 3748 4.2", field="EAP")


def conclude(peer: Peer) -> Done:
    """What the method made, after EAP Success. Raises AuthenticationFailed where it has not ended well: a Success that
    comes early is no success (RFC 3748 section 4.2)."""
    state = peer.state
    if isinstance(state, tls.Handshaking):
        state = tls.conclude(state)
    if not isinstance(state, Done):
        raise AuthenticationFailed("EAP Success came before the method had ended", section="RFC 3748 4.2")
    if peer.only and peer.method not in SAFE_EAP:
        raise AuthenticationFailed("the EAP method may not stand alone", section="RFC 5998 3")
    return state


def why_failed(peer: Peer) -> str:
    """For people: what is known of an EAP Failure."""
    if isinstance(peer.state, mschapv2.GaveUp):
        return peer.state.reason
    if isinstance(peer.state, tls.Handshaking) and peer.state.fault:
        return peer.state.fault
    if not peer.method:
        return "no EAP method suits both ends"
    return f"the server refused us in {name(EapType, peer.method)}" + (f": {peer.notice}" if peer.notice else "")
