"""A state in words that don't depend on names and times: octet strings by first occurrence, times from now on.

For states of which nothing else is known; `fingerprint` is made for two ends with an IKE SA, and says far less.
"""

from hashlib import blake2b

from ikeref.errors import ProtocolError
from ikeref.wire import SK, decode

_SHORT = 4
"""Octets: shorter strings are no names."""
_HEADER = 28


def spelled(value: object, now: float) -> bytes:
    """The same for values that differ in names, and in times by the same amount."""
    words: list[str] = []
    _spell(value, now, {}, words)
    return blake2b(" ".join(words).encode(), digest_size=12).digest()


def _spell(value: object, now: float, names: dict[bytes, int], words: list[str]) -> None:
    match value:
        case float():
            words.append(f"{value - now:.3f}" if value else "never")
        case bytes() if len(value) >= _SHORT:
            if value in names:
                words.append(f"#{names[value]}")
                return
            names[value] = len(names)
            words.append(f"#{names[value]}/{len(value)}")
            message = _message(value) if len(value) >= _HEADER else None
            if message is not None:
                _spell(message, now, names, words)
        case tuple():
            words.append(f"{type(value).__name__}(")
            for each in value:
                _spell(each, now, names, words)
            words.append(")")
        case _:
            words.append(repr(value))


def _message(octets: bytes) -> object:
    """What stands in an unprotected message; None for anything else."""
    try:
        message = decode(octets)
    except ProtocolError:
        return None
    return None if message.payloads and type(message.payloads[-1]) is SK else message
