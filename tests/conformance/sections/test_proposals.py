"""The Security Association payload, octet by octet (Sections 3.3 to 3.3.5)."""

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
    refused,
    reserved,
)
from tests.unit.wire.octets import datagram

FIRST = "02 00 0028 01 03 04 03 deadbeef 03 00 000c 01 00 000c 800e0080 03 00 0008 03 00 000c 00 00 0008 05 00 0000"
SECOND = (
    "00 00 0030 02 03 04 04 cafebabe"
    "03 00 000c 01 00 0014 800e0100 03 00 0008 05 00 0000 03 00 0008 05 00 0001 00 00 0008 04 00 0013"
)
OFFER = datagram(33, "00 00 005c" + FIRST + SECOND)
"""Two proposals for ESP, the first with three transforms, the second with four. They begin at octets 32 and 72."""
ONE = datagram(33, "00 00 0014 00 00 0010 01 01 00 01 00 00 0008 01 00 0014")
"""One proposal for IKE, with one transform that begins at octet 40."""
TLV = datagram(33, "00 00 001c 00 00 0018 01 01 00 01 00 00 0010 01 00 0014 0063 0004 01020304")
"""The transform has an attribute of type 99 with four octets; it begins at octet 48."""
TV = datagram(33, "00 00 0018 00 00 0014 01 01 00 01 00 00 000c 01 00 000c 800e 0100")
TWO_ATTRIBUTES = datagram(33, "00 00 001c 00 00 0018 01 01 00 01 00 00 0010 01 00 000c 800e0100 80630007")

FIGURES = (
    Figure(
        "7296-3.3.1-01",
        OFFER,
        {
            "p.proposals[0].reserved": (33, 1),
            "p.proposals[0].number": (36, 1),
            "p.proposals[0].protocol_id": (37, 1),
            "p.proposals[0].spi": (40, 4),
            "p.proposals[1].reserved": (73, 1),
            "p.proposals[1].number": (76, 1),
            "p.proposals[1].protocol_id": (77, 1),
            "p.proposals[1].spi": (80, 4),
        },
    ),
    Figure(
        "7296-3.3.2-01",
        ONE,
        {
            "p.proposals[0].transforms[0].reserved": (41, 1),
            "p.proposals[0].transforms[0].type": (44, 1),
            "p.proposals[0].transforms[0].reserved2": (45, 1),
            "p.proposals[0].transforms[0].id": (46, 2),
        },
    ),
    Figure("7296-3.3.5-01", TV, {"p.proposals[0].transforms[0].attributes[0].value": (50, 2)}),
    Figure("7296-3.3.5-01", TLV, {"p.proposals[0].transforms[0].attributes[0].value": (52, 4)}),
    Figure("7296-3.3.5-06", TV, {"p.proposals[0].transforms[0].attributes[0].value": (50, 2)}),
)
ATTRIBUTE = "payloads[0].proposals[0].transforms[0].attributes[0]"

