"""The field map covers each octet once, in order, whatever the octets are; and errors lie on its fields."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ikeref_properties.strategies import wire as strategies

from ikeref import wire
from ikeref.errors import InvalidSyntax
from ikeref.wire.cursor import NOT_DECODED
from tests.unit.wire.octets import datagram
from tests.unit.wire.test_literal import DEFECTS


def covers(fields: tuple[wire.Field, ...], size: int) -> bool:
    """Whether the fields follow one another from octet 0 to `size` without gap, overlap or empty field."""
    position = 0
    for field in fields:
        if field.start != position or field.end <= field.start or not field.path or not field.section:
            return False
        position = field.end
    return position == size


def names(fields: tuple[wire.Field, ...], offset: int, path: str) -> bool:
    """Whether the map has, at `offset`, the field `path` or the first field of the part that `path` names."""
    return any(field.start == offset and (field.path == path or field.path.startswith(path + ".")) for field in fields)


@given(strategies.datagrams)
def test_each_octet_of_a_message_is_one_field(octets: bytes) -> None:
    explanation = wire.explain(octets)
    assert explanation.error is None
    assert covers(explanation.fields, len(octets))
    assert not any(field.path.endswith(NOT_DECODED) for field in explanation.fields)


@given(st.binary(max_size=100) | strategies.mutated_datagrams())
@settings(max_examples=500)
def test_each_octet_of_anything_is_one_field_and_errors_lie_on_fields(octets: bytes) -> None:
    explanation = wire.explain(octets)
    assert covers(explanation.fields, len(octets))
    error = explanation.error
    # A field that is missing altogether has no octet to show.
    if error is not None and error.offset < len(octets):
        assert names(explanation.fields, error.offset, error.field), error


@pytest.mark.parametrize("case", DEFECTS)
def test_known_defects_are_fields_of_the_map(case: str) -> None:
    kind, digits, path, _, offset = DEFECTS[case]
    octets = datagram(kind, digits)
    fields = wire.fields(octets)
    assert covers(fields, len(octets))
    assert names(fields, offset, path) or offset == len(octets)


def test_twin_a_map_with_a_gap_is_noticed() -> None:
    octets = datagram(43, "00 00 0005 01")
    fields = wire.fields(octets)
    assert covers(fields, len(octets))
    assert not covers(fields[:3] + fields[4:], len(octets))
    assert not covers(fields[1:] + fields[:1], len(octets))
    assert not covers(fields, len(octets) + 1)


def test_s3_a_map_in_full() -> None:
    octets = datagram(33, "29 80 0018 00 00 0014 01 01 00 01 00 00 000c 01 00 000c 800e 0080 00 01 0008 00 00 4000")
    assert [(field.start, field.path, field.text, field.section) for field in wire.fields(octets)] == [
        (0, "Header.IKE SA Initiator's SPI", "0102030405060708", "3.1"),
        (8, "Header.IKE SA Responder's SPI", "1112131415161718", "3.1"),
        (16, "Header.Next Payload", "33 (SA)", "3.1"),
        (17, "Header.Version", "2.0", "3.1"),
        (18, "Header.Exchange Type", "35 (IKE_AUTH)", "3.1"),
        (19, "Header.Flags", "0x08 (Initiator)", "3.1"),
        (20, "Header.Message ID", "1", "3.1"),
        (24, "Header.Length", "60", "3.1"),
        (28, "SA.Next Payload", "41 (N)", "3.2"),
        (29, "SA.Critical", "1, reserved 0x00", "3.2"),
        (30, "SA.Payload Length", "24", "3.2"),
        (32, "SA.proposal[1].Last Substruc", "0", "3.3.1"),
        (33, "SA.proposal[1].RESERVED", "0x00", "3.3.1"),
        (34, "SA.proposal[1].Proposal Length", "20", "3.3.1"),
        (36, "SA.proposal[1].Proposal Num", "1", "3.3.1"),
        (37, "SA.proposal[1].Protocol ID", "1 (IKE)", "3.3.1"),
        (38, "SA.proposal[1].SPI Size", "0", "3.3.1"),
        (39, "SA.proposal[1].Num Transforms", "1", "3.3.1"),
        (40, "SA.proposal[1].transform[1].Last Substruc", "0", "3.3.2"),
        (41, "SA.proposal[1].transform[1].RESERVED", "0x00", "3.3.2"),
        (42, "SA.proposal[1].transform[1].Transform Length", "12", "3.3.2"),
        (44, "SA.proposal[1].transform[1].Transform Type", "1 (ENCR)", "3.3.2"),
        (45, "SA.proposal[1].transform[1].RESERVED", "0x00", "3.3.2"),
        (46, "SA.proposal[1].transform[1].Transform ID", "12 (AES_CBC)", "3.3.2"),
        (48, "SA.proposal[1].transform[1].attribute[1].Attribute Type", "14 (KEY_LENGTH), AF=1", "3.3.5"),
        (50, "SA.proposal[1].transform[1].attribute[1].Attribute Value", "128", "3.3.5"),
        (52, "N(INITIAL_CONTACT).Next Payload", "0 (NONE)", "3.2"),
        (53, "N(INITIAL_CONTACT).Critical", "0, reserved 0x01", "3.2"),
        (54, "N(INITIAL_CONTACT).Payload Length", "8", "3.2"),
        (56, "N(INITIAL_CONTACT).Protocol ID", "0 (NONE)", "3.10"),
        (57, "N(INITIAL_CONTACT).SPI Size", "0", "3.10"),
        (58, "N(INITIAL_CONTACT).Notify Message Type", "16384 (INITIAL_CONTACT)", "3.10"),
    ]


TEXTS = {
    "IDi.Identification Data": (35, "00 00 000c 01 000000 0a000001", "10.0.0.1"),
    "IDr.Identification Data": (36, "00 00 0010 02 000000 676174652e6f7267", "'gate.org'"),
    "N(INVALID_KE_PAYLOAD).Notification Data": (41, "00 00 000a 00 00 0011 001f", "31 (CURVE25519)"),
    "N(SIGNATURE_HASH_ALGORITHMS).Notification Data": (
        41,
        "00 00 000c 00 00 402f 0002 0063",
        "2 (SHA2_256), 99",
    ),
    "N(SET_WINDOW_SIZE).Notification Data": (41, "00 00 000c 00 00 4001 00000005", "5"),
    "D.SPI[2]": (42, "00 00 0010 03 04 0002 01020304 05060708", "05060708"),
    "TSi.selector[1].Ending Address": (44, "00 00 0018 01 000000 07 06 0010 0000 ffff 0a000000 0a0000ff", "10.0.0.255"),
    "TSr.selector[1].Selector Data": (45, "00 00 000c 01 000000 c8 11 0004", None),
    "CP.attribute[1].Value": (47, "00 00 0014 02 000000 000d 0008 0a000000 ffffff00", "10.0.0.0/255.255.255.0"),
    "EAP.Type": (48, "00 00 000a 01 07 0006 01 41", "1 (IDENTITY)"),
    "V.Vendor ID": (43, "00 00 0008 466f6f21", "'Foo!'"),
    "SKF.Total Fragments": (53, "23 00 000b 0001 0003 aabbcc", "3"),
    "200.Payload Data": (200, "00 00 0006 abcd", "abcd"),
}


@pytest.mark.parametrize("path", TEXTS)
def test_values_are_shown_for_people(path: str) -> None:
    kind, digits, text = TEXTS[path]
    shown = [field.text for field in wire.fields(datagram(kind, digits)) if field.path == path]
    assert shown == ([text] if text is not None else [])


def test_behind_a_defect_the_map_goes_on() -> None:
    """The first notify is too short; the second can still be told apart."""
    octets = datagram(41, "29 00 0007 00 00 40 00 00 0008 00 00 4000")
    explanation = wire.explain(octets)
    assert explanation.error is not None
    assert explanation.error.field == "N.Payload Length"
    assert [field.path for field in explanation.fields][-1] == "N(INITIAL_CONTACT).Notify Message Type"


def test_a_field_cut_short_says_so() -> None:
    assert wire.fields(bytes(27))[-1] == wire.Field(24, 27, "Header.Length", "000000 (cut short: 3 of 4 octets)", "3.1")


def test_s2_5_of_another_version_only_the_header_is_told() -> None:
    octets = datagram(43, "00 00 0004")
    fields = wire.fields(octets[:17] + b"\x10" + octets[18:])
    assert (fields[3].text, fields[-1].path) == ("1.0", NOT_DECODED)


PLAINTEXT = bytes.fromhex("29 00 0008 01 00 0000 00 00 0008 00 00 4000 aaaaaa 03")
SEALED = datagram(46, "2a 00 0024" + "11" * 8 + "ee" * 20 + "cc" * 4)


def test_s3_14_inside_sk_each_octet_is_one_field() -> None:
    opened = wire.Opened(PLAINTEXT, 8)
    explanation = wire.explain(SEALED, opened)
    assert explanation.error is None
    assert covers(explanation.fields, len(SEALED))
    shown = [(field.start, field.path, field.text) for field in explanation.fields if field.start >= 32]
    assert shown[0] == (32, "SK.Initialization Vector", "11" * 8)
    assert (44, "D.Protocol ID", "1 (IKE)") in shown
    assert (54, "N(INITIAL_CONTACT).Notify Message Type", "16384 (INITIAL_CONTACT)") in shown
    assert shown[-3:] == [
        (56, "SK.Padding", "aaaaaa"),
        (59, "SK.Pad Length", "3"),
        (60, "SK.Integrity Checksum Data", "cccccccc"),
    ]


def test_s2_21_3_errors_inside_sk_are_explained() -> None:
    broken = PLAINTEXT[:2] + b"\x00\xff" + PLAINTEXT[4:]
    explanation = wire.explain(SEALED, wire.Opened(broken, 8))
    assert isinstance(explanation.error, InvalidSyntax)
    assert explanation.error.offset == 42
    assert explanation.error.field == "D.Payload Length"
    assert covers(explanation.fields, len(SEALED))


def test_rfc7383_s2_5_inside_a_fragment_there_is_a_piece() -> None:
    octets = datagram(53, "2a 00 0018 0001 0002" + "11" * 8 + "eeeeee00" + "cc" * 4)
    paths = [field.path for field in wire.fields(octets, wire.Opened(bytes.fromhex("29000000"), 8))]
    assert paths[-4:] == [
        "SKF.Initialization Vector",
        "SKF.Fragment of the payloads",
        "SKF.Pad Length",
        "SKF.Integrity Checksum Data",
    ]


@given(strategies.datagrams | strategies.mutated_datagrams(), st.binary(max_size=60), st.integers(0, 24))
def test_s3_14_any_plaintext_leaves_the_map_whole(octets: bytes, plaintext: bytes, iv_size: int) -> None:
    assert covers(wire.explain(octets, wire.Opened(plaintext, iv_size)).fields, len(octets))


@given(strategies.chains)
def test_payloads_alone_have_a_map_too(payloads: tuple[wire.Payload, ...]) -> None:
    octets = wire.encode_payloads(payloads)
    assert covers(wire.payload_fields(wire.first_type(payloads), octets), len(octets))
