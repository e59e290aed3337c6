"""Octets for tests, written by hand: what the code under test makes of them must not come from it."""

from ikeref import wire

HEADER = bytes.fromhex("0102030405060708 1112131415161718 00 20 23 08 00000001 00000000")


def header(first: int, size: int) -> bytes:
    """The header of an IKE_AUTH request with `size` octets of payloads, the first of type `first`."""
    return HEADER[:16] + bytes((first,)) + HEADER[17:24] + (28 + size).to_bytes(4, "big")


def datagram(first: int, payloads: str) -> bytes:
    """A message whose payloads are hexadecimal digits, blanks ignored."""
    octets = bytes.fromhex(payloads)
    return header(first, len(octets)) + octets


def only(kind: int, digits: str) -> wire.Payload:
    """The one payload in a message; it must come back octet for octet."""
    octets = datagram(kind, digits)
    message = wire.decode(octets)
    assert wire.encode(message) == octets
    (payload,) = message.payloads
    return payload