ROWS = (
    # Several proposals, several transforms, several attributes: another count is not what is there.
    refused("7296-3.3-01", OFFER, 32, "00", "3.3", 72),
    refused("7296-3.3-01", OFFER, 72, "02", "3.3.1", 72),
    refused("7296-3.3-04", OFFER, 39, "02", "3.3.1", 39),
    refused("7296-3.3-04", OFFER, 44, "00", "3.3.2", 56),
    Row("7296-3.3-05", TWO_ATTRIBUTES, put(TWO_ATTRIBUTES, 54, "0008"), Reads({f"{ATTRIBUTE[:-3]}[1].value": 8})),
    refused("7296-3.3-05", TWO_ATTRIBUTES, 42, "000c", "3.3.2", 52),
    Row("7296-3.3-16", TWO_ATTRIBUTES, put(TWO_ATTRIBUTES, 50, "0080"), Reads({f"{ATTRIBUTE}.value": 128})),
    # The payload's length against the lengths and counts inside it.
    refused("7296-3.3-06", OFFER, 32, "00", "3.3", 72),
    refused("7296-3.3-06", OFFER, 34, "0024", "3.3.2", 64),
    refused("7296-3.3-06", OFFER, 34, "002c", "3.3.2", 72),
    refused("7296-3.3-06", OFFER, 39, "04", "3.3.1", 39),
    refused("7296-3.3-06", OFFER, 38, "05", "3.3.1", 38),
    refused("7296-3.3-06", OFFER, 74, "0031", "3.3.1", 74),
    refused("7296-3.3-07", OFFER, 34, "0024", "3.3.2", 64),
    refused("7296-3.3-07", OFFER, 34, "002c", "3.3.2", 72),
    refused("7296-3.3-07", OFFER, 46, "000b", "3.3.5", 52),
    refused("7296-3.3-07", OFFER, 46, "0010", "3.3.5", 58),
    refused("7296-3.3-07", TLV, 50, "0005", "3.3.5", 50),
    refused("7296-3.3-07", TLV, 42, "0011", "3.3.2", 42),
    refused("7296-3.3-13", OFFER, 39, "00", "3.3.1", 39),
    # The mark of the last.
    refused("7296-3.3.1-02", OFFER, 32, "03", "3.3.1", 32),
    refused("7296-3.3.1-02", OFFER, 72, "02", "3.3.1", 72),
    refused("7296-3.3.1-02", OFFER, 32, "00", "3.3", 72),
    refused("7296-3.3.2-02", ONE, 40, "03", "3.3.2", 40),
    refused("7296-3.3.2-02", ONE, 40, "02", "3.3.2", 40),
    refused("7296-3.3.2-02", OFFER, 44, "00", "3.3.2", 56),
    reserved("7296-3.3.1-04", OFFER, 33, "ff", "payloads[0].proposals[0].reserved"),
    reserved("7296-3.3.1-04", OFFER, 73, "01", "payloads[0].proposals[1].reserved"),
    reserved("7296-3.3.2-04", ONE, 41, "ff", "payloads[0].proposals[0].transforms[0].reserved"),
    reserved("7296-3.3.2-04", ONE, 45, "ff", "payloads[0].proposals[0].transforms[0].reserved2"),
    refused("7296-3.3.1-05", OFFER, 34, "0027", "3.3.2", 64),
    refused("7296-3.3.1-12", OFFER, 79, "03", "3.3.1", 79),
    refused("7296-3.3.1-12", OFFER, 79, "05", "3.3.1", 79),
    refused("7296-3.3.2-05", TLV, 42, "000c", "3.3.5", 50),
    # SPI sizes.
    refused("7296-3.3.1-11", OFFER, 38, "00", "3.3.1", 38),
    refused("7296-3.3.1-11", OFFER, 38, "08", "3.3.1", 38),
    refused("7296-3.3.1-11", ONE, 38, "04", "3.3.1", 38),
    Row(
        "7296-3.3.1-11",
        datagram(33, "00 00 001c 00 00 0018 01 01 08 01 a1a2a3a4a5a6a7a8 00 00 0008 01 00 0014"),
        datagram(33, "00 00 0018 00 00 0014 01 01 04 01 a1a2a3a4 00 00 0008 01 00 0014"),
        Refused("3.3.1", 38),
    ),
    # The SPI stands unpadded behind the fixed fields, and not at all where its size is zero.
    Row(
        "7296-3.3.1-13",
        OFFER,
        put(OFFER, 40, "01020304"),
        Reads({"payloads[0].proposals[0].spi": bytes((1, 2, 3, 4))}),
    ),
    refused("7296-3.3.1-13", ONE, 38, "08", "3.3.1", 39),
    # Attributes: the first bit says whether value or length follows.
    Row("7296-3.3.5-04", TV, put(TV, 48, "800f"), Reads({f"{ATTRIBUTE}.type": 15})),
    Row("7296-3.3.5-01", TLV, put(TLV, 48, "7fff"), Reads({f"{ATTRIBUTE}.type": 0x7FFF})),
    Row("7296-3.3.5-06", TV, put(TV, 50, "0080"), Reads({f"{ATTRIBUTE}.value": 128})),
    refused("7296-3.3.5-01", TV, 48, "000e", "3.3.5", 50),
    refused("7296-3.3.5-01", TLV, 48, "8063", "3.3.5", 54),
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
