"""EAP-MSCHAPv2: a password, proved by both ends, that makes a key (RFC 2759 in EAP type 26).

    server                                      peer
    Challenge                         ->
                                      <-        Response
    Success (S=..., the server's proof) ->
                                      <-        Success
    or: Failure (E=691 R=0 ...)       ->
                                      <-        Failure

Type_Data is OpCode, MS-CHAPv2-ID, MS-Length (from OpCode on) and what belongs to the OpCode. Success and Failure of the
peer are the OpCode alone. Neither a second attempt nor a change of the password is offered or taken.
"""

import hmac
import re
from enum import IntEnum
from typing import NamedTuple

from ikeref.eap import mschap
from ikeref.eap.md5 import shown
from ikeref.eap.packet import Done, Packet, Tools, as_identity
from ikeref.errors import AuthenticationFailed, InvalidSyntax
from ikeref.policy.credentials import EapServer, Secret

_CHALLENGE_OCTETS = 16
_RESPONSE_OCTETS = 49
_PROOF = re.compile(rb"(S=[0-9A-F]{40})(?: M=.*)?", re.DOTALL)
_ERROR = re.compile(rb"E=(\d{1,10})")
_ERRORS = {
    646: "log-on is not allowed at this hour",
    647: "the account is disabled",
    648: "the password has expired",
    649: "the account may not dial in",
    691: "user or password is wrong",
    709: "the password can't be changed",
}
"""RFC 2759 section 6."""


class OpCode(IntEnum):
    """What a message of the method is."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


class Proved(NamedTuple):
    """Peer: our Response is out, the server's proof is awaited."""

    expected: bytes
    """The proof, 42 octets."""
    msk: Secret


class GaveUp(NamedTuple):
    """Peer: the server found our Response wrong; EAP Failure is awaited."""

    reason: str


class Challenged(NamedTuple):
    """Server: Challenge is out."""

    challenge: bytes
    id: int


class Accepted(NamedTuple):
    """Server: Success, with our proof, is out."""

    done: Done


class Refused(NamedTuple):
    """Server: Failure is out."""

    reason: str


def _encode(op: OpCode, id: int, body: bytes) -> bytes:
    return bytes((op, id)) + (len(body) + 4).to_bytes(2, "big") + body


def _decode(data: bytes, op: OpCode) -> tuple[int, bytes]:
    """MS-CHAPv2-ID and body. Raises InvalidSyntax unless the length agrees and the OpCode is the one that is due."""
    if len(data) < 4 or int.from_bytes(data[2:4], "big") != len(data):
        raise InvalidSyntax("MS-Length does not fit the MSCHAPv2 message", section="RFC 2759 4", field="EAP")
    if data[0] != op:
        raise InvalidSyntax(f"MSCHAPv2 has OpCode {data[0]} where {op} is due", section="RFC 2759 9.1.1", field="EAP")
    return data[1], data[4:]


def _value(body: bytes, size: int) -> tuple[bytes, bytes]:
    """Value and Name."""
    if not body or body[0] != size or len(body) < 1 + size:
        raise InvalidSyntax("Value-Size does not fit the MSCHAPv2 message", section="RFC 2759 4", field="EAP")
    return body[1 : 1 + size], body[1 + size :]


def _without_domain(user: bytes) -> bytes:
    """Only the name is hashed, without a domain before it (RFC 2759 section 8.2)."""
    return user.rpartition(b"\\")[2]


def _hash(password: Secret) -> bytes:
    return mschap.nt_password_hash(password.octets.decode("utf-8"))


# Peer


def respond(request: Packet, password: Secret, user: bytes, tools: Tools) -> tuple[Proved, bytes]:
    """Answer Challenge."""
    id, body = _decode(request.data, OpCode.CHALLENGE)
    challenge, _ = _value(body, _CHALLENGE_OCTETS)
    own = tools.random(_CHALLENGE_OCTETS)
    hashed, name = _hash(password), _without_domain(user)
    response = mschap.nt_response(challenge, own, name, hashed)
    expected = mschap.authenticator_response(hashed, response, own, challenge, name)
    value = own + bytes(8) + response + b"\0"
    state = Proved(expected, Secret(mschap.msk(hashed, response)))
    return state, _encode(OpCode.RESPONSE, id, bytes((_RESPONSE_OCTETS,)) + value + user)


def conclude(state: Proved, request: Packet) -> tuple[Done | GaveUp, bytes]:
    """Answer Success, whose proof must be right or the session ends (RFC 2759 section 5), or Failure."""
    if request.data[:1] == bytes((OpCode.FAILURE,)):
        _, body = _decode(request.data, OpCode.FAILURE)
        return GaveUp(_said(body)), bytes((OpCode.FAILURE,))
    _, body = _decode(request.data, OpCode.SUCCESS)
    proof = _PROOF.fullmatch(body)
    if proof is None or not mschap.is_authenticator_response(state.expected, proof[1]):
        raise AuthenticationFailed("the server does not know our password", section="RFC 2759 5")
    return Done(state.msk), bytes((OpCode.SUCCESS,))


def _said(body: bytes) -> str:
    found = _ERROR.match(body)
    code = int(found[1]) if found else 0
    return f"the server says {_ERRORS.get(code, 'that it failed')} (error {code})"


# Server


def challenge(id: int, name: bytes, tools: Tools) -> tuple[Challenged, bytes]:
    """The first request."""
    value = tools.random(_CHALLENGE_OCTETS)
    return Challenged(value, id), _encode(OpCode.CHALLENGE, id, bytes((_CHALLENGE_OCTETS,)) + value + name)


def judge(state: Challenged, response: Packet, server: EapServer) -> tuple[Accepted | Refused, bytes]:
    """Success with our proof, or Failure; who fails is not told why."""
    id, body = _decode(response.data, OpCode.RESPONSE)
    value, user = _value(body, _RESPONSE_OCTETS)
    own, reserved, given, flags = value[:16], value[16:24], value[24:48], value[48]
    if id != state.id or any(reserved) or flags:
        raise InvalidSyntax("the MSCHAPv2 Response does not fit the Challenge", section="RFC 2759 4", field="EAP")
    name = _without_domain(user)
    password = server.password(user) or server.password(name)
    hashed = _hash(password) if password is not None else bytes(16)
    right = hmac.compare_digest(mschap.nt_response(state.challenge, own, name, hashed), given)
    if password is None or not right:
        why = f"there is no user {shown(user)}" if password is None else f"the password of {shown(user)} is wrong"
        failure = f"E=691 R=0 C={state.challenge.hex().upper()} V=3 M=Authentication failed"
        return Refused(why), _encode(OpCode.FAILURE, id, failure.encode("ascii"))
    proof = mschap.authenticator_response(hashed, given, own, state.challenge, name)
    done = Done(Secret(mschap.msk(hashed, given)), as_identity(user))
    return Accepted(done), _encode(OpCode.SUCCESS, id, proof + b" M=OK")


def acknowledged(state: Accepted | Refused, response: Packet) -> Done:
    """The peer's last word. Raises AuthenticationFailed where it or we found the other wrong."""
    if isinstance(state, Refused):
        raise AuthenticationFailed(state.reason, section="RFC 2759 6")
    if response.data[:1] != bytes((OpCode.SUCCESS,)):
        raise AuthenticationFailed("the peer does not accept our proof", section="RFC 2759 5")
    return state.done
