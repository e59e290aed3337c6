"""What our ends send, in lives that use everything: the header and the generic header (Sections 3.1 and 3.2).

Each row is a rule for senders. All that is sent is as the rule says, and the same message altered is not.
"""

import pytest

from ikeref.registry import ProtocolId
from ikeref.wire import NO_SPI, SA, N, TSi, TSr, Unknown, payload_type
from tests.conformance.sections.corpus import Sent
from tests.conformance.sections.rules import Rule, bits, by_id, check, front, header, plus

INIT, AUTH, CREATE, INFORMATIONAL = 34, 35, 36, 37


def anything(_: Sent) -> bool:
    """The rule is about every message."""
    return True


def begun(each: Sent) -> set[bytes]:
    """The SPIs of IKE SAs whose first request came from this end: IKE_SA_INIT, or a rekey (Section 1.3.2)."""
    ours = (*each.before, each.message)
    first = {one.spi_i for one in ours if one.exchange_type == INIT and one.spi_r == NO_SPI and not one.is_response}
    rekeys = (one for one in ours if one.exchange_type == CREATE and not one.is_response)
    return first | {
        proposal.spi
        for one in rekeys
        for payload in one.payloads
        if type(payload) is SA
        for proposal in payload.proposals
        if proposal.protocol_id == ProtocolId.IKE
    }


def is_rekeyed(each: Sent) -> bool:
    """Whether the message is on an IKE SA that a rekey made."""
    first = [one.spi_i for one in (*each.before, *each.came) if one.exchange_type == INIT]
    return each.message.spi_i not in first and each.message.exchange_type != INIT


IN_EXCHANGE = {
    INIT: {33, 34, 38, 40, 41, 43},
    AUTH: {33, 35, 36, 37, 38, 39, 41, 43, 44, 45, 47, 48},
    CREATE: {33, 34, 40, 41, 43, 44, 45, 47},
    INFORMATIONAL: {41, 42, 43, 47},
}
"""Payload types by exchange type (Appendix C)."""

HEADER = (
    Rule(
        "7296-3.1-03",
        lambda s: s.path.encapsulated and s.message.payloads and s.datagram[16] != 53,
        lambda s: int.from_bytes(s.datagram[24:28], "big") == len(s.datagram) and s.datagram[:8] == s.message.spi_i,
        lambda s: s._replace(datagram=bytes(4) + s.datagram),
    ),
    Rule("7296-3.1-11", anything, lambda s: s.message.spi_i != NO_SPI, header(spi_i=NO_SPI)),
    Rule(
        "7296-3.1-12",
        lambda s: s.request and s.message.exchange_type == INIT,
        lambda s: s.message.spi_r == NO_SPI,
        header(spi_r=b"not zero"),
    ),
    Rule("7296-3.1-13", anything, lambda s: s.message.version >> 4 == 2, header(version=0x10)),
    Rule(
        "7296-3.1-13",
        anything,
        lambda s: s.datagram[17] >> 4 == 2,
        lambda s: s._replace(datagram=s.datagram[:17] + b"\x30" + s.datagram[18:]),
    ),
    Rule(
        "7296-3.1-16",
        anything,
        lambda s: s.datagram[17] & 15 == 0,
        lambda s: s._replace(datagram=s.datagram[:17] + b"\x21" + s.datagram[18:]),
    ),
    Rule(
        "7296-3.1-18",
        anything,
        lambda s: {payload_type(p) for p in s.message.payloads} <= IN_EXCHANGE[s.message.exchange_type],
        plus(Unknown(49, b"")),
    ),
    Rule(
        "7296-3.1-18",
        anything,
        lambda s: {payload_type(p) for p in s.message.payloads} <= IN_EXCHANGE[s.message.exchange_type],
        header(exchange_type=INIT, payloads=(TSi(()), TSr(()))),
    ),
    Rule(
        "7296-3.1-21",
        anything,
        lambda s: s.datagram[19] & 0xC7 == 0,
        lambda s: s._replace(datagram=s.datagram[:19] + bytes((s.datagram[19] ^ 0x40,)) + s.datagram[20:]),
    ),
    Rule("7296-3.1-26", anything, lambda s: not s.message.flags & 0x10, bits("flags", 0x10)),
    Rule("7296-3.1-23", lambda s: s.request, lambda s: not s.message.is_response, bits("flags", 0x20)),
    Rule(
        "7296-3.1-24",
        lambda s: not s.request and s.asked is not None,
        lambda s: s.message.is_response,
        bits("flags", 0x20),
    ),
    Rule("7296-3.1-28", lambda s: s.message.spi_i in begun(s), lambda s: s.message.is_initiator, bits("flags", 8)),
    Rule(
        "7296-3.1-29",
        lambda s: s.message.spi_i not in begun(s) and s.ike is not None,
        lambda s: not s.message.is_initiator,
        bits("flags", 8),
    ),
    Rule(
        "7296-3.1-30", is_rekeyed, lambda s: s.message.is_initiator == (s.message.spi_i in begun(s)), bits("flags", 8)
    ),
    Rule(
        "7296-3.2-08",
        lambda s: s.message.payloads != (),
        lambda s: not any(p.flags & 0x80 for p in s.message.payloads),
        lambda s: s.of(
            s.message._replace(payloads=(*s.message.payloads[:-1], s.message.payloads[-1]._replace(flags=0x80)))
        ),
    ),
    Rule(
        "7296-3.2-12",
        lambda s: s.message.payloads != (),
        lambda s: not any(p.flags & 0x7F for p in s.message.payloads),
        lambda s: s.of(
            s.message._replace(payloads=(*s.message.payloads[:-1], s.message.payloads[-1]._replace(flags=1)))
        ),
    ),
)


GROUPED = by_id(HEADER)


@pytest.mark.parametrize("id", GROUPED)
def test_what_is_sent(id: str) -> None:
    for rule in GROUPED[id]:
        check(rule)


def test_a_rule_that_nothing_breaks_is_found() -> None:
    """A twin."""
    for rule in (
        Rule("7296-3.1-11", anything, lambda s: s.message.spi_i, header(spi_r=NO_SPI)),
        Rule("7296-3.1-11", anything, lambda s: not s.message.spi_i, header(spi_i=NO_SPI)),
        Rule("7296-3.1-11", lambda s: s is None, anything, header(spi_i=NO_SPI)),
        Rule("7296-3.1-11", lambda s: s.message.exchange_type == INIT, anything, front(N(1))),
    ):
        with pytest.raises(AssertionError):
            check(rule)
