"""Proofs about a system: bounded model checking for schedules, inductive invariants for proofs, certificates for
distrust.

A *clause* says "not all of these": a set of variables, each with a set of values, that never hold at once. A
certificate is a list of clauses whose conjunction is inductive: it holds at the start (initiation), every step keeps
it (consecution) and it implies the property (safety). `invariant` finds the clauses: whenever z3 shows a state that
satisfies all clauses and steps out of them, that state is not reachable, and the shortest clause that excludes it
and no reachable state is added. The reachable states only guide this search; what is proved is what z3 says about
the clauses.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import z3

from ikeref_model.explore import Code, Schedule, State, code, explore
from ikeref_model.symbolic import Symbols, symbols
from ikeref_model.system import ENDS, Copy, System, initials
from ikeref_model.terms import All, Is, Not, Term, Value, variables_of

Clause = tuple[tuple[str, tuple[Value, ...]], ...]
"""Not all of: each variable has one of these values."""


class Unknown(Exception):
    """z3 did not decide. That is a failure, never a verdict."""


def clause_term(clause: Clause) -> Term:
    """A clause as a term."""
    return Not(All(tuple(Is(variable, values) for variable, values in clause)))


def decide(solver: Any, *assumptions: Any) -> bool:
    """Whether the solver's assertions can be satisfied; raises `Unknown`."""
    answer = solver.check(*assumptions)
    if answer == z3.unknown:
        raise Unknown(solver.reason_unknown())
    return bool(answer == z3.sat)


# Bounded model checking


def bounded(system: System, goal: Term, depth: int) -> Schedule | None:
    """The shortest schedule of at most `depth` steps to a state in which `goal` holds."""
    states = [symbols(system, "@0")]
    context = states[0].context
    solver = z3.SolverFor("QF_FD", ctx=context)
    solver.add(_start(system, states[0]))
    chosen: list[list[Any]] = []
    writers: dict[str, list[int]] = {}
    for number, step in enumerate(system.steps):
        for variable, _ in step.assign:
            writers.setdefault(variable, []).append(number)
    for level in range(depth + 1):
        solver.push()
        solver.add(states[level].term(goal))
        if decide(solver):
            return _read(system, solver.model(), states, chosen)
        solver.pop()
        if level == depth:
            return None
        before, after = states[level], symbols(system, f"@{level + 1}", states[0])
        taken = [z3.Bool(f"step{number}@{level}", context) for number in range(len(system.steps))]
        solver.add(z3.Or(*taken), z3.AtMost(*taken, 1))
        for step, choice in zip(system.steps, taken, strict=True):
            moves = [each for name, right in step.assign for each in before.becomes(after, name, right)]
            solver.add(z3.Implies(choice, z3.And(before.term(step.guard), *moves)))
        for name in after.constants:
            stays = z3.And(*before.becomes(after, name, Copy(name)))
            solver.add(z3.Or(stays, *(taken[number] for number in writers.get(name, ()))))
        states.append(after)
        chosen.append(taken)
    return None


def _start(system: System, at: Symbols) -> Any:
    return z3.Or(*(z3.And(*(at.equal(name, value) for name, value in state.items())) for state in initials(system)))


def _read(system: System, model: Any, states: list[Symbols], chosen: list[list[Any]]) -> Schedule:
    steps = tuple(
        next(step for step, choice in zip(system.steps, taken, strict=True) if z3.is_true(model.eval(choice)))
        for taken in chosen
    )
    return Schedule(steps, tuple(at.state(model) for at in states))


# Inductive invariants


class Invariant(NamedTuple):
    """An inductive invariant."""

    clauses: tuple[Clause, ...]
    states: int
    """How many reachable states guided the search (0: none)."""


