"""Messages, payloads and datagrams, for whoever decodes or encodes IKEv2 (Section 3).

`messages` draws what `wire.decode` accepts, with all its liberties: reserved bits, unknown types, odd orders.
`mutated_datagrams` draws octets that were a message until a few of them were changed.
"""

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

from ikeref import wire
from ikeref.registry import EapCode, IdType, NotifyType, PayloadType, ProtocolId, TsType

u8: Final = st.integers(0, 0xFF)
u16: Final = st.integers(0, 0xFFFF)
u24: Final = st.integers(0, 0xFFFFFF)
u32: Final = st.integers(0, 0xFFFFFFFF)
bit: Final = st.integers(0, 1)


def octets(low: int = 0, high: int = 40) -> st.SearchStrategy[bytes]:
    """Opaque octets, `low` to `high` of them."""
    return st.binary(min_size=low, max_size=high)


# SA (Section 3.3)

attributes: Final = st.one_of(
    st.builds(wire.Attribute, type=st.integers(0, 0x7FFF) | st.just(14), value=u16),
    st.builds(wire.Attribute, type=st.integers(0, 0x7FFF) | st.just(14), value=octets()),
)
transforms: Final = st.builds(
    wire.Transform,
    type=u8 | st.integers(1, 5),
    id=u16,
    attributes=st.lists(attributes, max_size=3).map(tuple),
    reserved=u8,
    reserved2=u8,
)
_protocols_and_spis: Final = st.one_of(
    st.tuples(st.just(int(ProtocolId.IKE)), octets(0, 0) | octets(8, 8)),
    st.tuples(st.sampled_from((int(ProtocolId.AH), int(ProtocolId.ESP))), octets(4, 4)),
    st.tuples(u8.filter(lambda protocol: protocol not in (1, 2, 3)), octets(0, 20)),
)
proposals: Final = st.builds(
    lambda number, protocol_and_spi, transforms, reserved: wire.Proposal(
        number, protocol_and_spi[0], protocol_and_spi[1], transforms, reserved
    ),
    u8,
    _protocols_and_spis,
    st.lists(transforms, max_size=5).map(tuple),
    u8,
)
sas: Final = st.builds(wire.SA, proposals=st.lists(proposals, min_size=1, max_size=4).map(tuple), flags=u8)


# The other payloads (Sections 3.4 to 3.16)

kes: Final = st.builds(wire.KE, group=u16 | st.just(31), public=octets(0, 64), reserved=u16, flags=u8)
_identities: Final = st.one_of(
    st.tuples(st.just(int(IdType.IPV4_ADDR)), octets(4, 4)),
    st.tuples(st.just(int(IdType.IPV6_ADDR)), octets(16, 16)),
    st.tuples(u8.filter(lambda kind: kind not in (IdType.IPV4_ADDR, IdType.IPV6_ADDR)), octets()),
)
idis: Final = st.builds(
    lambda identity, reserved, flags: wire.IDi(identity[0], identity[1], reserved, flags), _identities, u24, u8
)
idrs: Final = st.builds(
    lambda identity, reserved, flags: wire.IDr(identity[0], identity[1], reserved, flags), _identities, u24, u8
)
certs: Final = st.builds(wire.CERT, encoding=u8, data=octets(), flags=u8)
certreqs: Final = st.builds(wire.CERTREQ, encoding=u8, data=octets(), flags=u8)
auths: Final = st.builds(wire.AUTH, method=u8, data=octets(), reserved=u24, flags=u8)
nonces: Final = st.builds(wire.Nonce, data=octets(16, 64) | octets(256, 256), flags=u8)
notifies: Final = st.one_of(
    st.builds(
        wire.N,
        type=u16.filter(lambda kind: kind != NotifyType.COOKIE),
        data=octets(),
        protocol_id=u8,
        spi=octets(0, 8),
        flags=u8,
    ),
    st.builds(
        wire.N, type=st.just(int(NotifyType.COOKIE)), data=octets(1, 64), protocol_id=u8, spi=octets(0, 4), flags=u8
    ),
)
deletes: Final = st.one_of(
    st.builds(wire.D, protocol_id=u8, spi_size=u8, spis=st.just(()), flags=u8),
    st.integers(1, 8).flatmap(
        lambda size: st.builds(
            wire.D,
            protocol_id=u8,
            spi_size=st.just(size),
            spis=st.lists(octets(size, size), max_size=5).map(tuple),
            flags=u8,
        )
    ),
)
vendors: Final = st.builds(wire.V, data=octets(), flags=u8)


def _ranges(ts_type: int, size: int) -> st.SearchStrategy[wire.TrafficSelector]:
    """Selectors over addresses of `size` octets, their ends in order."""
    ports = st.tuples(u16, u16).map(sorted).map(tuple) | st.just((65535, 0))
    addresses = st.tuples(octets(size, size), octets(size, size)).map(sorted)
    return st.builds(
        lambda protocol, ports, addresses: wire.TrafficSelector(
            ts_type, protocol, ports[0], ports[1], addresses[0], addresses[1]
        ),
        u8,
        ports,
        addresses,
    )


