"""The checker of certificates: it believes nothing but the rows.

It rebuilds the system from the rows and shares their composition (`system`) with the prover, but none of its code:
states are bits here, and the state after a step is worked out literal by literal. `check` raises `Flawed` unless all
of these hold:

* initiation: the clauses hold in every initial state;
* consecution: no step leads from a state that satisfies all clauses to one that does not;
* safety: no state that satisfies all clauses violates the property;
* sense: each step is possible in some state that satisfies all clauses, but for those that the certificate names as
  dead, which are possible in none. An invariant that nothing satisfies would prove everything.

`unknown` is a flaw.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import z3

from ikeref_model.system import Copy, If, Right, Step, System, initials
from ikeref_model.terms import All, Is, Not, Some, Term, Value, holds

Clauses = tuple[tuple[tuple[str, tuple[Value, ...]], ...], ...]
"""Each: not all of these variables have one of these values."""


class Flawed(Exception):
    """The certificate proves nothing."""


class Checked(NamedTuple):
    """What was re-checked."""

    clauses: int
    steps: int
    dead: int


class _Bits:
    """One state of the system as bits."""

    def __init__(self, system: System) -> None:
        self.context = z3.Context()
        self.true = z3.BoolVal(True, self.context)
        self.false = z3.BoolVal(False, self.context)
        self.domains = {each.name: each.domain for each in system.variables}
        self.bits: dict[str, list[Any]] = {}
        self.cache: dict[tuple[str, frozenset[Value]], Any] = {}
        self.legal: list[Any] = []
        for each in system.variables:
            width = (len(each.domain) - 1).bit_length()
            self.bits[each.name] = [z3.Bool(f"{each.name}#{bit}", self.context) for bit in range(width)]
            if len(each.domain) < 1 << width:
                self.legal.append(z3.Or(*(self.code(each.name, number) for number in range(len(each.domain)))))

    def code(self, variable: str, number: int) -> Any:
        """The variable has the value of that number."""
        bits = self.bits[variable]
        return z3.And(*(bit if number >> place & 1 else z3.Not(bit) for place, bit in enumerate(bits)))

    def among(self, variable: str, values: frozenset[Value]) -> Any:
        """The variable has one of these values."""
        domain = self.domains[variable]
        wanted = [number for number, value in enumerate(domain) if value in values]
        if len(wanted) == len(domain):
            return self.true
        if not wanted:
            return self.false
        key = (variable, frozenset(domain[number] for number in wanted))
        if key not in self.cache:
            self.cache[key] = z3.Or(*(self.code(variable, number) for number in wanted))
        return self.cache[key]

    def holds(self, term: Term) -> Any:
        """A term about the state."""
        match term:
            case Is(variable, values):
                return self.among(variable, frozenset(values))
            case Not(inner):
                return z3.Not(self.holds(inner))
            case All(terms):
                return z3.And(*(self.holds(each) for each in terms), self.true)
            case Some(terms):
                return z3.Or(*(self.holds(each) for each in terms), self.false)
            case _:
                raise Flawed(f"not a term of a composed system: {term}")

    def will(self, variable: str, values: frozenset[Value], assign: Mapping[str, Right]) -> Any:
        """After the assignments the variable has one of these values."""
        if variable not in assign:
            return self.among(variable, values)
        return self._right(assign[variable], values)

    def _right(self, right: Right, values: frozenset[Value]) -> Any:
        match right:
            case Copy(source):
                return self.among(source, values)
            case If(condition, then, otherwise):
                test = self.holds(condition)
                return z3.Or(
                    z3.And(test, self._right(then, values)), z3.And(z3.Not(test), self._right(otherwise, values))
                )
            case value:
                return self.true if value in values else self.false

    def will_hold(self, term: Term, assign: Mapping[str, Right]) -> Any:
        """After the assignments the term holds."""
        match term:
            case Is(variable, values):
                return self.will(variable, frozenset(values), assign)
            case Not(inner):
                return z3.Not(self.will_hold(inner, assign))
            case All(terms):
                return z3.And(*(self.will_hold(each, assign) for each in terms), self.true)
            case Some(terms):
                return z3.Or(*(self.will_hold(each, assign) for each in terms), self.false)
            case _:
                raise Flawed(f"not a term of a composed system: {term}")


def check(system: System, safe: Term, clauses: Clauses, dead: frozenset[str] = frozenset()) -> Checked:
    """Re-check a certificate from scratch; raises `Flawed` with the reason. `dead` are the names of steps that never
    happen."""
    known = {each.name: each.domain for each in system.variables}
    for clause in clauses:
        for variable, values in clause:
            if variable not in known or not set(values) <= set(known[variable]):
                raise Flawed(f"a clause speaks of {variable} in {values}, which the system does not have")
    # Initiation
    for state in initials(system):
        for clause in clauses:
            if all(state[variable] in values for variable, values in clause):
                raise Flawed(f"initiation: {_text(clause)} fails at the start")
    bits = _Bits(system)
    solver = z3.SolverFor("QF_FD", ctx=bits.context)
    solver.add(*bits.legal)
    literals = [[(variable, frozenset(values)) for variable, values in clause] for clause in clauses]
    for cube in literals:
        solver.add(z3.Not(z3.And(*(bits.among(variable, values) for variable, values in cube))))
    # Safety
    if _possible(solver, z3.Not(bits.holds(safe))):
        raise Flawed("safety: the clauses do not imply the property")
    # Consecution and sense
    for step in system.steps:
        _step(bits, solver, step, literals, dead)
    unknown = dead - {step.name for step in system.steps}
    if unknown:
        raise Flawed(f"sense: there is no step {sorted(unknown)[0]}")
    return Checked(len(clauses), len(system.steps), len(dead))


def _step(
    bits: _Bits,
    solver: Any,
    step: Step,
    literals: list[list[tuple[str, frozenset[Value]]]],
    dead: frozenset[str],
) -> None:
    assign = dict(step.assign)
    solver.push()
    solver.add(bits.holds(step.guard))
    possible = _possible(solver)
    if possible == (step.name in dead):
        raise Flawed(f"sense: step {step.name} is {'possible' if possible else 'impossible'} under the invariant")
    if possible:
        broken = []
        for clause in literals:
            if any(variable in assign for variable, _ in clause):
                after = [bits.will(variable, values, assign) for variable, values in clause]
                if not any(each.eq(bits.false) for each in after):
                    broken.append(z3.And(*after))
        if broken and _possible(solver, z3.Or(*broken)):
            raise Flawed(f"consecution: step {step.name} leads out of the invariant")
    solver.pop()


def _possible(solver: Any, *terms: Any) -> bool:
    solver.push()
    solver.add(*terms)
    answer = solver.check()
    solver.pop()
    if answer == z3.unknown:
        raise Flawed(f"unknown: {solver.reason_unknown()}")
    return bool(answer == z3.sat)


def _text(clause: tuple[tuple[str, tuple[Value, ...]], ...]) -> str:
    return "not all of " + ", ".join(f"{variable} in {values}" for variable, values in clause)


def replay(system: System, steps: list[str], goal: Term) -> None:
    """Run a schedule, step by step, in Python; raises `Flawed` unless every step is possible and `goal` holds at the
    end."""
    named = {step.name: step for step in system.steps}
    for start in initials(system):
        state: dict[str, Value] | None = dict(start)
        for name in steps:
            if name not in named:
                raise Flawed(f"there is no step {name}")
            state = _run(named[name], state) if state else None
        if state and holds(goal, state.__getitem__):
            return
    raise Flawed("a witness is out of reach")


def _run(step: Step, state: dict[str, Value]) -> dict[str, Value] | None:
    read = state.__getitem__
    if not holds(step.guard, read):
        return None

    def value(right: Right) -> Value:
        match right:
            case Copy(source):
                return state[source]
            case If(condition, then, otherwise):
                return value(then) if holds(condition, read) else value(otherwise)
            case constant:
                return constant

    return {**state, **{variable: value(right) for variable, right in step.assign}}
