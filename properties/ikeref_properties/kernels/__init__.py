"""The shipped decision kernels along all their paths, by z3.

A kernel is a plain function on which much hangs: which message ID is accepted, whose SA goes after a collision, what
traffic and which suite are agreed on, which octets become which key. `check_all` runs the shipped functions themselves
on values that stand for every value (`proxies`), along every path (`paths`), and judges each path by z3; `mutants` are
faulty copies that it must find out. docs/kernels.md tells more.
"""

from collections.abc import Iterator
from typing import Literal

from ikeref_properties.kernels import choice, collisions, schedule, selectors, window
from ikeref_properties.kernels.checks import Check, KernelVerdict, run
from ikeref_properties.kernels.choice import Shape
from ikeref_properties.kernels.mutants import MUTANTS, Found, Mutant, hunt
from ikeref_properties.kernels.selectors import Within

__all__ = [
    "MUTANTS",
    "Check",
    "Found",
    "KernelVerdict",
    "Mutant",
    "Size",
    "check_all",
    "checks",
    "each_verdict",
    "hunt",
    "run",
]

Size = Literal["small", "large"]
"""Small takes seconds, large takes minutes."""


_WITHIN = (
    Within(1, 1),
    Within(2, 1),
    Within(1, 3, "addresses"),
    Within(2, 2, "addresses"),
    Within(1, 2, "ports"),
    Within(2, 1, "ports"),
)


def checks(size: Size = "small") -> tuple[Check, ...]:
    """All checks on proxies, with their bounds."""
    if size == "small":
        return (
            *window.checks(requests=3, tries=6),
            *collisions.checks(least=2, most=4),
            *selectors.checks(
                shapes=((2, 1), (1, 2), (1, 3)), within=(Within(1, 1), Within(1, 2, "addresses"), Within(1, 2, "ports"))
            ),
            *choice.checks(
                (
                    Shape(3, ((1, 5),), ((None, None),)),
                    Shape(3, ((1, 1, 5),), ((1, 5), (1, 5)), fixed=5),
                    Shape(3, ((1, 1, 5),), ((1, 1, 5),), fixed=5),
                    Shape(3, ((1, 5), (1, 5)), ((1, 1, 5),), fixed=5),
                    Shape(3, ((1, 3, 5),), ((1, None, 5),)),
                    Shape(1, ((1, 2, 4),), ((1, 2, None, 4),), fixed=2),
                ),
                ((1, 2, 1), (2, 1, 1), (1, 2, 2)),
            ),
            *schedule.checks(pieces=6),
        )
    return (
        *window.checks(requests=5, tries=16),
        *collisions.checks(least=16, most=32),
        *selectors.checks(shapes=((2, 1), (1, 2), (2, 2), (3, 1), (1, 3)), within=_WITHIN),
        *choice.checks(
            (
                Shape(3, ((1, 5),), ((None, None),)),
                Shape(3, ((1, 1, 5),), ((None, None, None),), fixed=5),
                Shape(3, ((1, 3, 5),), ((None, None, 5),), fixed=5),
                Shape(3, ((1, 5), (1, 5)), ((1, None), (1, 5)), fixed=5),
                Shape(3, ((1, 1, 5), (1, 5)), ((1, 1, 5), (1, 5)), fixed=5),
                Shape(3, ((1, 3, 4, 5),), ((1, 3, 4, 5),), fixed=5),
                Shape(3, ((1, 1, 3, 4, 5),), ((1, 1, 3, 4, 5),), fixed=5),
                Shape(1, ((1, 2, 4),), ((None, None, None),), fixed=2),
                Shape(1, ((1, 2, 3, 4),), ((1, 2, 3, 4),)),
                Shape(2, ((3, 5),), ((3, None), (3, None)), fixed=3),
            ),
            ((1, 2, 1), (1, 2, 2), (2, 1, 1), (1, 3, 2), (2, 2, 2)),
        ),
        *schedule.checks(pieces=12),
    )


def each_verdict(size: Size = "small", *, seconds: float = 600.0) -> Iterator[KernelVerdict]:
    """The verdicts as they come; a check that takes longer than so many seconds claims no more than a test."""
    for check in checks(size):
        yield run(check, seconds=seconds)
    yield schedule.every_suite()


def check_all(size: Size = "small", *, seconds: float = 600.0) -> tuple[KernelVerdict, ...]:
    """All of them."""
    return tuple(each_verdict(size, seconds=seconds))
