"""Why not? What a person at our end is told of a refusal (Sections 2.7, 2.9, 3.6); none of it ever goes on the wire.

Made only once something was refused, and of bounded length whatever a peer offers.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from cryptography.x509 import (
    Certificate,
    DuplicateExtension,
    ExtensionNotFound,
    InvalidVersion,
    SubjectAlternativeName,
    UnsupportedGeneralNameType,
)

from ikeref import registry
from ikeref.crypto.crls import Status
from ikeref.crypto.paths import load
from ikeref.policy import identities, selectors
from ikeref.policy.choice import kinds_of, same
from ikeref.registry import IdType, ProtocolId, TransformType
from ikeref.wire import Proposal, TrafficSelector, Transform

_MOST: Final = 8
"""Proposals, transforms of a type, selectors and policies that are shown at most, each."""

Selectors = tuple[TrafficSelector, ...]


# --- Suites ----------------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """One transform type of an offered proposal beside one of ours."""

    kind: str
    offered: str
    ours: str
    fault: str
    """Empty where something is in common."""


def suites(offered: tuple[Proposal, ...], acceptable: tuple[Proposal, ...]) -> str:
    """Both sides beside each other, for the pair of proposals that differs least, and the transform types that fail.

    The others are listed below. Says so where one side is empty.
    """
    theirs, ours = offered[:_MOST], acceptable[:_MOST]
    if not theirs or not ours:
        return "nothing was offered" if not theirs else "policy has no proposal for it"
    pairs = [(_rows(one, other), one, other) for one in theirs for other in ours]
    rows, one, other = min(pairs, key=lambda pair: _distance(pair[0]))
    left, right = f"offered: proposal {one.number}", f"acceptable here: proposal {1 + ours.index(other)}"
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    widths[1] = max(widths[1], len(left))
    lines = [f"{'':{widths[0]}}  {left:{widths[1]}}  {right}"]
    for row in rows:
        text = f"{row.kind:{widths[0]}}  {row.offered:{widths[1]}}  {row.ours}"
        lines.append(f"{text}  <- {row.fault}" if row.fault else text.rstrip())
    lines += _others("also offered", offered, one)
    lines += _others("also acceptable", acceptable, other)
    return "\n".join(lines)


def _rows(one: Proposal, other: Proposal) -> list[_Row]:
    """A row for the protocol, and one for each transform type of either."""
    names = registry.name(ProtocolId, one.protocol_id), registry.name(ProtocolId, other.protocol_id)
    rows = [_Row("protocol", *names, "" if names[0] == names[1] else "another protocol")]
    if names[0] != names[1]:
        return rows
    kinds = kinds_of(other.protocol_id)
    known = [kind for kind, _ in kinds]
    unknown = sorted({transform.type for transform in one.transforms if transform.type not in known})
    for kind, optional in (*kinds, *[(kind, False) for kind in unknown]):
        theirs = [transform for transform in one.transforms if transform.type == kind]
        mine = [transform for transform in other.transforms if transform.type == kind]
        fault = ""
        if kind in unknown:
            fault = "a type that this protocol has not"  # spoils the whole proposal (7296-3.3.6-07)
        elif not _meet(theirs, mine, kind, optional):
            fault = "nothing in common"
        if theirs or mine:
            rows.append(_Row(registry.name(TransformType, kind), _listed(theirs), _listed(mine), fault))
    return rows


def _meet(theirs: list[Transform], mine: list[Transform], kind: int, optional: bool) -> bool:
    """Whether one transform is on both sides; to leave out an optional type is to offer NONE (Section 3.3.3)."""
    none = [Transform(kind, 0)] if optional else []
    return any(same(each, candidate) for each in theirs or none for candidate in mine or none)


def _distance(rows: list[_Row]) -> tuple[int, int]:
    """How far two proposals are from each other: those of another protocol farthest."""
    failing = len([row for row in rows if row.fault])
    return (len(rows) == 1, failing)


def _listed(transforms: Iterable[Transform]) -> str:
    words = [transform_text(each) for each in transforms]
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more or "-"


def transform_text(transform: Transform) -> str:
    """`AES_CBC-128`; attributes that we don't know are named."""
    names = registry.transform_registry(transform.type)
    word = registry.name(names, transform.id) if names else str(transform.id)
    length = f"-{transform.key_length}" if transform.key_length is not None else ""
    others = len(transform.attributes) - bool(length)
    return word + length + (f" with {others} more attributes" if others else "")


