"""Two ends and the network between them, composed of the rows.

A `System` has two ends, `A` and `B`, some slots for IKE SAs and Child SAs, and one exchange per end and IKE SA
(window 1). The slots are `old`, `a` (created by an exchange of A) and `b` (of B). A *step* is a row taken by one end
for one IKE SA and one Child SA, or `recycle`: when a rekey is over at both ends, its survivor becomes `old` again,
so that generations don't end.

**The network.** Every message ever sent may arrive any number of times at any later time, or never. Message IDs
decide what an arrival does: with window 1 only the latest request of an end and the latest response to it do
anything at all, all others are replays or unexpected (the rows `window.request.replay` and
`window.response.unexpected`, and the lemma `lemma_message_ids` of the proofs). So the network is, for each end and
IKE SA, the latest request (`msg`, `about`) and whether and how it was answered (`ans`); delivery happens at any
later time, or never.

A step is data: a guard and assignments over the variables of the system. The explorer, the solver and the checker each
compile it in their own way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ikeref_model import state
from ikeref_model.events import Alarm, Kind, Outcome
from ikeref_model.rows import Row
from ikeref_model.state import Variable
from ikeref_model.tables import ROWS
from ikeref_model.terms import FALSE, TRUE, All, Is, Not, Pick, Some, SomeChild, Term, Value, all_of, is_

ENDS = ("A", "B")
PEER = {"A": "B", "B": "A"}
MINE = {"A": "a", "B": "b"}
NONE = "NONE"
ANSWERS = tuple(outcome for outcome in Outcome if outcome is not Outcome.INVALID_MESSAGE_ID)
"""What a response in the network may say: one outcome no row ever answers."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The value of another variable."""

    variable: str


@dataclass(frozen=True, slots=True)
class If:
    """`then` if `condition` holds, else `otherwise`."""

    condition: Term
    then: "Right"
    otherwise: "Right"


Right = Value | Copy | If
"""The right-hand side of an assignment."""


class Step(NamedTuple):
    """Something that can happen: all assignments read the state before."""

    name: str
    row: str
    """The row taken, or `recycle`."""
    guard: Term
    assign: tuple[tuple[str, Right], ...]


class Scope(NamedTuple):
    """What a system contains. The proofs state it as their bounds."""

    title: str
    kinds: tuple[Kind, ...]
    ikes: tuple[str, ...] = ("old",)
    children: tuple[str, ...] = ("old", "a", "b")
    recycle: bool = True


class System(NamedTuple):
    """The composition: variables with their domains and initial values, and all steps."""

    scope: Scope
    variables: tuple[Variable, ...]
    steps: tuple[Step, ...]


def build(scope: Scope, rows: tuple[Row, ...] = ROWS) -> System:
    """The system of that scope, from these rows."""
    builder = Builder(scope, rows)
    return System(scope, builder.variables(), tuple(builder.steps()))


def conj(terms: tuple[Term, ...]) -> Term:
    """Conjunction with constants folded."""
    flat: list[Term] = []
    for term in terms:
        if term == FALSE:
            return FALSE
        if isinstance(term, All):
            flat.extend(term.terms)
        else:
            flat.append(term)
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def disj(terms: tuple[Term, ...]) -> Term:
    """Disjunction with constants folded."""
    flat: list[Term] = []
    for term in terms:
        if term == TRUE:
            return TRUE
        if isinstance(term, Some):
            flat.extend(term.terms)
        else:
            flat.append(term)
    return flat[0] if len(flat) == 1 else Some(tuple(flat))


def negation(term: Term) -> Term:
    """Negation with constants folded."""
    if term == TRUE:
        return FALSE
    if term == FALSE:
        return TRUE
    return term.term if isinstance(term, Not) else Not(term)


def at_window_one(row: Row) -> Row:
    """The row where the window is 1: there is room while nothing is outstanding, and no window size is remembered."""
    left_out = {each.name for each in state.WINDOW}
    update = tuple(each for each in row.update if each.variable.partition(".")[2] not in left_out)
    return row._replace(guard=_room_of_one(row.guard), update=update)


