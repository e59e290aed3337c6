"""The server of EAP: the responder of IKE (Section 2.16, RFC 3748 sections 2.1, 4 and 5).

A `Server` is a value. `begin` gives the first request, `proceed` takes a response and gives the next message: a
request, Success or Failure. Whatever fails ends in Failure, with a reason for our own end alone.
"""

from typing import NamedTuple

from ikeref.eap import md5, mschapv2, tls
from ikeref.eap.packet import Done, Packet, Tools
from ikeref.errors import AuthenticationFailed, InvalidSyntax, RemoteProtocolError
from ikeref.policy.credentials import EapServer
from ikeref.policy.identities import Identity
from ikeref.registry import EapCode, EapType, name

State = md5.Challenged | mschapv2.Challenged | mschapv2.Accepted | mschapv2.Refused | tls.Handshaking | Done | None


class Server(NamedTuple):
    """One end of a conversation."""

    credential: EapServer
    identity: bytes
    """As IDi or EAP Identity claims it; nothing is decided by it but which password to compare."""
    name: bytes
    """Ours, as MSCHAPv2 shows it."""
    expected: Identity | None
    """Whose certificate the peer must show; None: of anybody whom the authorities vouch for."""
    methods: tuple[int, ...]
    """Still to be offered, the present one first."""
    identifier: int = 0
    """Of the request that is out."""
    state: State = None
    """None: EAP Identity was asked for."""
    begun: bool = False
    """The peer has taken up the method; it can't refuse it any more (RFC 3748 section 5.3.1)."""


class Move(NamedTuple):
    """What the server does next."""

    server: Server
    message: Packet
    done: Done | None = None
    """With Success."""
    reason: str = ""
    """With Failure; not for the peer."""


def begin(server: Server, tools: Tools) -> Move:
    """The first request: of the first method, for IDi has told the identity (7296-3.16-08, 7296-3.16-10)."""
    server = server._replace(identifier=tools.random(1)[0])
    if not server.methods:
        return _fail(server, "no EAP method is left that may be used here")
    if server.credential.ask_identity:
        return Move(server, Packet(EapCode.REQUEST, server.identifier, EapType.IDENTITY))
    return _offer(server, tools)


def proceed(server: Server, response: Packet, tools: Tools) -> Move:
    """The next message, after a response."""
    try:
        return _proceed(server, response, tools)
    except RemoteProtocolError as error:
        return _fail(server, str(error))


def _proceed(server: Server, response: Packet, tools: Tools) -> Move:
    if response.code != EapCode.RESPONSE or response.identifier != server.identifier:
        raise InvalidSyntax("this EAP message does not answer our request", section="3.16", field="EAP.Identifier")
    if server.state is None:
        if response.type != EapType.IDENTITY:
            raise InvalidSyntax("EAP Identity was asked for", section="RFC 3748 5.1", field="EAP.Type")
        return _offer(server._replace(identity=response.data), tools)
    if response.type == EapType.NAK and not server.begun:
        return _other(server, response, tools)
    if response.type != server.methods[0]:
        kind = name(EapType, response.type)
        raise InvalidSyntax(f"the answer is EAP {kind}", section="RFC 3748 4.1", field="EAP.Type")
    state, data = _step(server, response)
    server = server._replace(state=state, begun=True)
    if isinstance(state, Done):
        return Move(server, Packet(EapCode.SUCCESS, server.identifier), state)  # 7296-2.16-15
    return _request(server, data)


def _offer(server: Server, tools: Tools) -> Move:
    """The first request of the method whose turn it is."""
    identifier = (server.identifier + 1) % 256
    state: State
    match server.methods[0]:
        case EapType.TLS:
            state, data = tls.offer(server.credential, server.identity, server.expected, tools)
        case EapType.MSCHAPV2:
            state, data = mschapv2.challenge(identifier, server.name, tools)
        case _:
            state, data = md5.challenge(tools)
    return _request(server._replace(state=state), data)


def _other(server: Server, response: Packet, tools: Tools) -> Move:
    """The peer does not want that method; another one that it names and we have not offered yet, if any."""
    left = tuple([method for method in server.methods[1:] if method in response.data])
    if not left:
        wanted = ", ".join(name(EapType, each) for each in response.data if each) or "none"
        raise AuthenticationFailed(f"no EAP method suits both: the peer wants {wanted}", section="RFC 3748 5.3.1")
    return _offer(server._replace(methods=left), tools)


def _step(server: Server, response: Packet) -> tuple[State, bytes]:
    match server.state:
        case md5.Challenged() as state:
            return md5.verify(state, response, server.credential, server.identity), b""
        case mschapv2.Challenged() as state:
            return mschapv2.judge(state, response, server.credential)
        case mschapv2.Accepted() | mschapv2.Refused() as state:
            return mschapv2.acknowledged(state, response), b""
        case tls.Handshaking() as state:
            return tls.serve(state, response)
        case _:
            raise InvalidSyntax("the EAP method is over, yet goes on", section="RFC 3748 4.2", field="EAP")


def _request(server: Server, data: bytes) -> Move:
    identifier = (server.identifier + 1) % 256
    packet = Packet(EapCode.REQUEST, identifier, server.methods[0], data)
    return Move(server._replace(identifier=identifier), packet)


def fail(server: Server, reason: str) -> Move:
    """Failure, which may come at any time (7296-2.16-17)."""
    return _fail(server, reason)


def _fail(server: Server, reason: str) -> Move:
    return Move(server, Packet(EapCode.FAILURE, server.identifier), None, reason)  # 7296-2.16-16
