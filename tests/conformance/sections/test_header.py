"""The IKE header and the generic payload header, octet by octet (Sections 3.1 and 3.2)."""

import pytest

from ikeref import wire
from ikeref.errors import LocalProtocolError, ProtocolError
from tests.conformance.sections.rows import (
    Figure,
    Ignored,
    Reads,
    Refused,
    Row,
    by_id,
    check,
    check_figure,
    longer,
    put,
    reads,
    refused,
    reserved,
)
from tests.unit.wire.octets import datagram

EMPTY = bytes.fromhex("a1a2a3a4a5a6a7a8 b1b2b3b4b5b6b7b8 00 20 25 08 01020304 0000001c")
"""A header and no payload."""
VENDOR = datagram(43, "00 00 0008 c0ffee55")
TWO = datagram(43, "28 00 0008 c0ffee5500 00 0014" + "0f" * 16)
"""A Vendor ID of four octets, and a nonce."""
UNKNOWN = datagram(200, "28 00 0005 9900 00 0014" + "0f" * 16)
"""A payload of a type that nobody knows, one octet long, and a nonce behind it."""
SEALED = datagram(46, "28 00 0008 c0ffee55")
"""SK, which names a nonce as the first payload inside it."""

FIGURES = (
    Figure(
        "7296-3.1-10",
        EMPTY,
        {
            "spi_i": (0, 8),
            "spi_r": (8, 8),
            "version": (17, 1),
            "exchange_type": (18, 1),
            "flags": (19, 1),
            "message_id": (20, 4),
        },
    ),
    Figure("7296-3.2-01", VENDOR, {"p.flags": (29, 1), "p.data": (32, 4)}),
    Figure("7296-3.12-11", VENDOR, {"p.data": (32, 4)}),
)

ROWS = (
    # One datagram, one message.
    Row("7296-3.1-01", EMPTY, EMPTY + EMPTY, Refused("3.1", 24)),
    # Behind the marker there is the message; with it in front there is none.
    Row("7296-3.1-03", EMPTY, bytes(4) + EMPTY, Refused("2.5", 17, "InvalidMajorVersion")),
    # The chain starts in the header and ends with zero.
    refused("7296-3.1-04", EMPTY, 16, "2b", "3.2", 16),
    refused("7296-3.1-04", VENDOR, 16, "00", "3.2", 28),
    reads("7296-3.1-04", VENDOR, 16, "26", p__is="CERTREQ", p__data=b"\xff\xee\x55", p__encoding=0xC0),
    # Big endian.
    reads("7296-3.1-09", EMPTY, 20, "04030201", message_id=0x04030201),
    refused("7296-3.1-11", EMPTY, 0, "00" * 8, "3.1", 0, "Dropped"),
    # IKEv1 says so in its major version, and is not IKEv2.
    refused("7296-3.1-14", EMPTY, 17, "10", "2.5", 17, "Dropped"),
    refused("7296-3.1-15", EMPTY, 17, "30", "2.5", 17, "InvalidMajorVersion"),
    reserved("7296-3.1-17", EMPTY, 17, "2f", "version"),
    refused("7296-3.1-32", EMPTY, 24, "0000001b", "3.1", 24),
    refused("7296-3.1-32", EMPTY, 24, "0000001d", "3.1", 24),
    refused("7296-3.1-32", VENDOR, 24, "0000001c", "3.1", 24),
    # The last payload says zero, and the first zero is the last payload's.
    refused("7296-3.2-02", VENDOR, 28, "2b", "3.2", 28),
    refused("7296-3.2-02", TWO, 28, "00", "3.2", 36),
    # In SK, Next Payload tells what is inside, and nothing follows.
    reads("7296-3.2-03", SEALED, 28, "2b", p__next_payload=43),
    refused("7296-3.2-03", datagram(43, "28 00 0008 c0ffee5500 00 0014" + "0f" * 16), 16, "2e", "3.2", 36),
    # Critical: skip it or refuse it, if the type is unknown; else it makes no difference.
    refused("7296-3.2-05", UNKNOWN, 29, "80", "2.5", 29, "UnsupportedCriticalPayload"),
    refused("7296-3.2-06", UNKNOWN, 29, "80", "2.5", 29, "UnsupportedCriticalPayload"),
    reserved("7296-3.2-07", VENDOR, 29, "80", "payloads[0].flags"),
    # The bit of the payload behind an unknown one is about that payload.
    reserved("7296-3.2-09", UNKNOWN, 34, "80", "payloads[1].flags"),
    refused("7296-3.2-09", UNKNOWN, 29, "80", "2.5", 29, "UnsupportedCriticalPayload"),
    # What is skipped has usable fields all the same.
    refused("7296-3.2-11", UNKNOWN, 30, "0003", "3.2", 30),
    refused("7296-3.2-11", UNKNOWN, 30, "0099", "3.2", 30),
    refused("7296-3.2-11", UNKNOWN, 28, "00", "3.2", 33),
    reserved("7296-3.2-13", VENDOR, 29, "7f", "payloads[0].flags"),
    refused("7296-3.2-14", VENDOR, 30, "0007", "3.2", 35),
    refused("7296-3.2-14", VENDOR, 30, "0004", "3.2", 32),
    refused("7296-3.2-14", VENDOR, 30, "0003", "3.2", 30),
    # No payload has to begin at a multiple of four: one octet more in front of the nonce.
    Row(
        "7296-3.2-15",
        TWO,
        datagram(43, "28 00 0009 c0ffee555500 00 0014" + "0f" * 16),
        Reads({"payloads[0].data": b"\xc0\xff\xee\x55\x55"}),
    ),
    # SK is the last, whoever sends it; and none is inside another.
    Row("7296-3.1-06", SEALED, longer(SEALED, "00 00 0014" + "0f" * 16), Refused("3.2", 36)),
    Row("7296-3.14-01", SEALED, longer(SEALED, "00 00 0014" + "0f" * 16), Refused("3.2", 36)),
    Row(
        "7383-2.5-01",
        datagram(53, "28 00 000a 0001 0002 5555"),
        datagram(53, "28 00 000a 0001 0002 555500 00 0014" + "0f" * 16),
        Refused("3.2", 38),
    ),
)


