"""The Notify payload (Section 3.10)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.registry import NotifyType, name
from ikeref.wire.header import new

_FIXED: Final = struct.Struct(">BBH")
_pack: Final = _FIXED.pack
_unpack: Final = _FIXED.unpack_from

MAX_COOKIE: Final = 64
"""Octets of a cookie at most; there is at least one (Section 2.6)."""
_COOKIE: Final = int(NotifyType.COOKIE)


class N(NamedTuple):
    """Notify: an error or a status (Section 3.10).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |  Protocol ID  |   SPI Size    |      Notify Message Type      |
    +---------------+---------------+-------------------------------+
    ~               Security Parameter Index (SPI)                  ~
    +---------------------------------------------------------------+
    ~                       Notification Data                       ~
    +---------------------------------------------------------------+
    """

    type: int
    data: bytes = b""
    protocol_id: int = 0
    spi: bytes = b""
    flags: int = 0


def decode_notify(octets: bytes, start: int, stop: int, flags: int) -> N:
    """N from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.10."""
    if stop - start < 4:
        raise InvalidSyntax(
            f"N has {stop - start} octets, fewer than its fixed fields",
            section="3.10",
            offset=start - 2,
            field="N.Payload Length",
        )
    protocol_id, spi_size, kind = _unpack(octets, start)
    body = start + 4
    if kind == _COOKIE and not 1 <= stop - body - spi_size <= MAX_COOKIE:
        raise InvalidSyntax(
            f"a cookie has 1 to {MAX_COOKIE} octets, not {stop - body - spi_size}",
            section="2.6",
            offset=start - 2,
            field="N(COOKIE).Payload Length",
        )
    if spi_size == 0:
        return new(N, (kind, octets[body:stop], protocol_id, b"", flags))
    data = body + spi_size
    if data > stop:
        raise InvalidSyntax(
            f"an SPI of {spi_size} octets is longer than its payload",
            section="3.10",
            offset=start + 1,
            field=f"N({name(NotifyType, kind)}).SPI Size",
        )
    return N(kind, octets[data:stop], protocol_id, octets[body:data], flags)


def encode_notify(payload: N) -> bytes:
    """The body of an N payload. Section 3.10."""
    return _pack(payload.protocol_id, len(payload.spi), payload.type) + payload.spi + payload.data
