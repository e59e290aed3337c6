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

from ikeref_model.explore import Code, Schedule, State, Tree, code, explore
from ikeref_model.sat import Encoding, Unknown
from ikeref_model.symbolic import Symbols, symbols
from ikeref_model.system import Copy, System, initials
from ikeref_model.terms import All, Not, Term, Value

Clause = tuple[tuple[str, tuple[Value, ...]], ...]
"""Not all of: each variable has one of these values."""


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
    tree: Tree
    """The reachable states that guided the search, and how each was reached; empty if none did."""


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


def invariant(system: System, safe: Term, *, guess: Iterable[Clause] = (), limit: int = 2_000_000) -> Invariant | None:
    """An inductive invariant that implies `safe`, or None if a reachable state violates it. `guess` are clauses to
    begin with; where they suffice, nothing is explored."""
    search = _Search(system, safe)
    for each in guess:
        search.add(each)
    if search.clauses and not any(True for _ in search.counterexamples()):
        return Invariant(tuple(search.clauses), {})
    tree: Tree = {}
    found = explore(system, Not(safe), limit=limit, tree=tree)
    if found.violation:
        return None
    if not found.complete:
        raise Unknown(f"more than {limit} states")
    reachable = _Reachable(code(system), tree)
    search = _Search(system, safe)
    changed = True
    while changed:
        changed = False
        for state in search.counterexamples():
            excluding = reachable.excluding(reachable.coding.encode(state))
            if excluding is None:
                raise ValueError("a reachable state steps out of the reachable states")
            search.add(excluding)
            changed = True
    return Invariant(tuple(search.clauses), tree)


def dead_steps(system: System, clauses: Iterable[Clause]) -> tuple[str, ...]:
    """The steps that are possible in no state that satisfies the clauses."""
    search = _Search(system, All(()))
    for each in clauses:
        search.add(each)
    steps = zip(system.steps, search.guards, strict=True)
    return tuple(step.name for step, guard in steps if not search.at.possible(guard))


class _Search:
    """The clauses found so far, and the states that show them not to be inductive."""

    def __init__(self, system: System, safe: Term) -> None:
        self.at = Encoding(system)
        self.safe = self.at.holds(safe)
        self.clauses: list[Clause] = []
        self.known: set[Clause] = set()
        self.assign = [dict(step.assign) for step in system.steps]
        self.guards = [self.at.holds(step.guard) for step in system.steps]

    def add(self, clause: Clause) -> None:
        """Strengthen the invariant; takes effect at once, also for a search under way."""
        if clause not in self.known:
            self.known.add(clause)
            self.clauses.append(clause)
            self.at.add(*(-self.at.among(variable, values) for variable, values in clause))

    def broken(self, number: int, clause: Clause) -> int:
        """That the clause does not hold after that step, although it may have held before."""
        assign = self.assign[number]
        if not any(variable in assign for variable, _ in clause):
            return -self.at.true
        return self.at.both(self.at.will(variable, values, assign) for variable, values in clause)

    def chosen(self, literals: Iterable[int]) -> int:
        """A new literal that implies one of these."""
        name = self.at.fresh()
        self.at.add(-name, *literals)
        return name

    def counterexamples(self) -> Iterator[dict[str, Value]]:
        """States that satisfy all clauses and violate `safe` or step out of the clauses; whoever asks for the next
        one has added a clause that excludes the last."""
        while self.at.possible(-self.safe):
            yield self.at.state()
        for number, guard in enumerate(self.guards):
            broken: list[int] = []
            judged = 0
            while True:
                broken += (self.broken(number, each) for each in self.clauses[judged:])
                judged = len(self.clauses)
                broken = [each for each in broken if each != -self.at.true]
                chosen = self.chosen(broken)
                found = self.at.state() if self.at.possible(guard, chosen) else None
                self.at.add(-chosen)
                if found is None:
                    break
                yield found