GROUPED, LAYOUTS = by_id(ROWS), by_id(FIGURES)


@pytest.mark.parametrize("id", LAYOUTS)
def test_layout(id: str) -> None:
    for figure in LAYOUTS[id]:
        check_figure(figure)


@pytest.mark.parametrize("id", GROUPED)
def test_octets(id: str) -> None:
    for row in GROUPED[id]:
        check(row)


TYPES = {
    33: ("00 00 0014 00 00 0010 01 01 00 01 00 00 0008 01 00 0014", "SA"),
    34: ("00 00 000c 001f 0000 aabbccdd", "KE"),
    35: ("00 00 000c 01 000000 0a000001", "IDi"),
    36: ("00 00 000c 01 000000 0a000001", "IDr"),
    37: ("00 00 0008 04 308203", "CERT"),
    38: ("00 00 0008 04 308203", "CERTREQ"),
    39: ("00 00 000a 02 000000 c0de", "AUTH"),
    40: ("00 00 0014" + "0f" * 16, "Nonce"),
    41: ("00 00 0008 00 00 4000", "N"),
    42: ("00 00 0008 01 00 0000", "D"),
    43: ("00 00 0008 c0ffee55", "V"),
    44: ("00 00 0018 01 000000 07 06 0010 0000 ffff 0a000000 0a0000ff", "TSi"),
    45: ("00 00 0018 01 000000 07 06 0010 0000 ffff 0a000000 0a0000ff", "TSr"),
    46: ("00 00 0008 c0ffee55", "SK"),
    47: ("00 00 000c 01 000000 0001 0000", "CP"),
    48: ("00 00 0008 03 09 0004", "EAP"),
}
NUMBERS = {
    "7296-3.2-04": tuple(range(33, 49)),
    "7296-3.3-19": (33,),
    "7296-3.4-07": (34,),
    "7296-3.5-06": (35, 36),
    "7296-3.6-05": (37,),
    "7296-3.8-11": (39,),
    "7296-3.9-01": (40,),
    "7296-3.10-08": (41,),
    "7296-3.11-09": (42,),
    "7296-3.12-11": (43,),
    "7296-3.13-06": (44, 45),
    "7296-3.14-05": (46,),
    "7296-3.15-01": (47,),
    "7296-3.16-01": (48,),
}
"""Payload types, by requirement."""


@pytest.mark.parametrize("id", NUMBERS)
def test_payload_types(id: str) -> None:
    """That number means that payload, and with another number it is another or cannot be read."""
    for kind in NUMBERS[id]:
        octets, name = TYPES[kind]
        good = datagram(kind, octets)
        (payload,) = wire.decode(good).payloads
        assert type(payload).__name__ == name
        assert wire.payload_type(payload) == kind
        for other in {*TYPES, 49} - {kind}:
            try:
                (altered,) = wire.decode(put(good, 16, f"{other:02x}")).payloads
            except ProtocolError:
                continue
            assert type(altered).__name__ != name


