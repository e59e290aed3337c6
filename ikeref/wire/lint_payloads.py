"""Defects of single payloads that the decoder lets pass (Sections 3.3, 3.4, 3.10 and 3.11)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ikeref.registry import (
    AttributeType,
    Encr,
    ExchangeType,
    Integ,
    KeGroup,
    NotifyType,
    ProtocolId,
    TransformType,
    name,
)
from ikeref.wire.cursor import Field
from ikeref.wire.delete import D
from ikeref.wire.ke import KE, KE_SIZES
from ikeref.wire.message import Message
from ikeref.wire.notify import N
from ikeref.wire.payloads import Payload
from ikeref.wire.sa import SA, Proposal, Transform


class Defect(NamedTuple):
    """A rule of the protocol that a datagram breaks."""

    offset: int
    """Octets from the start of the datagram to the field."""
    field: str
    """The path of the field, as in the field map."""
    section: str
    reason: str
    requirement: str = ""
    """The id in the catalogue of requirements, where it has one."""


class Where:
    """Finds fields of the map by their path, from some octet on."""

    def __init__(self, fields: tuple[Field, ...], start: int = 0) -> None:
        self._fields = fields
        self._start = start

    def behind(self, start: int) -> "Where":
        """The same map, from octet `start` on: it finds the fields of the payload that stands there."""
        return Where(self._fields, start)

    @property
    def size(self) -> int:
        """Octets of the datagram."""
        return self._fields[-1].end if self._fields else 0

    def at(self, path: str) -> int:
        """The offset of the first field of this path; else that of the payload."""
        for field in self._fields:
            if field.start >= self._start and field.path == path:
                return field.start
        return self._start

    def defect(self, path: str, section: str, reason: str, requirement: str = "") -> Defect:
        return Defect(self.at(path), path, section, reason, requirement)


def lint_payload(payload: Payload, message: Message, where: Where) -> Iterator[Defect]:
    """The defects of one payload of `message`; `where` starts at it."""
    if isinstance(payload, SA):
        yield from _sa_defects(payload, message, where)
    elif isinstance(payload, KE):
        yield from _ke_defects(payload, where)
    elif isinstance(payload, N):
        yield from _notify_defects(payload, where)
    elif isinstance(payload, D):
        yield from _delete_defects(payload, where)


# SA (Section 3.3)

MANDATORY: Final[dict[int, tuple[TransformType, ...]]] = {
    ProtocolId.IKE: (TransformType.ENCR, TransformType.PRF, TransformType.INTEG, TransformType.KE),
    ProtocolId.ESP: (TransformType.ENCR, TransformType.SN),
    ProtocolId.AH: (TransformType.INTEG, TransformType.SN),
}
"""Transform types that a proposal must have (Section 3.3.3)."""

COMBINED_MODE: Final = frozenset(
    (
        *(Encr.AES_CCM_8, Encr.AES_CCM_12, Encr.AES_CCM_16),
        *(Encr.AES_GCM_8, Encr.AES_GCM_12, Encr.AES_GCM_16),
        *(Encr.CAMELLIA_CCM_8, Encr.CAMELLIA_CCM_12, Encr.CAMELLIA_CCM_16),
        *(Encr.NULL_AUTH_AES_GMAC, Encr.CHACHA20_POLY1305),
        *(Encr.AES_CCM_8_IIV, Encr.AES_GCM_16_IIV, Encr.CHACHA20_POLY1305_IIV),
        *(Encr.KUZNYECHIK_MGM_KTREE, Encr.MAGMA_MGM_KTREE),
        *(Encr.KUZNYECHIK_MGM_MAC_KTREE, Encr.MAGMA_MGM_MAC_KTREE),
    )
)
"""Ciphers that protect integrity themselves: no INTEG goes with them (Section 3.3, RFC 5282 section 8)."""

KEY_LENGTH_NEEDED: Final = frozenset(
    (
        *(Encr.AES_CBC, Encr.AES_CTR, Encr.CAMELLIA_CBC, Encr.CAMELLIA_CTR),
        *(Encr.AES_CCM_8, Encr.AES_CCM_12, Encr.AES_CCM_16),
        *(Encr.AES_GCM_8, Encr.AES_GCM_12, Encr.AES_GCM_16),
        *(Encr.CAMELLIA_CCM_8, Encr.CAMELLIA_CCM_12, Encr.CAMELLIA_CCM_16),
        *(Encr.NULL_AUTH_AES_GMAC, Encr.AES_CCM_8_IIV, Encr.AES_GCM_16_IIV),
    )
)
"""Ciphers whose Key Length must be said (Section 3.3.5, RFC 5282 section 7.3, RFC 5529)."""

KEY_LENGTH_FIXED: Final = frozenset((Encr.DES_IV64, Encr.DES, Encr.TRIPLE_DES, Encr.CHACHA20_POLY1305, Encr.NULL))
"""Ciphers whose Key Length must not be said (Section 3.3.5, RFC 7634 section 4)."""


def _sa_defects(sa: SA, message: Message, where: Where) -> Iterator[Defect]:
    initial = message.exchange_type == ExchangeType.IKE_SA_INIT
    if message.is_response and len(sa.proposals) != 1:
        reason = f"an answer holds the one proposal that was chosen, not {len(sa.proposals)}"
        yield where.defect("SA.proposal[2].Proposal Num", "2.7", reason, "7296-3.3.6-01")
    for ordinal, proposal in enumerate(sa.proposals, 1):
        path = f"SA.proposal[{ordinal}]"
        if not message.is_response and proposal.number != ordinal:
            reason = f"proposal {ordinal} bears number {proposal.number}: they start with 1 and have no gap"
            requirement = "7296-3.3.1-06" if ordinal == 1 else "7296-3.3.1-07"
            yield where.defect(f"{path}.Proposal Num", "3.3.1", reason, requirement)
        if initial and proposal.protocol_id != ProtocolId.IKE:
            reason = f"IKE_SA_INIT negotiates protocol 1 (IKE), not {name(ProtocolId, proposal.protocol_id)}"
            yield where.defect(f"{path}.Protocol ID", "3.3.1", reason, "7296-3.3.1-09")
        elif initial and proposal.spi:
            reason = "an SPI stands in the header during IKE_SA_INIT, and none in the proposal"
            yield where.defect(f"{path}.SPI Size", "3.3.1", reason, "7296-3.3.1-10")
        yield from _missing_transforms(proposal, path, where)
        if message.is_response:
            yield from _alternatives(proposal, path, where)
        for index, transform in enumerate(proposal.transforms, 1):
            yield from _transform_defects(transform, f"{path}.transform[{index}]", where)


def _missing_transforms(proposal: Proposal, path: str, where: Where) -> Iterator[Defect]:
    """Mandatory transform types that the proposal lacks, and INTEG where the cipher does without (Section 3.3.3)."""
    present = {transform.type for transform in proposal.transforms}
    ciphers = [transform.id for transform in proposal.transforms if transform.type == TransformType.ENCR]
    combined = [cipher in COMBINED_MODE for cipher in ciphers]
    for kind in MANDATORY.get(proposal.protocol_id, ()):
        if kind in present or (kind == TransformType.INTEG and any(combined)):
            continue
        reason = f"no transform of type {kind.value} ({kind.name}), and every proposal for this protocol must have one"
        yield where.defect(f"{path}.Num Transforms", "3.3.3", reason, "7296-3.3.3-03")
    if any(combined):
        for index, transform in enumerate(proposal.transforms, 1):
            if transform.type == TransformType.INTEG and transform.id != Integ.NONE:
                reason = "an integrity transform in one proposal with a combined-mode cipher"
                yield where.defect(f"{path}.transform[{index}].Transform Type", "3.3", reason, "7296-3.3-10")


def _alternatives(proposal: Proposal, path: str, where: Where) -> Iterator[Defect]:
    """In an answer each transform type stands once (Section 3.3.6)."""
    seen: set[int] = set()
    for index, transform in enumerate(proposal.transforms, 1):
        if transform.type in seen:
            reason = f"a second transform of type {name(TransformType, transform.type)} in an answer"
            yield where.defect(f"{path}.transform[{index}].Transform Type", "3.3.6", reason, "7296-3.3.6-03")
        seen.add(transform.type)


def _transform_defects(transform: Transform, path: str, where: Where) -> Iterator[Defect]:
    """Key Length: there, not there, its form, and only once (Sections 3.3 and 3.3.5)."""
    seen: set[int] = set()
    for index, attribute in enumerate(transform.attributes, 1):
        if attribute.type in seen:
            reason = f"a second attribute of type {attribute.type} in one transform"
            yield where.defect(f"{path}.attribute[{index}].Attribute Type", "3.3", reason, "7296-3.3-17")
        seen.add(attribute.type)
        if attribute.type == AttributeType.KEY_LENGTH and not isinstance(attribute.value, int):
            reason = "Key Length has two octets, and such attributes must have the TV form"
            yield where.defect(f"{path}.attribute[{index}].Attribute Type", "3.3.5", reason, "7296-3.3.5-02")
    if transform.type == TransformType.ENCR:
        cipher = name(Encr, transform.id)
        if AttributeType.KEY_LENGTH not in seen and transform.id in KEY_LENGTH_NEEDED:
            reason = f"{cipher} must have a Key Length"
            yield where.defect(f"{path}.Transform ID", "3.3.5", reason, "7296-3.3.5-08")
        if AttributeType.KEY_LENGTH in seen and transform.id in KEY_LENGTH_FIXED:
            reason = f"{cipher} has a fixed key length, and must not have the attribute"
            yield where.defect(f"{path}.Transform ID", "3.3.5", reason, "7296-3.3.5-07")


# KE (Section 3.4)


class _Curve(NamedTuple):
    """The curve y^2 = x^3 - 3x + b over the integers modulo p (RFC 5903 section 3)."""

    p: int
    b: int


_CURVES: Final[dict[int, _Curve]] = {
    KeGroup.ECP_256: _Curve(
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    KeGroup.ECP_384: _Curve(
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    KeGroup.ECP_521: _Curve(
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
}

_MODP: Final = tuple(group for group in KeGroup if group.name.startswith("MODP_"))
_MONTGOMERY: Final = (KeGroup.CURVE25519, KeGroup.CURVE448)


def _ke_defects(ke: KE, where: Where) -> Iterator[Defect]:
    path = "KE.Key Exchange Data"
    size = KE_SIZES.get(ke.group)
    if size is None:
        return
    group = name(KeGroup, ke.group)
    if len(ke.public) != size:
        reason = f"a public value of {group} has {size} octets, not {len(ke.public)}"
        yield where.defect("KE.Payload Length", "3.4", reason, "7296-3.4-02" if ke.group in _MODP else "")
        return
    if ke.group in _MODP and int.from_bytes(ke.public, "big") < 2:
        yield where.defect(path, "RFC 6989 2.1", "a public value of 0 or 1 gives the secret away")
    if ke.group in _MONTGOMERY and not any(ke.public):
        yield where.defect(path, "RFC 8031 3.2", "a public value of zero makes the shared secret zero")
    curve = _CURVES.get(ke.group)
    if curve is not None:
        x = int.from_bytes(ke.public[: size // 2], "big")
        y = int.from_bytes(ke.public[size // 2 :], "big")
        if x >= curve.p or y >= curve.p or (y * y - x**3 + 3 * x - curve.b) % curve.p:
            yield where.defect(path, "RFC 6989 2.3", f"the public value is not a point of {group}")


def lint_ke_group(payloads: tuple[Payload, ...], where: Where) -> Iterator[Defect]:
    """KE of a group that the SA payload beside it does not have (Section 3.4)."""
    groups = {
        transform.id
        for payload in payloads
        if isinstance(payload, SA)
        for proposal in payload.proposals
        for transform in proposal.transforms
        if transform.type == TransformType.KE
    }
    for payload in payloads:
        if isinstance(payload, KE) and groups and payload.group not in groups:
            reason = f"KE is of group {name(KeGroup, payload.group)}, which no proposal beside it has"
            yield where.defect("KE.Diffie-Hellman Group Num", "3.4", reason, "7296-3.4-03")


# N and D (Sections 3.10 and 3.11)

_DATA_SIZES: Final[dict[int, tuple[str, int]]] = {
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD: ("2.5", 1),
    NotifyType.INVALID_MESSAGE_ID: ("2.3", 4),
    NotifyType.INVALID_KE_PAYLOAD: ("1.3", 2),
    NotifyType.SET_WINDOW_SIZE: ("2.3", 4),
    NotifyType.NAT_DETECTION_SOURCE_IP: ("2.23", 20),
    NotifyType.NAT_DETECTION_DESTINATION_IP: ("2.23", 20),
    NotifyType.IKEV2_FRAGMENTATION_SUPPORTED: ("RFC 7383 2.3", 0),
}
"""Notify types whose Notification Data has a fixed size in octets, and where that stands."""

_WITH_SPI: Final = (NotifyType.INVALID_SELECTORS, NotifyType.REKEY_SA, NotifyType.CHILD_SA_NOT_FOUND)


def _notify_defects(notify: N, where: Where) -> Iterator[Defect]:
    word = f"N({name(NotifyType, notify.type)})"
    section, size = _DATA_SIZES.get(notify.type, ("", -1))
    if size >= 0 and len(notify.data) != size:
        reason = f"Notification Data has {size} octets, not {len(notify.data)}"
        yield where.defect(f"{word}.Payload Length", section, reason)
    if notify.type in _WITH_SPI and len(notify.spi) != 4:
        reason = f"the SPI of a Child SA has 4 octets, not {len(notify.spi)}"
        yield where.defect(f"{word}.SPI Size", "3.10", reason, "7296-3.10-04")


def _delete_defects(delete: D, where: Where) -> Iterator[Defect]:
    sizes = {ProtocolId.IKE: 0, ProtocolId.AH: 4, ProtocolId.ESP: 4}
    size = {int(protocol): octets for protocol, octets in sizes.items()}.get(delete.protocol_id)
    if size is None:
        reason = f"protocol {delete.protocol_id} is none of IKE, AH and ESP"
        yield where.defect("D.Protocol ID", "3.11", reason, "7296-3.11-06")
    elif delete.spi_size != size:
        reason = f"SPIs of protocol {name(ProtocolId, delete.protocol_id)} have {size} octets here"
        yield where.defect("D.SPI Size", "3.11", reason, "7296-3.11-07")
