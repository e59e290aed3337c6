"""Each payload, from octets written by hand after the figures of Section 3."""

import pytest

from ikeref import wire
from ikeref.errors import Dropped, InvalidSyntax, LocalProtocolError, ProtocolError
from tests.unit.wire.octets import datagram, only

SA = (
    "00 00 0030"  # generic header: last payload, 48 octets
    "00 00 002c 01 01 00 04"  # proposal 1 for IKE, no SPI, 4 transforms
    "03 00 000c 01 00 0014 800e 0100"  # ENCR 20 with Key Length 256 in TV form
    "03 00 0008 02 00 0005"  # PRF 5
    "03 00 0008 04 00 001f"  # KE 31
    "00 00 0008 04 00 000e"  # KE 14
)
CHILD_SA = (
    "00 00 0038"
    "02 00 0018 01 03 04 01 deadbeef 00 00 000c 01 00 000c 0063 0000"  # attribute 99 as TLV, empty
    "00 00 001c 02 02 04 02 cafebabe 03 00 0008 03 00 000c 00 00 0008 05 00 0000"
)


def test_s3_1_header() -> None:
    message = wire.decode(bytes.fromhex("a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8 00 21 25 28 01020304 0000001c"))
    assert message == wire.Message(
        spi_i=bytes.fromhex("a1a2a3a4a5a6a7a8"),
        spi_r=bytes.fromhex("b1b2b3b4b5b6b7b8"),
        exchange_type=37,
        flags=0x28,
        message_id=0x01020304,
        payloads=(),
        version=0x21,
    )
    assert message.is_response
    assert message.is_initiator


def test_s3_1_peek_reads_the_header_without_judging() -> None:
    header = wire.peek(bytes.fromhex("0000000000000000 b1b2b3b4b5b6b7b8 2e 30 25 20 01020304 ffffffff 99"))
    assert header == (bytes(8), bytes.fromhex("b1b2b3b4b5b6b7b8"), 46, 0x30, 37, 0x20, 0x01020304, 0xFFFFFFFF)
    assert (header.major_version, header.is_response, header.is_initiator) == (3, True, False)


def test_s3_1_peek_drops_what_is_shorter_than_a_header() -> None:
    with pytest.raises(Dropped) as caught:
        wire.peek(bytes(27))
    assert caught.value.section == "3.1"


def test_s3_3_sa() -> None:
    transforms = (
        wire.Transform(1, 20, (wire.Attribute(14, 256),)),
        wire.Transform(2, 5),
        wire.Transform(4, 31),
        wire.Transform(4, 14),
    )
    assert only(33, SA) == wire.SA((wire.Proposal(1, 1, b"", transforms),))
    assert [transform.key_length for transform in transforms] == [256, None, None, None]


def test_s3_3_two_proposals_with_spis_and_odd_attributes() -> None:
    payload = only(33, CHILD_SA)
    assert payload == wire.SA(
        (
            wire.Proposal(1, 3, b"\xde\xad\xbe\xef", (wire.Transform(1, 12, (wire.Attribute(99, b""),)),)),
            wire.Proposal(
                2,
                2,
                b"\xca\xfe\xba\xbe",
                (wire.Transform(3, 12), wire.Transform(5, 0)),
            ),
        )
    )


def test_s3_3_5_key_length_in_tlv_form_is_no_key_length() -> None:
    transform = wire.Transform(1, 12, (wire.Attribute(14, b"\x01\x00"),))
    assert transform.key_length is None


def test_s3_4_ke() -> None:
    assert only(34, "00 00 000c 001f 0000 aabbccdd") == wire.KE(31, b"\xaa\xbb\xcc\xdd")


def test_s3_5_idi_and_idr() -> None:
    idi = only(35, "00 00 000c 01 000000 0a000001")
    idr = only(36, "00 00 0010 02 000000 676174652e6f7267")
    assert idi == wire.IDi(1, bytes((10, 0, 0, 1)))
    assert idr == wire.IDr(2, b"gate.org")
    assert isinstance(idi, wire.IDi)
    assert isinstance(idr, wire.IDr)
    assert wire.encode_id(idi) == bytes.fromhex("01 000000 0a000001")


