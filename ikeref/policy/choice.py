"""Choosing a cryptographic suite from SA payloads (Sections 2.7 and 3.3.1 to 3.3.6).

Three rules carry everything else. A transform is acceptable if type, ID and attributes are exactly those of a transform
in our policy: so an unknown ID or attribute, a Key Length where none belongs and a missing one all fail by themselves.
A proposal is acceptable if each of its transform types is one that its protocol has, and each type that the protocol
demands has an acceptable transform. And a type that may be left out means the value NONE where it is left out (Section
3.3.3).

Policy is proposals too: without SPI, in order of preference, the transforms of one type in order of preference.
`ikeref.policy.proposals` reads them from text. RFC 5282, RFC 7634, RFC 8221 and RFC 8247 say more on single algorithms.
"""

from itertools import product
from typing import Final

from ikeref import registry
from ikeref.crypto import ChildSuite, Suite
from ikeref.errors import InvalidSyntax, NoProposalChosen
from ikeref.registry import AttributeType, Encr, Integ, KeGroup, ProtocolId, TransformType
from ikeref.wire import Proposal, Transform
from ikeref.wire.header import new

Kinds = tuple[tuple[int, bool], ...]
"""Transform types of a protocol, each with whether it may be NONE or left out."""

_IKE: Final[Kinds] = ((1, False), (2, False), (3, True), (4, False))
"""ENCR, PRF, INTEG, KE: plain numbers, because every handshake goes through them several times."""
_ESP: Final[Kinds] = ((1, False), (3, True), (4, True), (5, False))
"""ENCR, INTEG, KE, SN."""
_AH: Final[Kinds] = ((3, False), (4, True), (5, False))
"""INTEG, KE, SN."""
_KE: Final = int(TransformType.KE)
_NONE: Final = {kind: Transform(kind, 0) for kind in (3, 4)}
"""The value NONE of the types that may be left out."""


def kinds_of(protocol_id: int) -> Kinds:
    """The transform types of a protocol (Section 3.3.3), none for an unknown protocol."""
    if protocol_id == ProtocolId.IKE:
        return _IKE
    if protocol_id == ProtocolId.ESP:
        return _ESP
    if protocol_id == ProtocolId.AH:
        return _AH
    return ()


def is_aead(encr: int) -> bool:
    """Whether an encryption algorithm protects integrity by itself, so that INTEG is NONE (Section 2.7, RFC 5282
    section 8).
    """
    return (
        Encr.AES_CCM_8 <= encr <= Encr.AES_CCM_16
        or Encr.AES_GCM_8 <= encr <= Encr.NULL_AUTH_AES_GMAC
        or Encr.CAMELLIA_CCM_8 <= encr <= Encr.MAGMA_MGM_MAC_KTREE
    )


# --- The decision ---------------------------------------------------------------------------------------------------


def choose(offered: tuple[Proposal, ...], acceptable: tuple[Proposal, ...], *, spi: bytes = b"") -> Proposal | None:
    """The suite that a responder answers with, None if it has to answer NO_PROPOSAL_CHOSEN (Sections 2.7 and 3.3.6).

    `acceptable` is our policy, as `check_policy` demands it. Our order decides: the first of our proposals that any
    offered one satisfies, in it the first ENCR, then PRF, INTEG, KE and SN; only between equals the order of the offer.
    Which group KEi belongs to plays no part (Section 1.2). The answer bears the number of the offered proposal and
    `spi`.
    """
    for own in acceptable:
        kinds = kinds_of(own.protocol_id)
        policy = _policy(own, kinds)
        best: Proposal | None = None
        best_ranks: list[int] = []
        best_transforms: list[Transform] = []
        for proposal in offered:
            if proposal.protocol_id != own.protocol_id or not _is_understood(proposal, tuple(policy)):
                continue
            ranks: list[int] = []
            transforms: list[Transform] = []
            for (_, optional), wanted in zip(kinds, policy.values()):
                if not _take_first(proposal, wanted, optional, ranks, transforms):
                    break
            else:
                if best is None or ranks < best_ranks:
                    best, best_ranks, best_transforms = proposal, ranks, transforms
        if best is not None:
            return Proposal(best.number, best.protocol_id, spi, tuple(best_transforms))
    return None


