"""The other payloads, octet by octet (Sections 3.4 to 3.16, RFC 7383 section 2.5)."""

import pytest

from tests.conformance.sections.rows import (
    Figure,
    Reads,
    Refused,
    Row,
    by_id,
    check,
    check_figure,
    put,
    reads,
    refused,
    reserved,
)
from tests.unit.wire.octets import datagram

KE = datagram(34, "00 00 000c 001f 0000 aabbccdd")
IDI = datagram(35, "00 00 000c 01 000000 0a000001")
IDR = datagram(36, "00 00 000c 01 000000 0a000001")
NAME = datagram(36, "00 00 0010 02 000000 676174652e6f7267")
IPV6 = datagram(35, "00 00 0018 05 000000 20010db8" + "00" * 11 + "01")
CERT = datagram(37, "00 00 0008 04 308203")
CERTREQ = datagram(38, "00 00 0019 04" + "ab" * 20)
AUTH = datagram(39, "00 00 000a 02 000000 c0de")
NOTIFY = datagram(41, "00 00 000f 03 04 4009 01020304 a1a2a3")
PLAIN = datagram(41, "00 00 000a 00 00 0011 001f")
DELETE = datagram(42, "00 00 0010 03 04 0002 01020304 05060708")
DELETE_IKE = datagram(42, "00 00 0008 01 00 0000")
TS = datagram(44, "00 00 0028 02 000000 07 06 0010 0050 01bb 0a000000 0a0000ff 07 00 0010 0000 ffff 0a010000 0a0100ff")
"""Two selectors, at octets 36 and 52."""
TSR = datagram(45, "00 00 0018 01 000000 07 06 0010 0050 01bb 0a000000 0a0000ff")
TS6 = datagram(44, "00 00 0030 01 000000 08 11 0028 0000 ffff" + "20010db8" + "00" * 12 + "20010db8" + "ff" * 12)
SK = datagram(46, "28 00 0010 a1a2a3a4a5a6a7a8c0de5555")
SKF = datagram(53, "28 00 000c 0001 0002 c0de5555")
CP = datagram(47, "00 00 0014 01 000000 0001 0004 0a000001 0003 0000")
EMPTY_CP = datagram(47, "00 00 0008 04 000000")
EAP = datagram(48, "00 00 000a 01 09 0006 0155")
SUCCESS = datagram(48, "00 00 0008 03 09 0004")

FIGURES = (
    Figure("7296-3.4-01", KE, {"p.group": (32, 2), "p.reserved": (34, 2), "p.public": (36, 4)}),
    Figure("7296-3.5-02", IDI, {"p.reserved": (33, 3), "p.data": (36, 4)}),
    Figure("7296-3.5-02", NAME, {"p.id_type": (32, 1), "p.reserved": (33, 3), "p.data": (36, 8)}),
    Figure("7296-3.6-03", CERT, {"p.encoding": (32, 1), "p.data": (33, 3)}),
    Figure("7296-3.7-03", CERTREQ, {"p.encoding": (32, 1), "p.data": (33, 20)}),
    Figure("7296-3.8-01", AUTH, {"p.method": (32, 1), "p.reserved": (33, 3), "p.data": (36, 2)}),
    Figure("7296-3.10-02", NOTIFY, {"p.protocol_id": (32, 1), "p.type": (34, 2), "p.spi": (36, 4), "p.data": (40, 3)}),
    Figure("7296-3.11-06", DELETE, {"p.protocol_id": (32, 1), "p.spis[0]": (36, 4), "p.spis[1]": (40, 4)}),
    Figure("7296-3.13-01", TS, {"p.reserved": (33, 3), "p.selectors[0].start": (44, 4), "p.selectors[1].end": (64, 4)}),
    Figure(
        "7296-3.13.1-01",
        TS,
        {
            "p.selectors[0].ip_protocol": (37, 1),
            "p.selectors[0].start_port": (40, 2),
            "p.selectors[0].end_port": (42, 2),
            "p.selectors[0].start": (44, 4),
            "p.selectors[0].end": (48, 4),
            "p.selectors[1].ip_protocol": (53, 1),
        },
    ),
    Figure("7296-3.13.1-07", TS, {"p.selectors[1].start": (60, 4), "p.selectors[1].end": (64, 4)}),
    Figure("7296-3.13.1-07", TS6, {"p.selectors[0].start": (44, 16), "p.selectors[0].end": (60, 16)}),
    Figure("7296-3.14-05", SK, {"p.next_payload": (28, 1), "p.flags": (29, 1), "p.body": (32, 12)}),
    Figure("7296-3.14-06", SK, {"p.next_payload": (28, 1)}),
    Figure("7383-2.5-04", SKF, {"p.total_fragments": (34, 2), "p.body": (36, 4)}),
    Figure("7296-3.15-01", CP, {"p.cfg_type": (32, 1), "p.reserved": (33, 3), "p.attributes[0].value": (40, 4)}),
    Figure("7296-3.15.1-01", CP, {"p.attributes[0].value": (40, 4)}),
)

