"""The rows explored: every state that two ends and a network can reach, breadth-first.

The steps of a `System` are printed as Python expressions over a tuple of small integers and compiled, so that a
state costs microseconds. The shortest schedule to a violation comes out of the search.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ikeref_model.system import Copy, If, Right, Step, System, initials
from ikeref_model.terms import All, Is, Not, Some, Term, Value

State = tuple[int, ...]
"""For each variable of the system the index of its value in its domain."""


Tree = dict[State, tuple[State, int] | None]
"""For each state that was reached, nearest first: the state before, and the step from there."""


class Code(NamedTuple):
    """States as tuples: where each variable is, and what its numbers mean."""

    names: tuple[str, ...]
    place: dict[str, int]
    domains: tuple[tuple[Value, ...], ...]

    def encode(self, values: dict[str, Value]) -> State:
        """A state as a tuple."""
        return tuple(domain.index(values[name]) for name, domain in zip(self.names, self.domains, strict=True))

    def decode(self, state: State) -> dict[str, Value]:
        """A tuple as a state."""
        return {name: domain[each] for name, domain, each in zip(self.names, self.domains, state, strict=True)}

    def source(self, term: Term) -> str:
        """A term as a Python expression over the tuple `s`."""
        match term:
            case Is(variable, values):
                place = self.place[variable]
                numbers = sorted(self.domains[place].index(each) for each in values)
                if len(numbers) == 1:
                    return f"s[{place}] == {numbers[0]}"
                return f"s[{place}] in ({', '.join(map(str, numbers))}{',' if numbers else ''})"
            case Not(inner):
                return f"not ({self.source(inner)})"
            case All(terms):
                return " and ".join(f"({self.source(each)})" for each in terms) or "True"
            case Some(terms):
                return " or ".join(f"({self.source(each)})" for each in terms) or "False"
            case _:
                raise TypeError(term)

    def right(self, variable: str, right: Right) -> str:
        """A right-hand side as a Python expression over the tuple `s`."""
        match right:
            case Copy(source):
                place, target = self.place[source], self.place[variable]
                if self.domains[place] != self.domains[target]:
                    raise ValueError(f"{variable} := {source}")
                return f"s[{place}]"
            case If(condition, then, otherwise):
                return (
                    f"({self.right(variable, then)} if {self.source(condition)} else {self.right(variable, otherwise)})"
                )
            case value:
                return str(self.domains[self.place[variable]].index(value))


def code(system: System) -> Code:
    """The coding of a system's states."""
    names = tuple(each.name for each in system.variables)
    return Code(
        names, {name: place for place, name in enumerate(names)}, tuple(each.domain for each in system.variables)
    )


class Compiled(NamedTuple):
    """A system whose steps are Python functions."""

    system: System
    code: Code
    table: tuple[tuple[int, tuple[tuple[tuple[int, Callable[[State], State | None]], ...], ...]], ...]
    """For some variables, for each of their values: the steps that need it."""

    def successors(self, state: State) -> Iterator[tuple[int, State]]:
        """The steps that can happen, by their index, and where they lead."""
        for place, by_value in self.table:
            for number, function in by_value[state[place]]:
                after = function(state)
                if after is not None:
                    yield number, after


def compile_system(system: System) -> Compiled:
    """The system as Python functions. The source is made of nothing but the rows."""
    coding = code(system)
    found: dict[int, list[list[tuple[int, Callable[[State], State | None]]]]] = {}
    for number, step in enumerate(system.steps):
        function = _function(coding, step)
        place, values = _key(coding, step.guard)
        lists = found.setdefault(place, [[] for _ in coding.domains[place]])
        for value in values:
            lists[value].append((number, function))
    table = tuple((place, tuple(tuple(each) for each in lists)) for place, lists in found.items())
    return Compiled(system, coding, table)


def _function(coding: Code, step: Step) -> Callable[[State], State | None]:
    changed = {coding.place[variable]: coding.right(variable, right) for variable, right in step.assign}
    parts: list[str] = []
    last = 0
    for place in sorted(changed):
        if place > last:
            parts.append(f"s[{last}:{place}]")
        parts.append(f"({changed[place]},)")
        last = place + 1
    parts.append(f"s[{last}:]")
    source = f"lambda s: ({' + '.join(parts)}) if {coding.source(step.guard)} else None"
    function: Callable[[State], State | None] = eval(source, {"__builtins__": {}})
    return function