def _policy(own: Proposal, kinds: Kinds) -> dict[int, list[Transform]]:
    """What our policy allows for each transform type, in order; NONE where it says nothing of an optional type."""
    allowed: dict[int, list[Transform]] = {kind: [] for kind, _ in kinds}
    for transform in own.transforms:
        allowed[transform.type].append(transform)
    for kind, optional in kinds:
        if optional and not allowed[kind]:
            allowed[kind].append(_NONE[kind])
    return allowed


def _is_understood(proposal: Proposal, kinds: tuple[int, ...]) -> bool:
    """Whether the protocol has each of its transform types; one unknown spoils the whole proposal (7296-3.3.6-07)."""
    for transform in proposal.transforms:  # noqa: SIM110  # twice as fast as a generator
        if transform.type not in kinds:
            return False
    return True


def _take_first(
    proposal: Proposal, wanted: list[Transform], optional: bool, ranks: list[int], transforms: list[Transform]
) -> bool:
    """Add the first of the wanted transforms (all of one type) that a proposal offers, and its rank; False for none.

    A proposal that leaves out the type offers NONE, if the type is optional, and then nothing is added (Section 3.3.3).
    """
    for rank, transform in enumerate(wanted):
        kind, number, attributes, _, _ = transform
        left_out = True
        for other_kind, other_number, other_attributes, _, _ in proposal.transforms:
            if other_kind == kind:
                if other_number == number and other_attributes == attributes:
                    ranks.append(rank)
                    transforms.append(transform)
                    return True
                left_out = False
        if left_out and optional and number == 0:
            ranks.append(rank)
            return True
    return False


def same(one: Transform, other: Transform) -> bool:
    """Whether type, ID and all attributes are equal; reserved octets don't count (Section 2.5)."""
    return one.type == other.type and one.id == other.id and one.attributes == other.attributes


# --- The initiator's check ------------------------------------------------------------------------------------------


def verify_choice(offered: tuple[Proposal, ...], answer: tuple[Proposal, ...]) -> Proposal:
    """The suite that the responder chose, after checking that it was offered (Section 3.3.6: the initiator MUST check).

    Raises InvalidSyntax for an answer that is no choice at all, NoProposalChosen for one that was not offered; either
    ends the exchange.
    """
    if len(answer) != 1:
        raise InvalidSyntax(f"the answer has {len(answer)} proposals instead of one", section="2.7", field="SA")
    chosen = answer[0]
    for proposal in offered:
        if proposal.number == chosen.number:
            _verify(proposal, chosen)
            return chosen
    raise NoProposalChosen(f"proposal {chosen.number} was not offered", section="3.3.1", field="SA")


def _verify(offered: Proposal, chosen: Proposal) -> None:
    where = f"SA.proposal[{chosen.number}]"
    if chosen.protocol_id != offered.protocol_id:
        names = registry.name(ProtocolId, chosen.protocol_id), registry.name(ProtocolId, offered.protocol_id)
        raise NoProposalChosen(
            f"the answer is for {names[0]}, the offer was for {names[1]}", section="2.7", field=where
        )
    if len(chosen.spi) != len(offered.spi):
        raise InvalidSyntax(
            f"the SPI has {len(chosen.spi)} octets instead of {len(offered.spi)}", section="3.3.1", field=where
        )
    seen: list[int] = []
    for transform in chosen.transforms:
        if transform.type in seen:
            raise InvalidSyntax(f"{_label(transform)} is the second of its type", section="2.7", field=where)
        for candidate in offered.transforms:
            if same(transform, candidate):
                break
        else:
            raise NoProposalChosen(f"{_label(transform)} was not offered", section="3.3.6", field=where)
        seen.append(transform.type)
    for transform in offered.transforms:
        if transform.type not in seen and not _may_be_left_out(offered, transform.type):
            kind = registry.name(TransformType, transform.type)
            raise NoProposalChosen(f"the answer has no transform of type {kind}", section="2.7", field=where)


def _may_be_left_out(offered: Proposal, kind: int) -> bool:
    """Whether NONE was offered, which an answer may express by saying nothing (Section 3.3.3)."""
    return any(
        transform.type == kind and transform.id == 0 and (kind, True) in kinds_of(offered.protocol_id)
        for transform in offered.transforms
    )


# --- What was chosen ------------------------------------------------------------------------------------------------