class _Reachable:
    """The reachable states as bit sets: for each variable and value the states in which it holds."""

    def __init__(self, coding: Code, states: Iterable[State]) -> None:
        self.coding = coding
        listed = list(states)
        self.count = len(listed)
        self.every = (1 << self.count) - 1
        self.bits: dict[tuple[int, int], int] = {}
        for place, domain in enumerate(coding.domains):
            columns = [bytearray((self.count + 7) // 8) for _ in domain]
            for number, state in enumerate(listed):
                columns[state[place]][number >> 3] |= 1 << (number & 7)
            for value, column in enumerate(columns):
                self.bits[place, value] = int.from_bytes(column, "little")

    def excluding(self, state: State) -> Clause | None:
        """A short clause that excludes `state` and no reachable state; None if the state is reachable."""
        cube = [self.bits[place, value] for place, value in enumerate(state)]
        left, picked = self.every, []
        while left:
            place = min(range(len(state)), key=lambda each: (left & cube[each]).bit_count())
            if left & cube[place] == left:
                return None
            left &= cube[place]
            picked.append(place)
        for place in list(picked):
            others = [each for each in picked if each != place]
            if not self._meet({each: {state[each]} for each in others}):
                picked = others
        wide = {place: {state[place]} for place in picked}
        for place in picked:
            for value in range(len(self.coding.domains[place])):
                if value not in wide[place]:
                    tried = {**wide, place: wide[place] | {value}}
                    if not self._meet(tried):
                        wide = tried
        return tuple(
            (self.coding.names[place], tuple(self.coding.domains[place][value] for value in sorted(wide[place])))
            for place in sorted(wide)
        )

    def _meet(self, cube: Mapping[int, set[int]]) -> bool:
        left = self.every
        for place, values in cube.items():
            union = 0
            for value in values:
                union |= self.bits[place, value]
            left &= union
            if not left:
                return False
        return True


def invariant(system: System, safe: Term, *, guess: Iterable[Clause] = (), limit: int = 400_000) -> Invariant | None:
    """An inductive invariant that implies `safe`, or None if a reachable state violates it. `guess` are clauses to
    begin with; where they suffice, nothing is explored."""
    search = _Search(system, safe)
    for each in guess:
        search.add(each)
    if search.clauses and not any(True for _ in search.counterexamples()):
        return Invariant(tuple(search.clauses), 0)
    reached: dict[State, int] = {}
    if explore(system, Not(safe), limit=limit, reached=reached).violation:
        return None
    reachable = _Reachable(code(system), reached)
    search = _Search(system, safe)
    changed = True
    while changed:
        changed = False
        for state in search.counterexamples():
            found = reachable.excluding(reachable.coding.encode(state))
            if found is None:
                raise ValueError("a reachable state steps out of the reachable states")
            search.add(found)
            search.add(mirrored(found))
            changed = True
    return Invariant(tuple(search.clauses), reachable.count)


def shrink(system: System, safe: Term, clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    """A subset of the clauses that is inductive by itself and implies `safe`: what the unsatisfiable cores name."""
    listed = list(clauses)
    search = _Search(system, safe)
    context = search.at.context
    names = [z3.Bool(f"clause{number}", context) for number in range(len(listed))]
    terms = [clause_term(each) for each in listed]
    reads = [variables_of(each) for each in terms]
    for name, term in zip(names, terms, strict=True):
        search.solver.add(z3.Implies(name, search.at.term(term)))
    place = {str(name): number for number, name in enumerate(names)}

    def core(*goal: Any) -> set[int]:
        search.solver.push()
        search.solver.add(*goal)
        if decide(search.solver, *names):
            raise ValueError("the clauses are not inductive")
        found = {place[str(each)] for each in search.solver.unsat_core()}
        search.solver.pop()
        return found

    needed: set[int] = set()
    new = core(z3.Not(search.at.term(safe)))
    while new:
        needed |= new
        asked, new = new, set()
        for number, guard in enumerate(search.guards):
            after, written = search.after[number], search.written[number]
            broken = [z3.Not(after.term(terms[each])) for each in asked if reads[each] & written]
            if broken:
                new |= core(guard, z3.Or(*broken))
        new -= needed
    return tuple(listed[each] for each in sorted(needed))


def dead_steps(system: System, clauses: Iterable[Clause]) -> tuple[str, ...]:
    """The steps that are possible in no state that satisfies the clauses."""
    search = _Search(system, All(()))
    for each in clauses:
        search.add(each)
    search.settle()
    found = []
    for step, guard in zip(system.steps, search.guards, strict=True):
        search.solver.push()
        search.solver.add(guard)
        if not decide(search.solver):
            found.append(step.name)
        search.solver.pop()
    return tuple(found)


class _Search:
    """The clauses found so far, and the states that show them not to be inductive."""

    def __init__(self, system: System, safe: Term) -> None:
        self.system = system
        self.at = symbols(system)
        self.solver = z3.SolverFor("QF_FD", ctx=self.at.context)
        self.safe = safe
        self.clauses: list[Clause] = []
        self.after = [self.at.after(dict(step.assign)) for step in system.steps]
        self.guards = [self.at.term(step.guard) for step in system.steps]
        self.written = [frozenset(variable for variable, _ in step.assign) for step in system.steps]
        self.terms: list[tuple[Term, frozenset[str], Any]] = []
        self.fresh: list[Any] = []

    def add(self, clause: Clause) -> None:
        """Strengthen the invariant; takes effect at once, also for a search under way."""
        if clause not in self.clauses:
            term = clause_term(clause)
            formula = self.at.term(term)
            self.clauses.append(clause)
            self.terms.append((term, variables_of(term), formula))
            self.fresh.append(formula)

    def settle(self) -> None:
        """Assert the clauses that were added. Called where nothing is pushed."""
        self.solver.add(*self.fresh)
        self.fresh.clear()

    def counterexamples(self) -> Iterator[dict[str, Value]]:
        """States that satisfy all clauses and violate `safe` or step out of the clauses; whoever asks for the next
        one has added a clause that excludes the last."""
        self.settle()
        yield from self._violations(z3.BoolVal(True, self.at.context), [z3.Not(self.at.term(self.safe))], None)
        for number in range(len(self.system.steps)):
            after, written = self.after[number], self.written[number]
            broken = [z3.Not(after.term(term)) for term, reads, _ in self.terms if reads & written]
            yield from self._violations(self.guards[number], broken, number)

    def _violations(self, guard: Any, broken: list[Any], number: int | None) -> Iterator[dict[str, Value]]:
        self.settle()
        known = len(self.terms)
        self.solver.push()
        self.solver.add(guard)
        while True:
            self.solver.push()
            self.solver.add(z3.Or(*broken, z3.BoolVal(False, self.at.context)))
            found = self.at.state(self.solver.model()) if decide(self.solver) else None
            self.solver.pop()
            if found is None:
                break
            yield found
            for term, reads, formula in self.terms[known:]:
                self.solver.add(formula)
                if number is not None and reads & self.written[number]:
                    broken.append(z3.Not(self.after[number].term(term)))
            known = len(self.terms)
        self.solver.pop()


def mirrored(clause: Clause) -> Clause:
    """The clause with the ends exchanged: the rows do not tell them apart."""
    return tuple(sorted((_mirror(variable), _mirror_values(variable, values)) for variable, values in clause))


_SWAP = {"A": "B", "B": "A", "a": "b", "b": "a"}


def _mirror(variable: str) -> str:
    if variable[0] in ENDS and variable[1] in ".>":
        variable = _SWAP[variable[0]] + variable[1:]
    for old, new in (("ike_a.", "ike_b."), ("child_a.", "child_b."), (">a.", ">b.")):
        if old in variable:
            variable = variable.replace(old, new)
            break
        if new in variable:
            variable = variable.replace(new, old)
            break
    if variable.endswith((".on_a", ".on_b")):
        variable = variable[:-1] + _SWAP[variable[-1]]
    return variable


def _mirror_values(variable: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
    if variable.startswith("lowest") or variable.endswith(".about"):
        return tuple(sorted(_SWAP.get(str(value), value) for value in values))
    return values
