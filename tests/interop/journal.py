"""What passed on the bridge, as far as it can be read without keys (Sections 3.1, 3.2, 3.10).

Written apart from ikeref.wire on purpose: it is the witness.
"""

from __future__ import annotations

from typing import NamedTuple

IKE_SA_INIT = 34
IKE_AUTH = 35
CREATE_CHILD_SA = 36
INFORMATIONAL = 37

INVALID_KE_PAYLOAD = 17
COOKIE = 16390

_KE = 34
_NOTIFY = 41
_SKF = 53
_HEADER_OCTETS = 28
_NON_ESP_MARKER = bytes(4)


class Carried(NamedTuple):
    """What became of one datagram."""

    direction: str
    """`ours` for what our side sent, `theirs` for what the other side sent."""
    number: int
    """Counted from 0 in each direction."""
    octets: bytes
    """The UDP payload."""
    lost: bool
    ports: tuple[int, int] = (0, 0)
    """Source and destination, as they were on the bridge."""

    @property
    def message(self) -> bytes:
        """The IKE message, without the non-ESP marker (Section 2.23); empty for a keepalive."""
        octets = self.octets.removeprefix(_NON_ESP_MARKER)
        return octets if len(octets) >= _HEADER_OCTETS else b""


def requests(journal: list[Carried], direction: str, exchange_type: int) -> list[bytes]:
    """The requests of one end, each once however often it was sent, in order of their first sending."""
    return _messages(journal, direction, exchange_type, response=False)


def responses(journal: list[Carried], direction: str, exchange_type: int) -> list[bytes]:
    """The responses of one end, likewise."""
    return _messages(journal, direction, exchange_type, response=True)


def _messages(journal: list[Carried], direction: str, exchange_type: int, *, response: bool) -> list[bytes]:
    found = (
        each.message
        for each in journal
        if each.direction == direction
        and each.message
        and each.message[18] == exchange_type
        and bool(each.message[19] & 0x20) == response
    )
    return list(dict.fromkeys(found))


def fragments(journal: list[Carried], direction: str) -> list[Carried]:
    """What one end sent in fragments (RFC 7383)."""
    return [each for each in journal if each.direction == direction and each.message and each.message[16] == _SKF]


def message_id(message: bytes) -> int:
    return int.from_bytes(message[20:24])


def payloads(message: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each payload of a message in clear."""
    kind, at, found = message[16], _HEADER_OCTETS, []
    while kind:
        length = int.from_bytes(message[at + 2 : at + 4])
        found.append((kind, message[at + 4 : at + length]))
        kind, at = message[at], at + length
    return found


def notifications(message: bytes) -> list[int]:
    """The types of the notifications of a message in clear."""
    return [int.from_bytes(body[2:4]) for kind, body in payloads(message) if kind == _NOTIFY]


def without_ke(message: bytes) -> list[tuple[int, bytes]]:
    """The payloads of a message in clear but for KE."""
    return [each for each in payloads(message) if each[0] != _KE]


def groups(messages: list[bytes]) -> list[int]:
    """The key exchange method of the KE payload of each message in clear that has one."""
    return [int.from_bytes(body[:2]) for each in messages for kind, body in payloads(each) if kind == _KE]
