"""MD5-Challenge: a password against a challenge, one way, without a key (RFC 3748 section 5.4, RFC 1994).

Departure D-6: it makes no key, and may be used all the same (7296-2.16-12).
"""

import hashlib
import hmac
from typing import NamedTuple

from ikeref.eap.packet import Done, Packet, Tools, as_identity
from ikeref.errors import AuthenticationFailed, InvalidSyntax
from ikeref.policy.credentials import EapServer, Secret

_OCTETS = 16


class Challenged(NamedTuple):
    """Server: the challenge is out."""

    challenge: bytes


def _digest(identifier: int, secret: Secret, challenge: bytes) -> bytes:
    """MD5(Identifier, secret, challenge) (RFC 1994 section 4.1)."""
    octets = bytes((identifier,)) + secret.octets + challenge
    return hashlib.md5(octets, usedforsecurity=False).digest()


def _value(data: bytes) -> tuple[bytes, bytes]:
    """Value and Name."""
    size = data[0] if data else 0
    if not 0 < size < len(data):
        raise InvalidSyntax("Value-Size does not fit the MD5-Challenge", section="RFC 3748 5.4", field="EAP")
    return data[1 : 1 + size], data[1 + size :]


# Peer


def respond(request: Packet, password: Secret, identity: bytes) -> tuple[Done, bytes]:
    """Answer the challenge: that is all there is to it."""
    challenge, _ = _value(request.data)
    return Done(None), bytes((_OCTETS,)) + _digest(request.identifier, password, challenge) + identity


# Server


def challenge(tools: Tools) -> tuple[Challenged, bytes]:
    """The request."""
    value = tools.random(_OCTETS)
    return Challenged(value), bytes((_OCTETS,)) + value


def verify(state: Challenged, response: Packet, server: EapServer, identity: bytes) -> Done:
    """Raises AuthenticationFailed unless the response is of a user; its Name, if any, is the user's."""
    value, name = _value(response.data)
    user = name or identity
    password = server.password(user)
    expected = _digest(response.identifier, password or Secret(b"\0"), state.challenge)
    if password is None:
        raise AuthenticationFailed(f"there is no user {shown(user)}", section="RFC 3748 5.4")
    if not hmac.compare_digest(value, expected):
        raise AuthenticationFailed(f"the password of {shown(user)} is wrong", section="RFC 3748 5.4")
    return Done(None, as_identity(user))


def shown(name: bytes) -> str:
    """A user's name for people, whatever octets it has."""
    return repr(name.decode("utf-8", "backslashreplace")[:80])
