"""The rows as z3 terms: a system's state as constants, its steps as formulas.

Every check has a `z3.Context` of its own (z3 refuses a second sort of one name in a context). Control states are
enumeration sorts. Because every step is deterministic, "after the step" needs no second set of constants: `after`
substitutes the right-hand sides, which is the weakest precondition.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import z3

from ikeref_model.state import BOOL
from ikeref_model.system import Copy, If, Right, System
from ikeref_model.terms import Term, Value, evaluate


class Symbols(NamedTuple):
    """The constants of one state of a system, in one context."""

    context: z3.Context
    constants: dict[str, Any]
    values: dict[tuple[Value, ...], dict[Value, Any]]
    """For each domain the constants of its enumeration sort."""
    domains: dict[str, tuple[Value, ...]]

    # The algebra of `terms.evaluate`

    def equal(self, variable: str, value: Value) -> Any:
        """`variable` = `value` as a z3 term."""
        return self._equal(self.constants[variable], self.domains[variable], value)

    def _equal(self, constant: Any, domain: tuple[Value, ...], value: Value) -> Any:
        if domain == BOOL:
            return constant if value else z3.Not(constant)
        return constant == self.values[domain][value]

    def negate(self, term: Any) -> Any:
        """Not."""
        return z3.Not(term)

    def conjoin(self, terms: Sequence[Any]) -> Any:
        """And."""
        return z3.And(*terms) if terms else z3.BoolVal(True, self.context)

    def disjoin(self, terms: Sequence[Any]) -> Any:
        """Or."""
        return z3.Or(*terms) if terms else z3.BoolVal(False, self.context)

    def some_child(self, term: Term) -> Any:
        """A composed system has no such term."""
        raise TypeError(term)

    def term(self, term: Term) -> Any:
        """A guard as a z3 term."""
        return evaluate(term, self)

    def right(self, variable: str, right: Right) -> Any:
        """A right-hand side as a z3 term of the sort of `variable`."""
        domain = self.domains[variable]
        match right:
            case Copy(source):
                return self.constants[source]
            case If(condition, then, otherwise):
                return z3.If(self.term(condition), self.right(variable, then), self.right(variable, otherwise))
            case value:
                return z3.BoolVal(bool(value), self.context) if domain == BOOL else self.values[domain][value]

    def hits(self, variable: str, right: Right, value: Value) -> Any:
        """That a right-hand side of `variable` is `value`."""
        match right:
            case Copy(source):
                return self.equal(source, value)
            case If(condition, then, otherwise):
                return z3.If(
                    self.term(condition), self.hits(variable, then, value), self.hits(variable, otherwise, value)
                )
            case constant:
                return z3.BoolVal(constant == value, self.context)

    def becomes(self, after: "Symbols", variable: str, right: Right) -> list[Any]:
        """That `variable` in the state `after` is this right-hand side, value by value (which suits the SAT solver)."""
        domain = self.domains[variable]
        values = (True,) if domain == BOOL else domain
        return [after.equal(variable, value) == self.hits(variable, right, value) for value in values]

    def after(self, assign: Mapping[str, Right]) -> "Symbols":
        """The state after a step as terms over the state before."""
        changed = {variable: self.right(variable, right) for variable, right in assign.items()}
        return self._replace(constants={**self.constants, **changed})

    def state(self, model: Any) -> dict[str, Value]:
        """The state that a z3 model describes."""
        found: dict[str, Value] = {}
        for name, constant in self.constants.items():
            value = model.eval(constant, model_completion=True)
            domain = self.domains[name]
            found[name] = (
                z3.is_true(value)
                if domain == BOOL
                else next(member for member, term in self.values[domain].items() if term.eq(value))
            )
        return found


def symbols(system: System, suffix: str = "", like: Symbols | None = None) -> Symbols:
    """Constants for one state of `system`, in a new context or in that of `like`."""
    context = like.context if like else z3.Context()
    values = like.values if like else {}
    constants: dict[str, Any] = {}
    for each in system.variables:
        if each.domain == BOOL:
            constants[each.name] = z3.Bool(f"{each.name}{suffix}", context)
            continue
        if each.domain not in values:
            label = f"Domain{len(values)}"
            _, members = z3.EnumSort(label, [f"{label}_{value}" for value in each.domain], ctx=context)
            values[each.domain] = dict(zip(each.domain, members, strict=True))
        sort = next(iter(values[each.domain].values())).sort()
        constants[each.name] = z3.Const(f"{each.name}{suffix}", sort)
    return Symbols(context, constants, values, {each.name: each.domain for each in system.variables})
