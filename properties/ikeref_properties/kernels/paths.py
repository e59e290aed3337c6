"""Running a function along every path that its inputs can take.

No interpreter of Python and no copy of the kernel: the function itself runs, again and again, on proxies. The first
run answers each comparison as it likes; for each that could as well have gone the other way, one more run is due,
with the answers up to there given. When none is due, all paths were run. At the end of each, z3 says whether any input
that takes it breaks what is required. Then a model of the path is put into the same function as plain ints and bytes:
the outcome has to be what the proxies gave.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar, cast

import z3

from ikeref_properties.kernels.logic import Formula, implies, le, no, some
from ikeref_properties.kernels.logic import eq as equal
from ikeref_properties.kernels.proxies import Number, Octets, Opaque, Span, Text
from ikeref_properties.kernels.terms import Model, Term, Terms

T = TypeVar("T")


_PATIENCE = 60_000
"""Milliseconds after which z3 gives up on a question, and the check is inconclusive."""


class Violation(NamedTuple):
    """An input for which the property does not hold."""

    message: str
    """What should have been."""
    inputs: dict[str, object]
    """Plain values by name; with them, the function was run again and the same found."""


class Outcome(NamedTuple):
    """What running all paths gave."""

    paths: int
    complete: bool
    """Whether no path is left. Otherwise the limit was reached, or a violation."""
    violation: Violation | None


class Inconclusive(Exception):
    """z3 answered unknown, or proxies and plain values disagreed: nothing is shown."""


class _Impossible(Exception):
    """The assumptions leave nothing of this path."""


class _Broken(Exception):
    """A requirement that plain values break."""


class _Solver:
    """z3, told one formula after the other. Paths share their beginnings, and what is the same stays told."""

    def __init__(self) -> None:
        self.terms = Terms()
        self._solver = z3.SimpleSolver(ctx=self.terms.context)
        self._solver.set("timeout", _PATIENCE)
        self._told: list[Term] = []
        self.position = 0

    def tell(self, formula: Term) -> None:
        """One more formula of the path."""
        if self.position < len(self._told):
            if self._told[self.position] is formula:
                self.position += 1
                return
            self._forget()
        self._solver.push()
        self._solver.add(self.terms.expression(formula))
        self._told.append(formula)
        self.position += 1

    def _forget(self) -> None:
        """What an earlier path told and this one did not."""
        if len(self._told) > self.position:
            self._solver.pop(len(self._told) - self.position)
            del self._told[self.position :]

    def input(self, name: str, kind: str) -> Term:
        """A number of that name."""
        return self.terms.make(kind, name)

    def model(self, *formulas: Term) -> Model | None:
        """Inputs for which all that was told holds, and these formulas too."""
        self._forget()
        self._solver.push()
        for formula in formulas:
            self._solver.add(self.terms.expression(formula))
        answer = self._solver.check()
        found = self._solver.model() if answer == z3.sat else None
        self._solver.pop()
        if answer == z3.unknown:
            raise Inconclusive(f"z3 answered unknown: {self._solver.reason_unknown()}")
        if found is None:
            return None
        return Model(found)


class _Decision(NamedTuple):
    """One comparison of a path."""

    taken: bool
    forced: bool
    """What is known leaves no other way."""


class _Path(NamedTuple):
    """How a path begins, and inputs that take it."""

    decisions: tuple[_Decision, ...]
    model: Model | None


Body = Callable[["Run"], object]
"""A property: takes its inputs from the run, calls the kernel, requires; returns what was decided."""


class Run:
    """One execution, on proxies along one path, or on plain values."""

    def __init__(self, solver: _Solver | None, begin: _Path, values: Mapping[str, Any]) -> None:
        self._solver = solver
        self._values = values
        self._given = begin.decisions
        self._begin_model = begin.model
        self._inputs: dict[str, Number | Octets | Opaque | Text] = {}
        self._required: list[tuple[Formula, str]] = []
        self._model: Model | None = None
        self._decisions: list[_Decision] = []
        self._known: dict[Term, bool] = {}
        self.chosen: dict[str, object] = {}
        """What `choice` gave, by name."""
        self.due: list[_Path] = []
        """Beginnings of other paths."""
        if solver:
            solver.position = 0

    @property
    def is_plain(self) -> bool:
        """Whether this run is on plain values."""
        return self._solver is None

    # --- Inputs

    def number(self, name: str, low: int, high: int | None = None) -> int:
        """Any integer from low to high, without end if high is None."""
        if self._solver is None:
            return cast(int, self._values[name])
        return cast(int, self._input(name, Number(self, self._bounded(name, low, high))))

    def real(self, name: str) -> Any:
        """Any real number."""
        if self._solver is None:
            return self._values[name]
        return self._input(name, Number(self, self._solver.input(name, "real")))

    def octets(self, name: str, size: int) -> bytes:
        """Any octets, so many of them."""
        if self._solver is None:
            return cast(bytes, self._values[name])
        return cast(bytes, self._input(name, Octets(self, self._bounded(name, 0, 256**size - 1), size)))

    def text(self, name: str, least: int, most: int) -> bytes:
        """Any octets, between so many and so many of them."""
        if self._solver is None:
            return cast(bytes, self._values[name])
        digits = tuple(self._bounded(f"{name}[{i}]", i < least, 256) for i in range(most))
        for earlier, later in pairwise(digits):
            self.assume(implies(equal(earlier, 0), equal(later, 0)))
        return cast(bytes, self._input(name, Text(self, digits)))

    def opaque(self, name: str, plain: Callable[[int], T]) -> T:
        """Anything that is only compared for equality; `plain` makes distinct ones of distinct numbers, () of 0."""
        if self._solver is None:
            return cast(T, self._values[name])
        return cast(T, self._input(name, Opaque(self, self._bounded(name, 0, None), plain)))

    def stream(self, length: int) -> Any:
        """Octets of which only the place matters."""
        return range(length) if self._solver is None else Span(self, 0, length)

    def choice(self, name: str, options: Sequence[T]) -> T:
        """Any of these, each on paths of its own."""
        index = self.number(name, 0, len(options) - 1)
        taken = next((option for i, option in enumerate(options[:-1]) if index == i), options[-1])
        self.chosen[name] = taken
        return taken

    def _bounded(self, name: str, low: int, high: int | None) -> Term:
        assert self._solver is not None
        term = self._solver.input(name, "int")
        self.assume(le(int(low), term))
        if high is not None:
            self.assume(le(term, high))
        return term

    def _input(self, name: str, proxy: Any) -> Any:
        if name in self._inputs:
            raise ValueError(f"two inputs are called {name}")
        self._inputs[name] = proxy
        return proxy

    # --- Paths

    def decide(self, condition: Formula) -> bool:
        """Which way this path goes. Asked by proxies, and by contracts."""
        if not isinstance(condition, Term):
            return bool(condition)
        assert self._solver is not None
        known = self._known.get(condition)
        if known is not None:
            return known
        position = len(self._decisions)
        if position < len(self._given):
            taken, forced = self._given[position]
            if position == len(self._given) - 1:
                self._model = self._begin_model
        else:
            taken = self._any_model().value(condition)
            other = self._solver.model(no(condition) if taken else condition)
            forced = other is None
            if other:
                self.due.append(_Path((*self._decisions, _Decision(not taken, False)), other))
        self._decisions.append(_Decision(taken, forced))
        self._learn(condition, taken)
        if not forced:
            self._solver.tell(condition if taken else no(condition))
        return taken

    def _learn(self, condition: Term, taken: bool) -> None:
        """What needs no question any more on this path."""
        self._known[condition] = taken
        if condition.kind == "not":
            self._known[condition.parts[0]] = not taken

    def assume(self, formula: Formula) -> None:
        """Only inputs for which this holds count."""
        if isinstance(formula, Term):
            assert self._solver is not None
            self._solver.tell(formula)
            self._model = None
        elif not formula:
            raise _Impossible

    def require(self, formula: Formula, message: str) -> None:
        """Must hold for every input that takes this path."""
        if self._solver is not None:
            self._required.append((formula, message))
        elif not formula:
            raise _Broken(message)

    # --- Afterwards

    def witness(self) -> dict[str, object]:
        """Plain inputs that take this path."""
        return self._plain(self._any_model())

    def broken(self) -> Violation | None:
        """Inputs of this path for which a requirement does not hold, if there are any."""
        assert self._solver is not None
        wrong = some(no(formula) for formula, _ in self._required)
        if wrong is False:
            return None
        model = self._any_model() if wrong is True else self._solver.model(wrong)
        if model is None:
            return None
        for formula, message in self._required:
            if not model.value(formula):
                return Violation(message, self._plain(model))
        raise Inconclusive("a model that breaks no requirement")

    def value(self, result: object) -> object:
        """What a result is for the witness."""
        return _value(self._any_model(), result)

    def _plain(self, model: Model) -> dict[str, object]:
        return {name: _value(model, proxy) for name, proxy in self._inputs.items()}

    def _any_model(self) -> Model:
        if self._model is None:
            assert self._solver is not None
            self._model = self._solver.model()
            if self._model is None:
                raise _Impossible
        return self._model


def _value(model: Model, result: object) -> object:
    match result:
        case Number() | Term():
            return model.value(result.term if isinstance(result, Number) else result)
        case Octets():
            return cast(int, model.value(result.term)).to_bytes(result.size, "big")
        case Text():
            return bytes(digit - 1 for digit in map(model.value, result.digits) if digit)
        case Opaque():
            return result.plain(model.value(result.term))
        case Span():
            return range(cast(int, _value(model, result.start)), cast(int, _value(model, result.stop)))
        case tuple() | list():
            return tuple(_value(model, each) for each in result)
    return result


# --- All of them ----------------------------------------------------------------------------------------------------


def explore(body: Body, *, limit: int = 100_000, deadline: float | None = None) -> Outcome:
    """Run all paths of `body`, at most `limit` and until `deadline` (of time.monotonic), to the first violation.

    Raises Inconclusive.
    """
    solver = _Solver()
    due = [_Path((), None)]
    paths = 0
    while due:
        if paths >= limit or (deadline is not None and time.monotonic() > deadline):
            return Outcome(paths, False, None)
        run = Run(solver, due.pop(), {})
        result, failure = None, None
        try:
            result = body(run)
        except _Impossible:
            due += run.due
            continue
        except Inconclusive:
            raise
        except Exception as error:
            failure = error
        due += run.due
        try:
            inputs = run.witness()
        except _Impossible:
            continue
        paths += 1
        violation = _failed(body, inputs, failure) if failure else run.broken()
        if violation:
            return Outcome(paths, False, _confirmed(body, violation))
        _agree(body, inputs, run.value(result))
    return Outcome(paths, True, None)


def _plain_run(inputs: dict[str, object]) -> Run:
    return Run(None, _Path((), None), inputs)


def _agree(body: Body, inputs: dict[str, object], expected: object) -> None:
    """The witness of a path has to have the outcome that the path has, or the proxies are not faithful."""
    try:
        result = _normal(body(_plain_run(inputs)))
    except _Broken as error:
        raise Inconclusive(f"proxies hide a violation: {error} for {inputs}") from error
    if result != expected:
        raise Inconclusive(f"proxies gave {expected}, plain values {result} for {inputs}")


def _normal(result: object) -> object:
    return tuple(_normal(each) for each in result) if isinstance(result, tuple | list) else result


def _confirmed(body: Body, violation: Violation) -> Violation:
    """The same from plain values; Inconclusive if they don't agree."""
    run = _plain_run(violation.inputs)
    try:
        body(run)
    except _Broken as error:
        return Violation(str(error), violation.inputs | run.chosen)
    except Exception as error:
        return Violation(f"{type(error).__name__}, {error}", violation.inputs | run.chosen)
    raise Inconclusive(f"proxies only: {violation.message} for {violation.inputs}")


def _failed(body: Body, inputs: dict[str, object], failure: Exception) -> Violation:
    """An exception on a path: a violation if plain values give one too, else the proxies lack something."""
    try:
        body(_plain_run(inputs))
    except Exception as error:
        return Violation(f"{type(error).__name__}, {error}", inputs)
    raise Inconclusive(f"not possible on proxies: {failure!r}") from failure