def _room_of_one(term: Term) -> Term:
    match term:
        case Is("ike.room", values):
            nothing = Is("ike.own", (state.NOTHING,))
            return nothing if True in values else Not(nothing)
        case Not(inner):
            return Not(_room_of_one(inner))
        case All(terms):
            return All(tuple(map(_room_of_one, terms)))
        case Some(terms):
            return Some(tuple(map(_room_of_one, terms)))
        case _:
            return term


class Naming(Protocol):
    """Where the variables of the rows lie, seen from one end and one IKE SA."""

    @property
    def end(self) -> str:
        """The end."""
        ...

    @property
    def ike(self) -> str:
        """The IKE SA."""
        ...

    def of(self, variable: str, each: str | None = None) -> str | bool | Term:
        """The variable of the system that a row calls `variable`, or a constant, or a term."""
        ...


class Names(NamedTuple):
    """Where the variables of the rows lie: seen from one end, one IKE SA, one Child SA. None: there is no such
    thing."""

    end: str
    ike: str
    child: str | None
    facts: Mapping[str, bool | Term]
    """What the outside world decides."""

    def of(self, variable: str, each: str | None = None) -> str | bool | Term:
        """The variable of the system that a row calls `variable`, or a constant, or a term."""
        scope, _, name = variable.partition(".")
        mine, theirs = MINE[self.end], MINE[PEER[self.end]]
        match scope:
            case "fact":
                return self.facts[name]
            case "ike":
                return f"{self.end}.ike_{self.ike}.{name}"
            case "ike_before":
                return self.blank(state.IKE, name) if self.ike == "old" else f"{self.end}.ike_old.{name}"
            case "ike_mine" | "ike_theirs":
                if self.ike != "old":
                    return self.blank(state.IKE, name)
                return f"{self.end}.ike_{mine if scope == 'ike_mine' else theirs}.{name}"
            case "child" if self.child:
                return self.of_child(self.child, name)
            case "child_mine" if self.child == "old":
                return self.of_child(mine, name)
            case "child_theirs" if self.child == "old":
                return self.of_child(theirs, name)
            case "each" if each:
                return self.of_child(each, name)
        return self.blank(state.CHILD, name)

    def of_child(self, child: str, name: str) -> str | bool:
        """A variable of a Child SA; which IKE SA controls it is told relative to the one in question."""
        homes = {"on_ike": self.ike, "on_mine": MINE[self.end], "on_theirs": MINE[PEER[self.end]]}
        if name in homes:
            if name != "on_ike" and self.ike != "old":
                return False
            return f"{self.end}.child_{child}.on_{homes[name]}"
        return f"{self.end}.child_{child}.{name}"

    @staticmethod
    def blank(variables: tuple[Variable, ...], name: str) -> bool | Term:
        """The value of a variable of something that does not exist, as a term that `Is` can be resolved against."""
        initial = next(each.initial for each in variables if each.name == name)
        return initial if isinstance(initial, bool) else Is(f"={initial}", ())


