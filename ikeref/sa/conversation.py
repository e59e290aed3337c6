"""What an IKE SA knows while its initiator authenticates by EAP (Section 2.16)."""

from typing import NamedTuple

from ikeref.eap import Done, Peer, Server
from ikeref.wire import IDi, IDr, Payload


class AsInitiator(NamedTuple):
    """Initiator: IKE_AUTH without AUTH is out."""

    rounds: int = 1
    """IKE_AUTH requests so far."""
    peer: Peer | None = None
    """None until the responder has answered the first one."""
    responder: IDr | None = None
    """As that answer claimed it, and proved it unless EAP alone is to."""
    contact: tuple[Payload, ...] = ()
    """INITIAL_CONTACT, if it was in that answer: heeded once the responder is wholly authenticated."""
    done: Done | None = None
    """EAP Success has come, and our AUTH is out."""


class AsResponder(NamedTuple):
    """Responder: the request without AUTH is answered."""

    server: Server
    initiator: IDi
    first: tuple[Payload, ...]
    """The payloads of the first request, which AUTH makes good."""
    only: bool
    """We have not proved ourselves but by EAP (RFC 5998)."""
    rounds: int = 1
    """IKE_AUTH requests answered so far."""
    done: Done | None = None
    """EAP Success is sent, AUTH is awaited."""


Conversation = AsInitiator | AsResponder
