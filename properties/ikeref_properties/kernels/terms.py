"""Formulas: what is known of the values on a path. Each distinct one exists once, is told to z3 once, and can be
computed without z3.

A path is run again for each path that branches off it, and builds the same terms; so they are shared, by a table.
"""

from fractions import Fraction
from typing import Any

import z3


class Term:
    """A number or a truth that depends on the inputs."""

    __slots__ = ("kind", "parts", "shown", "table")

    def __init__(self, table: "Terms", kind: str, parts: tuple[Any, ...]) -> None:
        self.table = table
        self.kind = kind
        self.parts = parts
        self.shown: Any = None
        """The z3 expression, once it was asked for."""

    def __repr__(self) -> str:
        return f"({self.kind} {' '.join(str(part) for part in self.parts)})"


class Terms:
    """All terms of one check, in a z3 context of its own."""

    def __init__(self) -> None:
        self.context = z3.Context()
        self._known: dict[tuple[Any, ...], Term] = {}

    def make(self, kind: str, *parts: Any) -> Term:
        """The one term of this kind and these parts: terms, ints, fractions; a name for `int` and `real`."""
        key = (kind, *((type(part), part) if not isinstance(part, Term) else part for part in parts))
        term = self._known.get(key)
        if term is None:
            term = self._known[key] = Term(self, kind, parts)
        return term

    def expression(self, part: Any) -> Any:
        """A term for z3; plain values as they are."""
        if not isinstance(part, Term):
            return part
        if part.shown is None:
            part.shown = self._show(part)
        return part.shown

    def _show(self, term: Term) -> Any:
        if term.kind == "int":
            return z3.Int(term.parts[0], self.context)
        if term.kind == "real":
            return z3.Real(term.parts[0], self.context)
        parts = [self.expression(part) for part in term.parts]
        match term.kind:
            case "and":
                return z3.And(*parts)
            case "or":
                return z3.Or(*parts)
            case "not":
                return z3.Not(parts[0])
            case "if":
                return z3.If(parts[0], parts[1], parts[2], self.context)
        one, other = parts
        match term.kind:
            case "+":
                return one + other
            case "-":
                return one - other
            case "*":
                return one * other
            case "==":
                return one == other
            case "<=":
                return one <= other
        raise ValueError(term.kind)


class Model:
    """Values of the inputs, from which every term has one."""

    def __init__(self, model: z3.ModelRef) -> None:
        self._model = model
        self._known: dict[Term, Any] = {}

    def value(self, term: Any) -> Any:
        """What a term is; plain values as they are. An input on which nothing depends is 0."""
        if not isinstance(term, Term):
            return term
        if term not in self._known:
            self._known[term] = self._compute(term)
        return self._known[term]

    def _compute(self, term: Term) -> Any:
        value = self.value
        match term.kind, term.parts:
            case (("int" | "real"), _):
                return _number(self._model[term.shown]) if term.shown is not None else 0
            case "and", parts:
                return all(value(part) for part in parts)
            case "or", parts:
                return any(value(part) for part in parts)
            case "not", (part,):
                return not value(part)
            case "if", (condition, then, otherwise):
                return value(then) if value(condition) else value(otherwise)
            case "+", (one, other):
                return value(one) + value(other)
            case "-", (one, other):
                return value(one) - value(other)
            case "*", (one, other):
                return value(one) * value(other)
            case "==", (one, other):
                return bool(value(one) == value(other))
            case "<=", (one, other):
                return bool(value(one) <= value(other))
        raise ValueError(term.kind)


def _number(value: Any) -> int | Fraction:
    if value is None:
        return 0
    return int(value.as_long()) if z3.is_int_value(value) else Fraction(value.as_fraction())
