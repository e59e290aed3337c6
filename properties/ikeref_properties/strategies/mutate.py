"""Hostile octets by the million: messages in which something was changed, deleted, doubled or made a lie (Section 3).

Plain functions of a seeded `random.Random`, a few microseconds each, so that a run is repeated by its seed. Nothing
here knows a key: who has one mutates the payloads inside with `chain` and seals them again. None of the functions needs
its input to be sound. For examples that shrink see `ikeref_properties.strategies.wire`.
"""

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

HEADER_SIZE: Final = 28
GENERIC_SIZE: Final = 4
_LENGTHS: Final = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 255, 256, 257, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
"""What sizes and counts are when a parser goes wrong."""
_TYPES: Final = (0, 1, 2, 4, 13, *range(32, 55), 128, 200, 254, 255)
"""Payload types: none, those of IKEv1, those of IKEv2 and their neighbours, reserved and private ones."""
_EXCHANGES: Final = (0, 2, 5, 33, 34, 35, 36, 37, 38, 43, 44, 240, 255)


def raw(rng: Random, octets: bytes) -> bytes:
    """`octets` after one change that knows nothing of what they mean."""
    size = len(octets)
    if not size:
        return rng.randbytes(_below(rng, 80))
    at = _below(rng, size)
    match _below(rng, 9):
        case 0:
            return octets[:at] + bytes((octets[at] ^ 1 << _below(rng, 8),)) + octets[at + 1 :]
        case 1:
            return octets[:at] + bytes((_below(rng, 256),)) + octets[at + 1 :]
        case 2:
            return octets[:at]
        case 3:
            return octets[:at] + octets[at + 1 + _below(rng, 8) :]
        case 4:
            return octets[:at] + rng.randbytes(1 + _below(rng, 8)) + octets[at:]
        case 5:
            return octets + rng.randbytes(1 + _below(rng, 40))
        case 6:
            return octets[:at] + octets[at : at + 4 + _below(rng, 40)] + octets[at:]
        case 7:
            return rng.randbytes(size)
        case _:
            return number(rng, octets)


def number(rng: Random, octets: bytes) -> bytes:
    """`octets` after one, two or four of them, wherever they are, became a number that breaks parsers."""
    width = (1, 2, 2, 4)[_below(rng, 4)]
    if len(octets) < width:
        return octets
    at = _below(rng, len(octets) - width + 1)
    if rng.random() < 0.5:
        value = _LENGTHS[_below(rng, len(_LENGTHS))]
    else:
        value = int.from_bytes(octets[at : at + width], "big") + (-4, -1, 1, 4)[_below(rng, 4)]
    return octets[:at] + (value % (1 << 8 * width)).to_bytes(width, "big") + octets[at + width :]


class Part(NamedTuple):
    """A payload of a chain, its body not looked into."""

    kind: int
    flags: int
    body: bytes
    lie: int = 0
    """Added to the true Payload Length."""


def parts(first_type: int, octets: bytes) -> list[Part]:
    """The payloads of a chain as far as they can be told apart; what is left over goes to the last (Section 3.2)."""
    found = []
    kind, position, size = first_type, 0, len(octets)
    while kind and position + GENERIC_SIZE <= size:
        length = int.from_bytes(octets[position + 2 : position + 4], "big")
        encrypted = kind in (46, 53)
        stop = size if encrypted else min(size, position + max(length, GENERIC_SIZE))
        found.append(Part(kind, octets[position + 1], octets[position + GENERIC_SIZE : stop]))
        kind = 0 if encrypted else octets[position]
        position = stop
    return found


def join(chain: list[Part], end: int = 0) -> tuple[int, bytes]:
    """The payload type of the first part, and the octets of all; the last names `end` as its Next Payload."""
    pieces = []
    following = end
    for kind, flags, body, lie in reversed(chain):
        length = (GENERIC_SIZE + len(body) + lie) % 0x10000
        pieces.append(bytes((following, flags)) + length.to_bytes(2, "big") + body)
        following = kind
    pieces.reverse()
    return following, b"".join(pieces)


def chain(rng: Random, first_type: int, octets: bytes) -> tuple[int, bytes]:
    """A chain of payloads after a few changes: their order, number, types, lengths, contents (Sections 2.5, 3.2)."""
    found = parts(first_type, octets)
    end = 0
    if found and found[-1].kind in (46, 53):
        # What is inside is named by Next Payload of the last one (Section 3.14).
        end = octets[len(octets) - len(found[-1].body) - GENERIC_SIZE]
    while True:
        _CHANGES[_below(rng, len(_CHANGES))](rng, found)
        if rng.random() < 0.7:
            break
    if rng.random() < 0.03:
        end = _TYPES[_below(rng, len(_TYPES))]
    first, mutated = join(found, end)
    return first, raw(rng, mutated) if rng.random() < 0.05 else mutated


