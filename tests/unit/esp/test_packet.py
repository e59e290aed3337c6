"""Sealing and opening of ESP packets, for every cipher and integrity algorithm that a Child SA may have (RFC 4303)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ikeref.crypto import ChildSuite
from ikeref.crypto.macs import INTEGRITY_FUNCTIONS
from ikeref.crypto.transforms import ENCRYPTION, encryption_key_size, integrity_key_size
from ikeref.errors import Dropped
from ikeref.esp.packet import Opened, iv_octets, open_packet, seal_packet, sequence_of, supports
from ikeref.registry import Encr, Integ, ProtocolId

SPI = bytes.fromhex("01020304")


def suites() -> list[ChildSuite]:
    """Each cipher, with each integrity algorithm where it is AES-CBC and with one elsewhere, without and with ESN."""
    found = []
    for row in ENCRYPTION.values():
        with_it = tuple(INTEGRITY_FUNCTIONS) if row.id == Encr.AES_CBC else (int(Integ.HMAC_SHA2_256_128),)
        for esn in (0, 1):
            for integ in (0,) if row.icv else with_it:
                bits = 0 if row.fixed else row.key_bits[-1]
                found.append(ChildSuite(int(ProtocolId.ESP), int(row.id), bits, integ, 0, esn))
    return [suite for suite in found if supports(suite)]


SUITES = suites()


def keys_of(suite: ChildSuite) -> tuple[bytes, bytes]:
    encryption = encryption_key_size(suite.encr, suite.key_bits)
    return bytes(range(1, 1 + encryption)), bytes(range(100, 100 + integrity_key_size(suite.integ)))


def sealed(suite: ChildSuite, sequence: int, content: Opened, tfc: int = 0) -> bytes:
    return seal_packet(suite, keys_of(suite), SPI, sequence, content, iv=b"\7" * iv_octets(suite), tfc=tfc)


def test_all_suites_are_tried() -> None:
    assert {suite.encr for suite in SUITES} >= {Encr.NULL, Encr.AES_CBC, Encr.AES_GCM_16_IIV, Encr.CHACHA20_POLY1305}
    assert len({suite.encr for suite in SUITES}) == 14
    assert {suite.integ for suite in SUITES} == {0, *INTEGRITY_FUNCTIONS}


@pytest.mark.parametrize("suite", SUITES, ids=str)
@given(payload=st.binary(max_size=80), sequence=st.integers(1, 2**32 - 1), tfc=st.integers(0, 9))
def test_what_was_sealed_opens(suite: ChildSuite, payload: bytes, sequence: int, tfc: int) -> None:
    packet = sealed(suite, sequence, Opened(4, payload), tfc)
    assert packet[:4] == SPI
    assert sequence_of(packet) == sequence
    assert len(packet) % 4 == 0
    assert open_packet(suite, keys_of(suite), sequence, packet) == Opened(4, payload + bytes(tfc))


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_altering_any_octet_is_found(suite: ChildSuite) -> None:
    packet = sealed(suite, 5, Opened(4, b"the inner packet"))
    for at in range(len(packet)):
        altered = packet[:at] + bytes((packet[at] ^ 1,)) + packet[at + 1 :]
        with pytest.raises(Dropped):
            open_packet(suite, keys_of(suite), sequence_of(altered), altered)


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_the_upper_half_of_a_sequence_number_is_authentic_with_esn_alone(suite: ChildSuite) -> None:
    packet = sealed(suite, 5, Opened(4, b"the inner packet"))
    assert open_packet(suite, keys_of(suite), 5, packet).payload == b"the inner packet"
    if suite.esn or (ENCRYPTION[suite.encr].iv == 0 and suite.encr != Encr.NULL):  # an implicit IV is all of it
        with pytest.raises(Dropped):
            open_packet(suite, keys_of(suite), 5 + 2**32, packet)
    else:
        assert open_packet(suite, keys_of(suite), 5 + 2**32, packet).payload == b"the inner packet"


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_any_cut_is_dropped(suite: ChildSuite) -> None:
    packet = sealed(suite, 5, Opened(4, b"the inner packet"))
    for size in range(8, len(packet)):
        with pytest.raises(Dropped):
            open_packet(suite, keys_of(suite), 5, packet[:size])


@pytest.mark.parametrize("size", range(8))
def test_no_header_no_packet(size: int) -> None:
    with pytest.raises(Dropped, match="too short"):
        sequence_of(bytes(size))


def test_s2_4_of_rfc_4303_padding_counts_up() -> None:
    """Sealed by hand with AES-GCM, so that the padding can be wrong."""
    suite = next(suite for suite in SUITES if suite.encr == Encr.AES_GCM_16 and not suite.esn)
    # A payload whose last octets look like padding, once right and once wrong, sealed as if they were it.
    right = sealed(suite, 1, Opened(4, b"x" * 9 + b"\1\2\3"))
    assert open_packet(suite, keys_of(suite), 1, right).payload.endswith(b"\1\2\3")
    for inner, fits in ((b"x" * 9 + b"\1\2\3\3\4", True), (b"x" * 9 + b"\1\2\2\3\4", False), (b"\xff\4", False)):
        packet = _raw(suite, inner)
        if fits:
            assert open_packet(suite, keys_of(suite), 1, packet) == Opened(4, b"x" * 9)
        else:
            with pytest.raises(Dropped, match="padding"):
                open_packet(suite, keys_of(suite), 1, packet)


def _raw(suite: ChildSuite, plaintext: bytes) -> bytes:
    from ikeref.crypto.ciphers import CIPHERS

    header, iv = SPI + bytes((0, 0, 0, 1)), (1).to_bytes(8)
    return header + iv + CIPHERS[suite.encr].seal(keys_of(suite)[0], iv, plaintext, header)


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_no_iv_comes_twice_under_a_key(suite: ChildSuite) -> None:
    if iv_octets(suite):
        assert suite.encr in (Encr.AES_CBC, Encr.TRIPLE_DES)  # random: the caller's
        return
    packets = [sealed(suite, sequence, Opened(4, b"")) for sequence in (1, 2, 2**31, 2**32 - 1)]
    size = ENCRYPTION[suite.encr].iv
    if size:
        assert len({packet[8 : 8 + size] for packet in packets}) == 4
    elif suite.encr != Encr.NULL:  # implicit: other octets, though the plaintext is the same (RFC 8750)
        assert len({packet[8:] for packet in packets}) == 4
