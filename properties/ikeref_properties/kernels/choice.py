"""Choosing a suite and checking the choice (`ikeref.policy.choice`, Sections 2.7, 3.3.1, 3.3.3 and 3.3.6).

The rule is written a second time in the plainest way: list every complete choice from our policy in order of
preference; for each say when an offered proposal allows it; the answer is the first that one allows. Transforms offered
have any type, any ID and any attributes (which are only ever compared as a whole); those of our policy have given types
and any IDs and attributes.
"""

from itertools import product
from typing import Any, NamedTuple

from ikeref.wire import Attribute, Proposal, Transform
from ikeref_properties.kernels.checks import Check
from ikeref_properties.kernels.logic import Formula, eq, every, implies, no, same, some
from ikeref_properties.kernels.paths import Run

_MODULE = "ikeref.policy.choice"
_SPI = b"SPIr"

_KINDS: dict[int, dict[int, bool]] = {
    1: {1: False, 2: False, 3: True, 4: False},
    2: {3: False, 4: True, 5: False},
    3: {1: False, 3: True, 4: True, 5: False},
}
"""Per protocol its transform types, in the order in which policy counts, and whether a type is optional (7296-3.3.3-03,
7296-3.3.3-04).
"""


_CHOOSE_IDS = (
    "7296-2.7-02",
    "7296-2.7-04",
    "7296-2.7-05",
    "7296-3.3.1-08",
    "7296-3.3.3-02",
    "7296-3.3.6-01",
    "7296-3.3.6-04",
    "7296-3.3.6-05",
    "7296-3.3.6-07",
    "7296-3.3.6-08",
    "7296-3.3.6-09",
)


class Shape(NamedTuple):
    """How big the offer and our policy are."""

    protocol: int
    own: tuple[tuple[int, ...], ...]
    """The transform types of each of our proposals."""
    offered: tuple[tuple[int | None, ...], ...]
    """Those of each offered proposal; None is any type."""
    fixed: int = 0
    """A type whose ID is 1 everywhere, without attributes."""


def checks(shapes: tuple[Shape, ...], answers: tuple[tuple[int, int, int], ...]) -> tuple[Check, ...]:
    """`answers`: how many proposals are offered, of how many transforms each, and how many the answer has."""
    return (
        *(
            Check(
                "choose, verify_choice",
                _MODULE,
                "chosen is the first of our preferences that was offered whole, one transform a type, unchanged; the "
                "initiator accepts it; none only if nothing offered is acceptable",
                f"protocol {shape.protocol}, our transform types {_listed(shape.own)}, offered "
                f"{_listed(shape.offered)}, all IDs and attributes"
                + (f" but for type {shape.fixed}" if shape.fixed else ""),
                _CHOOSE_IDS,
                _chosen(shape),
                _NAMES,
            )
            for shape in shapes
        ),
        *(
            Check(
                "verify_choice",
                _MODULE,
                "an answer is accepted if and only if it is a choice from the offered proposal of its number",
                f"{offered} proposals of {transforms} transforms offered, {chosen} in the answer, everything arbitrary",
                ("7296-2.7-03", "7296-2.7-05", "7296-3.3.1-08", "7296-3.3.6-05", "7296-3.3.6-06"),
                _verified(offered, transforms, chosen),
                _NAMES,
            )
            for offered, transforms, chosen in answers
        ),
    )


def _listed(proposals: tuple[tuple[int | None, ...], ...]) -> str:
    return " or ".join("+".join("any" if kind is None else str(kind) for kind in types) for types in proposals)


class _Words:
    """In the place of `ikeref.registry`: the words in an error message are of no weight here."""

    @staticmethod
    def name(registry: object, value: object) -> str:
        """Some word."""
        return f"{registry} {value}"


_NAMES = {"registry": _Words, "_label": str}


# --- Inputs ---------------------------------------------------------------------------------------------------------


def _attributes(number: int) -> tuple[Attribute, ...]:
    return (Attribute(14, number),) if number else ()


def _transform(run: Run, name: str, kind: int | None = None, fixed: int = 0) -> Transform:
    if kind is not None and kind == fixed:
        return Transform(kind, 1)
    return Transform(
        run.number(f"{name}.type", 0, 255) if kind is None else kind,
        run.number(f"{name}.id", 0, 65535),
        run.opaque(f"{name}.attributes", _attributes),
    )


def _offer(run: Run, number: int, types: tuple[int | None, ...], fixed: int = 0) -> Proposal:
    name = f"offered{number}"
    protocol = run.number(f"{name}.protocol", 0, 255)
    transforms = tuple(_transform(run, f"{name}.{n}", kind, fixed) for n, kind in enumerate(types))
    return Proposal(number, protocol, b"SPIi", transforms)


# --- The rule -------------------------------------------------------------------------------------------------------


def _alike(one: Transform, other: Transform) -> Formula:
    return every((eq(one.type, other.type), eq(one.id, other.id), _equal(one.attributes, other.attributes)))


def _equal(one: Any, other: Any) -> Formula:
    return eq(
        0 if one == () and isinstance(one, tuple) else one, 0 if other == () and isinstance(other, tuple) else other
    )


