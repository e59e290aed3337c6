"""The EAP payload (Section 3.16)."""

import struct
from typing import Final, NamedTuple

from ikeref.errors import InvalidSyntax
from ikeref.registry import EapCode

_FIXED: Final = struct.Struct(">BBH")
_unpack: Final = _FIXED.unpack_from
_ENDS: Final = (EapCode.SUCCESS, EapCode.FAILURE)


class EAP(NamedTuple):
    """An EAP message, whole (Section 3.16). Type and Type_Data stand in requests and responses only.

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    |     Code      |  Identifier   |            Length             |
    +---------------+---------------+-------------------------------+
    |     Type      |   Type_Data ...                               ~
    +---------------+-----------------------------------------------+
    """

    data: bytes
    """From Code on."""
    flags: int = 0


def decode_eap(octets: bytes, start: int, stop: int, flags: int) -> EAP:
    """EAP from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.16."""
    size = stop - start
    if size < 4:
        raise InvalidSyntax(
            f"an EAP message has at least 4 octets, not {size}",
            section="3.16",
            offset=start - 2,
            field="EAP.Payload Length",
        )
    code, _, length = _unpack(octets, start)
    if length != size:
        raise InvalidSyntax(
            f"the EAP message says {length} octets, its payload holds {size}",
            section="3.16",
            offset=start + 2,
            field="EAP.Length",
        )
    if code in _ENDS and size != 4:
        raise InvalidSyntax(
            f"EAP Success and Failure have 4 octets, not {size}", section="3.16", offset=start + 2, field="EAP.Length"
        )
    return EAP(octets[start:stop], flags)


def encode_eap(payload: EAP) -> bytes:
    """The body of an EAP payload. Section 3.16."""
    return payload.data
