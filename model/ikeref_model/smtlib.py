"""A row in SMT-LIB 2.6: its variables before and after, when it may be taken, and what it does.

Constants are named as in the rows; `child.state'` is the value afterwards. Enumerations are datatypes whose
constructors bear the record's name, since IKE SAs and Child SAs have states of the same name. "Some Child SA" is a
free truth value, for there may be any number of them; `each` stands for one Child SA of them. `own` is the one request
that is outstanding, as with a window of 1.
"""

from collections.abc import Sequence

from ikeref_model.rows import Row
from ikeref_model.state import BOOL, variable
from ikeref_model.terms import All, Is, Not, Pick, Some, SomeChild, Term, Value, evaluate, text, variables_of

SORTS = {"ike": "IkeState", "child": "ChildState", "own": "Own", "window": "Window", "peer_window": "Window"}

SAMPLES = {"IkeState": "ike.state", "ChildState": "child.state", "Own": "ike.own", "Window": "ike.window"}
"""For each sort a variable of it."""


def sort_of(name: str) -> str:
    """The sort of a variable."""
    scope, _, short = name.partition(".")
    if variable(name).domain == BOOL:
        return "Bool"
    return SORTS.get(short, SORTS["child" if scope.startswith(("child", "each")) else "ike"])


def constant(name: str, value: Value) -> str:
    """A value of that variable: `IkeState.REKEYING`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{sort_of(name)}.{value}"


class Smt:
    """The algebra that writes SMT-LIB."""

    def equal(self, variable: str, value: Value) -> str:
        """Equality with a constant."""
        if value is True:
            return f"|{variable}|"
        return f"(= |{variable}| {constant(variable, value)})"

    def negate(self, term: str) -> str:
        """Not."""
        return f"(not {term})"

    def conjoin(self, terms: Sequence[str]) -> str:
        """And."""
        return _many("and", "true", terms)

    def disjoin(self, terms: Sequence[str]) -> str:
        """Or."""
        return _many("or", "false", terms)

    def some_child(self, term: Term) -> str:
        """A free truth value."""
        return f"|{text(SomeChild(term))}|"


def _many(word: str, unit: str, terms: Sequence[str]) -> str:
    if len(terms) < 2:
        return terms[0] if terms else unit
    return f"({word} {' '.join(terms)})"


def _some(term: Term) -> set[str]:
    """The free truth values that a term needs."""
    match term:
        case SomeChild():
            return {text(term)}
        case All(terms) | Some(terms):
            return {name for each in terms for name in _some(each)}
        case Not(inner):
            return _some(inner)
        case Is():
            return set()


def smtlib(row: Row) -> str:
    """A script that declares the variables of the row and asserts that it is taken."""
    condition = row.condition()
    conditions = [condition, *(each.value.condition for each in row.effects() if isinstance(each.value, Pick))]
    free = sorted(set().union(*(_some(each) for each in conditions)))
    inside = {name for name in variables_of(condition) if name.startswith("each.")}
    reads: set[str] = set().union(*(variables_of(each) for each in conditions)) - inside
    writes = [each.variable for each in row.effects()]
    names = sorted({*reads, *writes})
    lines = [f"; {row.name}: Section {row.section}, {row.level}", "(set-logic ALL)"]
    for sort, sample in SAMPLES.items():
        members = " ".join(f"({constant(sample, value)})" for value in variable(sample).domain)
        lines.append(f"(declare-datatypes (({sort} 0)) (({members})))")
    lines += [f"(declare-const |{name}| {sort_of(name)})" for name in names]
    lines += [f"(declare-const |{name}'| {sort_of(name)})" for name in writes]
    lines += [f"(declare-const |{name}| Bool)" for name in free]
    lines.append(f"(define-fun guard () Bool {evaluate(condition, Smt())})")
    changes = [f"(= |{each.variable}'| {_right(each.variable, each.value)})" for each in row.effects()]
    lines.append(f"(define-fun update () Bool {_many('and', 'true', changes)})")
    return "\n".join([*lines, "(assert guard)", "(assert update)", "(check-sat)", "(get-model)"]) + "\n"


def _right(name: str, value: Value | Pick) -> str:
    if not isinstance(value, Pick):
        return constant(name, value)
    before = f"|{name}|"
    then = before if value.then is None else constant(name, value.then)
    otherwise = before if value.otherwise is None else constant(name, value.otherwise)
    return f"(ite {evaluate(value.condition, Smt())} {then} {otherwise})"
