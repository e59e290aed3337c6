"""What a fuzzed input is: a few octets that say where and how, and the octets of a message (Sections 3.1, 3.14).

    octets 0-1    which scene
    octet  2      how: a datagram as it is, a message to be sealed, a fragment to be sealed, or the message that was
                  due, altered and sealed
    octet  3      what comes after: nothing, the same again, the time that is due, the scene's own message
    octet  4      type of the first payload
    octet  5      Exchange Type
    octet  6      Flags
    octet  7      message ID, less the one that is due
    octets 8-11   Fragment Number and Total Fragments
    the rest      a datagram, a chain of payloads, or alterations of four octets each

Whatever the octets are, they mean something, so that a fuzzer that knows nothing of them can change them as it likes.
"""

from enum import IntEnum
from random import Random
from typing import NamedTuple

from ikeref_properties.strategies import mutate

HEAD = 12


class How(IntEnum):
    """In which form a message arrives."""

    DATAGRAM = 0
    SEALED = 1
    FRAGMENT = 2
    ALTERED = 3


class Then(IntEnum):
    """What happens after it."""

    NOTHING = 0
    AGAIN = 1
    TIME = 2
    GENUINE = 3


class Input(NamedTuple):
    """An input, taken apart."""

    scene: int
    how: How
    then: Then
    first: int
    exchange: int
    flags: int
    number: int
    """To be added to the message ID that is due: -128 to 127."""
    fragment: int
    total: int
    rest: bytes


def parse(octets: bytes) -> Input:
    """What an input means; missing octets are zero."""
    head = octets[:HEAD].ljust(HEAD, b"\0")
    return Input(
        int.from_bytes(head[:2], "big"),
        How(head[2] % len(How)),
        Then(head[3] % len(Then)),
        head[4],
        head[5],
        head[6],
        (head[7] ^ 0x80) - 0x80,
        int.from_bytes(head[8:10], "big"),
        int.from_bytes(head[10:12], "big"),
        octets[HEAD:],
    )


def build(what: Input) -> bytes:
    """The octets of an input."""
    return (
        what.scene.to_bytes(2, "big")
        + bytes((what.how, what.then, what.first, what.exchange, what.flags, what.number & 0xFF))
        + what.fragment.to_bytes(2, "big")
        + what.total.to_bytes(2, "big")
        + what.rest
    )


def changed(octets: bytes, rng: Random, scenes: int) -> bytes:
    """An input after a few changes that know its structure."""
    return build(change(parse(octets), rng, scenes))


def change(what: Input, rng: Random, scenes: int) -> Input:
    """The same, of an input taken apart."""
    sort = rng.random()
    if sort < 0.08:
        what = what._replace(scene=int(rng.random() * scenes))
    elif sort < 0.12:
        what = what._replace(then=Then(int(rng.random() * len(Then))))
    elif sort < 0.15:
        what = what._replace(number=int(rng.random() * 5) - 2)
    elif sort < 0.18:
        what = what._replace(exchange=34 + int(rng.random() * 5), flags=(0x00, 0x08, 0x20, 0x28)[int(rng.random() * 4)])
    elif sort < 0.2:
        what = what._replace(fragment=int(rng.random() * 4), total=1 + int(rng.random() * 4))
    if sort >= 0.15 or rng.random() < 0.5:
        return _content(what, rng)
    return what


def _content(what: Input, rng: Random) -> Input:
    scene, how, then, first, exchange, flags, number, fragment, total, rest = what
    if how is How.DATAGRAM:
        rest = mutate.message(rng, rest)
    elif how is How.ALTERED or (how is How.FRAGMENT and rng.random() < 0.5):
        rest = mutate.raw(rng, rest)
    else:
        first, rest = mutate.chain(rng, first, rest)
    return Input(scene, how, then, first, exchange, flags, number, fragment, total, rest)