def test_s3_6_cert_and_s3_7_certreq() -> None:
    assert only(37, "00 00 0008 04 308203") == wire.CERT(4, b"\x30\x82\x03")
    assert only(38, "00 00 0019 04" + "ab" * 20) == wire.CERTREQ(4, b"\xab" * 20)


def test_s3_8_auth() -> None:
    assert only(39, "00 00 000a 02 000000 c0de") == wire.AUTH(2, b"\xc0\xde")


def test_s3_9_nonce() -> None:
    assert only(40, "00 00 0014" + "0f" * 16) == wire.Nonce(b"\x0f" * 16)


def test_s3_10_notify() -> None:
    assert only(41, "00 00 000a 00 00 0011 001f") == wire.N(17, b"\x00\x1f")
    assert only(41, "00 00 000c 03 04 4009 01020304") == wire.N(16393, b"", 3, b"\x01\x02\x03\x04")
    # A type that no registry has, a protocol that does not exist, an SPI of three octets.
    assert only(41, "00 00 000c 09 03 ffff a1a2a3 99") == wire.N(0xFFFF, b"\x99", 9, b"\xa1\xa2\xa3")


def test_s3_11_delete() -> None:
    assert only(42, "00 00 0008 01 00 0000") == wire.D(1)
    assert only(42, "00 00 0010 03 04 0002 01020304 05060708") == wire.D(
        3, 4, (b"\x01\x02\x03\x04", b"\x05\x06\x07\x08")
    )
    assert only(42, "00 00 0008 03 04 0000") == wire.D(3, 4)
    assert only(42, "00 00 0010 01 08 0001 0102030405060708") == wire.D(1, 8, (bytes(range(1, 9)),))


def test_s3_12_vendor_id() -> None:
    assert only(43, "00 00 0007 abcdef") == wire.V(b"\xab\xcd\xef")
    assert only(43, "00 00 0004") == wire.V(b"")


def test_s3_13_traffic_selectors() -> None:
    ipv4 = "07 06 0010 0050 0050 0a000000 0a0000ff"
    ipv6 = "08 00 0028 0000 ffff" + "00" * 16 + "ff" * 16
    assert only(44, "00 00 0018 01 000000" + ipv4) == wire.TSi(
        (wire.TrafficSelector(7, 6, 80, 80, bytes((10, 0, 0, 0)), bytes((10, 0, 0, 255))),)
    )
    selectors = only(45, "00 00 0040 02 000000" + ipv4 + ipv6)
    assert isinstance(selectors, wire.TSr)
    assert selectors.selectors[1] == wire.TrafficSelector(8, 0, 0, 65535, bytes(16), b"\xff" * 16)


def test_s3_13_1_opaque_ports_and_unknown_types_survive() -> None:
    assert only(44, "00 00 001e 02 000000 07 00 0010 ffff 0000 0a000000 0a0000ff c8 11 0006 abcd") == wire.TSi(
        (
            wire.TrafficSelector(7, 0, 65535, 0, bytes((10, 0, 0, 0)), bytes((10, 0, 0, 255))),
            wire.TrafficSelector(200, 17, 0, 0, b"\xab\xcd", b""),
        )
    )


def test_s3_14_sk_tells_what_is_inside() -> None:
    assert only(46, "23 00 0009 0102030405") == wire.SK(35, b"\x01\x02\x03\x04\x05")


def test_rfc7383_s2_5_skf() -> None:
    assert only(53, "23 00 000b 0001 0003 aabbcc") == wire.SKF(35, 1, 3, b"\xaa\xbb\xcc")


def test_s3_15_cp() -> None:
    assert only(47, "00 00 0014 01 000000 0001 0000 8003 0004 08080808") == wire.CP(
        1, (wire.CfgAttr(1), wire.CfgAttr(3, b"\x08\x08\x08\x08", 1))
    )
    assert only(47, "00 00 0008 02 000000") == wire.CP(2)


def test_s3_16_eap() -> None:
    assert only(48, "00 00 000a 01 07 0006 01 41") == wire.EAP(b"\x01\x07\x00\x06\x01\x41")
    assert only(48, "00 00 0008 03 07 0004") == wire.EAP(b"\x03\x07\x00\x04")