def suite_of(chosen: Proposal) -> Suite:
    """The transforms of a chosen IKE proposal; ValueError if it is no complete choice."""
    if chosen.protocol_id != ProtocolId.IKE:
        raise _out_of_place(chosen)
    encr, prf, integ, group = _complete(chosen, _IKE)
    return new(Suite, (encr.id, encr.key_length or 0, prf.id, integ.id, group.id))


def suites_of(own: Proposal) -> tuple[Suite, ...]:
    """Every suite that an IKE proposal of ours allows: one transform of each type, in all combinations."""
    present = [[t for t in own.transforms if t.type == kind] for kind, _ in kinds_of(own.protocol_id)]
    choices = product(*[transforms for transforms in present if transforms])
    return tuple(suite_of(own._replace(transforms=combination)) for combination in choices)


def child_suite_of(chosen: Proposal) -> ChildSuite:
    """The transforms of a chosen ESP or AH proposal; ValueError if it is no complete choice."""
    if chosen.protocol_id == ProtocolId.ESP:
        encr, integ, group, esn = _complete(chosen, _ESP)
    elif chosen.protocol_id == ProtocolId.AH:
        encr = _LEFT_OUT
        integ, group, esn = _complete(chosen, _AH)
    else:
        raise _out_of_place(chosen)
    return new(ChildSuite, (chosen.protocol_id, encr.id, encr.key_length or 0, integ.id, group.id, esn.id))


_LEFT_OUT: Final = Transform(0, 0)


def _complete(chosen: Proposal, kinds: Kinds) -> list[Transform]:
    """The one transform of each type, `_LEFT_OUT` for a type that is left out, as it may be (Section 3.3.3)."""
    present = {transform.type: transform for transform in chosen.transforms}
    if len(present) < len(chosen.transforms):
        raise ValueError("two transforms of one type are no choice")
    complete: list[Transform] = []
    for kind, optional in kinds:
        if not optional and kind not in present:
            raise ValueError(f"transforms without one of type {registry.name(TransformType, kind)} are no choice")
        complete.append(present.get(kind, _LEFT_OUT))
    return complete


def _out_of_place(chosen: Proposal) -> ValueError:
    return ValueError(f"a proposal for {registry.name(ProtocolId, chosen.protocol_id)} is out of place here")


# --- Policy -----------------------------------------------------------------------------------------------------------


def check_policy(proposal: Proposal) -> None:
    """Raises ValueError, with the reason, for a proposal of ours that the RFC does not allow us to make.

    Mandatory types (Section 3.3.3), Key Length where the algorithm demands it and nowhere else (Section 3.3.5), INTEG
    NONE with combined-mode ciphers and only with them (Section 2.7, RFC 8221 section 4).
    """
    kinds = kinds_of(proposal.protocol_id)
    if not kinds:
        raise ValueError(f"protocol {proposal.protocol_id} is none of IKE, AH, ESP")
    for transform in proposal.transforms:
        if all(transform.type != kind for kind, _ in kinds):
            names = registry.name(ProtocolId, proposal.protocol_id), registry.name(TransformType, transform.type)
            raise ValueError(f"{names[0]} has no transforms of type {names[1]}")
        if (transform.key_length is not None) != (
            transform.type == TransformType.ENCR and needs_key_length(transform.id)
        ):
            demand = "needs a" if transform.key_length is None else "has no"
            raise ValueError(f"{_label(transform)} {demand} Key Length attribute")
    for kind, optional in kinds:
        ids = [transform.id for transform in proposal.transforms if transform.type == kind]
        if not ids and not optional:
            raise ValueError(f"no transform of type {registry.name(TransformType, kind)}, which is mandatory")
        if not optional and kind != TransformType.SN and 0 in ids:
            raise ValueError(f"{registry.name(TransformType, kind)} can't be NONE")
    ciphers = [transform.id for transform in proposal.transforms if transform.type == TransformType.ENCR]
    integs = [transform.id for transform in proposal.transforms if transform.type == TransformType.INTEG]
    if ciphers:
        combined = [cipher for cipher in ciphers if is_aead(cipher)]
        if combined and len(combined) < len(ciphers):
            raise ValueError("combined-mode ciphers and others need two proposals")
        if combined and any(integ != Integ.NONE for integ in integs):
            raise ValueError("combined-mode ciphers protect integrity themselves: no INTEG but NONE")
        if not combined and (not integs or Integ.NONE in integs):
            raise ValueError("a cipher that is not combined-mode needs an integrity algorithm")


