"""What our ends send, in lives that use everything: the other payloads (Sections 2.15 to 2.23, 3.5 to 3.16, C)."""

import hashlib
from ipaddress import ip_address
from typing import Any

import pytest

from ikeref.registry import AuthMethod, IdType, NotifyType, ProtocolId, TsType
from ikeref.wire import (
    AUTH,
    CERT,
    CP,
    SA,
    CfgAttr,
    D,
    IDi,
    IDr,
    N,
    Nonce,
    TrafficSelector,
    TSi,
    TSr,
    V,
)
from tests.conformance.sections.corpus import Sent
from tests.conformance.sections.orders import in_auth, in_order, names, protocol, swapped
from tests.conformance.sections.rules import (
    Alteration,
    Rule,
    by_id,
    check,
    every,
    field,
    has,
    header,
    notified,
    other,
    plus,
    said,
    without,
)

INIT, IKE_AUTH, CREATE, INFORMATIONAL = 34, 35, 36, 37
SOURCE, DESTINATION = NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP
OF_CHILD = (NotifyType.REKEY_SA, NotifyType.CHILD_SA_NOT_FOUND, NotifyType.INVALID_SELECTORS)
CHILDLESS, FRAGMENTS = NotifyType.CHILDLESS_IKEV2_SUPPORTED, NotifyType.IKEV2_FRAGMENTATION_SUPPORTED
HASHES = NotifyType.SIGNATURE_HASH_ALGORITHMS


def nonces(each: Sent) -> list[bytes]:
    """All nonces in the message and in earlier ones of the same end; once where IKE_SA_INIT is sent anew."""
    found: list[bytes] = []
    first: list[bytes] = []
    for one in (*each.before, each.message):
        own = [p.data for p in one.payloads if type(p) is Nonce]
        if one.exchange_type == INIT and own:
            if own == first:
                continue
            first = own
        found += own
    return found


def traffic(each: Sent) -> list[TSi | TSr]:
    return [*every(each, TSi), *every(each, TSr)]


def selectors(each: Sent) -> list[TrafficSelector]:
    return [one for payload in traffic(each) for one in payload.selectors]


def first_selector(**changes: Any) -> Alteration:
    return other(TSr, lambda ts: ts._replace(selectors=(ts.selectors[0]._replace(**changes), *ts.selectors[1:])))


def digest(each: Sent, address: tuple[str, int]) -> bytes:
    """SHA-1 of the SPIs in the order of the header, the address and the port (Section 2.23)."""
    octets = each.datagram[:16] + ip_address(address[0]).packed + address[1].to_bytes(2, "big")
    return hashlib.sha1(octets, usedforsecurity=False).digest()


def carries_address(each: Sent) -> bool:
    """Whether an address of the packet is among the payloads."""
    return any(ip_address(host).packed in each.datagram[28:] for host, _ in (each.path.local, each.path.remote))


def after_nonce(each: Sent) -> list[str]:
    """What follows the nonce, by name."""
    found = names(each)
    return found[found.index("NONCE") + 1 :]


