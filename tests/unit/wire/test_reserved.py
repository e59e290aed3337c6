"""What Section 2.5 has a receiver ignore: reserved bits and octets, the minor version, the Critical bit where known.

Each case is a message and the place of one octet with bits to be ignored; setting them must leave the meaning alone
and must come back on encoding. The twins set a bit that does mean something, and the check must notice.
"""

import pytest

from ikeref import wire
from tests.unit.wire.octets import datagram

SA = "00 00 0014 00 00 0010 01 01 00 01 00 00 0008 01 00 0014"
TS = "00 00 000c 01 000000 c8 11 0004"

RESERVED = {
    "header: minor version": (43, "00 00 0004", 17, 0x0F),
    "header: flags X and V": (43, "00 00 0004", 19, 0xD7),
    "generic header: RESERVED": (43, "00 00 0004", 29, 0x7F),
    "generic header: Critical on a known type": (43, "00 00 0004", 29, 0x80),
    "unknown type: RESERVED": (200, "00 00 0004", 29, 0x7F),
    "proposal: RESERVED": (33, SA, 33, 0xFF),
    "transform: first RESERVED": (33, SA, 41, 0xFF),
    "transform: second RESERVED": (33, SA, 45, 0xFF),
    "KE: RESERVED": (34, "00 00 0008 001f 0000", 35, 0xFF),
    "IDi: RESERVED": (35, "00 00 0008 02 000000", 33, 0xFF),
    "IDr: RESERVED": (36, "00 00 0008 02 000000", 35, 0xFF),
    "AUTH: RESERVED": (39, "00 00 0008 02 000000", 34, 0xFF),
    "TSi: RESERVED": (44, TS, 33, 0xFF),
    "TSr: RESERVED": (45, TS, 35, 0xFF),
    "CP: RESERVED": (47, "00 00 0008 01 000000", 34, 0xFF),
    "CP attribute: R": (47, "00 00 000c 01 000000 0001 0000", 36, 0x80),
}

MEANING = {
    "header: Response": (43, "00 00 0004", 19, 0x20),
    "header: Initiator": (43, "00 00 0004", 19, 0x08),
    "proposal: number": (33, SA, 36, 0x02),
    "transform: ID": (33, SA, 47, 0x01),
    "KE: group": (34, "00 00 0008 001f 0000", 33, 0x20),
    "IDi: type": (35, "00 00 0008 02 000000", 32, 0x01),
    "AUTH: method": (39, "00 00 0008 02 000000", 32, 0x01),
    "TSi: protocol": (44, TS, 37, 0x01),
    "CP: type": (47, "00 00 0008 01 000000", 32, 0x02),
    "CP attribute: type": (47, "00 00 000c 01 000000 0001 0000", 37, 0x02),
}


def _meaning(octets: bytes) -> wire.Message:
    """The message as its receiver has to understand it: everything that is to be ignored set to zero."""
    message = wire.decode(octets)
    payloads = tuple(_plain(payload) for payload in message.payloads)
    return message._replace(flags=message.flags & 0x28, version=0x20, payloads=payloads)


def _plain(payload: wire.Payload) -> wire.Payload:
    payload = payload._replace(flags=0)
    match payload:
        case wire.SA():
            proposals = tuple(
                proposal._replace(
                    reserved=0,
                    transforms=tuple(transform._replace(reserved=0, reserved2=0) for transform in proposal.transforms),
                )
                for proposal in payload.proposals
            )
            return payload._replace(proposals=proposals)
        case wire.KE() | wire.IDi() | wire.IDr() | wire.AUTH() | wire.TSi() | wire.TSr():
            return payload._replace(reserved=0)
        case wire.CP():
            attributes = tuple(attribute._replace(reserved=0) for attribute in payload.attributes)
            return payload._replace(reserved=0, attributes=attributes)
        case _:
            return payload


def _with_bits(case: tuple[int, str, int, int]) -> tuple[bytes, bytes]:
    kind, digits, at, bits = case
    octets = datagram(kind, digits)
    return octets, octets[:at] + bytes((octets[at] ^ bits,)) + octets[at + 1 :]


@pytest.mark.parametrize("case", RESERVED)
def test_s2_5_reserved_bits_are_ignored(case: str) -> None:
    plain, odd = _with_bits(RESERVED[case])
    assert _meaning(odd) == _meaning(plain)


@pytest.mark.parametrize("case", RESERVED)
def test_s2_5_reserved_bits_are_kept_for_who_encodes_again(case: str) -> None:
    plain, odd = _with_bits(RESERVED[case])
    assert wire.decode(odd) != wire.decode(plain)
    assert wire.encode(wire.decode(odd)) == odd


@pytest.mark.parametrize("case", RESERVED)
def test_s2_5_reserved_bits_are_no_defect(case: str) -> None:
    plain, odd = _with_bits(RESERVED[case])
    assert [defect.field for defect in wire.lint(odd)] == [defect.field for defect in wire.lint(plain)]


@pytest.mark.parametrize("case", MEANING)
def test_twin_bits_with_a_meaning_are_not_ignored(case: str) -> None:
    plain, odd = _with_bits(MEANING[case])
    assert _meaning(odd) != _meaning(plain)


@pytest.mark.parametrize("case", RESERVED)
def test_s2_5_who_builds_a_message_sends_zero(case: str) -> None:
    """Values whose reserved fields are zero encode to zeros (7296-2.5-11)."""
    kind, digits, _, _ = RESERVED[case]
    octets = datagram(kind, digits)
    assert wire.encode(_meaning(octets)) == octets
