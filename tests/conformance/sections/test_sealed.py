"""The Encrypted payload: what our ends send with real cryptography, and what they take (Section 3.14)."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
from ikeref_properties.network import A, B, Pair, connection

from ikeref import sa, wire
from ikeref.crypto import IkeKeys, Suite, envelope
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import Dropped, LocalProtocolError, RemoteProtocolError
from ikeref.policy import choice
from ikeref.registry import Encr, Integ, KeGroup, Prf
from ikeref.sa import IkeSa
from ikeref.wire import FLAG_INITIATOR, Message, encode_payloads
from tests.conformance import stations
from tests.conformance.sections import corpus
from tests.properties.forging import Answered, arrive

REAL = RealCrypto(legacy=True)
BLOCK = 16


class Sealed(NamedTuple):
    """A protected datagram that was sent, the keys of its sender, and what was in it."""

    datagram: bytes
    suite: Suite
    sk_e: bytes
    sk_a: bytes
    iv: bytes
    ciphertext: bytes
    padding: bytes
    message: Message


@cache
def sealed(name: str) -> tuple[Sealed, ...]:
    """All of a life, in order."""
    found: list[Sealed] = []
    keys: dict[tuple[bytes, bytes], tuple[Suite, IkeKeys]] = {}
    for record in corpus.life(name).records:
        for output in record.outputs:
            if type(output) is sa.NewKeys:
                keys[output.spi_i, output.spi_r] = output.suite, output.keys
            if type(output) is not sa.Transmit or output.message is None or output.message.exchange_type == 34:
                continue
            suite, own = keys[output.message.spi_i, output.message.spi_r]
            sk_e, sk_a = (own.sk_ei, own.sk_ai) if output.message.is_initiator else (own.sk_er, own.sk_ar)
            opened = envelope.unprotect(REAL, suite, sk_e, sk_a, output.datagram)
            (closed,) = wire.decode(output.datagram).payloads
            assert type(closed) is wire.SK
            inside = closed.body[REAL.iv_size(suite) : len(closed.body) - REAL.icv_size(suite)]
            found.append(Sealed(output.datagram, suite, sk_e, sk_a, opened.iv, inside, opened.padding, opened.message))
    return tuple(found)


LIVES = ("cbc", "gcm", "modp", "certified")


@pytest.mark.parametrize("name", LIVES)
def test_3_14_02_the_keys_of_its_ike_sa_and_sender_open_a_message(name: str) -> None:
    """7296-3.14-02, 7296-2.14-07: altered are the keys, to those of the other direction or of another IKE SA."""
    all_keys = {(each.sk_e, each.sk_a): each.suite for each in sealed(name)}
    assert len(all_keys) >= 2
    for each in sealed(name)[:20]:
        for (sk_e, sk_a), suite in all_keys.items():
            if (sk_e, sk_a) != (each.sk_e, each.sk_a) and suite == each.suite:
                with pytest.raises(Dropped):
                    envelope.unprotect(REAL, suite, sk_e, sk_a, each.datagram)


def test_3_14_09_ivs_are_new_and_those_of_cbc_cannot_be_foretold() -> None:
    """7296-3.14-08, 7296-3.14-09, 7296-3.14-11: a block long, drawn at random for each message, and not the last block
    of any message, whoever sent it."""
    for name in ("cbc", "modp", "gcm"):
        ivs = [(each.sk_e, each.iv) for each in sealed(name)]
        assert len(set(ivs)) == len({each.datagram for each in sealed(name)}) > 5
    last_blocks = {each.ciphertext[-BLOCK:] for each in sealed("cbc")}
    for each in sealed("cbc"):
        assert len(each.iv) == BLOCK
        assert each.iv not in last_blocks
    for drawn in (b"\xa5" * BLOCK, b"\x3c" * BLOCK):
        ends = stations.pair(3, 1).establish()
        ends.forced[A][BLOCK] = [drawn]
        ends.command(A, sa.CheckLiveness())
        (flight,) = ends.flying
        assert drawn in flight.datagram


def test_3_2_03_next_payload_of_sk_names_the_first_inside() -> None:
    """7296-3.2-03, 7296-3.1-06: and SK is the last of the message, whatever is in it."""
    seen = set()
    for each in (one for name in LIVES for one in sealed(name)):
        payloads = wire.decode(each.datagram).payloads
        assert [type(payload) for payload in payloads] == [wire.SK]
        (first, *_) = (*(wire.payload_type(payload) for payload in each.message.payloads), 0)
        assert [payload.next_payload for payload in payloads if type(payload) is wire.SK] == [first]
        seen.add(first)
    assert len(seen) > 2


def test_3_14_15_ciphertext_fills_blocks_and_padding_is_the_shortest() -> None:
    """7296-3.14-13, 7296-3.14-15, 7296-3.14-16: and nothing of what is inside can be seen."""
    lengths = set()
    for each in sealed("cbc"):
        inner = encode_payloads(each.message.payloads)
        assert len(each.ciphertext) % BLOCK == 0
        assert len(each.ciphertext) == len(inner) + len(each.padding) + 1
        assert len(each.padding) < BLOCK
        lengths.add(len(each.padding))
        assert len(inner) < BLOCK or inner[:BLOCK] not in each.datagram
    assert len(lengths) > 2
    _, _, ike = _asked(bytes(BLOCK - 1))
    with pytest.raises(LocalProtocolError):
        _seal(ike, bytes(BLOCK - 2))


def _seal(ike: IkeSa, padding: bytes, iv: bytes = b"\x77" * BLOCK, number: int = 0) -> bytes:
    """An empty INFORMATIONAL of B, with that padding and IV."""
    assert ike.keys is not None
    assert ike.suite is not None
    message = Message(ike.spi_i, ike.spi_r, 37, FLAG_INITIATOR if ike.initiator else 0, number, ())
    sk_e, sk_a = (ike.keys.sk_ei, ike.keys.sk_ai) if ike.initiator else (ike.keys.sk_er, ike.keys.sk_ar)
    return envelope.protect(RealCrypto(), ike.suite, sk_e, sk_a, message, iv, padding)


def _asked(padding: bytes) -> tuple[Pair, bytes, IkeSa]:
    ends = stations.pair(3, 1).establish()
    (ike,) = ends.ikes(B)
    return ends, _seal(ike, padding), ike


def _answers(answered: Answered) -> int:
    """How many responses that are no refusal."""
    return len([each for each in answered.messages if each.is_response and not each.payloads])


@pytest.mark.parametrize("blocks", [1, 2, 9, 16])
@pytest.mark.parametrize("octet", [0, 1, 0x5A, 0xFF])
def test_3_14_17_any_padding_that_aligns_is_taken(blocks: int, octet: int) -> None:
    """7296-3.14-14, 7296-3.14-17: of any content and length. Altered is one octet of it under way: nothing answers."""
    ends, datagram, _ = _asked(bytes([octet]) * (BLOCK * blocks - 1))
    broken = datagram[:60] + bytes((datagram[60] ^ 1,)) + datagram[61:]
    assert _answers(arrive(ends, A, broken)) == 0
    assert _answers(arrive(ends, A, datagram)) == 1


@pytest.mark.parametrize("iv", [bytes(BLOCK), b"\xff" * BLOCK, bytes(range(BLOCK))])
def test_3_14_10_any_iv_is_taken(iv: bytes) -> None:
    """Also twice the same."""
    ends, _, ike = _asked(bytes(BLOCK - 1))
    for number in range(3):
        assert _answers(arrive(ends, A, _seal(ike, bytes(BLOCK - 1), iv, number))) == 1


def test_3_14_15_what_does_not_fill_blocks_or_pads_too_much_is_malformed() -> None:
    """7296-3.14-15: altered is Pad Length, to more than there is; and the ciphertext, by an octet."""
    ends, _, ike = _asked(bytes(BLOCK - 1))
    assert ike.suite is not None
    assert ike.keys is not None
    sk_e, sk_a = ike.keys.sk_er, ike.keys.sk_ar
    prefix = ike.spi_i + ike.spi_r + bytes.fromhex("2e 20 25 00 00000000")
    for plaintext, good in ((bytes(15) + b"\x0f", True), (bytes(15) + b"\x10", False)):
        size = BLOCK + len(plaintext) + REAL.icv_size(ike.suite) + 4
        head = prefix + (28 + size).to_bytes(4, "big") + bytes(2) + size.to_bytes(2, "big")
        body = REAL.encrypt(ike.suite, sk_e, sk_a, head, bytes(BLOCK), plaintext)
        if good:
            assert envelope.unprotect(REAL, ike.suite, sk_e, sk_a, head + body).message.payloads == ()
        else:
            with pytest.raises(RemoteProtocolError):
                envelope.unprotect(REAL, ike.suite, sk_e, sk_a, head + body)
    assert ends.ikes(A)


WITHOUT_PROCESSING = (Encr.NULL_AUTH_AES_GMAC, Encr.AES_GCM_16_IIV, Encr.AES_CCM_8_IIV, Encr.CHACHA20_POLY1305_IIV)
"""Encryption algorithms that have no form for the Encrypted payload (RFC 4543, RFC 8750)."""


@pytest.mark.parametrize("encr", [*WITHOUT_PROCESSING, Encr.DES, Encr.RC5, Encr.NULL])
def test_3_14_03_what_has_no_encrypted_payload_is_not_negotiated(encr: int) -> None:
    """7296-3.14-03, 7296-5-08: nor what encrypts nothing. Altered is the algorithm of a suite that is there."""
    good = Suite(Encr.AES_GCM_16, 128, Prf.HMAC_SHA2_256, Integ.NONE, KeGroup.CURVE25519)
    crypto = RealCrypto(legacy=True)
    assert crypto.supports(good)
    assert not crypto.supports(good._replace(encr=encr))
    assert not crypto.supports(good._replace(encr=encr, key_bits=0, integ=Integ.HMAC_SHA2_256_128))
    policy = connection(A)
    (proposal,) = policy.ike_proposals
    fine = Endpoint((policy,), crypto, bytes)
    assert fine
    altered = tuple(each._replace(id=encr) if each.type == 1 else each for each in proposal.transforms)
    with pytest.raises(LocalProtocolError):
        Endpoint((replace(policy, ike_proposals=(proposal._replace(transforms=altered),)),), crypto, bytes)


def test_5_08_an_ike_sa_has_integrity() -> None:
    """Altered is the integrity algorithm beside a cipher that has none of its own, to NONE or nothing."""
    (proposal,) = connection(A, ike="aes128-sha256-x25519").ike_proposals
    choice.check_policy(proposal)
    assert choice.choose((proposal,), (proposal,)) is not None
    none = tuple(each._replace(id=0) if each.type == 3 else each for each in proposal.transforms)
    left_out = tuple(each for each in proposal.transforms if each.type != 3)
    for transforms in (none, left_out):
        altered = proposal._replace(transforms=transforms)
        with pytest.raises(ValueError, match="integrity"):
            choice.check_policy(altered)
        assert choice.choose((altered,), (proposal,)) is None
        assert not RealCrypto().supports(Suite(Encr.AES_CBC, 128, Prf.HMAC_SHA2_256, Integ.NONE, KeGroup.CURVE25519))
