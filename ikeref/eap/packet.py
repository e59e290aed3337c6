"""EAP messages, and what the methods share (Section 3.16, RFC 3748 section 4)."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.policy import identities
from ikeref.policy.credentials import Secret
from ikeref.policy.identities import Identity
from ikeref.registry import EapCode, IdType

ENDS = (EapCode.SUCCESS, EapCode.FAILURE)


class Packet(NamedTuple):
    """An EAP message."""

    code: int
    identifier: int
    """0 to 255."""
    type: int = 0
    """0 for Success and Failure, which have none (7296-3.16-06)."""
    data: bytes = b""
    """Type_Data."""


class Tools(NamedTuple):
    """What a method may use besides its arguments."""

    random: Callable[[int], bytes]
    calendar: Callable[[], datetime]
    """The date, with its time zone: certificates expire."""


class Done(NamedTuple):
    """A method has run to its end, and each end that it authenticates is authenticated."""

    msk: Secret | None
    """The Master Session Key; None where the method makes none."""
    user: Identity | None = None
    """At the server: who the peer proved to be."""


def parse(octets: bytes) -> Packet:
    """The EAP message in a payload, whose length agrees with it (7296-3.16-01, 7296-3.16-02). Raises InvalidSyntax."""
    code, identifier = octets[0], octets[1]
    if code in ENDS:
        return Packet(code, identifier)
    if code not in (EapCode.REQUEST, EapCode.RESPONSE):
        raise InvalidSyntax(f"EAP has no code {code}", section="3.16", field="EAP.Code")
    if len(octets) < 5:
        raise InvalidSyntax("an EAP request or response has a type", section="3.16", field="EAP.Type")
    return Packet(code, identifier, octets[4], octets[5:])


def build(packet: Packet) -> bytes:
    """The octets of an EAP message; Success and Failure have four (7296-3.16-04, 7296-3.16-05)."""
    body = b"" if packet.code in ENDS else bytes((packet.type,)) + packet.data
    return bytes((packet.code, packet.identifier)) + (len(body) + 4).to_bytes(2, "big") + body


def as_identity(name: bytes) -> Identity:
    """A user's name as an identity: what its text says, or else the octets alone."""
    try:
        return identities.parse(name.decode("ascii"))
    except ValueError:
        return Identity(IdType.KEY_ID, name)
