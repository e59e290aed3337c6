"""What our ends send, in lives that use everything: SA and KE payloads (Sections 2.18, 3.3 and 3.4).

Each row is a rule for senders. All that is sent is as the rule says, and the same message altered is not.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest
from ikeref_properties.network import PEER

from ikeref.policy import choice
from ikeref.registry import Encr, KeGroup, NotifyType, ProtocolId, TransformType
from ikeref.wire import KE, SA, Attribute, N, Proposal, Transform, TSi, TSr
from tests.conformance.sections.corpus import Sent, life
from tests.conformance.sections.rules import (
    Alteration,
    Rule,
    by_id,
    check,
    every,
    field,
    has,
    other,
    plus,
    said,
    without,
)

INIT, AUTH, CREATE, INFORMATIONAL = 34, 35, 36, 37
COMBINED = (Encr.AES_GCM_16, Encr.AES_GCM_8, Encr.AES_GCM_12, Encr.AES_CCM_16, Encr.CHACHA20_POLY1305)
VARIABLE = (Encr.AES_CBC, Encr.AES_CTR, Encr.AES_GCM_16, Encr.AES_CCM_16)


def exchange(*types: int) -> Callable[[Sent], bool]:
    return lambda each: each.message.exchange_type in types


def offers(each: Sent) -> bool:
    """A request with an SA payload."""
    return each.request and has(SA)(each)


def answers(each: Sent) -> bool:
    """A response with an SA payload."""
    return not each.request and each.message.is_response and has(SA)(each)


def proposals(each: Sent) -> tuple[Proposal, ...]:
    return every(each, SA)[0].proposals


def transforms(each: Sent) -> list[Transform]:
    return [transform for proposal in proposals(each) for transform in proposal.transforms]


def kinds(proposal: Proposal) -> set[int]:
    return {transform.type for transform in proposal.transforms}


def algorithms(proposal: Proposal, kind: int) -> list[int]:
    return [transform.id for transform in proposal.transforms if transform.type == kind]


def changed(change: Callable[[Proposal], Proposal]) -> Alteration:
    """The first proposal, changed."""
    return other(SA, lambda sa: sa._replace(proposals=(change(sa.proposals[0]), *sa.proposals[1:])))


def added(*more: Transform) -> Alteration:
    """Transforms more in the first proposal."""
    return changed(lambda proposal: proposal._replace(transforms=(*proposal.transforms, *more)))


def each_transform(change: Callable[[Transform], Transform]) -> Alteration:
    return changed(lambda proposal: proposal._replace(transforms=tuple(map(change, proposal.transforms))))


def last(change: Callable[[Proposal], Proposal]) -> Alteration:
    """The last proposal, changed."""
    return other(SA, lambda sa: sa._replace(proposals=(*sa.proposals[:-1], change(sa.proposals[-1]))))


def dropped(kind: int) -> Alteration:
    """Without the transforms of a type in the first proposal."""
    return changed(lambda p: p._replace(transforms=tuple(each for each in p.transforms if each.type != kind)))


def policies(each: Sent) -> list[list[tuple[Transform, ...]]]:
    """What the policy of its sender says, of the IKE SA and of each Child SA; in IKE_AUTH without KE.

    For the rekey of a Child SA, the algorithms in use come first (Section 2.8).
    """
    policy = life(each.life).connections[each.end]
    found = [policy.ike_proposals, *(child.proposals for child in policy.children)]
    found += [choice.without_ke(child.proposals) for child in policy.children]
    if suites := [each.suites[n.spi] for n in said(each, NotifyType.REKEY_SA) if n.spi in each.suites]:
        found = [choice.in_use_first(child.proposals, suites[0]) for child in policy.children]
    return [[proposal.transforms for proposal in one] for one in found]


def offered(each: Sent) -> tuple[Proposal, ...]:
    """What a response chooses from; with EAP it was in an earlier request."""
    assert each.asked is not None
    for one in (each.asked, *each.came[::-1]):
        for payload in one.payloads:
            if type(payload) is SA:
                return payload.proposals
    raise AssertionError("nothing was offered")


def is_selection(each: Sent) -> bool:
    """One proposal of the offer, one transform of each type that it has, and those as they were offered."""
    (chosen,) = proposals(each)
    for one in offered(each):
        if one.number == chosen.number:
            complete = len(chosen.transforms) == len(kinds(chosen)) and kinds(chosen) == kinds(one)
            return complete and set(chosen.transforms) <= set(one.transforms)
    return False


PROTOCOLS = {INIT: [{1}], AUTH: [{2}, {3}], CREATE: [{1}, {2}, {3}]}
"""What the proposals of a request may be for, by exchange type."""
SIZES = {1: 96, 2: 128, 5: 192, 14: 256, 15: 384}
"""Octets of a modulus, by group."""
REAL = ("cbc", "gcm", "modp", "certified")
"""Lives with real cryptography."""
MIXED = Transform(TransformType.ENCR, Encr.AES_CBC, (Attribute(14, 128),))
ALONE = Transform(TransformType.INTEG, 12)
CHILD = (ProtocolId.AH, ProtocolId.ESP)
MANDATORY = {
    ProtocolId.IKE: {TransformType.ENCR, TransformType.PRF, TransformType.KE},
    ProtocolId.AH: {TransformType.INTEG, TransformType.SN},
    ProtocolId.ESP: {TransformType.ENCR, TransformType.SN},
}


def combined(each: Sent) -> bool:
    """An offer with a cipher of combined mode."""
    return offers(each) and any(
        t.type == TransformType.ENCR and t.id in COMBINED for t in proposals(each)[0].transforms
    )


def ordinary(each: Sent) -> bool:
    return offers(each) and Encr.AES_CBC in algorithms(proposals(each)[0], TransformType.ENCR)


def retried(each: Sent) -> bool:
    """IKE_SA_INIT anew after INVALID_KE_PAYLOAD."""
    return each.request and each.message.exchange_type == INIT and bool(wanted(each))


def wanted(each: Sent) -> list[int]:
    return [
        int.from_bytes(p.data)
        for one in each.came
        for p in one.payloads
        if type(p) is N and p.type == NotifyType.INVALID_KE_PAYLOAD
    ]


def first_group(each: Sent) -> int:
    return choice.groups_of(proposals(each))[0]


def groups(each: Sent, end: str) -> tuple[int, ...]:
    """The groups of an end's policy for the IKE SA, in order."""
    return choice.groups_of(life(each.life).connections[end].ike_proposals)