selectors: Final = st.one_of(
    _ranges(TsType.IPV4_ADDR_RANGE, 4),
    _ranges(TsType.IPV6_ADDR_RANGE, 16),
    st.builds(
        wire.TrafficSelector,
        ts_type=u8.filter(lambda kind: kind not in (TsType.IPV4_ADDR_RANGE, TsType.IPV6_ADDR_RANGE)),
        ip_protocol=u8,
        start_port=st.just(0),
        end_port=st.just(0),
        start=octets(),
        end=st.just(b""),
    ),
)
_selector_lists: Final = st.lists(selectors, min_size=1, max_size=4).map(tuple)
tsis: Final = st.builds(wire.TSi, selectors=_selector_lists, reserved=u24, flags=u8)
tsrs: Final = st.builds(wire.TSr, selectors=_selector_lists, reserved=u24, flags=u8)

cfg_attributes: Final = st.builds(wire.CfgAttr, type=st.integers(0, 0x7FFF), value=octets(0, 20), reserved=bit)
cps: Final = st.builds(
    wire.CP, cfg_type=u8, attributes=st.lists(cfg_attributes, max_size=4).map(tuple), reserved=u24, flags=u8
)


def _eap(code: int, identifier: int, type_and_data: bytes) -> bytes:
    content = b"" if code in (EapCode.SUCCESS, EapCode.FAILURE) else type_and_data
    return bytes((code, identifier)) + (4 + len(content)).to_bytes(2, "big") + content


eaps: Final = st.builds(wire.EAP, data=st.builds(_eap, u8 | st.integers(1, 4), u8, octets()), flags=u8)

_UNDERSTOOD: Final = frozenset(range(33, 49)) | {int(PayloadType.NONE), int(PayloadType.SKF)}
unknowns: Final = st.builds(
    wire.Unknown,
    type=u8.filter(lambda kind: kind not in _UNDERSTOOD),
    data=octets(),
    flags=st.integers(0, 0x7F),
    next_payload=st.just(0),
)
"""Payloads of types that nobody knows, never critical: those are refused."""

sks: Final = st.builds(wire.SK, next_payload=u8, body=octets(0, 80), flags=u8)
skfs: Final = st.integers(1, 0xFFFF).flatmap(
    lambda total: st.builds(
        wire.SKF,
        next_payload=u8,
        fragment_number=st.integers(1, total),
        total_fragments=st.just(total),
        body=octets(0, 80),
        flags=u8,
    )
)

BY_KIND: Final[dict[str, st.SearchStrategy[wire.Payload]]] = {
    "SA": sas,
    "KE": kes,
    "IDi": idis,
    "IDr": idrs,
    "CERT": certs,
    "CERTREQ": certreqs,
    "AUTH": auths,
    "Nonce": nonces,
    "N": notifies,
    "D": deletes,
    "V": vendors,
    "TSi": tsis,
    "TSr": tsrs,
    "CP": cps,
    "EAP": eaps,
    "Unknown": unknowns,
}
"""A strategy for each payload that may stand in the clear or inside SK."""

payloads: Final[st.SearchStrategy[wire.Payload]] = st.one_of(*BY_KIND.values())
_LAST_UNKNOWN: Final = st.builds(
    wire.Unknown,
    type=u8.filter(lambda kind: kind not in _UNDERSTOOD),
    data=octets(),
    flags=st.integers(0, 0x7F),
    next_payload=u8,
)

chains: Final[st.SearchStrategy[tuple[wire.Payload, ...]]] = st.lists(payloads, max_size=5).map(tuple)
"""Payloads as they may stand inside SK, in any order and number."""

messages: Final[st.SearchStrategy[wire.Message]] = st.builds(
    lambda inner, last, **header: wire.Message(payloads=inner + last, **header),
    inner=chains,
    last=st.just(()) | st.tuples(sks) | st.tuples(skfs) | st.tuples(_LAST_UNKNOWN),
    spi_i=octets(8, 8).filter(any),
    spi_r=octets(8, 8),
    exchange_type=u8 | st.integers(34, 37),
    flags=u8 | st.sampled_from((0x08, 0x20)),
    message_id=u32,
    version=st.integers(0x20, 0x2F),
)
"""Any message that `wire.decode` accepts."""

datagrams: Final[st.SearchStrategy[bytes]] = messages.map(wire.encode)


# Octets that are nearly a message


def _overwrite(datagram: bytes, at: int, value: bytes) -> bytes:
    return datagram[:at] + value[: len(datagram) - at] + datagram[at + len(value) :]


def _cut(datagram: bytes, at: int, value: bytes) -> bytes:
    return datagram[:at] + datagram[at + len(value) :]


def _insert(datagram: bytes, at: int, value: bytes) -> bytes:
    return datagram[:at] + value + datagram[at:]


_EDITS: Final[tuple[Callable[[bytes, int, bytes], bytes], ...]] = (_overwrite, _overwrite, _cut, _insert)
_VALUES: Final = st.one_of(
    octets(1, 4), st.sampled_from((b"\x00", b"\x00\x00", b"\xff", b"\xff\xff", b"\x00\x04", b"\x00\x07"))
)


def with_true_length(datagram: bytes) -> bytes:
    """The same octets, with the header's Length set right, so that a decoder looks behind it."""
    return datagram[:24] + len(datagram).to_bytes(4, "big") + datagram[28:] if len(datagram) >= 28 else datagram


@st.composite
def mutated_datagrams(draw: st.DrawFn) -> bytes:
    """A datagram after one to four edits, mostly with a true Length."""
    datagram = draw(datagrams)
    for _ in range(draw(st.integers(1, 4))):
        edit = draw(st.sampled_from(_EDITS))
        datagram = edit(datagram, draw(st.integers(0, max(0, len(datagram) - 1))), draw(_VALUES))
    return with_true_length(datagram) if draw(st.integers(0, 7)) else datagram