def test_s2_5_unknown_payload_that_is_not_critical_is_kept() -> None:
    assert only(200, "00 00 0006 abcd") == wire.Unknown(200, b"\xab\xcd")
    assert only(4, "00 00 0004") == wire.Unknown(4, b"")


def test_s3_2_an_unknown_last_payload_may_tell_what_is_inside_it() -> None:
    """To who does not know RFC 7383, SKF looks just like this."""
    assert only(127, "23 00 0006 abcd") == wire.Unknown(127, b"\xab\xcd", 0, 35)


def test_s3_2_zeros_that_align_the_message_are_kept() -> None:
    octets = datagram(41, "00 00 000a 00 00 0011 000e 0000")
    message = wire.decode(octets)
    assert message.payloads == (wire.N(17, b"\x00\x0e"),)
    assert message.trailing == bytes(2)
    assert wire.encode(message) == octets


def test_s3_2_chain_in_wire_order() -> None:
    octets = datagram(43, "28 00 0005 01 29 00 0014" + "22" * 16 + "00 00 0008 00 00 4000")
    message = wire.decode(octets)
    assert message.payloads == (wire.V(b"\x01"), wire.Nonce(b"\x22" * 16), wire.N(16384))
    assert [wire.payload_name(payload) for payload in message.payloads] == ["V", "NONCE", "N(INITIAL_CONTACT)"]
    assert [wire.payload_type(payload) for payload in message.payloads] == [43, 40, 41]
    assert wire.encode(message) == octets


def test_s3_14_payloads_inside_sk() -> None:
    octets = bytes.fromhex("2a 00 0008 00 00 4000 00 00 0008 01 00 0000")
    payloads = wire.decode_payloads(41, octets, 40)
    assert payloads == (wire.N(16384), wire.D(1))
    assert wire.first_type(payloads) == 41
    assert wire.encode_payloads(payloads) == octets
    assert wire.decode_payloads(0, b"") == ()
    assert wire.encode_payloads(()) == b""
    assert wire.first_type(()) == 0


