"""A system's steps as propositional clauses, for a solver that is asked thousands of small questions.

Each value of a variable is a literal (with two values: one literal and its negation). Every guard, and every "this
variable has one of these values after the step", is a literal too, defined once, so that a question is a list of
literals to assume. The search for invariants uses this; what it finds is re-checked by `check`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import z3

from ikeref_model.system import Copy, If, Right, System
from ikeref_model.terms import All, Is, Not, Some, Term, Value


class Unknown(Exception):
    """z3 did not decide. That is a failure, never a verdict."""


class Encoding:
    """The state before a step, and what holds after it. A negative number is the negation of a literal."""

    def __init__(self, system: System) -> None:
        self.context = z3.Context()
        self.solver = z3.SolverFor("QF_FD", ctx=self.context)
        self.names: list[Any] = [None]
        self.values: dict[str, dict[Value, int]] = {}
        self.defined: dict[frozenset[int], int] = {}
        self.true = self.fresh()
        self.add(self.true)
        for each in system.variables:
            if len(each.domain) == 2:
                one = self.fresh()
                self.values[each.name] = dict(zip(each.domain, (-one, one), strict=True))
                continue
            literals = [self.fresh() for _ in each.domain]
            self.values[each.name] = dict(zip(each.domain, literals, strict=True))
            self.add(*literals)
            for at, one in enumerate(literals):
                for two in literals[:at]:
                    self.add(-one, -two)

    # The solver

    def fresh(self) -> int:
        """A new literal."""
        number = len(self.names)
        self.names.append(z3.Bool(f"v{number}", self.context))
        return number

    def term(self, literal: int) -> Any:
        """A literal as a z3 term."""
        name = self.names[abs(literal)]
        return name if literal > 0 else z3.BoolRef(z3.Z3_mk_not(self.context.ref(), name.as_ast()), self.context)

    def add(self, *literals: int) -> None:
        """One of these literals holds, from now on. (z3's C interface is ten times as quick as its Python classes.)"""
        terms = [self.term(each) for each in literals]
        array = (z3.Ast * len(terms))(*(each.as_ast() for each in terms))
        clause = terms[0].as_ast() if len(terms) == 1 else z3.Z3_mk_or(self.context.ref(), len(terms), array)
        z3.Z3_solver_assert(self.context.ref(), self.solver.solver, clause)

    def possible(self, *assumed: int) -> bool:
        """Whether all these can hold at once; raises `Unknown`."""
        terms = [self.term(each) for each in assumed]
        array = (z3.Ast * len(terms))(*(each.as_ast() for each in terms))
        answer = z3.Z3_solver_check_assumptions(self.context.ref(), self.solver.solver, len(terms), array)
        if answer == z3.Z3_L_UNDEF:
            raise Unknown(self.solver.reason_unknown())
        return bool(answer == z3.Z3_L_TRUE)

    def state(self) -> dict[str, Value]:
        """The state that made the last question possible."""
        model = self.solver.model()
        found: dict[str, Value] = {}
        for variable, values in self.values.items():
            for value, literal in values.items():
                if literal > 0 and z3.is_true(model[self.names[literal]]):
                    found[variable] = value
                    break
            else:
                found[variable] = next(iter(values))
        return found

    # Terms

    def both(self, literals: Iterable[int]) -> int:
        """Conjunction."""
        kept = frozenset(literals) - {self.true}
        if -self.true in kept or any(-each in kept for each in kept):
            return -self.true
        if len(kept) < 2:
            return next(iter(kept), self.true)
        if kept not in self.defined:
            name = self.defined[kept] = self.fresh()
            for each in sorted(kept):
                self.add(-name, each)
            self.add(name, *(-each for each in sorted(kept)))
        return self.defined[kept]

    def either(self, literals: Iterable[int]) -> int:
        """Disjunction."""
        return -self.both(-each for each in literals)

    def among(self, variable: str, values: Iterable[Value]) -> int:
        """The variable has one of these values."""
        known, wanted = self.values[variable], set(values)
        if all(each in wanted for each in known):
            return self.true
        return self.either(literal for value, literal in known.items() if value in wanted)

    def holds(self, term: Term, assign: Mapping[str, Right] | None = None) -> int:
        """A term about the state before, or about the state after the assignments."""
        match term:
            case Is(variable, values):
                return self.will(variable, values, assign or {})
            case Not(inner):
                return -self.holds(inner, assign)
            case All(terms):
                return self.both(self.holds(each, assign) for each in terms)
            case Some(terms):
                return self.either(self.holds(each, assign) for each in terms)
            case _:
                raise TypeError(term)

    def will(self, variable: str, values: tuple[Value, ...], assign: Mapping[str, Right]) -> int:
        """The variable has one of these values after the assignments."""
        return self.right(assign[variable], values) if variable in assign else self.among(variable, values)

    def right(self, right: Right, values: tuple[Value, ...]) -> int:
        """A right-hand side has one of these values."""
        match right:
            case Copy(source):
                return self.among(source, values)
            case If(condition, then, otherwise):
                test, one, two = self.holds(condition), self.right(then, values), self.right(otherwise, values)
                return self.either((self.both((test, one)), self.both((-test, two))))
            case value:
                return self.true if value in values else -self.true
