"""The Traffic Selector payloads (Section 3.13)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.registry import TsType
from ikeref.wire.header import new

_COUNT: Final = struct.Struct(">B3s")
_START: Final = struct.Struct(">BBH")
_RANGE: Final = struct.Struct(">BBHHH")
_pack_start: Final = _START.pack
_unpack_start: Final = _START.unpack_from
_pack_range: Final = _RANGE.pack

ADDRESS_SIZES: Final[dict[int, int]] = {int(TsType.IPV4_ADDR_RANGE): 4, int(TsType.IPV6_ADDR_RANGE): 16}
"""Octets of each address of a selector, by TS Type."""
_LAYOUTS: Final = {kind: struct.Struct(f">BBHHH{size}s{size}s") for kind, size in ADDRESS_SIZES.items()}
"""A whole selector, by TS Type."""

OPAQUE_PORTS: Final = (65535, 0)
"""Start Port and End Port that say OPAQUE; no other start is above its end (Section 3.13.1)."""


class TrafficSelector(NamedTuple):
    """A range of addresses and ports (Section 3.13.1).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |    TS Type    |IP Protocol ID |        Selector Length        |
    +---------------+---------------+-------------------------------+
    |          Start Port           |           End Port            |
    +-------------------------------+-------------------------------+
    ~                       Starting Address                        ~
    +---------------------------------------------------------------+
    ~                        Ending Address                         ~
    +---------------------------------------------------------------+

    Of an unknown TS Type only the first four octets have a meaning: what follows them is kept in `start`, the other
    fields are empty.
    """

    ts_type: int
    ip_protocol: int
    start_port: int
    end_port: int
    start: bytes
    end: bytes


class TSi(NamedTuple):
    """Traffic Selectors, initiator: the end of the Child SA that asks for it (Section 3.13).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    | Number of TSs |                   RESERVED                    |
    +---------------+-----------------------------------------------+
    ~                      <Traffic Selectors>                      ~
    +---------------------------------------------------------------+
    """

    selectors: tuple[TrafficSelector, ...]
    reserved: int = 0
    """Three octets."""
    flags: int = 0


class TSr(NamedTuple):
    """Traffic Selectors, responder: the figure of `TSi` (Section 3.13)."""

    selectors: tuple[TrafficSelector, ...]
    reserved: int = 0
    """Three octets."""
    flags: int = 0


def decode_tsi(octets: bytes, start: int, stop: int, flags: int) -> TSi:
    """TSi from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.13."""
    selectors, reserved = _decode_selectors(octets, start, stop, "TSi")
    return new(TSi, (selectors, reserved, flags))


def decode_tsr(octets: bytes, start: int, stop: int, flags: int) -> TSr:
    """TSr from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.13."""
    selectors, reserved = _decode_selectors(octets, start, stop, "TSr")
    return new(TSr, (selectors, reserved, flags))


def _decode_selectors(octets: bytes, start: int, stop: int, path: str) -> tuple[tuple[TrafficSelector, ...], int]:
    if stop - start < 4:
        raise InvalidSyntax(
            f"{path} has {stop - start} octets, fewer than its fixed fields",
            section="3.13",
            offset=start - 2,
            field=f"{path}.Payload Length",
        )
    count, reserved = _COUNT.unpack_from(octets, start)
    selectors: list[TrafficSelector] = []
    position = start + 4
    while position < stop:
        selector, position = _decode_selector(octets, position, stop, path, len(selectors) + 1)
        selectors.append(selector)
    if count != len(selectors) or not count:
        raise InvalidSyntax(
            f"Number of TSs says {count}, there are {len(selectors)}"
            if count or selectors
            else "there is no selector, and one at least must be",
            section="3.13",
            offset=start,
            field=f"{path}.Number of TSs",
        )
    return tuple(selectors), int.from_bytes(reserved, "big")


def _decode_selector(octets: bytes, position: int, stop: int, path: str, number: int) -> tuple[TrafficSelector, int]:
    """The selector at `position`, which is number `number`, and where the next one begins."""
    if stop - position < 4:
        field = f"{path}.selector[{number}]"
        raise InvalidSyntax("a selector has at least 4 octets", section="3.13.1", offset=position, field=field)
    ts_type, ip_protocol, length = _unpack_start(octets, position)
    end = position + length
    layout = _LAYOUTS.get(ts_type)
    if length < 4 or end > stop or (layout is not None and length != layout.size):
        raise InvalidSyntax(
            f"Selector Length {length} does not fit: {stop - position} octets are left"
            + (f", and TS Type {ts_type} has {layout.size}" if layout is not None else ""),
            section="3.13.1",
            offset=position + 2,
            field=f"{path}.selector[{number}].Selector Length",
        )
    if layout is None:
        return TrafficSelector(ts_type, ip_protocol, 0, 0, octets[position + 4 : end], b""), end
    _, _, _, start_port, end_port, first, last = layout.unpack_from(octets, position)
    if start_port > end_port and (start_port, end_port) != OPAQUE_PORTS:
        raise InvalidSyntax(
            f"Start Port {start_port} is above End Port {end_port}, which only 65535 and 0 (OPAQUE) may be",
            section="3.13.1",
            offset=position + 4,
            field=f"{path}.selector[{number}].Start Port",
        )
    if first > last:
        raise InvalidSyntax(
            "Starting Address is above Ending Address",
            section="3.13.1",
            offset=position + 8,
            field=f"{path}.selector[{number}].Starting Address",
        )
    return new(TrafficSelector, (ts_type, ip_protocol, start_port, end_port, first, last)), end


def encode_ts(payload: TSi | TSr) -> bytes:
    """The body of a TSi or TSr payload: number and lengths are derived. Section 3.13."""
    parts = [_COUNT.pack(len(payload.selectors), payload.reserved.to_bytes(3, "big"))]
    for ts_type, ip_protocol, start_port, end_port, start, end in payload.selectors:
        if ts_type in ADDRESS_SIZES:
            length = 8 + len(start) + len(end)
            parts += (_pack_range(ts_type, ip_protocol, length, start_port, end_port), start, end)
        else:
            parts += (_pack_start(ts_type, ip_protocol, 4 + len(start)), start)
    return b"".join(parts)