def _key(coding: Code, guard: Term) -> tuple[int, list[int]]:
    """A variable that the guard restricts most, with the values that it allows."""
    terms = guard.terms if isinstance(guard, All) else (guard,)
    best: tuple[int, list[int]] | None = None
    for term in terms:
        if isinstance(term, Is):
            place = coding.place[term.variable]
            numbers = [coding.domains[place].index(each) for each in term.values]
            if best is None or len(numbers) * len(coding.domains[best[0]]) < len(best[1]) * len(coding.domains[place]):
                best = (place, numbers)
    return best or (0, list(range(len(coding.domains[0]))))


class Schedule(NamedTuple):
    """A run: the names of its steps and the states before, between and after them."""

    steps: tuple[Step, ...]
    states: tuple[dict[str, Value], ...]

    def text(self) -> str:
        """One line per step."""
        return "\n".join(f"{number:3} {step.name}" for number, step in enumerate(self.steps, 1))


class Exploration(NamedTuple):
    """What a search found."""

    states: int
    transitions: int
    diameter: int
    taken: frozenset[str]
    """The rows that were taken."""
    violation: Schedule | None
    complete: bool
    """Whether every reachable state was seen."""


def explore(
    system: System,
    bad: Term | None = None,
    *,
    limit: int = 2_000_000,
    reached: dict[State, int] | None = None,
    tree: Tree | None = None,
) -> Exploration:
    """All reachable states, or the shortest schedule to one in which `bad` holds. `reached` receives the states with
    their distance, `tree` how each was reached."""
    compiled = compile_system(system)
    coding = compiled.code
    violates: Callable[[State], bool] = (
        eval(f"lambda s: {coding.source(bad)}", {"__builtins__": {}}) if bad is not None else _never
    )
    parents: Tree = tree if tree is not None else {}
    distance: dict[State, int] = reached if reached is not None else {}
    queue: deque[State] = deque()
    for start in initials(system):
        state = coding.encode(start)
        parents[state], distance[state] = None, 0
        queue.append(state)
    transitions, diameter = 0, 0
    taken: set[int] = set()
    for state in tuple(queue):
        if violates(state):
            return Exploration(len(parents), 0, 0, frozenset(), _schedule(compiled, parents, state), False)
    while queue:
        state = queue.popleft()
        here = distance[state]
        for number, after in compiled.successors(state):
            transitions += 1
            taken.add(number)
            if after not in parents:
                parents[after], distance[after] = (state, number), here + 1
                diameter = max(diameter, here + 1)
                if violates(after):
                    rows = frozenset(system.steps[each].row for each in taken)
                    found = _schedule(compiled, parents, after)
                    return Exploration(len(parents), transitions, diameter, rows, found, False)
                if len(parents) >= limit:
                    rows = frozenset(system.steps[each].row for each in taken)
                    return Exploration(len(parents), transitions, diameter, rows, None, False)
                queue.append(after)
    rows = frozenset(system.steps[each].row for each in taken)
    return Exploration(len(parents), transitions, diameter, rows, None, True)


def _never(state: State) -> bool:
    return not state


def shortest(system: System, tree: Tree, goal: Term) -> Schedule | None:
    """A shortest schedule to a state in which `goal` holds, among all states that were reached (nearest first)."""
    found = next(iter(satisfying(system, tree, goal)), None)
    return None if found is None else _schedule(compile_system(system), tree, found)


def _schedule(compiled: Compiled, parents: Tree, state: State) -> Schedule:
    steps: list[Step] = []
    states = [compiled.code.decode(state)]
    parent = parents[state]
    while parent is not None:
        state, number = parent
        steps.append(compiled.system.steps[number])
        states.append(compiled.code.decode(state))
        parent = parents[state]
    return Schedule(tuple(reversed(steps)), tuple(reversed(states)))


def satisfying(system: System, states: Iterable[State], term: Term) -> list[State]:
    """Those of `states` in which `term` holds."""
    coding = code(system)
    test: Callable[[State], bool] = eval(f"lambda s: {coding.source(term)}", {"__builtins__": {}})
    return [state for state in states if test(state)]