def _has(proposal: Proposal, wanted: Transform) -> Formula:
    return some(_alike(each, wanted) for each in proposal.transforms)


def _is_silent(proposal: Proposal, kind: int) -> Formula:
    return no(some(eq(each.type, kind) for each in proposal.transforms))


def _allows(proposal: Proposal, protocol: int, choice: tuple[Transform, ...]) -> Formula:
    """Whether a proposal offers exactly this choice, a transform for each type of the protocol."""
    kinds = _KINDS[protocol]
    understood = every(some(eq(each.type, kind) for kind in kinds) for each in proposal.transforms)
    found = (
        some((_has(proposal, each), every((kinds[each.type], eq(each.id, 0), _is_silent(proposal, each.type)))))
        for each in choice
    )
    return every((eq(proposal.protocol_id, protocol), understood, *found))


def _preferences(own: Proposal) -> list[tuple[Transform, ...]]:
    """Every complete choice from a proposal of ours, the one we like best first."""
    alternatives = []
    for kind, optional in _KINDS[own.protocol_id].items():
        of_kind = [each for each in own.transforms if each.type == kind]
        alternatives.append(of_kind or ([Transform(kind, 0)] if optional else []))
    return list(product(*alternatives))


def _chosen(shape: Shape) -> Any:
    def body(run: Run, kernel: Any) -> object:
        own = tuple(
            Proposal(
                0,
                shape.protocol,
                b"",
                tuple(_transform(run, f"own{n}.{k}", kind, shape.fixed) for k, kind in enumerate(kinds)),
            )
            for n, kinds in enumerate(shape.own)
        )
        for each in (each for proposal in own for each in proposal.transforms):
            if _KINDS[shape.protocol][each.type]:
                run.assume(implies(eq(each.id, 0), _equal(each.attributes, ())))
        offered = tuple(_offer(run, n + 1, types, shape.fixed) for n, types in enumerate(shape.offered))
        answer = kernel.choose(offered, own, spi=_SPI)
        earlier: list[Formula] = []
        for choice in (choice for proposal in own for choice in _preferences(proposal)):
            for proposal in offered:
                allowed = _allows(proposal, shape.protocol, choice)
                first = every((allowed, no(some(earlier))))
                run.require(implies(first, _is_answer(answer, proposal, choice)), "the first that we prefer is chosen")
                earlier.append(allowed)
        run.require(same(answer is None, no(some(earlier))), "none exactly if nothing is acceptable")
        if answer is not None:
            try:
                kernel.verify_choice(offered, (answer,))
            except kernel.NoProposalChosen:
                run.require(False, "the initiator accepts what was chosen")
        return answer

    return body


def _is_answer(answer: Proposal | None, proposal: Proposal, choice: tuple[Transform, ...]) -> Formula:
    """Whether the answer is this choice from this proposal."""
    if answer is None or answer.number != proposal.number or answer.spi != _SPI:
        return False
    given = [some(_alike(each, wanted) for wanted in choice) for each in answer.transforms]
    whole = [same(_has(answer, wanted), _has(proposal, wanted)) for wanted in choice]
    return every((eq(answer.protocol_id, proposal.protocol_id), _is_one_each(answer), *given, *whole))


def _is_one_each(proposal: Proposal) -> Formula:
    types = [each.type for each in proposal.transforms]
    return every(no(eq(a, b)) for n, a in enumerate(types) for b in types[:n])


# --- The initiator's check ------------------------------------------------------------------------------------------


def _verified(offered: int, transforms: int, chosen: int) -> Any:
    def body(run: Run, kernel: Any) -> object:
        offers = tuple(_offer(run, n + 1, (None,) * transforms) for n in range(offered))
        spi = run.choice("answer.spi", (_SPI, b"", b"12345678"))
        answer = Proposal(
            run.number("answer.number", 0, 255),
            run.number("answer.protocol", 0, 255),
            spi,
            tuple(_transform(run, f"answer.{n}") for n in range(chosen)),
        )
        try:
            accepted = kernel.verify_choice(offers, (answer,)) is answer
        except (kernel.NoProposalChosen, kernel.InvalidSyntax):
            accepted = False
        legal = some(every((eq(offer.number, answer.number), _is_choice(answer, offer))) for offer in offers)
        run.require(same(accepted, legal), "accepted exactly if it is a choice from what was offered")
        return accepted

    return body


def _is_choice(answer: Proposal, offer: Proposal) -> Formula:
    complete = (some((no(_is_silent(answer, each.type)), _may_lack(offer, each.type))) for each in offer.transforms)
    return every(
        (
            eq(answer.protocol_id, offer.protocol_id),
            len(answer.spi) == len(offer.spi),
            _is_one_each(answer),
            *(_has(offer, each) for each in answer.transforms),
            *complete,
        )
    )


def _may_lack(offer: Proposal, kind: int) -> Formula:
    """Whether NONE was offered, of a type that is optional (7296-3.3.3-02)."""
    optional = some(
        every((eq(offer.protocol_id, protocol), eq(kind, each)))
        for protocol, kinds in _KINDS.items()
        for each, may in kinds.items()
        if may
    )
    return every((optional, some(every((eq(each.type, kind), eq(each.id, 0))) for each in offer.transforms)))
