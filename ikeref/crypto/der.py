"""Elements of DER, as far as identities and certificates need them taken apart (X.690; Sections 3.5, 3.6 and 3.7)."""

from typing import NamedTuple

MAX_LENGTH_OCTETS = 4
"""Of a length in its long form."""


class Element(NamedTuple):
    """A tag with its content."""

    tag: int
    content: bytes
    octets: bytes
    """The element whole."""
    rest: bytes
    """What follows it."""


def element(octets: bytes, what: str = "DER") -> Element:
    """The element at the front, with a tag of one octet. ValueError where there is none; `what` is for its text."""
    if len(octets) < 2 or octets[0] & 0x1F == 0x1F:
        raise ValueError(f"the octets are no {what}")
    length, start = octets[1], 2
    if length >= 0x80:
        start = 2 + (length & 0x7F)
        length = int.from_bytes(octets[2:start], "big")
        if start > 2 + MAX_LENGTH_OCTETS or start > len(octets) or length < 0x80 or not octets[2]:
            raise ValueError(f"a length in the {what} is not DER")
    end = start + length
    if end > len(octets):
        raise ValueError(f"the {what} ends early")
    return Element(octets[0], octets[start:end], octets[:end], octets[end:])


def content(octets: bytes, tag: int, what: str = "DER") -> tuple[bytes, bytes]:
    """Content of the element at the front, which must have that tag, and what follows it. ValueError otherwise."""
    found = element(octets, what)
    if found.tag != tag:
        raise ValueError(f"the octets are no {what}")
    return found.content, found.rest


def elements(octets: bytes, what: str = "DER") -> tuple[Element, ...]:
    """All elements, one after the other."""
    found = []
    while octets:
        each = element(octets, what)
        found.append(each)
        octets = each.rest
    return tuple(found)


def encode(tag: int, inner: bytes) -> bytes:
    """An element."""
    if len(inner) < 0x80:
        return bytes((tag, len(inner))) + inner
    length = len(inner).to_bytes((len(inner).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + inner
