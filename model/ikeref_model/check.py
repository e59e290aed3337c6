"""The checker of certificates: it believes nothing but the rows.

It rebuilds the system from the rows and shares their composition (`system`) with the prover, but none of its code:
states are bits here, and the state after a step is worked out literal by literal. `check` raises `Flawed` unless all
of these hold:

* initiation: the clauses hold in every initial state;
* consecution: no step leads from a state that satisfies all clauses to one that does not;
* safety: no state that satisfies all clauses violates the property;
* sense: each step is possible in some state that satisfies all clauses, but for those that the certificate names as
  dead, which are possible in none. An invariant that nothing satisfies would prove everything. No two steps bear one
  name.

`unknown` is a flaw.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
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


Truth = Any
"""A z3 term, or True or False where it is known already."""


class _Bits:
    """One state of the system as bits. Constants are folded, and terms are built by z3's C interface, which is
    quick."""

    def __init__(self, system: System) -> None:
        self.context = z3.Context()
        self.domains = {each.name: each.domain for each in system.variables}
        self.bits: dict[str, list[Any]] = {}
        self.cache: dict[tuple[str, frozenset[Value]], Truth] = {}
        self.legal: list[Any] = []
        for each in system.variables:
            width = (len(each.domain) - 1).bit_length()
            self.bits[each.name] = [z3.Bool(f"{each.name}#{bit}", self.context) for bit in range(width)]
            if len(each.domain) < 1 << width:
                self.legal.append(self.either([self.code(each.name, number) for number in range(len(each.domain))]))

    def both(self, terms: Iterable[Truth]) -> Truth:
        """Conjunction."""
        kept = []
        for each in terms:
            if each is False:
                return False
            if each is not True:
                kept.append(each)
        if len(kept) < 2:
            return kept[0] if kept else True
        array = (z3.Ast * len(kept))(*(each.as_ast() for each in kept))
        return z3.BoolRef(z3.Z3_mk_and(self.context.ref(), len(kept), array), self.context)

    def either(self, terms: Iterable[Truth]) -> Truth:
        """Disjunction."""
        kept = []
        for each in terms:
            if each is True:
                return True
            if each is not False:
                kept.append(each)
        if len(kept) < 2:
            return kept[0] if kept else False
        array = (z3.Ast * len(kept))(*(each.as_ast() for each in kept))
        return z3.BoolRef(z3.Z3_mk_or(self.context.ref(), len(kept), array), self.context)

    def negate(self, term: Truth) -> Truth:
        """Negation."""
        if isinstance(term, bool):
            return not term
        return z3.BoolRef(z3.Z3_mk_not(self.context.ref(), term.as_ast()), self.context)

    def code(self, variable: str, number: int) -> Truth:
        """The variable has the value of that number."""
        bits = self.bits[variable]
        return self.both([bit if number >> place & 1 else self.negate(bit) for place, bit in enumerate(bits)])

    def among(self, variable: str, values: frozenset[Value]) -> Truth:
        """The variable has one of these values."""
        key = (variable, values)
        if key not in self.cache:
            domain = self.domains[variable]
            wanted = [number for number, value in enumerate(domain) if value in values]
            full = len(wanted) == len(domain)
            self.cache[key] = full or self.either([self.code(variable, number) for number in wanted])
        return self.cache[key]

    def holds(self, term: Term, assign: Mapping[str, Right] | None = None) -> Truth:
        """A term about the state, or about the state after the assignments."""
        match term:
            case Is(variable, values):
                return self.will(variable, frozenset(values), assign or {})
            case Not(inner):
                return self.negate(self.holds(inner, assign))
            case All(terms):
                return self.both([self.holds(each, assign) for each in terms])
            case Some(terms):
                return self.either([self.holds(each, assign) for each in terms])
            case _:
                raise Flawed(f"not a term of a composed system: {term}")

    def will(self, variable: str, values: frozenset[Value], assign: Mapping[str, Right]) -> Truth:
        """After the assignments the variable has one of these values."""
        if variable not in assign:
            return self.among(variable, values)
        return self.right(assign[variable], values)

    def right(self, right: Right, values: frozenset[Value]) -> Truth:
        """That a right-hand side has one of these values."""
        match right:
            case Copy(source):
                return self.among(source, values)
            case If(condition, then, otherwise):
                test, one, two = self.holds(condition), self.right(then, values), self.right(otherwise, values)
                return self.either([self.both([test, one]), self.both([self.negate(test), two])])
            case value:
                return value in values


class Transcript:
    """What the solver was asked, as an SMT-LIB 2.6 script, and what it answered: for another solver to answer anew."""

    def __init__(self) -> None:
        self.lines: list[str] = ["(set-option :incremental true)", "(set-logic QF_UF)"]
        self.answers: list[bool] = []

    def assume(self, *terms: Any) -> None:
        """These hold from now on."""
        self.lines += [f"(assert {each.sexpr()})" for each in terms]

    def ask(self, terms: Iterable[Any], answer: bool) -> None:
        """Whether these can hold too."""
        self.lines.append("(push 1)")
        self.assume(*terms)
        self.lines += ["(check-sat)", "(pop 1)"]
        self.answers.append(answer)


def check(
    system: System,
    safe: Term,
    clauses: Clauses,
    dead: frozenset[str] = frozenset(),
    transcript: Transcript | None = None,
) -> Checked:
    """Re-check a certificate from scratch; raises `Flawed` with the reason. `dead` are the names of steps that never
    happen; `transcript` receives every question."""
    known = {each.name: each.domain for each in system.variables}
    twice = next((name for name, times in Counter(each.name for each in system.steps).items() if times > 1), "")
    if twice:
        raise Flawed(f"sense: two steps are called {twice}")
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
    solver = _Solver(bits, transcript)
    solver.add(*bits.legal)
    literals = [[(variable, frozenset(values)) for variable, values in clause] for clause in clauses]
    for cube in literals:
        excluded = bits.negate(bits.both([bits.among(variable, values) for variable, values in cube]))
        if excluded is False:
            raise Flawed("sense: a clause excludes everything")
        if excluded is not True:
            solver.add(excluded)
    # Safety
    if solver.possible(bits.negate(bits.holds(safe))):
        raise Flawed("safety: the clauses do not imply the property")
    # Consecution and sense
    for step in system.steps:
        _step(bits, solver, step, literals, dead)
    unknown = dead - {step.name for step in system.steps}
    if unknown:
        raise Flawed(f"sense: there is no step {sorted(unknown)[0]}")
    return Checked(len(clauses), len(system.steps), len(dead))


class _Solver:
    """z3, asked one thing at a time."""

    def __init__(self, bits: _Bits, transcript: Transcript | None) -> None:
        self.solver = z3.SolverFor("QF_FD", ctx=bits.context)
        self.transcript = transcript
        if transcript is not None:
            names = (bit.sexpr() for word in bits.bits.values() for bit in word)
            transcript.lines += [f"(declare-const {each} Bool)" for each in names]

    def add(self, *terms: Any) -> None:
        """These hold from now on."""
        self.solver.add(*terms)
        if self.transcript is not None:
            self.transcript.assume(*terms)

    def possible(self, *terms: Truth) -> bool:
        """Whether these can hold too; `Flawed` if z3 does not know."""
        if any(each is False for each in terms):
            return False
        kept = [each for each in terms if each is not True]
        self.solver.push()
        self.solver.add(*kept)
        answer = self.solver.check()
        self.solver.pop()
        if answer == z3.unknown:
            raise Flawed(f"unknown: {self.solver.reason_unknown()}")
        if self.transcript is not None:
            self.transcript.ask(kept, answer == z3.sat)
        return bool(answer == z3.sat)


def _step(
    bits: _Bits,
    solver: _Solver,
    step: Step,
    literals: list[list[tuple[str, frozenset[Value]]]],
    dead: frozenset[str],
) -> None:
    assign = dict(step.assign)
    guard = bits.holds(step.guard)
    possible = solver.possible(guard)
    if possible == (step.name in dead):
        raise Flawed(f"sense: step {step.name} is {'possible' if possible else 'impossible'} under the invariant")
    if not possible:
        return
    after: dict[tuple[str, frozenset[Value]], Truth] = {}
    broken = []
    for clause in literals:
        if any(variable in assign for variable, _ in clause):
            for literal in clause:
                if literal not in after:
                    after[literal] = bits.will(*literal, assign)
            broken.append(bits.both([after[literal] for literal in clause]))
    if solver.possible(guard, bits.either(broken)):
        raise Flawed(f"consecution: step {step.name} leads out of the invariant")


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
            state = step_of(named[name], state) if state else None
        if state and holds(goal, state.__getitem__):
            return
    raise Flawed("a witness is out of reach")


def step_of(step: Step, state: dict[str, Value]) -> dict[str, Value] | None:
    """The state after a step, run in Python; None if it is not possible."""
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