SENDERS = (
    # Identities and authentication.
    Rule("7296-3.5-03", has(IDr), lambda s: not any(p.reserved for p in every(s, IDr)), field(IDr, reserved=1)),
    Rule("7296-3.5-03", has(IDi), lambda s: not any(p.reserved for p in every(s, IDi)), field(IDi, reserved=1)),
    Rule(
        "7296-3.5-08",
        lambda s: has(IDr)(s) and every(s, IDr)[0].id_type == IdType.FQDN,
        lambda s: every(s, IDr)[0].data[-1:].isalnum(),
        other(IDr, lambda p: p._replace(data=p.data + b"\0")),
    ),
    Rule(
        "7296-3.5-08",
        lambda s: has(IDr)(s) and every(s, IDr)[0].id_type == IdType.FQDN,
        lambda s: every(s, IDr)[0].data[-1:].isalnum(),
        other(IDr, lambda p: p._replace(data=p.data + b"\r\n")),
    ),
    Rule(
        "7296-3.5-09",
        lambda s: has(IDr)(s) and every(s, IDr)[0].id_type == IdType.FQDN,
        lambda s: every(s, IDr)[0].data.isascii(),
        other(IDr, lambda p: p._replace(data="b\xfccher".encode())),
    ),
    Rule(
        "7296-3.5-10",
        lambda s: has(IDr)(s) and every(s, IDr)[0].id_type == IdType.RFC822_ADDR,
        lambda s: every(s, IDr)[0].data[-1:].isalnum(),
        other(IDr, lambda p: p._replace(data=p.data + b"\0")),
    ),
    Rule("7296-3.8-09", has(AUTH), lambda s: not every(s, AUTH)[0].reserved, field(AUTH, reserved=1)),
    Rule(
        "7296-2.15-03",
        lambda s: has(AUTH)(s) and every(s, AUTH)[0].method == AuthMethod.SHARED_KEY,
        lambda s: len(every(s, AUTH)[0].data) == 32,
        other(AUTH, lambda p: p._replace(data=p.data + bytes(64))),
    ),
    Rule(
        "7296-2.15-09",
        lambda s: s.life == "certified" and has(AUTH)(s),
        lambda s: names(s).count("CERT") == 1 and names(s).index("CERT") < names(s).index("AUTH"),
        without(CERT),
    ),
    # Nonces.
    Rule("7296-3.9-02", has(Nonce), lambda s: 16 <= len(every(s, Nonce)[0].data) <= 256, field(Nonce, data=bytes(15))),
    Rule(
        "7296-3.9-03",
        lambda s: has(Nonce)(s) and not s.again,
        lambda s: len(set(nonces(s))) == len(nonces(s)),
        lambda s: plus(Nonce(nonces(s)[0]))(s),
    ),
    # Notifications.
    Rule(
        "7296-3.10-03",
        lambda s: said(s, *OF_CHILD),
        lambda s: all(p.protocol_id in (2, 3) for p in said(s, *OF_CHILD)),
        notified(*OF_CHILD, protocol_id=1),
    ),
    Rule(
        "7296-3.10-04",
        has(N),
        lambda s: all(bool(p.spi) == (p.type in OF_CHILD) for p in every(s, N)),
        lambda s: notified(every(s, N)[0].type, spi=b"" if every(s, N)[0].spi else b"\1\2\3\4")(s),
    ),
    Rule(
        "7296-3.10-05",
        lambda s: any(not p.spi for p in every(s, N)),
        lambda s: not any(p.protocol_id for p in every(s, N) if not p.spi),
        plus(N(1, b"", 1)),
    ),
    Rule(
        "7296-3.10-07",
        lambda s: any(p.type not in OF_CHILD for p in every(s, N)),
        lambda s: not any(p.spi for p in every(s, N) if p.type not in OF_CHILD),
        plus(N(1, b"", 0, b"8 octets")),
    ),
    Rule(
        "7296-3.10.1-11", lambda s: said(s, 24), lambda s: not any(p.data for p in said(s, 24)), notified(24, data=b"x")
    ),
    Rule(
        "7296-3.10-01",
        lambda s: any(p.type < 16384 for p in every(s, N)),
        lambda s: s.message.is_response,
        header(flags=8),
    ),
    # Deletes.
    Rule(
        "7296-3.11-01",
        lambda s: has(D)(s) and s.inbound and every(s, D)[0].spis,
        lambda s: all(s.inbound.get(spi) == p.protocol_id for p in every(s, D) for spi in p.spis),
        other(D, lambda p: p._replace(protocol_id=5 - p.protocol_id)),
    ),
    Rule(
        "7296-3.11-02",
        lambda s: every(s, D) and every(s, D)[0].spis and len({*s.inbound.values()}) == 2,
        lambda s: all(s.inbound.get(spi) == p.protocol_id for p in every(s, D) for spi in p.spis),
        lambda s: field(D, spis=tuple(s.inbound))(s),
    ),
    Rule(
        "7296-3.11-04",
        lambda s: any(p.protocol_id == ProtocolId.IKE for p in every(s, D)),
        lambda s: all((p.spi_size, p.spis) == (0, ()) for p in every(s, D)),
        lambda s: field(D, spi_size=8, spis=(s.message.spi_i,))(s),
    ),
    Rule(
        "7296-3.11-05",
        lambda s: any(p.spis for p in every(s, D)),
        lambda s: all(spi in s.inbound for p in every(s, D) for spi in p.spis),
        field(D, spis=(b"\1\2\3\4",)),
    ),
    Rule(
        "7296-3.11-07",
        has(D),
        lambda s: all(p.spi_size == (0 if p.protocol_id == 1 else 4) for p in every(s, D)),
        field(D, spi_size=8),
    ),
    # Vendor IDs are not needed, and there are none whose Critical bit could be wrong.
    Rule("7296-3.12-06", lambda s: s.datagram, lambda s: not has(V)(s), plus(V(b"ikeref"))),
    Rule(
        "7296-3.12-04",
        lambda s: s.message.payloads != (),
        lambda s: not any(p.flags & 0x80 for p in every(s, V)),
        plus(V(b"ikeref", 0x80)),
    ),
    # Traffic selectors.
    Rule(
        "7296-3.13-03",
        has(TSi),
        lambda s: not any(p.reserved for p in traffic(s)),
        field(TSr, reserved=1),
    ),
    Rule(
        "7296-3.13-05",
        has(TSi, TSr),
        lambda s: all(p.selectors for p in traffic(s)),
        field(TSr, selectors=()),
    ),
    Rule(
        "7296-3.13.1-04",
        lambda s: any(not one.ip_protocol for one in selectors(s)),
        lambda s: all(one.start_port == 0 for one in selectors(s) if not one.ip_protocol),
        first_selector(ip_protocol=0, start_port=1),
    ),
    Rule(
        "7296-3.13.1-06",
        lambda s: any(not one.ip_protocol for one in selectors(s)),
        lambda s: all(one.end_port == 65535 for one in selectors(s) if not one.ip_protocol),
        first_selector(ip_protocol=0, end_port=1),
    ),
    Rule(
        "7296-3.13.1-08",
        lambda s: any(not one.ip_protocol for one in selectors(s)),
        lambda s: all((one.start_port, one.end_port) == (0, 65535) for one in selectors(s) if not one.ip_protocol),
        first_selector(ip_protocol=0, start_port=0, end_port=0),
    ),
    Rule(
        "7296-3.13.1-09",
        lambda s: s.life == "selectors" and has(TSr)(s),
        lambda s: (
            (65535, 0) in [(one.start_port, one.end_port) for one in every(s, TSr)[0].selectors if one.ip_protocol == 6]
        ),
        other(
            TSr,
            lambda p: p._replace(selectors=tuple(one._replace(start_port=0, end_port=65535) for one in p.selectors)),
        ),
    ),
    Rule(
        "7296-3.13.1-05",
        lambda s: s.life == "selectors" and has(TSi)(s),
        lambda s: (
            (8 << 8, 8 << 8)
            in [(one.start_port, one.end_port) for one in every(s, TSi)[0].selectors if one.ip_protocol == 1]
        ),
        other(
            TSi, lambda p: p._replace(selectors=tuple(one._replace(start_port=8, end_port=8) for one in p.selectors))
        ),
    ),
    Rule(
        "7296-3.13.1-07",
        has(TSi),
        lambda s: all(
            one.start <= one.end and len(one.start) == len(one.end) == {7: 4, 8: 16}[one.ts_type]
            for one in selectors(s)
        ),
        first_selector(ts_type=TsType.IPV4_ADDR_RANGE, start=b"\2\0\0\0", end=b"\1\0\0\0"),
    ),
    # Configuration.
    Rule("7296-3.15-03", has(CP), lambda s: not every(s, CP)[0].reserved, field(CP, reserved=1)),
    Rule(
        "7296-3.15.1-02",
        has(CP),
        lambda s: not any(one.reserved for one in every(s, CP)[0].attributes),
        field(CP, attributes=(CfgAttr(1, b"", 1),)),
    ),
    # Compression is offered with an SA payload only.
    Rule("7296-2.22-04", lambda s: said(s, NotifyType.IPCOMP_SUPPORTED), lambda s: has(SA)(s), without(SA)),
    # NAT detection.
    Rule(
        "7296-2.23-04",
        lambda s: s.message.exchange_type == INIT,
        lambda s: not carries_address(s),
        lambda s: s._replace(datagram=s.datagram + ip_address(s.path.local[0]).packed),
    ),
    Rule(
        "7296-2.23-13",
        lambda s: s.message.exchange_type == INIT and has(Nonce)(s),
        lambda s: said(s, SOURCE) and said(s, DESTINATION),
        without(N),
    ),
    Rule(
        "7296-2.23-14",
        lambda s: s.message.exchange_type == INIT and has(Nonce)(s),
        lambda s: after_nonce(s)[:2] == ["N(NAT_DETECTION_SOURCE_IP)", "N(NAT_DETECTION_DESTINATION_IP)"],
        swapped("NONCE", "KE"),
    ),
    Rule(
        "7296-2.23-15",
        lambda s: said(s, SOURCE),
        lambda s: said(s, SOURCE)[0].data == digest(s, s.path.local),
        lambda s: s._replace(path=s.path._replace(local=("192.0.2.9", 500))),
    ),
    Rule(
        "7296-2.23-15",
        lambda s: said(s, SOURCE),
        lambda s: said(s, SOURCE)[0].data == digest(s, s.path.local),
        lambda s: s._replace(path=s.path._replace(local=(s.path.local[0], 4500))),
    ),
    Rule(
        "7296-2.23-17",
        lambda s: said(s, DESTINATION),
        lambda s: said(s, DESTINATION)[0].data == digest(s, s.path.remote),
        lambda s: s._replace(path=s.path._replace(remote=("192.0.2.9", 500))),
    ),
    Rule(
        "7296-2.23-17",
        lambda s: said(s, DESTINATION),
        lambda s: said(s, DESTINATION)[0].data == digest(s, s.path.remote),
        lambda s: s._replace(path=s.path._replace(remote=(s.path.remote[0], 4500))),
    ),
    # Childless, fragments, hashes.
    Rule(
        "6023-3-01",
        lambda s: s.life == "childless" and s.message.exchange_type == INIT and s.message.is_response,
        lambda s: said(s, CHILDLESS),
        without(N),
    ),
    Rule(
        "6023-3-08",
        lambda s: s.life != "childless" and s.message.exchange_type == INIT,
        lambda s: not said(s, CHILDLESS),
        plus(N(CHILDLESS)),
    ),
    Rule(
        "6023-4-02",
        lambda s: said(s, CHILDLESS),
        lambda s: not said(s, CHILDLESS)[0].spi,
        notified(CHILDLESS, spi=b"8 octets"),
    ),
    Rule(
        "6023-5-01",
        lambda s: s.life == "childless" and s.message.exchange_type == IKE_AUTH,
        lambda s: not every(s, SA, TSi, TSr, N),
        plus(TSi(())),
    ),
    Rule(
        "6023-5-01",
        lambda s: s.life == "childless" and s.message.exchange_type == IKE_AUTH,
        lambda s: not every(s, SA, TSi, TSr, N),
        plus(N(NotifyType.USE_TRANSPORT_MODE)),
    ),
    Rule(
        "6023-3-05",
        lambda s: s.life == "childless" and s.message.exchange_type == IKE_AUTH and s.message.is_response,
        lambda s: not every(s, SA, TSi, TSr),
        plus(TSi(())),
    ),
    Rule(
        "7383-2.3-02",
        lambda s: said(s, FRAGMENTS),
        lambda s: said(s, FRAGMENTS)[0].protocol_id == 0,
        notified(FRAGMENTS, protocol_id=1),
    ),
    Rule(
        "7383-2.3-03",
        lambda s: said(s, FRAGMENTS),
        lambda s: said(s, FRAGMENTS)[0].spi == b"",
        notified(FRAGMENTS, spi=b"8 octets"),
    ),
    Rule(
        "7383-2.3-04",
        lambda s: said(s, FRAGMENTS),
        lambda s: said(s, FRAGMENTS)[0].data == b"",
        notified(FRAGMENTS, data=b"1"),
    ),
    Rule(
        "7427-4-01",
        lambda s: s.life == "certified" and s.message.exchange_type == INIT,
        lambda s: said(s, HASHES),
        without(N),
    ),
    Rule(
        "7427-4-02",
        lambda s: s.life == "certified" and s.message.exchange_type == INIT,
        lambda s: said(s, HASHES)[0].data == b"\0\2\0\3\0\4\0\5",
        notified(HASHES, data=b"\0\2\0\3"),
    ),
    Rule(
        "7427-4-05",
        lambda s: said(s, HASHES),
        lambda s: (said(s, HASHES)[0].protocol_id, said(s, HASHES)[0].spi) == (0, b""),
        notified(HASHES, protocol_id=1),
    ),
    Rule(
        "7427-4-06",
        lambda s: said(s, HASHES),
        lambda s: (
            len(said(s, HASHES)[0].data) % 2 == 0
            and len(set(zip(*[iter(said(s, HASHES)[0].data)] * 2))) * 2 == len(said(s, HASHES)[0].data)
        ),
        notified(HASHES, data=b"\0\2\0"),
    ),
    Rule(
        "7427-3-02",
        lambda s: s.life == "certified" and has(AUTH)(s),
        lambda s: every(s, AUTH)[0].data[1:3] == bytes((0x30, every(s, AUTH)[0].data[0] - 2)),
        other(AUTH, lambda p: p._replace(data=p.data[1:])),
    ),
    Rule(
        "7427-3-04",
        lambda s: s.life == "certified" and has(AUTH)(s),
        lambda s: every(s, AUTH)[0].method == 14,
        field(AUTH, method=9),
    ),
    # Order (Appendix C).
    Rule(
        "7296-C.1-01",
        lambda s: s.message.exchange_type == INIT and has(SA)(s),
        lambda s: in_order(s, "7296-C.1-01"),
        swapped("SA", "NONCE"),
    ),
    Rule(
        "7296-C.4-01",
        lambda s: s.message.exchange_type == CREATE and has(TSi)(s),
        lambda s: in_order(s, "7296-C.4-01"),
        swapped("SA", "NONCE"),
    ),
    Rule(
        "7296-C.5-01",
        lambda s: s.message.exchange_type == CREATE and has(SA)(s) and protocol(s) == 1,
        lambda s: in_order(s, "7296-C.5-01"),
        swapped("NONCE", "KE"),
    ),
    Rule(
        "7296-C.2-01", lambda s: in_auth(s) and s.request, lambda s: in_order(s, "7296-C.2-01"), swapped("AUTH", "SA")
    ),
    Rule(
        "7296-C.2-01", lambda s: in_auth(s) and s.request, lambda s: in_order(s, "7296-C.2-01"), swapped("AUTH", "IDr")
    ),
    Rule(
        "7296-C.2-01",
        lambda s: in_auth(s) and not s.request,
        lambda s: in_order(s, "7296-C.2-01 response"),
        swapped("AUTH", "IDr"),
    ),
    Rule(
        "7296-2.19-04",
        lambda s: has(CP)(s) and has(SA)(s),
        lambda s: names(s).index("CP") < names(s).index("SA"),
        swapped("CP", "SA"),
    ),
)

GROUPED = by_id(SENDERS)


@pytest.mark.parametrize("id", GROUPED)
def test_what_is_sent(id: str) -> None:
    for rule in GROUPED[id]:
        check(rule)
