"""Defects that one datagram shows: against datagrams that others judged, and one by one."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from ikeref_properties.strategies import wire as strategies

from ikeref import wire
from ikeref.registry import KeGroup
from tests.unit.wire.octets import datagram

BAD: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "vectors" / "bad" / "plain.json").read_text())[
    "vectors"
]

SOUND = [vector for vector in BAD if vector["verdict"] == "accept"]
"""What has to be accepted has no defect: the ok-* datagrams, an unasked cookie, and an unknown payload of type 4."""
DEFECTIVE = [vector for vector in BAD if vector["verdict"] != "accept"]


def _lint(vector: dict[str, Any]) -> tuple[wire.Defect, ...]:
    return wire.lint(bytes.fromhex(vector["hex"]), port=vector["dport"])


@pytest.mark.parametrize("vector", SOUND, ids=lambda vector: vector["id"])
def test_no_defect_is_claimed_where_none_is(vector: dict[str, Any]) -> None:
    assert _lint(vector) == ()


def test_the_ok_datagrams_are_among_the_sound_ones() -> None:
    assert {vector["id"] for vector in BAD if vector["id"].startswith("ok-")} <= {vector["id"] for vector in SOUND}


@pytest.mark.parametrize("vector", DEFECTIVE, ids=lambda vector: vector["id"])
def test_each_defect_has_offset_field_and_section(vector: dict[str, Any]) -> None:
    defects = _lint(vector)
    assert defects
    for defect in defects:
        assert 0 <= defect.offset < max(1, len(vector["hex"]) // 2)
        assert defect.field
        assert defect.section
        assert defect.reason


WHERE = {
    "sa-299-proposals-wrap": ("SA.proposal[256].Proposal Num", "3.3.1"),
    "sa-proposal-gap": ("SA.proposal[2].Proposal Num", "3.3.1"),
    "sa-ntransforms-lies-fewer": ("SA.proposal[1].Num Transforms", "3.3.1"),
    "sa-missing-dh": ("SA.proposal[1].Num Transforms", "3.3.3"),
    "sa-missing-prf": ("SA.proposal[1].Num Transforms", "3.3.3"),
    "sa-aes-no-keylen": ("SA.proposal[1].transform[1].Transform ID", "3.3.5"),
    "sa-aes-keylen-tlv": ("SA.proposal[1].transform[1].attribute[1].Attribute Type", "3.3.5"),
    "sa-spi-in-initial": ("SA.proposal[1].SPI Size", "3.3.1"),
    "sa-unknown-protocol-only": ("SA.proposal[1].Protocol ID", "3.3.1"),
    "hdr-exch-0": ("Header.Exchange Type", "3.1"),
    "hdr-init-mid-1": ("Header.Message ID", "2.2"),
    "hdr-flags-neither": ("Header.Flags", "3.1"),
    "hdr-exch-informational-no-sa": ("N(AUTHENTICATION_FAILED).Next Payload", "1.2"),
    "chain-two-sa": ("SA.Next Payload", "1.2"),
    "chain-two-nonce": ("NONCE.Next Payload", "1.2"),
    "chain-no-ke": ("Header.Next Payload", "1.2"),
    "chain-auth-in-init": ("AUTH.Next Payload", "1.2"),
    "chain-skf-in-init": ("SKF.Next Payload", "RFC 7383 2.5"),
    "ke-group-mismatch": ("KE.Diffie-Hellman Group Num", "3.4"),
    "ke-long": ("KE.Payload Length", "3.4"),
    "ke-modp-1": ("KE.Key Exchange Data", "RFC 6989 2.1"),
    "ke-p256-off-curve": ("KE.Key Exchange Data", "RFC 6989 2.3"),
    "ke-x25519-zero": ("KE.Key Exchange Data", "RFC 8031 3.2"),
    "natt-marker-missing": ("Non-ESP Marker", "2.23"),
    "natt-marker-only": ("Header", "3.1"),
}
"""Where the decoder finds nothing to refuse, or there is no decoding at all."""


@pytest.mark.parametrize("vector", [vector for vector in BAD if vector["id"] in WHERE], ids=lambda vector: vector["id"])
def test_the_defect_is_named_where_it_is(vector: dict[str, Any]) -> None:
    first = _lint(vector)[0]
    assert (first.field, first.section) == WHERE[vector["id"]]
    fields = wire.fields(bytes.fromhex(vector["hex"]))
    if vector["dport"] == 500:
        assert (first.offset, first.field) in {(field.start, field.path) for field in fields}


IKE = "01 01 00"  # proposal 1 for IKE without SPI
ESP = "01 03 04"
SPI = "deadbeef"


def _sa(number_protocol_spi_size: str, spi: str, *transforms: str) -> str:
    """An SA payload, alone in its chain, with one proposal; transforms are type, 0, ID and attributes."""
    body = ""
    for index, transform in enumerate(transforms):
        octets = bytes.fromhex(transform)
        last = "00" if index == len(transforms) - 1 else "03"
        body += f"{last} 00 {4 + len(octets):04x} {octets.hex()}"
    head = f"{number_protocol_spi_size} {len(transforms):02x} {spi}"
    proposal = f"00 00 {4 + len(bytes.fromhex(head + body)):04x} {head} {body}"
    return f"00 00 {4 + len(bytes.fromhex(proposal)):04x} {proposal}"


SEALED = 46
INSIDE = {
    "combined mode with INTEG": (
        33,
        _sa(ESP, SPI, "01 00 0014 800e 0100", "03 00 000c", "05 00 0000"),
        "SA.proposal[1].transform[2].Transform Type",
        "3.3",
    ),
    "combined mode with NONE": (33, _sa(ESP, SPI, "01 00 0014 800e 0100", "03 00 0000", "05 00 0000"), "", ""),
    "ESP without sequence numbers": (
        33,
        _sa(ESP, SPI, "01 00 0014 800e 0100"),
        "SA.proposal[1].Num Transforms",
        "3.3.3",
    ),
    "AH without INTEG": (33, _sa("01 02 04", SPI, "05 00 0000"), "SA.proposal[1].Num Transforms", "3.3.3"),
    "key length of ChaCha20": (
        33,
        _sa(ESP, SPI, "01 00 001c 800e 0100", "05 00 0000"),
        "SA.proposal[1].transform[1].Transform ID",
        "3.3.5",
    ),
    "two key lengths": (
        33,
        _sa(ESP, SPI, "01 00 000c 800e 0100 800e 0080", "05 00 0000"),
        "SA.proposal[1].transform[1].attribute[2].Attribute Type",
        "3.3",
    ),
    "first proposal is number 2": (
        33,
        _sa("02 03 04", SPI, "01 00 001c", "05 00 0000"),
        "SA.proposal[1].Proposal Num",
        "3.3.1",
    ),
    "REKEY_SA without SPI": (41, "00 00 0008 03 00 4009", "N(REKEY_SA).SPI Size", "3.10"),
    "window of three octets": (41, "00 00 000b 00 00 4001 000005", "N(SET_WINDOW_SIZE).Payload Length", "2.3"),
    "delete of protocol 0": (42, "00 00 0008 00 00 0000", "D.Protocol ID", "3.11"),
    "delete of IKE with an SPI": (42, "00 00 0010 01 08 0001 0102030405060708", "D.SPI Size", "3.11"),
    "delete of ESP": (42, "00 00 000c 03 04 0001 01020304", "", ""),
}


@pytest.mark.parametrize("case", INSIDE)
def test_payloads_inside_sk_are_judged_too(case: str) -> None:
    kind, digits, path, section = INSIDE[case]
    plaintext = bytes.fromhex(digits) + b"\x00"
    octets = datagram(SEALED, f"{kind:02x} 00 {4 + 8 + len(plaintext) + 16:04x}" + "ee" * (8 + len(plaintext) + 16))
    assert wire.lint(octets) == ()
    defects = wire.lint(octets, opened=wire.Opened(plaintext, 8))
    assert [(defect.field, defect.section) for defect in defects] == ([(path, section)] if path else [])
    fields = {(field.start, field.path) for field in wire.fields(octets, wire.Opened(plaintext, 8))}
    assert {(defect.offset, defect.field) for defect in defects} <= fields


def _init(payloads: tuple[wire.Payload, ...], **changes: Any) -> bytes:
    message = wire.Message(b"\x01" * 8, bytes(8), 34, wire.FLAG_INITIATOR, 0, payloads)
    return wire.encode(message._replace(**changes))


CHOSEN = wire.SA(
    (
        wire.Proposal(
            1,
            1,
            b"",
            (wire.Transform(1, 20, (wire.Attribute(14, 256),)), wire.Transform(2, 5), wire.Transform(4, 31)),
        ),
    )
)
KEY = wire.KE(31, b"\x09" + bytes(31))
NONCE = wire.Nonce(bytes(32))
RESPONSE = {"flags": wire.FLAG_RESPONSE, "spi_r": b"\x02" * 8}


def _fields(octets: bytes) -> list[str]:
    return [defect.field for defect in wire.lint(octets)]


def test_s1_2_sound_ike_sa_init_in_both_directions() -> None:
    assert _fields(_init((CHOSEN, KEY, NONCE))) == []
    assert _fields(_init((CHOSEN, KEY, NONCE), **RESPONSE)) == []
    assert _fields(_init((wire.N(17, b"\x00\x1f"),), **RESPONSE)) == []
    assert _fields(_init((wire.N(16390, b"\x01"),), flags=wire.FLAG_RESPONSE)) == []


def test_s3_1_flags_and_spi_of_ike_sa_init() -> None:
    assert _fields(_init((CHOSEN, KEY, NONCE), flags=0x28)) == ["Header.Flags"]
    assert _fields(_init((CHOSEN, KEY, NONCE), spi_r=b"\x01" * 8)) == ["Header.IKE SA Responder's SPI"]


def test_s2_7_an_answer_has_one_proposal_and_no_alternatives() -> None:
    two = wire.SA((CHOSEN.proposals[0], CHOSEN.proposals[0]._replace(number=2)))
    assert "SA.proposal[2].Proposal Num" in _fields(_init((two, KEY, NONCE), **RESPONSE))
    transforms = (*CHOSEN.proposals[0].transforms, wire.Transform(4, 14))
    more = wire.SA((CHOSEN.proposals[0]._replace(transforms=transforms),))
    assert _fields(_init((more, KEY, NONCE), **RESPONSE)) == ["SA.proposal[1].transform[4].Transform Type"]
    assert _fields(_init((more, KEY, NONCE))) == []


def test_s2_6_a_cookie_comes_first() -> None:
    assert _fields(_init((wire.N(16390, b"\x01"), CHOSEN, KEY, NONCE))) == []
    assert _fields(_init((CHOSEN, KEY, NONCE, wire.N(16390, b"\x01")))) == ["N(COOKIE).Next Payload"]


def test_s3_2_tolerated_octets_are_defects() -> None:
    assert _fields(datagram(41, "00 00 000a 00 00 0005 0000 0000"))[:1] == ["Trailing octets"]
    assert _fields(_init((CHOSEN, KEY, NONCE, wire.Unknown(127, b"", 0, 35)))) == ["127.Next Payload"]


def test_s1_5_some_notifications_are_sent_in_the_clear() -> None:
    for kind in (4, 5, 11):
        assert _fields(datagram(41, f"00 00 0008 00 00 {kind:04x}")) == []
    assert _fields(datagram(41, "00 00 0008 00 00 0018")) == ["N(AUTHENTICATION_FAILED).Next Payload"]
    assert _fields(datagram(0, "")) == ["Header.Next Payload"]


@pytest.mark.parametrize(
    ("group", "curve"),
    [(KeGroup.ECP_256, ec.SECP256R1()), (KeGroup.ECP_384, ec.SECP384R1()), (KeGroup.ECP_521, ec.SECP521R1())],
)
def test_rfc6989_s2_3_points_of_a_curve_and_others(group: KeGroup, curve: ec.EllipticCurve) -> None:
    numbers = ec.derive_private_key(0x1234567, curve).public_key().public_numbers()
    size = wire.KE_SIZES[group] // 2
    transforms = (*CHOSEN.proposals[0].transforms[:2], wire.Transform(4, group))
    sa = wire.SA((CHOSEN.proposals[0]._replace(transforms=transforms),))
    public = numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")
    assert _fields(_init((sa, wire.KE(group, public), NONCE))) == []
    odd = public[:-1] + bytes((public[-1] ^ 1,))
    assert _fields(_init((sa, wire.KE(group, odd), NONCE))) == ["KE.Key Exchange Data"]


@given(st.binary(max_size=80) | strategies.mutated_datagrams(), st.sampled_from((500, 4500)), st.binary(max_size=40))
@settings(max_examples=200)
def test_lint_never_fails(octets: bytes, port: int, plaintext: bytes) -> None:
    for defect in wire.lint(octets, port=port, opened=wire.Opened(plaintext, 8)):
        assert 0 <= defect.offset <= len(octets)
        assert defect.field
        assert defect.section
        assert defect.reason
