"""Octets to values and back: the header and every payload of RFC 7296 section 3, and SKF of RFC 7383.

`decode` and `encode` are inverse for whatever `decode` accepts. `fields` and `explain` say which octet is which field.
"""

from ikeref.wire.auth import AUTH
from ikeref.wire.certificates import CERT, CERTREQ
from ikeref.wire.cp import CP, CfgAttr
from ikeref.wire.cursor import Field
from ikeref.wire.delete import D
from ikeref.wire.eap import EAP
from ikeref.wire.encapsulation import NON_ESP_MARKER, Esp, Ike, Keepalive, split, wrap
from ikeref.wire.encrypted import SK, SKF
from ikeref.wire.fieldmap import Explanation, Opened, explain, fields, payload_fields
from ikeref.wire.header import (
    CRITICAL,
    FLAG_INITIATOR,
    FLAG_RESPONSE,
    FLAG_VERSION,
    GENERIC_SIZE,
    HEADER_SIZE,
    NO_SPI,
    VERSION,
    Header,
    peek,
)
from ikeref.wire.identification import IDi, IDr, encode_id
from ikeref.wire.ke import KE, KE_SIZES
from ikeref.wire.lint import lint
from ikeref.wire.lint_payloads import Defect
from ikeref.wire.message import Message, decode, encode
from ikeref.wire.nonce import Nonce
from ikeref.wire.notify import N
from ikeref.wire.payloads import (
    Payload,
    decode_payloads,
    encode_payloads,
    first_type,
    payload_name,
    payload_type,
)
from ikeref.wire.sa import SA, Attribute, Proposal, Transform
from ikeref.wire.ts import TrafficSelector, TSi, TSr
from ikeref.wire.vendor import Unknown, V

__all__ = [
    "AUTH",
    "CERT",
    "CERTREQ",
    "CP",
    "CRITICAL",
    "EAP",
    "FLAG_INITIATOR",
    "FLAG_RESPONSE",
    "FLAG_VERSION",
    "GENERIC_SIZE",
    "HEADER_SIZE",
    "KE",
    "KE_SIZES",
    "NON_ESP_MARKER",
    "NO_SPI",
    "SA",
    "SK",
    "SKF",
    "VERSION",
    "Attribute",
    "CfgAttr",
    "D",
    "Defect",
    "Esp",
    "Explanation",
    "Field",
    "Header",
    "IDi",
    "IDr",
    "Ike",
    "Keepalive",
    "Message",
    "N",
    "Nonce",
    "Opened",
    "Payload",
    "Proposal",
    "TSi",
    "TSr",
    "TrafficSelector",
    "Transform",
    "Unknown",
    "V",
    "decode",
    "decode_payloads",
    "encode",
    "encode_id",
    "encode_payloads",
    "explain",
    "fields",
    "first_type",
    "lint",
    "payload_fields",
    "payload_name",
    "payload_type",
    "peek",
    "split",
    "wrap",
]