class Builder:
    """Translates rows into the steps of a system."""

    def __init__(self, scope: Scope, rows: tuple[Row, ...]) -> None:
        self.scope = scope
        self.rows = [at_window_one(row) for row in rows if row.on.kinds & set(scope.kinds) and not row.variant]
        rekeyed = Kind.REKEY_CHILD in scope.kinds
        self.readiness = [row for row in rows if rekeyed and row.on.alarm is Alarm.READY and row.update]
        self.lowest = ("lowest_child", "lowest_ike")
        self.outcomes = self._representatives()
        self.known = {each.name for each in self.variables()}

    def _representatives(self) -> dict[str, Outcome]:
        """Outcomes that no row of the scope tells apart are one."""
        found: dict[tuple[str, ...], Outcome] = {}
        result = {}
        for outcome in (Outcome.OK, Outcome.EMPTY, Outcome.REFUSED, *Outcome):
            key = tuple(row.name for row in self.rows if row.on.what == "response" and outcome in row.on.outcomes)
            result[str(outcome)] = found.setdefault(key, outcome)
        return result

    def variables(self) -> tuple[Variable, ...]:
        """All variables. At the start: one IKE SA, established, with one Child SA, at both ends."""
        found: list[Variable] = []
        skip_ike = {"verified"} | (set() if len(self.scope.ikes) > 1 else {"due"})
        for end in ENDS:
            for ike in self.scope.ikes:
                for each in state.IKE:
                    if each.name not in skip_ike:
                        initial = state.Ike.ESTABLISHED if (ike, each.name) == ("old", "state") else each.initial
                        found.append(each._replace(name=f"{end}.ike_{ike}.{each.name}", initial=initial))
                found.append(Variable(f"{end}>{ike}.msg", (NONE, *self.scope.kinds), NONE, "latest request"))
                found.append(Variable(f"{end}>{ike}.about", (NONE, *self.scope.children), NONE, "its Child SA"))
                found.append(Variable(f"{end}>{ike}.ans", (NONE, *ANSWERS), NONE, "the response to it"))
            for child in self.scope.children:
                start: dict[str, Value] = {"state": state.Child.OPEN, "in": True, "out": True} if child == "old" else {}
                found += [
                    each._replace(name=f"{end}.child_{child}.{each.name}", initial=start.get(each.name, each.initial))
                    for each in state.CHILD
                    if not each.name.startswith("on_")
                ]
                for ike in self.scope.ikes:
                    here = child == "old" and ike == "old"
                    found.append(Variable(f"{end}.child_{child}.on_{ike}", state.BOOL, here, "controls it"))
        for name in self.lowest[: 1 if len(self.scope.ikes) == 1 else 2]:
            found.append(Variable(name, ENDS, "A", "whose exchange has the lowest of the four nonces"))
        return tuple(found)

    # Translation of the rows

    def term(self, term: Term, names: Naming, each: str | None = None) -> Term:
        """A guard over the variables of the system."""
        match term:
            case Is(variable, values):
                target = names.of(variable, each)
                if isinstance(target, bool):
                    return TRUE if target in values else FALSE
                if isinstance(target, Is) and target.variable.startswith("="):
                    return TRUE if target.variable[1:] in values else FALSE
                if isinstance(target, str):
                    if target not in self.known:
                        return self.missing(variable, values)
                    return Is(target, values)
                return target if True in values else negation(target)
            case Not(inner):
                return negation(self.term(inner, names, each))
            case All(terms):
                return conj(tuple(self.term(inner, names, each) for inner in terms))
            case Some(terms):
                return disj(tuple(self.term(inner, names, each) for inner in terms))
            case SomeChild(inner):
                return disj(
                    tuple(
                        conj((is_(f"{names.end}.child_{child}.on_{names.ike}"), self.term(inner, names, child)))
                        for child in self.scope.children
                    )
                )

    @staticmethod
    def missing(variable: str, values: tuple[Value, ...]) -> Term:
        """A variable that the scope leaves out holds its initial value for ever."""
        return TRUE if state.variable(variable).initial in values else FALSE

    def right(self, value: Value | Pick, target: str, names: Naming, each: str | None = None) -> Right:
        """A right-hand side over the variables of the system."""
        if not isinstance(value, Pick):
            return value
        condition = self.term(value.condition, names, each)
        then: Right = Copy(target) if value.then is None else value.then
        otherwise: Right = Copy(target) if value.otherwise is None else value.otherwise
        if condition == TRUE:
            return then
        return otherwise if condition == FALSE else If(condition, then, otherwise)

    def effects(self, row: Row, names: Naming) -> dict[str, Right]:
        """The assignments of a row: to every Child SA of the IKE SA first, so that those in question overrule."""
        assign: dict[str, Right] = {}
        for variable, value in row.effects():
            if variable.startswith("each."):
                for child in self.scope.children:
                    here = is_(f"{names.end}.child_{child}.on_{names.ike}")
                    for target in self.targets(variable, names, child):
                        assign[target] = If(here, self.right(value, target, names, child), Copy(target))
        for variable, value in row.effects():
            if not variable.startswith("each."):
                for target in self.targets(variable, names):
                    assign[target] = self.right(value, target, names)
        return assign

    def targets(self, variable: str, names: Naming, each: str | None = None) -> tuple[str, ...]:
        """The variables of the system that a row writes when it writes `variable`."""
        scope, _, name = variable.partition(".")
        if name == "on_any":
            first = names.of(f"{scope}.state", each)
            if not isinstance(first, str) or first not in self.known:
                return ()
            return tuple(first.replace(".state", f".on_{ike}") for ike in self.scope.ikes)
        target = names.of(variable, each)
        return (target,) if isinstance(target, str) and target in self.known else ()

    # Steps

    def steps(self) -> Iterator[Step]:
        """All steps that can ever happen."""
        for end in ENDS:
            for ike in self.scope.ikes:
                for row in self.rows:
                    for kind in sorted(row.on.kinds & set(self.scope.kinds)):
                        for child in self.subjects(row, end, kind):
                            if not (kind is Kind.REKEY_IKE and ike != "old"):
                                yield from self.step(row, end, ike, child, kind)
            for row in self.readiness:
                for child in self.scope.children:
                    names = Names(end, "old", child, {})
                    guard = self.term(row.condition(), names)
                    yield Step(f"{end} {row.name} [{child}]", row.name, guard, tuple(self.effects(row, names).items()))
        if self.scope.recycle:
            yield from self.recycle_child()
            if len(self.scope.ikes) > 1:
                yield from self.recycle_ike()

    def subjects(self, row: Row, end: str, kind: Kind) -> tuple[str | None, ...]:
        """The Child SAs that a row may be about: a new one is in the slot of the end that asks for it, only `old` is
        rekeyed."""
        match kind:
            case Kind.CREATE_CHILD:
                asking = PEER[end] if row.on.what == "request" else end
                return (MINE[asking],) if MINE[asking] in self.scope.children else self.scope.children
            case Kind.REKEY_CHILD:
                return ("old",)
            case Kind.DELETE_CHILD:
                return self.scope.children
            case _:
                return (None,)

    def step(self, row: Row, end: str, ike: str, child: str | None, kind: Kind) -> Iterator[Step]:
        """The steps by which `end` takes `row`."""
        facts: dict[str, bool | Term] = {fact.name: bool(fact.initial) for fact in state.FACTS}
        facts["lowest_is_mine"] = is_(self.lowest[row.component == "ike"], end)
        names = Names(end, ike, child, facts)
        guard = self.term(row.condition(), names)
        if guard == FALSE:
            return
        assign = self.effects(row, names)
        about = child or NONE
        label = f"{end} {row.name}" + (f" ({kind})" if len(row.on.kinds) > 1 else "")
        label += (f" on {ike}" if len(self.scope.ikes) > 1 else "") + (f" [{child}]" if child else "")
        match row.on.what:
            case "send":
                slot = f"{end}>{ike}"
                guard = conj((guard, is_(f"{slot}.msg", NONE), *self.free_slot(row, end, child)))
                sent: dict[str, Right] = {f"{slot}.msg": kind, f"{slot}.about": about}
                yield Step(label, row.name, guard, tuple({**assign, **sent}.items()))
            case "request":
                slot = f"{PEER[end]}>{ike}"
                arrived = conj((is_(f"{slot}.msg", kind), is_(f"{slot}.ans", NONE), is_(f"{slot}.about", about)))
                outcomes = {self.outcomes[answer.name] for answer in row.answers if answer.what == "reply"}
                for outcome in sorted(outcomes):
                    answered: dict[str, Right] = {f"{slot}.ans": outcome}
                    yield Step(
                        f"{label}: {outcome}", row.name, conj((guard, arrived)), tuple({**assign, **answered}.items())
                    )
            case "response":
                slot = f"{end}>{ike}"
                outcomes = {self.outcomes[outcome] for outcome in row.on.outcomes if outcome in ANSWERS}
                arrived = conj(
                    (
                        is_(f"{slot}.msg", kind),
                        is_(f"{slot}.about", about),
                        is_(f"{slot}.ans", *sorted(outcomes)),
                        is_(f"{end}.ike_{ike}.own", kind),
                    )
                )
                taken: dict[str, Right] = {f"{slot}.msg": NONE, f"{slot}.about": NONE, f"{slot}.ans": NONE}
                yield Step(label, row.name, conj((guard, arrived)), tuple({**assign, **taken}.items()))

    def free_slot(self, row: Row, end: str, child: str | None) -> tuple[Term, ...]:
        """A new Child SA has new SPIs: its slot has to be free at both ends, in all messages, and in what the peer
        has yet to compare."""
        if Kind.CREATE_CHILD in row.on.kinds:
            new = (child or "old",)
        elif Kind.REKEY_CHILD in row.on.kinds:
            new = (MINE[end],)
        else:
            return ()
        free = [is_(f"{each}.child_{slot}.state", state.Child.ABSENT) for each in ENDS for slot in new]
        unmentioned = [Not(Is(f"{each}>{ike}.about", new)) for each in ENDS for ike in self.scope.ikes]
        undecided = (state.Child.CROSSED, state.Child.CROSSED_GONE)
        compared = [Not(Is(f"{PEER[end]}.child_old.state", undecided))] if "old" not in new else []
        return (*free, *unmentioned, *compared)

    def recycle_child(self) -> Iterator[Step]:
        """A rekey is over at both ends, and one Child SA is left: it becomes `old`."""
        for keep, drop in (("a", "b"), ("b", "a")):
            if keep not in self.scope.children:
                continue
            guard = [is_(f"{end}.child_{slot}.state", state.Child.ABSENT) for end in ENDS for slot in ("old", drop)]
            guard += [is_(f"{end}.child_{keep}.state", state.Child.OPEN) for end in ENDS]
            guard += [is_(f"{end}>{ike}.about", NONE) for end in ENDS for ike in self.scope.ikes]
            moved = self._renamed("child", keep)
            for lowest in ENDS:
                yield Step(
                    f"recycle Child SA {keep}, lowest {lowest}",
                    "recycle",
                    conj(tuple(guard)),
                    (*moved, (self.lowest[0], lowest)),
                )

    def recycle_ike(self) -> Iterator[Step]:
        """A rekey of the IKE SA is over at both ends, and one IKE SA is left: it becomes `old`."""
        ended = (state.Ike.IDLE, state.Ike.CLOSED)
        for keep, drop in (("a", "b"), ("b", "a")):
            guard = [is_(f"{end}.ike_{slot}.state", *ended) for end in ENDS for slot in ("old", drop)]
            guard += [is_(f"{end}.ike_{keep}.state", state.Ike.ESTABLISHED) for end in ENDS]
            moved = list(self._renamed("ike", keep))
            for end in ENDS:
                for part in ("msg", "about", "ans"):
                    moved += [(f"{end}>old.{part}", Copy(f"{end}>{keep}.{part}"))]
                    moved += [(f"{end}>{slot}.{part}", NONE) for slot in (keep, drop)]
                for child in self.scope.children:
                    moved += [(f"{end}.child_{child}.on_old", Copy(f"{end}.child_{child}.on_{keep}"))]
                    moved += [(f"{end}.child_{child}.on_{slot}", False) for slot in (keep, drop)]
                moved += [(f"{end}.ike_{drop}.{each.name}", each.initial) for each in state.IKE]
            for lowest in ENDS:
                yield Step(
                    f"recycle IKE SA {keep}, lowest {lowest}",
                    "recycle",
                    conj(tuple(guard)),
                    (*((k, v) for k, v in moved if k in self.known), (self.lowest[1], lowest)),
                )

    def _renamed(self, what: str, keep: str) -> tuple[tuple[str, Right], ...]:
        record = state.IKE if what == "ike" else state.CHILD
        homes = [Variable(f"on_{ike}", state.BOOL, False, "") for ike in self.scope.ikes] if what == "child" else []
        found: list[tuple[str, Right]] = []
        for end in ENDS:
            for each in (*record, *homes):
                source = f"{end}.{what}_{keep}.{each.name}"
                if source in self.known:
                    found += [(f"{end}.{what}_old.{each.name}", Copy(source)), (source, each.initial)]
        return tuple(dict(found).items())


def initial(system: System) -> dict[str, Value]:
    """The initial state; whose nonce will be lowest is free (see `initials`)."""
    return {each.name: each.initial for each in system.variables}


def initials(system: System) -> Iterator[dict[str, Value]]:
    """All initial states."""
    free = [each.name for each in system.variables if each.name.startswith("lowest")]
    worlds: list[Mapping[str, Value]] = [initial(system)]
    for name in free:
        worlds = [{**world, name: end} for world in worlds for end in ENDS]
    yield from (dict(world) for world in worlds)


__all__ = ["Copy", "If", "Right", "Scope", "Step", "System", "all_of", "build", "initial", "initials"]
