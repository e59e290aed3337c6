"""The Certificate and Certificate Request payloads (Sections 3.6 and 3.7)."""

from typing import NamedTuple

from ikeref.errors import InvalidSyntax


class CERT(NamedTuple):
    """Certificate: one certificate, or other means of authentication (Section 3.6).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    | Cert Encoding |                                               |
    +---------------+                                               |
    ~                       Certificate Data                        ~
    +---------------------------------------------------------------+
    """

    encoding: int
    data: bytes
    flags: int = 0


class CERTREQ(NamedTuple):
    """Certificate Request: the kind wanted, and whom the sender trusts (Section 3.7).

                         1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+-+-------------+-------------------------------+
    | Next Payload  |C|  RESERVED   |        Payload Length         |
    +---------------+-+-------------+-------------------------------+
    | Cert Encoding |                                               |
    +---------------+                                               |
    ~                    Certification Authority                    ~
    +---------------------------------------------------------------+
    """

    encoding: int
    data: bytes
    """For X.509: SHA-1 hashes of the trust anchors' SubjectPublicKeyInfo, 20 octets each, one after the other."""
    flags: int = 0


def decode_cert(octets: bytes, start: int, stop: int, flags: int) -> CERT:
    """CERT from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.6."""
    if start == stop:
        raise _no_encoding("CERT", "3.6", start)
    return CERT(octets[start], octets[start + 1 : stop], flags)


def decode_certreq(octets: bytes, start: int, stop: int, flags: int) -> CERTREQ:
    """CERTREQ from its body, octets `start` to `stop`. Errors: `InvalidSyntax`. Section 3.7."""
    if start == stop:
        raise _no_encoding("CERTREQ", "3.7", start)
    return CERTREQ(octets[start], octets[start + 1 : stop], flags)


def _no_encoding(name: str, section: str, start: int) -> InvalidSyntax:
    reason = f"{name} has no octet for its encoding"
    return InvalidSyntax(reason, section=section, offset=start - 2, field=f"{name}.Payload Length")


def encode_cert(payload: CERT | CERTREQ) -> bytes:
    """The body of a CERT or CERTREQ payload. Sections 3.6 and 3.7."""
    return payload.encoding.to_bytes(1, "big") + payload.data
