"""Formulas that are terms on proxies and plain truth on plain values: what a property is written in.

So the same property judges a path of z3's and a run on ints and bytes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ikeref_properties.kernels.terms import Term

Formula = Any
"""A bool, or a term."""


def raw(value: Any) -> Any:
    """What a formula is made of: the term of a proxy, the number that octets are, else the value."""
    if isinstance(value, Term):
        return value
    if isinstance(value, bytes):
        return int.from_bytes(value, "big")
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return getattr(value, "term", value)


def build(operation: str, one: Any, other: Any) -> Any:
    """One of + - * == <= on raw values."""
    if isinstance(one, Term):
        return one.table.make(operation, one, other)
    if isinstance(other, Term):
        return other.table.make(operation, one, other)
    match operation:
        case "+":
            return one + other
        case "-":
            return one - other
        case "*":
            return one * other
        case "==":
            return bool(one == other)
    return bool(one <= other)


def eq(one: Any, other: Any) -> Formula:
    """Equal."""
    a, b = raw(one), raw(other)
    return True if a is b else build("==", a, b)


def le(one: Any, other: Any) -> Formula:
    """Less or equal."""
    a, b = raw(one), raw(other)
    return True if a is b else build("<=", a, b)


def lt(one: Any, other: Any) -> Formula:
    """Less."""
    return no(le(other, one))


def plus(one: Any, other: Any) -> Any:
    """The sum."""
    return build("+", raw(one), raw(other))


def times(one: Any, other: Any) -> Any:
    """The product."""
    return build("*", raw(one), raw(other))


def between(low: Any, value: Any, high: Any) -> Formula:
    """From low to high, both included."""
    return every((le(low, value), le(value, high)))


def no(formula: Formula) -> Formula:
    """Not."""
    if not isinstance(formula, Term):
        return not formula
    return formula.parts[0] if formula.kind == "not" else formula.table.make("not", formula)


def every(formulas: Iterable[Formula]) -> Formula:
    """And."""
    terms: list[Term] = []
    for formula in formulas:
        if isinstance(formula, Term):
            terms.append(formula)
        elif not formula:
            return False
    return _joined("and", terms, True)


def some(formulas: Iterable[Formula]) -> Formula:
    """Or."""
    terms: list[Term] = []
    for formula in formulas:
        if isinstance(formula, Term):
            terms.append(formula)
        elif formula:
            return True
    return _joined("or", terms, False)


def _joined(kind: str, terms: list[Term], empty: bool) -> Formula:
    if len(terms) > 1:
        return terms[0].table.make(kind, *terms)
    return terms[0] if terms else empty


def implies(one: Formula, other: Formula) -> Formula:
    """If, then."""
    return some((no(one), other))


def same(one: Formula, other: Formula) -> Formula:
    """If and only if."""
    if isinstance(one, Term) and isinstance(other, Term):
        return build("==", one, other)
    if isinstance(one, Term):
        return one if other else no(one)
    return other if one else no(other)


def pick(condition: Formula, then: Any, otherwise: Any) -> Any:
    """If, then, else, as a raw value."""
    then, otherwise = raw(then), raw(otherwise)
    if not isinstance(condition, Term):
        return then if condition else otherwise
    return then if then is otherwise else condition.table.make("if", condition, then, otherwise)


def pick_formula(condition: Formula, then: Formula, otherwise: Formula) -> Formula:
    """If, then, else, of formulas."""
    return some((every((condition, then)), every((no(condition), otherwise))))


def digits_lower(one: Sequence[Any], other: Sequence[Any]) -> Formula:
    """Whether the first of two numbers of equally many digits is lower."""
    verdict: Formula = False
    for a, b in reversed(list(zip(one, other))):
        verdict = some((lt(a, b), every((eq(a, b), verdict))))
    return verdict


def lower(one: Any, other: Any) -> Formula:
    """Octet by octet from the first; where all so far are equal, the one that has ended is lower (7296-2.8.1-04)."""
    if isinstance(one, bytes):
        for a, b in zip(one, other):
            if a != b:
                return a < b
        return len(one) < len(other)
    verdict: Formula = False
    for a, b in reversed(list(zip(one.digits, other.digits))):
        ended_here, ended_there = eq(a, 0), eq(b, 0)
        further = pick_formula(eq(a, b), verdict, lt(a, b))
        verdict = every((no(ended_there), some((ended_here, further))))
    return verdict
