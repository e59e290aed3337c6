"""Guards and updates as data: terms over named variables that every reader evaluates in its own way.

A term is a tree of values (dataclasses, because two NamedTuples with the same fields are equal). `evaluate` walks it
with an *algebra*: on Python values it computes a bool, on z3 values it builds a z3 term, on strings it writes the
guard down. So one row serves the machine, the solver and the printed table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

Value = bool | str
"""What a variable holds: a bool, or the name of a member of its domain."""


@dataclass(frozen=True, slots=True)
class Is:
    """True if `variable` holds one of `values`."""

    variable: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    term: "Term"


@dataclass(frozen=True, slots=True)
class All:
    """Conjunction; true when empty."""

    terms: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """Disjunction; false when empty."""

    terms: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class SomeChild:
    """True if some Child SA of this IKE SA satisfies `term`, in which it is called `each`."""

    term: "Term"


Term = Is | Not | All | Some | SomeChild

TRUE: Term = All(())
FALSE: Term = Some(())


@dataclass(frozen=True, slots=True)
class Pick:
    """`then` if `condition` holds, else `otherwise`; None stands for the value held before."""

    condition: Term
    then: Value | None
    otherwise: Value | None


class Set(NamedTuple):
    """Assign to a variable. All assignments of a row read the state before it."""

    variable: str
    value: Value | Pick


def is_(variable: str, *values: Value) -> Term:
    """`variable` holds one of `values` (True if none is given)."""
    return Is(variable, values or (True,))


def isnt(variable: str, *values: Value) -> Term:
    """`variable` holds none of `values` (not True if none is given)."""
    return Not(Is(variable, values or (True,)))


def no(term: Term) -> Term:
    """Negation."""
    return Not(term)


def all_of(*terms: Term) -> Term:
    """Conjunction, flattened so that a conjunct can be dropped by its index."""
    flat: list[Term] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, All) else (term,))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(*terms: Term) -> Term:
    """Disjunction."""
    return terms[0] if len(terms) == 1 else Some(tuple(terms))


def some_child(term: Term) -> Term:
    """Some Child SA (`each`) of this IKE SA satisfies `term`."""
    return SomeChild(term)


B = TypeVar("B")
Result = TypeVar("Result", covariant=True)


class Algebra(Protocol[B]):
    """How a reader computes with terms. `B` is its kind of truth value."""

    def equal(self, variable: str, value: Value) -> B:
        """The truth value of `variable` = `value`."""
        ...

    def negate(self, term: B) -> B:
        """Not."""
        ...

    def conjoin(self, terms: Sequence[B]) -> B:
        """And."""
        ...

    def disjoin(self, terms: Sequence[B]) -> B:
        """Or."""
        ...

    def some_child(self, term: Term) -> B:
        """Some Child SA satisfies `term`."""
        ...


def evaluate(term: Term, algebra: Algebra[B]) -> B:
    """The value of `term` in `algebra`."""
    match term:
        case Is(variable, values):
            return algebra.disjoin([algebra.equal(variable, value) for value in values])
        case Not(inner):
            return algebra.negate(evaluate(inner, algebra))
        case All(terms):
            return algebra.conjoin([evaluate(each, algebra) for each in terms])
        case Some(terms):
            return algebra.disjoin([evaluate(each, algebra) for each in terms])
        case SomeChild(inner):
            return algebra.some_child(inner)


def holds(
    term: Term,
    lookup: Callable[[str], Value | frozenset[str]],
    children: Iterable[Callable[[str], Value | frozenset[str]]] = (),
) -> bool:
    """The Python value of `term`; `lookup` reads a variable, `children` read the variables of each Child SA. A variable
    that has several values at once (`ike.own` where several requests are outstanding) `Is` each of them."""
    match term:
        case Is(variable, values):
            value = lookup(variable)
            return not value.isdisjoint(values) if isinstance(value, frozenset) else value in values
        case Not(inner):
            return not holds(inner, lookup, children)
        case All(terms):
            return all(holds(each, lookup, children) for each in terms)
        case Some(terms):
            return any(holds(each, lookup, children) for each in terms)
        case SomeChild(inner):
            return any(holds(inner, child) for child in children)


class _Text:
    """The algebra that writes terms down."""

    def equal(self, variable: str, value: Value) -> str:
        if value is True:
            return variable
        if value is False:
            return f"not {variable}"
        return f"{variable} = {value}"

    def negate(self, term: str) -> str:
        return f"not ({term})" if " " in term else f"not {term}"

    def conjoin(self, terms: Sequence[str]) -> str:
        return " and ".join(f"({each})" if " or " in each else each for each in terms) if terms else "always"

    def disjoin(self, terms: Sequence[str]) -> str:
        if not terms:
            return "never"
        first, _, _ = terms[0].partition(" = ")
        if len(terms) > 1 and all(each.startswith(f"{first} = ") for each in terms):
            return f"{first} in {{{', '.join(each.partition(' = ')[2] for each in terms)}}}"
        return " or ".join(terms)

    def some_child(self, term: Term) -> str:
        return f"some Child SA has {evaluate(term, self)}"


def text(term: Term) -> str:
    """`term` for a person: `child.state in {OPEN, REKEYING} and not ike.due`."""
    return evaluate(term, _Text())


def rename(term: Term, names: Mapping[str, str]) -> Term:
    """`term` with each variable replaced by what `names` says; KeyError for one that it does not know."""
    match term:
        case Is(variable, values):
            return Is(names[variable], values)
        case Not(inner):
            return Not(rename(inner, names))
        case All(terms):
            return All(tuple(rename(each, names) for each in terms))
        case Some(terms):
            return Some(tuple(rename(each, names) for each in terms))
        case SomeChild(inner):
            return SomeChild(rename(inner, names))


def variables_of(term: Term) -> frozenset[str]:
    """The variables that `term` reads."""
    match term:
        case Is(variable, _):
            return frozenset((variable,))
        case Not(inner) | SomeChild(inner):
            return variables_of(inner)
        case All(terms) | Some(terms):
            return frozenset().union(*(variables_of(each) for each in terms))


def to_json(term: Term) -> Any:
    """`term` as nested lists, for the JSON form of the rows."""
    match term:
        case Is(variable, values):
            return ["is", variable, *values]
        case Not(inner):
            return ["not", to_json(inner)]
        case All(terms):
            return ["and", *(to_json(each) for each in terms)]
        case Some(terms):
            return ["or", *(to_json(each) for each in terms)]
        case SomeChild(inner):
            return ["some-child", to_json(inner)]