def needs_key_length(encr: int) -> bool:
    """Whether a transform of this encryption algorithm is only valid with a Key Length (Section 3.3.5)."""
    return (
        Encr.AES_CBC <= encr <= Encr.NULL_AUTH_AES_GMAC
        or Encr.CAMELLIA_CBC <= encr <= Encr.CAMELLIA_CCM_16
        or encr in (Encr.AES_CCM_8_IIV, Encr.AES_GCM_16_IIV)
    )


def without_ke(proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """The same Child SA policy for IKE_AUTH, which has no KE payloads (Section 1.2)."""
    stripped: list[Proposal] = []
    for proposal in proposals:
        kept = tuple([transform for transform in proposal.transforms if transform.type != _KE])
        stripped.append(proposal if kept == proposal.transforms else proposal._replace(transforms=kept))
    return tuple(stripped)


def in_use_first(policy: tuple[Proposal, ...], suite: ChildSuite) -> tuple[Proposal, ...]:
    """The same Child SA policy for a rekey: first the algorithms in use (7296-2.8-08), with any key exchange."""
    kept = tuple([each for each in (_in_use(own, suite) for own in policy) if each is not None])
    return (*kept, *[own for own in policy if own not in kept])


def _in_use(own: Proposal, suite: ChildSuite) -> Proposal | None:
    """What a proposal of policy has of the algorithms in use; None if it lacks one."""
    numbers = {TransformType.ENCR: suite.encr, TransformType.INTEG: suite.integ, TransformType.SN: suite.esn}
    kept: list[Transform] = []
    for transform in own.transforms:
        same = transform.type == _KE or transform.id == numbers[TransformType(transform.type)]
        if same and (transform.type != TransformType.ENCR or (transform.key_length or 0) == suite.key_bits):
            kept.append(transform)
    types = {transform.type for transform in kept}
    complete = types == {transform.type for transform in own.transforms}
    if own.protocol_id != suite.protocol_id or not complete or (suite.integ and TransformType.INTEG not in types):
        return None
    return own._replace(transforms=tuple(kept))


def groups_of(proposals: tuple[Proposal, ...]) -> tuple[int, ...]:
    """The key exchange methods on offer, in order, each once, without NONE: KEi is of the first."""
    groups: list[int] = []
    for proposal in proposals:
        for transform in proposal.transforms:
            if transform.type == _KE and transform.id != KeGroup.NONE and transform.id not in groups:
                groups.append(transform.id)
    return tuple(groups)


def weak(proposals: tuple[Proposal, ...]) -> tuple[Transform, ...]:
    """Those transforms that RFC 8247 (for IKE) and RFC 8221 (for ESP and AH) mark SHOULD NOT or MUST NOT, each once."""
    found: list[Transform] = []
    for proposal in proposals:
        for transform in proposal.transforms:
            ids = _WEAK.get(transform.type, ())
            is_weak = transform.id in ids or (
                transform.type == TransformType.ENCR
                and transform.id == Encr.NULL
                and proposal.protocol_id == ProtocolId.IKE
            )
            if is_weak and transform not in found:
                found.append(transform)
    return tuple(found)


_WEAK: Final[dict[int, tuple[int, ...]]] = {
    TransformType.ENCR: (Encr.DES_IV64, Encr.DES, Encr.TRIPLE_DES, Encr.BLOWFISH, Encr.TRIPLE_IDEA, Encr.DES_IV32),
    TransformType.PRF: (1, 3),
    TransformType.INTEG: (Integ.HMAC_MD5_96, Integ.DES_MAC, Integ.KPDK_MD5),
    TransformType.KE: (
        KeGroup.MODP_768,
        KeGroup.MODP_1024,
        KeGroup.MODP_1536,
        KeGroup.MODP_1024_160,
        KeGroup.MODP_2048_224,
        KeGroup.MODP_2048_256,
    ),
}


def _label(transform: Transform) -> str:
    names = registry.transform_registry(transform.type)
    word = registry.name(names, transform.id) if names else str(transform.id)
    length = f"_{transform.key_length}" if transform.key_length is not None else ""
    attributes = (
        ""
        if len(transform.attributes) <= bool(length)
        else " with attributes "
        + ", ".join(
            str(attribute.type) for attribute in transform.attributes if attribute.type != AttributeType.KEY_LENGTH
        )
    )
    return f"{registry.name(TransformType, transform.type)} {word}{length}{attributes}"