def message(rng: Random, datagram: bytes) -> bytes:
    """An IKE message after a few changes that know its structure; most keep Length true (Section 3.1)."""
    if len(datagram) < HEADER_SIZE or rng.random() < 0.1:
        return raw(rng, datagram)
    head = datagram[:HEADER_SIZE]
    first, rest = datagram[16], datagram[HEADER_SIZE:]
    choice = rng.random()
    if choice < 0.25:
        head = header(rng, head)
        first = head[16]
    else:
        first, rest = chain(rng, first, rest)
        if choice < 0.3:
            head = header(rng, head)
    length = int.from_bytes(head[24:28], "big") + len(rest) + HEADER_SIZE - len(datagram)
    return head[:16] + bytes((first,)) + head[17:24] + (length % (1 << 32)).to_bytes(4, "big") + rest


def header(rng: Random, head: bytes) -> bytes:
    """The 28 octets of an IKE header after one change (Section 3.1)."""
    match _below(rng, 9):
        case 0:
            return rng.randbytes(8) + head[8:]
        case 1:
            return head[:8] + (bytes(8) if rng.random() < 0.5 else rng.randbytes(8)) + head[16:]
        case 2:
            return head[:16] + bytes((_TYPES[_below(rng, len(_TYPES))],)) + head[17:]
        case 3:
            return head[:17] + bytes((_below(rng, 256),)) + head[18:]
        case 4:
            return head[:18] + bytes((_EXCHANGES[_below(rng, len(_EXCHANGES))],)) + head[19:]
        case 5:
            return head[:19] + bytes((_below(rng, 256),)) + head[20:]
        case 6:
            return head[:19] + bytes((head[19] ^ (0x08, 0x20, 0x28)[_below(rng, 3)],)) + head[20:]
        case 7:
            return head[:20] + number(rng, head[20:24]) + head[24:]
        case _:
            return head[:24] + number(rng, head[24:28])


def _below(rng: Random, limit: int) -> int:
    """Like `randrange`, several times as fast; the tiny bias does no harm here."""
    return int(rng.random() * limit)


# Changes of a chain


def _drop(rng: Random, found: list[Part]) -> None:
    if found:
        del found[_below(rng, len(found))]


def _double(rng: Random, found: list[Part]) -> None:
    if found:
        found.insert(_below(rng, len(found) + 1), found[_below(rng, len(found))])


def _swap(rng: Random, found: list[Part]) -> None:
    if found:
        one, other = _below(rng, len(found)), _below(rng, len(found))
        found[one], found[other] = found[other], found[one]


def _retype(rng: Random, found: list[Part]) -> None:
    if found:
        at = _below(rng, len(found))
        found[at] = found[at]._replace(kind=_TYPES[_below(rng, len(_TYPES))])


def _reflag(rng: Random, found: list[Part]) -> None:
    if found:
        at = _below(rng, len(found))
        found[at] = found[at]._replace(flags=_below(rng, 256))


def _lie(rng: Random, found: list[Part]) -> None:
    if found:
        at = _below(rng, len(found))
        lie = (-4, -1, 1, 4, -GENERIC_SIZE - len(found[at].body), 0x7FFF)[_below(rng, 6)]
        found[at] = found[at]._replace(lie=lie)


def _edit(rng: Random, found: list[Part]) -> None:
    if found:
        at = _below(rng, len(found))
        found[at] = found[at]._replace(body=raw(rng, found[at].body))


def _renumber(rng: Random, found: list[Part]) -> None:
    if found:
        at = _below(rng, len(found))
        found[at] = found[at]._replace(body=number(rng, found[at].body))


def _insert(rng: Random, found: list[Part]) -> None:
    body = rng.randbytes(_below(rng, 24))
    part = Part(_TYPES[_below(rng, len(_TYPES))], (0, 0x80)[_below(rng, 2)], body)
    found.insert(_below(rng, len(found) + 1), part)


_CHANGES: Final[tuple[Callable[[Random, list[Part]], None], ...]] = (
    _drop,
    _double,
    _swap,
    _retype,
    _reflag,
    _lie,
    _edit,
    _edit,
    _renumber,
    _renumber,
    _renumber,
    _insert,
)
"""Those that go into a body more than once: there is more to go wrong in it."""