def test_every_payload_is_understood_whatever_its_critical_bit() -> None:
    """7296-3.2-10, 7296-3.2-07, 7296-4-02: and of a type that nobody knows, the bit refuses the message."""
    for kind, (octets, name) in TYPES.items():
        altered = put(datagram(kind, octets), 29, "80")
        (payload,) = wire.decode(altered).payloads
        assert type(payload).__name__ == name
    for kind in {*range(1, 256)} - {*TYPES, 53}:
        good = datagram(kind, "00 00 0005 99")
        assert wire.decode(good).payloads == (wire.Unknown(kind, b"\x99"),)
        with pytest.raises(ProtocolError) as caught:
            wire.decode(put(good, 29, "80"))
        assert (type(caught.value).__name__, caught.value.offset) == ("UnsupportedCriticalPayload", 29)


BITS = {
    "7296-3.1-20": {1 << bit: (bit == 3, bit == 5) for bit in range(8)} | {0x28: (True, True)},
    "7296-3.1-22": {bits | 0x28: (True, True) for bits in (0x80, 0x40, 0x04, 0x02, 0x01, 0xC7)},
    "7296-3.1-27": {0x10: (False, False), 0x38: (True, True)},
}


@pytest.mark.parametrize("id", BITS)
def test_flags(id: str) -> None:
    """What the octet says: the original initiator, a response. The bits V and X say nothing."""
    for octet, (initiator, response) in BITS[id].items():
        message = wire.decode(put(EMPTY, 19, f"{octet:02x}"))
        assert (message.is_initiator, message.is_response) == (initiator, response)
        plain = wire.decode(put(EMPTY, 19, f"{octet & 0x28:02x}"))
        assert message._replace(flags=0) == plain._replace(flags=0)
    for meaning in (0x08, 0x20):
        one, other = wire.decode(put(EMPTY, 19, "00")), wire.decode(put(EMPTY, 19, f"{meaning:02x}"))
        assert (one.is_initiator, one.is_response) != (other.is_initiator, other.is_response)


def test_an_encrypted_payload_is_parsed_as_a_chain_and_holds_no_other() -> None:
    """7296-3.1-05, 7296-3.1-06, 7296-3.1-07, 7296-3.2-03, 7296-3.14-06: with another first type it is another payload,
    or none can be read; and the last one inside names none.
    """
    inside = bytes.fromhex("29 00 0014" + "0f" * 16 + "00 00 0008 00 00 4000")
    assert wire.decode_payloads(40, inside) == (wire.Nonce(b"\x0f" * 16), wire.N(16384))
    assert wire.decode_payloads(43, inside)[0] == wire.V(b"\x0f" * 16)
    assert wire.decode_payloads(40, inside[:16] + b"\x2b" + inside[17:]) != wire.decode_payloads(40, inside)
    with pytest.raises(ProtocolError):
        wire.decode_payloads(40, inside[:20] + b"\x29" + inside[21:])
    for kind in ("2e", "35"):
        with pytest.raises(ProtocolError) as caught:
            wire.decode_payloads(40, bytes.fromhex(kind) + inside[1:20] + bytes.fromhex("00 00 000a 0001 0001 c0de"))
        assert caught.value.section == "3.14"
    with pytest.raises(LocalProtocolError):
        wire.encode(wire.decode(SEALED)._replace(payloads=(wire.SK(0, b""), wire.Nonce(b"\x0f" * 16))))


def test_ignored_is_not_read() -> None:
    """A twin: what alters the meaning is not taken for ignored."""
    for row in (
        Row("7296-3.1-22", EMPTY, put(EMPTY, 19, "20"), Ignored(("version",))),
        Row("7296-3.2-13", VENDOR, put(VENDOR, 35, "01"), Ignored(("payloads[0].flags",))),
        Row("7296-3.1-09", EMPTY, put(EMPTY, 20, "05"), Reads({"message_id": 5})),
        Row("7296-3.1-32", EMPTY, put(EMPTY, 24, "0000001d"), Refused("3.1", 20)),
        Row("7296-3.1-17", EMPTY, put(EMPTY, 17, "21"), Refused("2.5", 17)),
    ):
        with pytest.raises(AssertionError):
            check(row)
