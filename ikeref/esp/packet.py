"""An ESP packet (RFC 4303 section 2), with a cipher and an ICV or with an AEAD cipher (RFC 4106 and its like).

    SPI (4) | sequence number (4) | IV | payload | padding | pad length (1) | next header (1) | ICV

From the payload to the next header it is encrypted. A sequence number has 32 bits on the wire; with extended ones
(ESN) the upper 32 are not sent, yet the ICV covers them.
"""

from hmac import compare_digest
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from ikeref.crypto.ciphers import CIPHERS, LEGACY_CIPHERS, NULL_CIPHERS, CipherFunctions
from ikeref.crypto.macs import INTEGRITY_FUNCTIONS, Function
from ikeref.crypto.transforms import ChildSuite, unsupported
from ikeref.errors import Dropped
from ikeref.registry import Encr, Integ, name

HEADER_SIZE: Final = 8
ESN_BITS: Final = 32
NO_NEXT_HEADER: Final = 59
"""The payload is a dummy, which only hides that there is no traffic (RFC 4303 section 2.6)."""

_IMPLICIT: Final = {
    int(Encr.AES_CCM_8_IIV): int(Encr.AES_CCM_8),
    int(Encr.AES_GCM_16_IIV): int(Encr.AES_GCM_16),
    int(Encr.CHACHA20_POLY1305_IIV): int(Encr.CHACHA20_POLY1305),
}
"""Ciphers whose IV is the sequence number and is not sent (RFC 8750), and what they are else."""
_CIPHERS: Final = CIPHERS | LEGACY_CIPHERS | NULL_CIPHERS | {id: CIPHERS[base] for id, base in _IMPLICIT.items()}
_RANDOM_IV: Final = frozenset((int(Encr.AES_CBC), int(Encr.TRIPLE_DES)))


class Opened(NamedTuple):
    """What an ESP packet held."""

    next_header: int
    """IP protocol of the payload: 4 or 41 for an IP packet in tunnel mode."""
    payload: bytes
    """With the TFC padding, if there is any: the length in an IP header says where it begins (RFC 4303 section 2.7)."""


def supports(suite: ChildSuite) -> bool:
    """Whether packets can be sealed and opened with these algorithms."""
    cipher = _CIPHERS.get(suite.encr)
    return cipher is not None and (cipher.icv > 0 or suite.integ in INTEGRITY_FUNCTIONS)


def iv_octets(suite: ChildSuite) -> int:
    """How many random octets `seal_packet` wants as IV; 0 where it makes the IV of the sequence number."""
    return _cipher(suite).iv if suite.encr in _RANDOM_IV else 0


def seal_packet(
    suite: ChildSuite,
    keys: tuple[bytes, bytes],
    spi: bytes,
    sequence: int,
    content: Opened,
    *,
    iv: bytes = b"",
    tfc: int = 0,
) -> bytes:
    """An ESP packet. `keys` are those of its direction: encryption, integrity. `sequence` counts from 1, with ESN to
    2^64 - 1. `tfc` octets of padding follow the payload, so that its length does not show.

    A key never sees an IV twice: with AEAD and counter ciphers it is the sequence number, of which each is used once.
    """
    cipher = _cipher(suite)
    iv = iv or sequence.to_bytes(8)[8 - cipher.iv :]
    sent = b"" if suite.encr in _IMPLICIT else iv
    body = content.payload + bytes(tfc)
    padding = -(len(body) + 2) % max(cipher.block, 4)
    plaintext = body + bytes(range(1, padding + 1)) + bytes((padding, content.next_header))
    header = spi + sequence.to_bytes(8)[4:]
    if cipher.icv:
        return header + sent + cipher.seal(keys[0], iv, plaintext, _associated(suite, spi, sequence))
    packet = header + sent + cipher.seal(keys[0], iv, plaintext, b"")
    mac, size = _integrity(suite)
    return packet + mac(keys[1], packet + _unsent(suite, sequence))[:size]


def open_packet(suite: ChildSuite, keys: tuple[bytes, bytes], sequence: int, packet: bytes) -> Opened:
    """What an ESP packet holds. `sequence` is the whole number, as `Window.whole` infers it with ESN.

    Errors: `Dropped` where it is too short, its ICV is wrong or its padding is not 1, 2, 3, ... (RFC 4303 section
    2.4): then nothing of it may be used.
    """
    cipher = _cipher(suite)
    start = HEADER_SIZE + (0 if suite.encr in _IMPLICIT else cipher.iv)
    iv = packet[HEADER_SIZE:start] or sequence.to_bytes(8)[8 - cipher.iv :]
    if cipher.icv:
        if len(packet) < start + cipher.icv + 2:
            raise _dropped("too short for an IV and an ICV")
        try:
            plaintext = cipher.open(keys[0], iv, packet[start:], _associated(suite, packet[:4], sequence))
        except InvalidTag:
            raise _dropped("the ICV is wrong") from None
    else:
        mac, size = _integrity(suite)
        end = len(packet) - size
        if end < start + 2 or (end - start) % cipher.block:
            raise _dropped("the length does not fit cipher and ICV")
        if not compare_digest(mac(keys[1], packet[:end] + _unsent(suite, sequence))[:size], packet[end:]):
            raise _dropped("the ICV is wrong")
        plaintext = cipher.open(keys[0], iv, packet[start:end], b"")
    padding, next_header = plaintext[-2:]
    end = len(plaintext) - 2 - padding
    if end < 0 or plaintext[end:-2] != bytes(range(1, padding + 1)):
        raise _dropped("the padding is wrong")
    return Opened(next_header, plaintext[:end])


def sequence_of(packet: bytes) -> int:
    """The lower 32 bits of the sequence number. `Dropped` where the packet is shorter than its header."""
    if len(packet) < HEADER_SIZE:
        raise _dropped("too short for SPI and sequence number")
    return int.from_bytes(packet[4:8])


def _associated(suite: ChildSuite, spi: bytes, sequence: int) -> bytes:
    """What an AEAD cipher authenticates besides: SPI and sequence number, whole with ESN (RFC 4106 section 5)."""
    return spi + sequence.to_bytes(8)[0 if suite.esn else 4 :]


def _unsent(suite: ChildSuite, sequence: int) -> bytes:
    """With ESN the upper half of the sequence number: at the end of what the ICV covers (RFC 4303 section 2.8)."""
    return sequence.to_bytes(8)[:4] if suite.esn else b""


def _dropped(reason: str) -> Dropped:
    return Dropped(reason, section="RFC 4303 3.4.4", field="ESP")


def _cipher(suite: ChildSuite) -> CipherFunctions:
    try:
        return _CIPHERS[suite.encr]
    except KeyError:
        raise unsupported("encryption algorithm", name(Encr, suite.encr)) from None


def _integrity(suite: ChildSuite) -> tuple[Function, int]:
    try:
        return INTEGRITY_FUNCTIONS[suite.integ]
    except KeyError:
        raise unsupported("integrity algorithm", name(Integ, suite.integ)) from None