def proposal_text(proposal: Proposal) -> str:
    """A proposal in a line."""
    name = registry.name(ProtocolId, proposal.protocol_id)
    return f"{name} {_listed(proposal.transforms)}"


def _others(title: str, proposals: tuple[Proposal, ...], shown: Proposal) -> list[str]:
    rest = [each for each in proposals if each is not shown]
    lines = [f"{title}: {proposal_text(each)}" for each in rest[: _MOST - 1]]
    return [*lines, f"and {len(rest) - _MOST + 1} more"] if len(rest) >= _MOST else lines


# --- Traffic ---------------------------------------------------------------------------------------------------------


class Policy(NamedTuple):
    """What one Child SA of ours would be for."""

    name: str
    tsi: Selectors
    """Traffic of the end that asks."""
    tsr: Selectors


def traffic(tsi: Selectors, tsr: Selectors, policies: Iterable[Policy]) -> str:
    """What was offered, and for each Child SA of policy which of its two sides has nothing of that."""
    lines = [f"offered: TSi {texts(tsi)}, TSr {texts(tsr)}"]
    listed = list(policies)
    for policy in listed[:_MOST]:
        missing = [
            side
            for side, one, other in (("TSi", tsi, policy.tsi), ("TSr", tsr, policy.tsr))
            if not selectors.narrow(one[:_NARROWED], other)
        ]
        fault = f"  <- nothing in common in {' and '.join(missing)}" if missing else ""
        lines.append(f"Child SA {policy.name}: TSi {texts(policy.tsi)}, TSr {texts(policy.tsr)}{fault}")
    if len(listed) > _MOST:
        lines.append(f"and {len(listed) - _MOST} more")
    if not listed:
        lines.append("policy has no Child SA for it")
    return "\n".join(lines)


_NARROWED: Final = 64
"""Selectors of an offer that are compared; a few more could still be in a datagram."""


def texts(found: Selectors) -> str:
    """Selectors in a line."""
    words = [selectors.to_text(each) for each in found[:_MOST]]
    return ", ".join(words) + (f" and {len(found) - _MOST} more" if len(found) > _MOST else "") or "nothing"


# --- What a peer refused ----------------------------------------------------------------------------------------------


def offer(proposals: tuple[Proposal, ...]) -> str:
    """Our side of what a peer refused; its own it does not tell."""
    return "\n".join(f"we offered: {proposal_text(each)}" for each in proposals[:_MOST])


# --- Certificates ----------------------------------------------------------------------------------------------------


def path(found: tuple[Certificate, ...], statuses: Iterable[Status], refused: Iterable[Status]) -> str:
    """A path from the peer's certificate to the anchor, and what is known of each but that."""
    of, bad = {each.certificate: each for each in statuses}, [each.certificate for each in refused]
    lines = []
    for certificate in found:
        status = of.get(certificate)
        said = f"{status.verdict}, {status.why}" if status is not None else "trusted here"
        fault = "  <- refused" if certificate in bad else ""
        lines.append(f"{subject(certificate)}: {said}{fault}")
    return "\n".join(lines)


def certificates_shown(shown: Iterable[bytes], anchors: Iterable[Certificate], faults: Iterable[str]) -> str:
    """Who issued what the peer showed, and whom we trust, where the one does not lead to the other."""
    lines = [f"shown: {_line(der)}" for der in list(shown)[:_MOST]]
    lines += [f"trusted here: {subject(each)}" for each in list(anchors)[:_MOST]]
    return "\n".join([*lines, *list(faults)[:_MOST]])


def _line(der: bytes) -> str:
    try:
        certificate = load(der)
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        issuer = identities.Identity(IdType.DER_ASN1_DN, certificate.issuer.public_bytes())
        return f"{subject(certificate)}, issued by {issuer}, valid {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    except (ValueError, TypeError, InvalidVersion):
        return f"{len(der)} octets that are no certificate"


def names_borne(wanted: identities.Identity, certificate: Certificate) -> str:
    """What the peer claims to be, and the names in its certificate."""
    try:
        held = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        names = [str(each.value) for each in held][:_MOST]
    except (ValueError, TypeError, ExtensionNotFound, DuplicateExtension, UnsupportedGeneralNameType):
        names = []
    listed = ", ".join(repr(each)[1:-1] for each in names) or "none"
    return f"claimed: {wanted}\nthe certificate is of {subject(certificate)}, with alternative names: {listed}"


def subject(certificate: Certificate) -> str:
    """Whom a certificate is of."""
    return str(identities.Identity(IdType.DER_ASN1_DN, certificate.subject.public_bytes()))