DEFECTS = {
    "SA without a proposal": (33, "00 00 0004", "SA.Payload Length", "3.3", 30),
    "proposal announced": (33, "00 00 000c 02 00 0008 01 01 00 00", "SA.proposal[1].Last Substruc", "3.3.1", 32),
    "transform announced": (
        33,
        "00 00 0014 00 00 0010 01 01 00 01 03 00 0008 01 00 000c",
        "SA.proposal[1].transform[1].Last Substruc",
        "3.3.2",
        40,
    ),
    "octets behind the last proposal": (33, SA.replace("0030", "0031", 1) + "00", "SA.proposal[2]", "3.3", 76),
    "SPI of three octets for ESP": (
        33,
        "00 00 000f 00 00 000b 01 03 03 00 a1a2a3",
        "SA.proposal[1].SPI Size",
        "3.3.1",
        38,
    ),
    "SPI behind the proposal": (33, "00 00 000c 00 00 0008 01 03 04 00", "SA.proposal[1].SPI Size", "3.3.1", 38),
    "transform of seven octets": (
        33,
        "00 00 0013 00 00 000f 01 01 00 01 00 00 0007 01 00 00",
        "SA.proposal[1].transform[1]",
        "3.3.2",
        40,
    ),
    "transform with Last Substruc 9": (
        33,
        "00 00 0014 00 00 0010 01 01 00 01 09 00 0008 01 00 000c",
        "SA.proposal[1].transform[1].Last Substruc",
        "3.3.2",
        40,
    ),
    "attribute of two octets": (
        33,
        "00 00 0016 00 00 0012 01 01 00 01 00 00 000a 01 00 000c 800e",
        "SA.proposal[1].transform[1].attribute[1]",
        "3.3.5",
        48,
    ),
    "attribute longer than its transform": (
        33,
        "00 00 0018 00 00 0014 01 01 00 01 00 00 000c 01 00 000c 000e 0002",
        "SA.proposal[1].transform[1].attribute[1].Attribute Length",
        "3.3.5",
        50,
    ),
    "KE of two octets": (34, "00 00 0006 001f", "KE.Payload Length", "3.4", 30),
    "IPv4 identity of five octets": (35, "00 00 000d 01 000000 0a00000102", "IDi.Payload Length", "3.5", 30),
    "IPv6 identity of none": (36, "00 00 0008 05 000000", "IDr.Payload Length", "3.5", 30),
    "ID of three octets": (36, "00 00 0007 05 0000", "IDr.Payload Length", "3.5", 30),
    "CERT of none": (37, "00 00 0004", "CERT.Payload Length", "3.6", 30),
    "CERTREQ of none": (38, "00 00 0004", "CERTREQ.Payload Length", "3.7", 30),
    "AUTH of three octets": (39, "00 00 0007 020000", "AUTH.Payload Length", "3.8", 30),
    "nonce of 15 octets": (40, "00 00 0013" + "0f" * 15, "NONCE.Payload Length", "3.9", 30),
    "nonce of 257 octets": (40, "00 00 0105" + "0f" * 257, "NONCE.Payload Length", "3.9", 30),
    "cookie of none": (41, "00 00 0008 00 00 4006", "N(COOKIE).Payload Length", "2.6", 30),
    "cookie of 65 octets": (41, "00 00 0049 00 00 4006" + "0c" * 65, "N(COOKIE).Payload Length", "2.6", 30),
    "notify with SPI behind its end": (41, "00 00 0009 03 04 4009 01", "N(REKEY_SA).SPI Size", "3.10", 33),
    "notify of three octets": (41, "00 00 0007 00 00 40", "N.Payload Length", "3.10", 30),
    "delete with fewer SPIs": (42, "00 00 000c 03 04 ffff 01020304", "D.Num of SPIs", "3.11", 34),
    "delete with SPIs of no octets": (42, "00 00 0008 01 00 ffff", "D.Num of SPIs", "3.11", 34),
    "delete of three octets": (42, "00 00 0007 01 00 00", "D.Payload Length", "3.11", 30),
    "no selector": (44, "00 00 0008 00 000000", "TSi.Number of TSs", "3.13", 32),
    "selectors miscounted": (45, "00 00 000c 02 000000 c8 00 0004", "TSr.Number of TSs", "3.13", 32),
    "TS of three octets": (45, "00 00 0007 02 0000", "TSr.Payload Length", "3.13", 30),
    "selector of length 0": (44, "00 00 000c 01 000000 c8 00 0000", "TSi.selector[1].Selector Length", "3.13.1", 38),
    "IPv4 selector too long": (
        44,
        "00 00 0019 01 000000 07 00 0011 0000 ffff 0a000000 0a0000ff 00",
        "TSi.selector[1].Selector Length",
        "3.13.1",
        38,
    ),
    "selector of three octets": (44, "00 00 000b 01 000000 07 00 00", "TSi.selector[1]", "3.13.1", 36),
    "ports in reverse": (
        44,
        "00 00 0018 01 000000 07 06 0010 07d0 03e8 0a000000 0a0000ff",
        "TSi.selector[1].Start Port",
        "3.13.1",
        40,
    ),
    "addresses in reverse": (
        44,
        "00 00 0018 01 000000 07 06 0010 0000 ffff 0a0000ff 0a000000",
        "TSi.selector[1].Starting Address",
        "3.13.1",
        44,
    ),
    "CP of three octets": (47, "00 00 0007 01 0000", "CP.Payload Length", "3.15", 30),
    "CP attribute too long": (47, "00 00 000c 01 000000 0001 0004", "CP.attribute[1].Length", "3.15.1", 38),
    "CP attribute of three octets": (47, "00 00 000b 01 000000 0001 00", "CP.attribute[1]", "3.15.1", 36),
    "EAP of three octets": (48, "00 00 0007 01 07 00", "EAP.Payload Length", "3.16", 30),
    "EAP with another length": (48, "00 00 0009 01 07 0006 01", "EAP.Length", "3.16", 34),
    "EAP Success with data": (48, "00 00 0009 03 07 0005 01", "EAP.Length", "3.16", 34),
    "SKF of three octets": (53, "23 00 0007 000100", "SKF.Payload Length", "RFC 7383 2.5", 30),
    "SKF number 0": (53, "23 00 0008 0000 0003", "SKF.Fragment Number", "RFC 7383 2.6", 32),
    "SKF number above the total": (53, "23 00 0008 0004 0003", "SKF.Fragment Number", "RFC 7383 2.6", 32),
    "SKF total 0": (53, "23 00 0008 0000 0000", "SKF.Total Fragments", "RFC 7383 2.6", 34),
    "payload after SK": (46, "23 00 0005 01 00 00 0004", "Trailing octets", "3.2", 33),
    "zeros after SK": (46, "23 00 0005 01 000000", "Trailing octets", "3.2", 33),
    "four zeros after the last payload": (43, "00 00 0004 00000000", "Trailing octets", "3.2", 32),
    "a one after the last payload": (43, "00 00 0007 010203 01", "Trailing octets", "3.2", 35),
    "zeros that don't align": (43, "00 00 0007 010203 0000", "Trailing octets", "3.2", 35),
    "payload length 3": (43, "00 00 0003", "V.Payload Length", "3.2", 30),
    "payload header cut short": (43, "2b 00 0004 00 00", "V.Next Payload", "3.2", 32),
    "next payload without payload": (43, "2b 00 0004 29 00 0004", "V.Next Payload", "3.2", 32),
    "no payload at all": (43, "", "Header.Next Payload", "3.2", 16),
    "unknown critical payload": (200, "00 80 0004", "200.Critical", "2.5", 29),
}