ROWS = (
    refused("7296-3.4-01", KE, 30, "0007", "3.4", 30),
    # What is left of the payload is the identification data; addresses have four and sixteen octets.
    Row(
        "7296-3.5-05",
        NAME,
        datagram(36, "00 00 000f 02 000000 676174652e6f72"),
        Reads({"payloads[0].data": b"gate.or"}),
    ),
    refused("7296-3.5-05", NAME, 30, "0007", "3.5", 30),
    reserved("7296-3.5-04", IDI, 33, "a1b2c3", "payloads[0].reserved"),
    reserved("7296-3.5-04", IDR, 35, "01", "payloads[0].reserved"),
    Row("7296-3.5-07", IDI, datagram(35, "00 00 000b 01 000000 0a0000"), Refused("3.5", 30)),
    Row("7296-3.5-07", IPV6, datagram(35, "00 00 000c 05 000000 20010db8"), Refused("3.5", 30)),
    refused("7296-3.5-07", NAME, 32, "01", "3.5", 30),
    refused("7296-3.5-07", NAME, 32, "05", "3.5", 30),
    reads("7296-3.5-07", NAME, 32, "03", p__id_type=3),
    reads("7296-3.5-07", NAME, 32, "09", p__id_type=9),
    reads("7296-3.5-07", NAME, 32, "0a", p__id_type=10),
    reads("7296-3.5-07", NAME, 32, "0b", p__id_type=11),
    reserved("7296-3.8-10", AUTH, 33, "ffffff", "payloads[0].reserved"),
    # Nonces.
    Row(
        "7296-3.9-02",
        datagram(40, "00 00 0014" + "0f" * 16),
        datagram(40, "00 00 0013" + "0f" * 15),
        Refused("3.9", 30),
    ),
    Row(
        "7296-3.9-02",
        datagram(40, "00 00 0104" + "0f" * 256),
        datagram(40, "00 00 0105" + "0f" * 257),
        Refused("3.9", 30),
    ),
    # Notify.
    refused("7296-3.10-02", NOTIFY, 33, "08", "3.10", 33),
    refused("7296-3.10-02", NOTIFY, 30, "0007", "3.10", 30),
    reads("7296-3.10-06", PLAIN, 32, "03", p__protocol_id=3),
    # Delete: counts and sizes.
    refused("7296-3.11-08", DELETE, 34, "0003", "3.11", 34),
    refused("7296-3.11-08", DELETE, 34, "0001", "3.11", 34),
    refused("7296-3.11-08", DELETE, 33, "08", "3.11", 34),
    refused("7296-3.11-06", DELETE, 33, "00", "3.11", 34),
    # Selectors.
    refused("7296-3.13-02", TS, 32, "01", "3.13", 32),
    refused("7296-3.13-02", TS, 32, "03", "3.13", 32),
    reserved("7296-3.13-04", TS, 33, "ffffff", "payloads[0].reserved"),
    reserved("7296-3.13-04", TSR, 33, "ffffff", "payloads[0].reserved"),
    Row("7296-3.13-05", TSR, datagram(45, "00 00 0008 00 000000"), Refused("3.13", 32)),
    refused("7296-3.13-06", TS, 30, "0027", "3.13.1", 54),
    refused("7296-3.13.1-03", TS, 38, "000f", "3.13.1", 38),
    refused("7296-3.13.1-03", TS, 38, "0018", "3.13.1", 38),
    refused("7296-3.13.1-07", TS, 36, "08", "3.13.1", 38),
    refused("7296-3.13.1-07", TS, 44, "0a000100", "3.13.1", 44),
    refused("7296-3.13.1-11", TS6, 36, "07", "3.13.1", 38),
    refused("7296-3.13.1-11", TS, 36, "08", "3.13.1", 38),
    # Ports: a range, or OPAQUE, which alone stands the wrong way round.
    refused(
        "7296-3.13.1-09",
        datagram(44, "00 00 0018 01 000000 07 06 0010 ffff 0000 0a000000 0a0000ff"),
        40,
        "fffe",
        "3.13.1",
        40,
    ),
    refused("7296-3.13.1-09", TSR, 42, "004f", "3.13.1", 40),
    # Payload Length counts all that is in SK.
    refused("7296-3.14-07", SK, 30, "000f", "3.2", 43),
    refused("7296-3.14-07", SK, 30, "0011", "3.2", 30),
    # Fragment numbers.
    refused("7383-2.5-04", SKF, 32, "0003", "RFC 7383 2.6", 32, "Dropped"),
    refused("7383-2.5-05", SKF, 32, "0000", "RFC 7383 2.6", 32, "Dropped"),
    refused("7383-2.5-06", SKF, 34, "0000", "RFC 7383 2.6", 34, "Dropped"),
    # Configuration.
    reserved("7296-3.15-04", CP, 33, "ffffff", "payloads[0].reserved"),
    Row(
        "7296-3.15-05",
        EMPTY_CP,
        datagram(47, "00 00 000c 04 000000 0001 0000"),
        Reads(
            {
                "payloads[0].attributes.count": 1,
                "payloads[0].attributes[0].is": "CfgAttr",
                "payloads[0].attributes[0].type": 1,
                "payloads[0].attributes[0].value": b"",
                "payloads[0].attributes[0].reserved": 0,
            }
        ),
    ),
    refused("7296-3.15-05", EMPTY_CP, 30, "0007", "3.15", 30),
    reserved("7296-3.15.1-03", CP, 36, "80", "payloads[0].attributes[0].reserved"),
    reads("7296-3.15.1-01", CP, 36, "0008", **{"p__attributes[0]__type": 8}),
    refused("7296-3.15.1-01", CP, 38, "0009", "3.15.1", 38),
    refused("7296-3.15.1-01", CP, 38, "0003", "3.15.1", 45),
    refused("7296-3.15.1-01", CP, 38, "0006", "3.15.1", 46),
    # EAP.
    refused("7296-3.16-04", EAP, 34, "0005", "3.16", 34),
    refused("7296-3.16-04", EAP, 34, "0007", "3.16", 34),
    Row("7296-3.16-05", SUCCESS, datagram(48, "00 00 0009 03 09 0005 01"), Refused("3.16", 34)),
    Row("7296-3.16-06", SUCCESS, datagram(48, "00 00 000a 04 09 0006 0155"), Refused("3.16", 34)),
    Row("7296-3.16-01", EAP, put(EAP, 34, "0004"), Refused("3.16", 34)),
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