def best_group(each: Sent) -> int:
    """The first group of the sender's policy that the other end offers."""
    return next(group for group in groups(each, each.end) if group in groups(each, PEER[each.end]))


def only_group(group: int) -> Alteration:
    """Every other group left out of the first proposal."""
    return changed(
        lambda p: p._replace(transforms=tuple(t for t in p.transforms if t.type != TransformType.KE or t.id == group))
    )


def nested(change: Callable[[Transform], Transform]) -> Alteration:
    """The first transform, changed."""
    return changed(lambda p: p._replace(transforms=(change(p.transforms[0]), *p.transforms[1:])))


NO_GROUP = Transform(TransformType.KE, KeGroup.NONE)

SECURITY = (
    Rule(
        "7296-3.3-02",
        offers,
        lambda s: [p.transforms for p in proposals(s)] in policies(s),
        other(
            SA,
            lambda sa: sa._replace(
                proposals=sa.proposals[::-1]
                if len(sa.proposals) > 1
                else (sa.proposals[0]._replace(transforms=sa.proposals[0].transforms[::-1]),)
            ),
        ),
    ),
    Rule("7296-3.3-15", offers, lambda s: [p.transforms for p in proposals(s)] in policies(s), added(MIXED)),
    Rule("7296-3.3-14", answers, is_selection, added(MIXED)),
    Rule(
        "7296-3.3-03",
        offers,
        lambda s: {p.protocol_id for p in proposals(s)} in PROTOCOLS[s.message.exchange_type],
        changed(lambda p: p._replace(protocol_id=4)),
    ),
    Rule(
        "7296-3.3-08",
        lambda s: offers(s) and len(proposals(s)) > 1,
        lambda s: all(b.number == a.number + 1 for a, b in pairwise(proposals(s))),
        last(lambda p: p._replace(number=p.number + 1)),
    ),
    Rule(
        "7296-3.3.1-07",
        lambda s: offers(s) and len(proposals(s)) > 1,
        lambda s: all(b.number == a.number + 1 for a, b in pairwise(proposals(s))),
        last(lambda p: p._replace(number=p.number - 1)),
    ),
    Rule(
        "7296-3.3-13",
        offers,
        lambda s: all(p.transforms for p in proposals(s)),
        last(lambda p: p._replace(transforms=())),
    ),
    Rule("7296-3.3-09", offers, lambda s: proposals(s)[0].number == 1, changed(lambda p: p._replace(number=0))),
    Rule("7296-3.3.1-06", offers, lambda s: proposals(s)[0].number == 1, changed(lambda p: p._replace(number=2))),
    Rule("7296-3.3-10", combined, lambda s: not any(algorithms(proposals(s)[0], TransformType.INTEG)), added(ALONE)),
    Rule(
        "7296-3.3-11",
        combined,
        lambda s: TransformType.INTEG not in kinds(proposals(s)[0]),
        added(Transform(TransformType.INTEG, 0)),
    ),
    Rule(
        "7296-3.3-12",
        combined,
        lambda s: set(algorithms(proposals(s)[0], TransformType.ENCR)) <= {*COMBINED},
        added(MIXED),
    ),
    Rule(
        "7296-3.3-17",
        offers,
        lambda s: all(len({a.type for a in t.attributes}) == len(t.attributes) for t in transforms(s)),
        nested(lambda t: t._replace(attributes=(Attribute(14, 128), Attribute(14, 256)))),
    ),
    Rule(
        "7296-3.3-18",
        lambda s: (
            s.life == "modp"
            and ordinary(s)
            and s.message.exchange_type == AUTH
            and proposals(s)[0].protocol_id == ProtocolId.ESP
        ),
        lambda s: (
            [t.attributes for t in proposals(s)[0].transforms if t.type == TransformType.ENCR]
            == [(Attribute(14, 128),), (Attribute(14, 256),)]
        ),
        changed(
            lambda p: p._replace(
                transforms=(
                    p.transforms[0]._replace(attributes=(Attribute(14, 128), Attribute(14, 256))),
                    *p.transforms[2:],
                )
            )
        ),
    ),
    Rule(
        "7296-3.3.5-13",
        lambda s: (
            s.life == "modp"
            and ordinary(s)
            and s.message.exchange_type == AUTH
            and proposals(s)[0].protocol_id == ProtocolId.ESP
        ),
        lambda s: [t.key_length for t in proposals(s)[0].transforms if t.type == TransformType.ENCR] == [128, 256],
        changed(lambda p: p._replace(transforms=p.transforms[1:])),
    ),
    Rule(
        "7296-3.3.1-03",
        has(SA),
        lambda s: not any(p.reserved for p in proposals(s)),
        changed(lambda p: p._replace(reserved=1)),
    ),
    Rule(
        "7296-3.3.2-03",
        has(SA),
        lambda s: not any(t.reserved or t.reserved2 for t in transforms(s)),
        nested(lambda t: t._replace(reserved=1)),
    ),
    Rule(
        "7296-3.3.2-03",
        has(SA),
        lambda s: not any(t.reserved or t.reserved2 for t in transforms(s)),
        nested(lambda t: t._replace(reserved2=1)),
    ),
    Rule("7296-3.3.1-08", answers, lambda s: is_selection(s), changed(lambda p: p._replace(number=p.number + 7))),
    Rule(
        "7296-3.3.1-10",
        lambda s: has(SA)(s) and s.message.exchange_type == INIT,
        lambda s: not any(p.spi for p in proposals(s)),
        changed(lambda p: p._replace(spi=b"8 octets")),
    ),
    Rule(
        "7296-3.3.1-11",
        lambda s: has(SA)(s) and s.message.exchange_type != INIT,
        lambda s: all(len(p.spi) == (8 if p.protocol_id == ProtocolId.IKE else 4) for p in proposals(s)),
        changed(lambda p: p._replace(spi=p.spi + b"\0")),
    ),
    Rule(
        "7296-3.3.1-13",
        lambda s: has(SA)(s) and s.message.exchange_type != INIT and s.asked is not None and not s.request,
        lambda s: proposals(s)[0].spi not in {p.spi for p in offered(s)},
        lambda s: changed(lambda p: p._replace(spi=offered(s)[0].spi))(s),
    ),
    Rule(
        "7296-3.3.2-08",
        lambda s: offers(s) and proposals(s)[0].protocol_id == ProtocolId.IKE and not combined(s),
        lambda s: any(algorithms(proposals(s)[0], TransformType.INTEG)),
        dropped(TransformType.INTEG),
    ),
    Rule(
        "7296-3.3.3-04",
        lambda s: offers(s) and proposals(s)[0].protocol_id == ProtocolId.IKE and not combined(s),
        lambda s: TransformType.INTEG in kinds(proposals(s)[0]),
        dropped(TransformType.INTEG),
    ),
    Rule(
        "7296-3.3.2-13",
        lambda s: (
            offers(s)
            and s.life == "modp"
            and s.message.exchange_type == CREATE
            and proposals(s)[0].protocol_id in CHILD
        ),
        lambda s: TransformType.KE in kinds(proposals(s)[0]),
        dropped(TransformType.KE),
    ),
    Rule(
        "7296-3.3.3-03",
        offers,
        lambda s: all(MANDATORY[ProtocolId(p.protocol_id)] <= kinds(p) for p in proposals(s)),
        changed(lambda p: p._replace(transforms=p.transforms[:1])),
    ),
    Rule(
        "7296-3.3.3-02",
        lambda s: offers(s) and s.life == "plain" and proposals(s)[0].protocol_id == ProtocolId.ESP,
        lambda s: TransformType.KE not in kinds(proposals(s)[0]),
        added(NO_GROUP),
    ),
    Rule(
        "7296-3.3.5-02",
        has(SA),
        lambda s: all(isinstance(a.value, int) for t in transforms(s) for a in t.attributes),
        nested(lambda t: t._replace(attributes=(Attribute(14, b"\x01\x00"),))),
    ),
    Rule(
        "7296-3.3.5-03",
        has(SA),
        lambda s: {a.type for t in transforms(s) for a in t.attributes if isinstance(a.value, int)} <= {14},
        nested(lambda t: t._replace(attributes=(*t.attributes, Attribute(99, 1)))),
    ),
    Rule(
        "7296-3.3.5-05",
        has(SA),
        lambda s: {a.type for t in transforms(s) for a in t.attributes} <= {14},
        nested(lambda t: t._replace(attributes=(*t.attributes, Attribute(6, 1)))),
    ),
    Rule(
        "7296-3.3.5-07",
        has(SA),
        lambda s: not any(t.attributes for t in transforms(s) if t.type != TransformType.ENCR),
        each_transform(lambda t: t._replace(attributes=(Attribute(14, 128),))),
    ),
    Rule(
        "7296-3.3.5-08",
        lambda s: has(SA)(s) and any(t.type == TransformType.ENCR for t in transforms(s)),
        lambda s: all(t.key_length for t in transforms(s) if t.type == TransformType.ENCR and t.id in VARIABLE),
        each_transform(lambda t: t._replace(attributes=())),
    ),
    Rule("7296-3.3.6-01", answers, is_selection, changed(lambda p: p._replace(transforms=p.transforms[1:]))),
    Rule(
        "7296-3.3.6-02",
        answers,
        lambda s: len(proposals(s)) == 1,
        other(SA, lambda sa: sa._replace(proposals=(*sa.proposals, sa.proposals[0]))),
    ),
    Rule(
        "7296-3.3.6-03",
        answers,
        lambda s: len(proposals(s)[0].transforms) == len(kinds(proposals(s)[0])),
        lambda s: added(proposals(s)[0].transforms[0])(s),
    ),
    Rule("7296-3.3.6-04", answers, is_selection, nested(lambda t: t._replace(attributes=(Attribute(14, 512),)))),
    Rule(
        "7296-3.3.6-10",
        lambda s: s.request and has(SA, KE)(s) and not wanted(s),
        lambda s: every(s, KE)[0].group == first_group(s),
        field(KE, group=99),
    ),
    Rule(
        "7296-3.4-04",
        lambda s: s.request and has(SA, KE)(s) and not wanted(s),
        lambda s: every(s, KE)[0].group == first_group(s),
        field(KE, group=99),
    ),
    Rule(
        "7296-3.3.6-11",
        lambda s: said(s, NotifyType.INVALID_KE_PAYLOAD),
        lambda s: int.from_bytes(said(s, 17)[0].data) == best_group(s),
        lambda s: s.of(s.message._replace(payloads=(N(17, b"\x00\x63"),))),
    ),
    Rule(
        "7296-3.3.6-11",
        lambda s: said(s, NotifyType.INVALID_KE_PAYLOAD),
        lambda s: int.from_bytes(said(s, 17)[0].data) == best_group(s),
        lambda s: s.of(s.message._replace(payloads=(N(17, groups(s, PEER[s.end])[0].to_bytes(2)),))),
    ),
    Rule("7296-3.3.6-12", retried, lambda s: every(s, KE)[0].group == wanted(s)[-1], field(KE, group=5)),
    Rule(
        "7296-3.3.6-13",
        retried,
        lambda s: [p.transforms for p in proposals(s)] in policies(s),
        lambda s: only_group(wanted(s)[-1])(s),
    ),
    Rule(
        "7296-3.4-02",
        lambda s: has(KE)(s) and every(s, KE)[0].group in SIZES and s.life in REAL,
        lambda s: len(every(s, KE)[0].public) == SIZES[every(s, KE)[0].group],
        other(KE, lambda ke: ke._replace(public=ke.public[1:])),
    ),
    Rule(
        "7296-3.4-03",
        lambda s: s.request and has(SA, KE)(s),
        lambda s: every(s, KE)[0].group in choice.groups_of(proposals(s)),
        field(KE, group=99),
    ),
    Rule(
        "7296-3.4-05",
        lambda s: s.request and has(SA)(s) and s.message.exchange_type == CREATE and not choice.groups_of(proposals(s)),
        lambda s: not has(KE)(s),
        plus(KE(14, bytes(256))),
    ),
    Rule(
        "7296-2.18-01",
        lambda s: rekeys(s),
        lambda s: all(len(p.spi) == 8 and p.spi not in (s.message.spi_i, s.message.spi_r) for p in proposals(s)),
        lambda s: changed(lambda p: p._replace(spi=s.message.spi_i))(s),
    ),
    Rule("7296-2.18-02", lambda s: rekeys(s), lambda s: not every(s, TSi, TSr), plus(TSi(()), TSr(()))),
    Rule("7296-2.18-05", lambda s: rekeys(s), lambda s: has(KE)(s), without(KE)),
    Rule(
        "7296-2.18-06",
        lambda s: rekeys(s) and s.request,
        lambda s: all(g for p in proposals(s) for g in algorithms(p, TransformType.KE)),
        added(NO_GROUP),
    ),
    Rule("7296-2.18-08", lambda s: rekeys(s), lambda s: has(KE)(s) and every(s, KE)[0].group != 0, field(KE, group=0)),
)


def rekeys(each: Sent) -> bool:
    """A request or response that replaces the IKE SA."""
    return each.message.exchange_type == CREATE and has(SA)(each) and proposals(each)[0].protocol_id == ProtocolId.IKE


GROUPED = by_id(SECURITY)


@pytest.mark.parametrize("id", GROUPED)
def test_what_is_sent(id: str) -> None:
    for rule in GROUPED[id]:
        check(rule)
