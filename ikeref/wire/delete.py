"""The Delete payload (Section 3.11)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax

_FIXED: Final = struct.Struct(">BBH")
_pack: Final = _FIXED.pack
_unpack: Final = _FIXED.unpack_from


class D(NamedTuple):
    """Delete: SAs that the sender has removed (Section 3.11).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |  Protocol ID  |   SPI Size    |          Num of SPIs          |
    +---------------+---------------+-------------------------------+
    ~               Security Parameter Index(es) (SPI)              ~
    +---------------------------------------------------------------+
    """

    protocol_id: int
    spi_size: int = 0
    """Octets of each SPI: 0 for IKE, 4 for AH and ESP."""
    spis: tuple[bytes, ...] = ()
    """The SPIs that the sender expects in packets towards itself."""
    flags: int = 0


def decode_delete(octets: bytes, start: int, stop: int, flags: int) -> D:
    """D from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.11."""
    size = stop - start - 4
    if size < 0:
        raise InvalidSyntax(
            f"D has {size + 4} octets, fewer than its fixed fields",
            section="3.11",
            offset=start - 2,
            field="D.Payload Length",
        )
    protocol_id, spi_size, count = _unpack(octets, start)
    # SPIs of no octets can't be counted: any number of them would fit.
    if count * spi_size != size or (count and not spi_size):
        raise InvalidSyntax(
            f"{count} SPIs of {spi_size} octets are announced, and {size} octets are there",
            section="3.11",
            offset=start + 2,
            field="D.Num of SPIs",
        )
    spis = tuple([octets[at : at + spi_size] for at in range(start + 4, stop, spi_size)]) if count else ()
    return D(protocol_id, spi_size, spis, flags)


def encode_delete(payload: D) -> bytes:
    """The body of a D payload. Section 3.11."""
    return _pack(payload.protocol_id, payload.spi_size, len(payload.spis)) + b"".join(payload.spis)