@pytest.mark.parametrize("case", DEFECTS)
def test_s2_21_defects_are_refused_where_they_are(case: str) -> None:
    kind, digits, field, section, offset = DEFECTS[case]
    octets = datagram(kind, digits)
    with pytest.raises(ProtocolError) as caught:
        wire.decode(octets)
    error = caught.value
    assert (error.field, error.section, error.offset) == (field, section, offset)
    assert error.reason


def test_rfc7383_s2_6_impossible_fragments_are_dropped_in_silence() -> None:
    with pytest.raises(Dropped):
        wire.decode(datagram(53, "23 00 0008 0004 0003"))


def test_s3_14_no_sk_inside_sk() -> None:
    with pytest.raises(InvalidSyntax) as caught:
        wire.decode_payloads(43, bytes.fromhex("2e 00 0004 00 00 0006 0102"), 100)
    assert (caught.value.field, caught.value.offset, caught.value.section) == ("SK.Next Payload", 104, "3.14")


def test_s2_21_3_offsets_inside_sk_count_from_the_start_of_the_message() -> None:
    with pytest.raises(InvalidSyntax) as caught:
        wire.decode_payloads(43, bytes.fromhex("28 00 0004 00 00 0004"), 100)
    assert (caught.value.field, caught.value.offset) == ("NONCE.Payload Length", 106)
    with pytest.raises(InvalidSyntax) as caught:
        wire.decode_payloads(43, bytes.fromhex("00 00 0004 00"), 100)
    assert (caught.value.field, caught.value.offset) == ("Trailing octets", 104)
    with pytest.raises(InvalidSyntax) as caught:
        wire.decode_payloads(42, b"", 100)
    assert caught.value.field == "SK.Next Payload"


LOCAL = {
    "SPI of seven octets": wire.Message(bytes(7), bytes(8), 34, 8, 0, ()),
    "message ID of 33 bits": wire.Message(b"\x01" * 8, bytes(8), 34, 8, 1 << 32, ()),
    "group of 17 bits": wire.Message(b"\x01" * 8, bytes(8), 34, 8, 0, (wire.KE(1 << 16, b""),)),
    "method of 9 bits": wire.Message(b"\x01" * 8, bytes(8), 34, 8, 0, (wire.AUTH(256, b""),)),
    "payload of 64 KiB": wire.Message(b"\x01" * 8, bytes(8), 34, 8, 0, (wire.V(bytes(65536)),)),
    "payload behind SK": wire.Message(b"\x01" * 8, bytes(8), 34, 8, 0, (wire.SK(0, b""), wire.V(b""))),
}


@pytest.mark.parametrize("case", LOCAL)
def test_what_does_not_fit_is_the_callers_error(case: str) -> None:
    with pytest.raises(LocalProtocolError):
        wire.encode(LOCAL[case])
