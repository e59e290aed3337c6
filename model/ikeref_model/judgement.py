"""The rekey that made a Child SA, with nothing known of IKE SAs.

`focus` looks at a Child SA, `this`, and its parent on one IKE SA, or at `this` without its parent on any number of IKE
SAs. What joins the two is that both ends judge alike whether `this` outlives the rekey that made it (KEPT, DROPPED).
Here that is asked of the parent and the exchanges about it alone, with everything unknown that the rows read of an IKE
SA, of successors, of what is outstanding, and of `this` itself: a row is taken if the parent allows it. So IKE SAs may
be rekeyed, handed on, deleted or lost at any time, in the middle of an exchange too, and their windows be of any size.

All that is known of the network is that a request is processed once, and its response taken once (the lemmas about
Message IDs). An end has one exchange about the parent at a time: that is not taken for granted either, it is a part of
what is proved (`one_at_a_time`).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ikeref_model import state
from ikeref_model.events import Kind
from ikeref_model.focus import (
    DROPPED,
    KEPT,
    LINKED,
    MAKER,
    OTHER,
    PARENT,
    THIS,
    UNKNOWN,
    Bound,
    Focus,
    accepts,
    born,
    different,
    judged,
    loose,
    lowest,
)
from ikeref_model.rows import Row
from ikeref_model.state import Child, Variable
from ikeref_model.system import ANSWERS, ENDS, NONE, PEER, Naming, Right, Scope, Step, System, conj
from ikeref_model.tables import ROWS
from ikeref_model.terms import FALSE, SomeChild, Term, all_of, any_of, is_, isnt, no

SENT = "begins: "
"""What the name of a step has in it by which an end begins an exchange about the parent."""


class Loose(NamedTuple):
    """Where the variables of the rows lie: those of the parent as they are, whether it is on the IKE SA in question as
    the step has it, all else unknown."""

    end: str
    bound: Bound
    here: bool
    facts: Mapping[str, bool | Term]
    ike: str = ""

    def of(self, variable: str, each: str | None = None) -> str | bool | Term:
        """The variable of the system that a row calls `variable`, a constant, or UNKNOWN."""
        scope, _, name = variable.partition(".")
        if scope == "fact":
            return self.facts[name]
        child, mine, theirs = self.bound
        slot = {"child": child, "child_mine": mine, "child_theirs": theirs, "each": each}.get(scope)
        if slot != PARENT:
            return UNKNOWN
        if name == "on_ike":
            return self.here
        return UNKNOWN if name.startswith("on_") else f"{self.end}.child_{PARENT}.{name}"


def build_judgement(scope: Scope, rows: tuple[Row, ...] = ROWS) -> System:
    """Two ends, and of any number of Child SAs the parent of `this`."""
    builder = Judgement(scope, rows)
    return System(scope, builder.variables(), different(builder.steps()))


def one_at_a_time(system: System) -> Term:
    """An end begins an exchange about a Child SA only where none of its own about it is under way."""
    rules: list[Term] = []
    for step in system.steps:
        if SENT in step.name:
            slot = next(each for each, _ in step.assign if each.endswith(".msg"))
            rules.append(any_of(no(step.guard), is_(slot, NONE)))
    return all_of(*rules)


class Judgement(Focus):
    """Translates rows into the steps of such a system."""

    def variables(self) -> tuple[Variable, ...]:
        """All variables. At the start there is no such Child SA."""
        found: list[Variable] = []
        for end in ENDS:
            record = [each for each in state.CHILD if not each.name.startswith("on_")]
            found += [each._replace(name=f"{end}.child_{PARENT}.{each.name}") for each in record]
            slot = f"{end}>{PARENT}"
            found.append(Variable(f"{slot}.msg", (NONE, *self.scope.kinds), NONE, "a request about it, or making it"))
            found.append(Variable(f"{slot}.about", (NONE, PARENT, OTHER), NONE, "its Child SA"))
            found.append(Variable(f"{slot}.new", (NONE, PARENT, THIS), NONE, "what the exchange brings into being"))
            found.append(Variable(f"{slot}.ans", (NONE, *ANSWERS), NONE, "the response to it"))
        found += [Variable(born(child), state.BOOL, False, "its name is given") for child in (PARENT, THIS)]
        found.append(Variable(lowest(PARENT), ENDS, "A", "whose rekey of it has the lowest nonce"))
        found.append(Variable(KEPT, state.BOOL, False, "its maker wants to keep it"))
        found.append(Variable(DROPPED, state.BOOL, False, "the peer of its maker takes it to be superfluous"))
        found.append(Variable(LINKED, state.BOOL, False, "is the peer's new one of its parent"))
        return tuple(found)

    def term(self, term: Term, names: Naming, each: str | None = None) -> Term:
        """A guard. Some Child SA of an IKE SA may be such or not."""
        return UNKNOWN if isinstance(term, SomeChild) else super(Focus, self).term(term, names, each)

    def targets(self, variable: str, names: Naming, each: str | None = None) -> tuple[str, ...]:
        """The variables of the system that a row writes when it writes `variable`."""
        target = names.of(variable, each)
        return (target,) if isinstance(target, str) else ()

    def written(self, row: Row, names: Loose) -> dict[str, Right]:
        """The assignments of a row: to what is on the IKE SA first, so that those in question overrule."""
        assign: dict[str, Right] = {}
        for variable, value in row.effects():
            for target in self.targets(variable, names, PARENT) if variable.startswith("each.") and names.here else ():
                assign[target] = self.right(value, target, names, PARENT)
        for variable, value in row.effects():
            for target in () if variable.startswith("each.") else self.targets(variable, names):
                assign[target] = self.right(value, target, names)
        return assign

    def steps(self) -> Iterator[Step]:
        """All steps that can ever happen."""
        for end in ENDS:
            for row in self.rows:
                for kind in sorted(row.on.kinds & set(self.scope.kinds)):
                    for bound in self.bounds(row, end, kind):
                        yield from self.anywhere(row, end, bound, kind)
            for row in self.readiness:
                names = Loose(end, Bound(PARENT), True, self.facts())
                guard = loose(self.term(row.condition(), names))
                yield Step(f"{end} {row.name}", row.name, guard, tuple(self.written(row, names).items()))
        there: dict[str, Right] = {born(PARENT): True}
        for end in ENDS:
            there |= {f"{end}.child_{PARENT}.state": Child.OPEN}
            there |= {f"{end}.child_{PARENT}.{way}": True for way in ("in", "out")}
        yield Step(f"{PARENT} is there", "there", isnt(born(PARENT)), tuple(there.items()))
        yield Step(f"{THIS} is there", "there", isnt(born(THIS)), ((born(THIS), True), (KEPT, True)))

    def anywhere(self, row: Row, end: str, bound: Bound, kind: Kind) -> Iterator[Step]:
        """The row about these Child SAs, on an IKE SA that the parent is on or is not."""
        facts = self.facts()
        if row.component == "child" and bound.child == PARENT:
            facts["lowest_is_mine"] = is_(lowest(PARENT), end)
        for here in (True, False):
            names = Loose(end, bound, here, facts)
            guard = loose(self.term(row.condition(), names))
            if guard == FALSE:
                continue
            label = f"{end} {row.name} ({kind}){bound.text()}{'' if here else ' elsewhere'}"
            fate = judged(row, bound)
            for number, assign in enumerate(self.certain(self.written(row, names))):
                named = f"{label}{'*' * number}"
                yield from self.exchange(named, row, end, bound, kind, guard, assign | ({fate: True} if fate else {}))

    def exchange(
        self, label: str, row: Row, end: str, bound: Bound, kind: Kind, guard: Term, assign: dict[str, Right]
    ) -> Iterator[Step]:
        """The row with what it does to the network, if the exchange is about the parent or makes it."""
        new = bound.theirs if row.on.what == "request" and accepts(row) else bound.mine
        new = str(bound.child) if kind is Kind.CREATE_CHILD else new
        new = NONE if new == OTHER else new
        if PARENT not in (bound.child, new):
            if assign:
                yield Step(label, row.name, guard, tuple(assign.items()))
            return
        slot = f"{PEER[end] if row.on.what == 'request' else end}>{PARENT}"
        about = str(bound.child)
        latest = (is_(f"{slot}.msg", kind), is_(f"{slot}.about", about), is_(f"{slot}.new", new))
        match row.on.what:
            case "send":
                sent: dict[str, Right] = {f"{slot}.msg": kind, f"{slot}.about": about, f"{slot}.new": new}
                sent |= {born(new): True} if new != NONE else {}
                guard = conj((guard, *((isnt(born(new)),) if new != NONE else ())))
                name = label.replace(f"{end} ", f"{end} {SENT}", 1)
                yield Step(name, row.name, guard, tuple({**assign, **sent}.items()))
            case "request":
                if bound.child == PARENT and end != MAKER and accepts(row):
                    assign = {**assign, LINKED: new == THIS}
                guard = conj((guard, *latest, is_(f"{slot}.ans", NONE), *self.linked(row, end, bound)))
                for outcome in sorted({self.outcomes[each.name] for each in row.answers if each.what == "reply"}):
                    answered = {**assign, f"{slot}.ans": outcome}
                    yield Step(f"{label}: {outcome}", row.name, guard, tuple(answered.items()))
            case "response":
                outcomes = sorted({self.outcomes[each] for each in row.on.outcomes})
                arrived = (*latest, is_(f"{slot}.ans", *outcomes), *self.linked(row, end, bound))
                taken = {f"{slot}.{part}": NONE for part in ("msg", "about", "new", "ans")}
                yield Step(label, row.name, conj((guard, *arrived)), tuple({**assign, **taken}.items()))
