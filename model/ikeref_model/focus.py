"""One Child SA among any number of others.

A property of every Child SA is proved for any number of them by looking at one, `this`, and at its parent: the Child
SA whose rekey brought it into being. Of all others nothing is known. A row about another one may be taken whenever
some state of that one allows it: the others are the rows themselves, with everything unknown that they read of a
Child SA in the background. That is an over-approximation by construction (`loose` drops from a guard what is unknown,
and an update whose condition is unknown is both made and not made). What the others do to `this` goes through what
all share, the records of the IKE SAs and the requests under way on them, and these are here as they are; but that a
request of which `this` is no part is `PASSING`, whichever of `OTHERS` it is.

The name of a Child SA is given once: `this.born` says that `this` has its name. So no slot has to be free, none is
recycled, and rekeys overlap as they like. `this` is there from the beginning, or is created, or is made by a rekey
of `parent`, always in an exchange of A: the rows do not tell the ends apart, so nothing is lost with those of B. How
the IKE SAs succeed one another is told in `succession`.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from ikeref_model import state, succession
from ikeref_model.events import Kind, Outcome
from ikeref_model.rows import Row
from ikeref_model.state import Child, Ike, Variable
from ikeref_model.succession import LOST
from ikeref_model.system import (
    ENDS,
    NONE,
    PEER,
    Builder,
    If,
    Names,
    Naming,
    Right,
    Scope,
    Step,
    System,
    conj,
    disj,
    negation,
)
from ikeref_model.tables import ROWS
from ikeref_model.terms import FALSE, TRUE, All, Is, Not, Pick, Some, SomeChild, Term, is_, isnt

THIS, PARENT, OTHER = "this", "parent", "other"
UNKNOWN: Term = Is("?", ())
"""What nothing is known of."""
MAKER = "A"
"""The end whose exchange makes `this`."""
LINKED = f"{PEER[MAKER]}.linked"
"""The peer has accepted the rekey of `parent` that makes `this`: there, `this` is the peer's new one."""
PASSING = "PASSING"
"""A request about another Child SA, or about none: which of OTHERS it is, nobody remembers."""
OTHERS = (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD, Kind.LIVENESS)


SUPERFLUOUS = f"{THIS} is superfluous"
"""The peer of the maker finds that `this` has lost, at any time, where nothing is known of the parent."""
KEPT, DROPPED = f"{THIS}.kept", f"{THIS}.dropped"
"""The maker has found that `this`, which a rekey has made, is to stay; the peer has found that it is to go."""


def loose(term: Term, *, sure: bool = False) -> Term:
    """The term with what is unknown taken to be as it suits; with `sure`, as it does not."""
    match term:
        case Is("?"):
            return FALSE if sure else TRUE
        case Not(inner):
            return negation(loose(inner, sure=not sure))
        case All(terms):
            return conj(tuple(loose(each, sure=sure) for each in terms))
        case Some(terms):
            return disj(tuple(loose(each, sure=sure) for each in terms))
        case _:
            return term


def born(child: str) -> str:
    """The variable that says that a Child SA has its name."""
    return f"{child}.born"


def lowest(child: str) -> str:
    """The variable that says whose nonces decide if both ends rekey a Child SA; it may have either value."""
    return f"lowest_{child}"


class Bound(NamedTuple):
    """Which Child SAs a row is about: `this`, `parent`, `other`, or None where it is about none."""

    child: str | None
    mine: str = OTHER
    theirs: str = OTHER

    def text(self) -> str:
        """For the name of a step."""
        if self.child is None:
            return ""
        return f" [{', '.join((self.child, *(each for each in self[1:] if each != OTHER)))}]"


class FocusNames(NamedTuple):
    """As `system.Names`; other Child SAs, and IKE SAs beyond the window, have no variables."""

    end: str
    ike: str
    bound: Bound
    facts: dict[str, bool | Term]

    def of(self, variable: str, each: str | None = None) -> str | bool | Term:
        """The variable of the system that a row calls `variable`, a constant, or UNKNOWN."""
        scope, _, name = variable.partition(".")
        slots = {
            "child": self.bound.child,
            "child_mine": self.bound.mine,
            "child_theirs": self.bound.theirs,
            "each": each,
        }
        names = Names(self.end, self.ike, None, self.facts)
        if self.ike != "old" and scope in ("ike_mine", "ike_theirs"):
            return UNKNOWN
        if scope not in slots:
            return names.of(variable)
        slot = slots[scope]
        return UNKNOWN if slot is None or slot == OTHER else names.of_child(slot, name)


def judged(row: Row, bound: Bound) -> str:
    """What a row that ends a rekey of the parent finds of `this`: KEPT, DROPPED, or "" if it finds nothing."""
    if row.on.what != "response":
        return ""
    written = {each.variable: each.value for each in row.effects()}
    mine, theirs = written.get("child_mine.state"), written.get("child_theirs.state")
    if bound.mine == THIS and isinstance(mine, Pick) and Child.OPEN in (mine.then, mine.otherwise):
        return KEPT
    return DROPPED if bound.theirs == THIS and theirs is not None else ""


def accepts(row: Row) -> bool:
    """Whether the row accepts a rekey: the peer's new Child SA comes into being."""
    return any(each.variable == "child_theirs.state" and isinstance(each.value, str) for each in row.effects())


def _tells(row: Row) -> bool:
    """Whether the row speaks of the peer's replacement."""
    return "child_theirs." in f"{row.condition()}{row.update}"


def build_focus(scope: Scope, rows: tuple[Row, ...] = ROWS) -> System:
    """Two ends with any number of Child SAs, of which `scope.children` are looked at."""
    builder = Focus(scope, rows)
    steps = different(builder.steps())
    if PARENT not in scope.children:
        steps = tuple(step._replace(guard=conj((step.guard, worth_it(scope)))) for step in steps)
    return System(scope, builder.variables(), steps)


def worth_it(scope: Scope) -> Term:
    """`this` may still come, or is not gone yet. Once it is gone, at both ends and in all messages, nothing brings it
    back, and what goes on without it goes on as where it has never been."""
    there: list[Term] = [isnt(born(THIS))]
    there += [isnt(f"{end}.child_{THIS}.state", Child.ABSENT, Child.DENIED) for end in ENDS]
    there += [is_(f"{end}>{ike}.{part}", THIS) for end in ENDS for ike in scope.ikes for part in ("about", "new")]
    return disj(tuple(there))


def different(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps without those that do the same: about Child SAs of which nothing is known, many rows are alike."""
    found: dict[tuple[Term, frozenset[tuple[str, Right]]], Step] = {}
    for step in steps:
        found.setdefault((step.guard, frozenset(step.assign)), step)
    return tuple(found.values())


class Focus(Builder):
    """Translates rows into the steps of such a system."""

    def __init__(self, scope: Scope, rows: tuple[Row, ...]) -> None:
        super().__init__(scope, rows)
        self.passed = self._passed()
        """Of the answers to a passing request, those that do more than end it are told apart."""

    def _passed(self) -> dict[str, Outcome]:
        found: dict[tuple[str, ...], Outcome] = {}
        result = {}
        taken = [row for row in self.rows if row.on.what == "response" and row.on.kinds & set(OTHERS)]
        telling = [row for row in taken if any(each.variable.startswith(("ike.s", "each.")) for each in row.effects())]
        for outcome in (Outcome.OK, *Outcome):
            key = tuple(row.name for row in telling if outcome in row.on.outcomes)
            result[str(outcome)] = found.setdefault(key, outcome)
        return result

    def variables(self) -> tuple[Variable, ...]:
        """All variables. At the start there is one IKE SA, and of each Child SA nothing is known yet."""
        children = self.scope.children
        found: list[Variable] = []
        for each in super().variables():
            at, _, name = each.name.partition(".")
            if name.endswith("own") or name == "msg":
                found.append(each._replace(domain=(*each.domain, PASSING)))
            elif name == "about":
                found.append(each._replace(domain=(NONE, *children, OTHER)))
                found.append(Variable(f"{at}.new", (NONE, *children), NONE, "what the exchange brings into being"))
            elif each.name != "lowest_child":
                found.append(each)
        found += [Variable(born(each), state.BOOL, False, "its name is given") for each in children]
        found.append(Variable(KEPT, state.BOOL, False, "its maker wants to keep it"))
        found.append(Variable(DROPPED, state.BOOL, False, "the peer of its maker takes it to be superfluous"))
        if PARENT in children:
            found.append(Variable(LINKED, state.BOOL, False, "is the peer's new one of its parent"))
            found += [Variable(lowest(each), ENDS, "A", "whose rekey of it has the lowest nonce") for each in children]
        if len(self.scope.ikes) > 1:
            found.append(Variable(LOST, state.BOOL, False, "something has happened out of sight"))
        return tuple(found)

    # What is read

    @staticmethod
    def facts() -> dict[str, bool | Term]:
        """What the outside world decides."""
        facts: dict[str, bool | Term] = {fact.name: bool(fact.initial) for fact in state.FACTS}
        return {**facts, "lowest_is_mine": UNKNOWN}

    def term(self, term: Term, names: Naming, each: str | None = None) -> Term:
        """A guard. Some other Child SA may be such or not; of a passing request the kind is unknown, and of the IKE SA
        before the first only that it is left behind."""
        if isinstance(term, Is) and term.variable == "ike_before.state" and names.ike == "old":
            return _known([value in term.values for value in succession.LEFT])
        found = super().term(term, names, each)
        if isinstance(term, SomeChild):
            return disj((found, UNKNOWN))
        if isinstance(found, Is) and found.variable.endswith(".own"):
            passing = _known([kind in found.values for kind in OTHERS])
            return disj((found, conj((is_(found.variable, PASSING), passing))))
        return found

    # Steps

    def steps(self) -> Iterator[Step]:
        """All steps that can ever happen."""
        for end in ENDS:
            for ike in self.scope.ikes:
                for row in self.rows:
                    for kind in sorted(row.on.kinds & set(self.scope.kinds)):
                        for bound in self.bounds(row, end, kind):
                            yield from self.worlds(row, end, ike, bound, kind)
            for row in self.readiness:
                for child in self.scope.children:
                    names = FocusNames(end, "old", Bound(child), self.facts())
                    assign = tuple(self.effects(row, names).items())
                    yield Step(
                        f"{end} {row.name} [{child}]", row.name, loose(self.term(row.condition(), names)), assign
                    )
        yield from map(self.there, self.scope.children)
        yield from self.forgotten()
        if PARENT not in self.scope.children:
            at = f"{PEER[MAKER]}.child_{THIS}.state"
            guard = conj((is_(at, Child.OPEN), isnt(KEPT)))
            yield Step(SUPERFLUOUS, SUPERFLUOUS, guard, ((at, Child.REPLACED), (DROPPED, True)))
        if len(self.scope.ikes) > 1:
            yield from (succession.on(self.scope, keep, self.known) for keep in ("a", "b"))

    def forgotten(self) -> Iterator[Step]:
        """Once no answer can bring it any more, an end forgets that it has denied a Child SA."""
        for end, child in product(ENDS, self.scope.children):
            at = f"{end}.child_{child}.state"
            coming = [is_(f"{end}>{ike}.new", child) for ike in self.scope.ikes]
            yield Step(
                f"{end} forgets [{child}]",
                "forgets",
                conj((is_(at, Child.DENIED), *map(negation, coming))),
                ((at, Child.ABSENT),),
            )

    def there(self, child: str) -> Step:
        """A Child SA that IKE_AUTH has made: there before anything else happens (here also later, at rest)."""
        guard = [isnt(born(child))]
        assign: dict[str, Right] = {born(child): True}
        if child == THIS:
            assign[KEPT] = True
        for end in ENDS:
            guard += [is_(f"{end}.ike_old.state", Ike.ESTABLISHED), is_(f"{end}.ike_old.own", state.NOTHING)]
            guard += [is_(f"{end}>old.msg", NONE)]
            assign |= {f"{end}.child_{child}.state": Child.OPEN, f"{end}.child_{child}.on_old": True}
            assign |= {f"{end}.child_{child}.{way}": True for way in ("in", "out")}
        return Step(f"{child} is there", "there", conj(tuple(guard)), tuple(assign.items()))

    def bounds(self, row: Row, end: str, kind: Kind) -> Iterator[Bound]:
        """The Child SAs that a row may be about."""
        children = self.scope.children
        asking = PEER[end] if row.on.what == "request" else end
        fresh = tuple(each for each in children if each == PARENT or asking == MAKER)
        match kind:
            case Kind.CREATE_CHILD:
                yield from (Bound(each) for each in (*fresh, OTHER))
            case Kind.DELETE_CHILD:
                for child in (*children, OTHER):
                    theirs = self.peers(end, child) if _tells(row) else (OTHER,)
                    yield from (Bound(child, OTHER, each) for each in theirs)
            case Kind.REKEY_CHILD:
                for child in (*children, OTHER):
                    for new in (*(each for each in fresh if self.may_be_parent(child, each)), OTHER):
                        if row.on.what == "request" and accepts(row):
                            yield Bound(child, OTHER, new)
                        elif row.on.what == "request":
                            theirs = self.peers(end, child) if _tells(row) else (OTHER,)
                            yield from (Bound(child, new, each) for each in theirs)
                        elif row.on.what == "send":
                            yield Bound(child, new)
                        else:
                            theirs = self.peers(end, child) if _tells(row) else (OTHER,)
                            yield from (Bound(child, new, each) for each in theirs if each == OTHER or each != new)
            case _:
                yield Bound(None)

    def may_be_parent(self, child: str, new: str) -> bool:
        """Whether a rekey of `child` may bring `new` into being: `this` has one parent, and that has an unknown one."""
        if new == PARENT or PARENT not in self.scope.children:
            return child == OTHER
        return child == PARENT

    def peers(self, end: str, child: str) -> tuple[str, ...]:
        """What the peer's rekey of `child` may have brought into being."""
        found = [each for each in self.scope.children if self.may_be_parent(child, each)]
        return (*(each for each in found if each == PARENT or end != MAKER), OTHER)

    def worlds(self, row: Row, end: str, ike: str, bound: Bound, kind: Kind) -> Iterator[Step]:
        """The row, about these Child SAs."""
        facts = self.facts()
        if row.component == "ike":
            facts["lowest_is_mine"] = is_("lowest_ike", end)
        elif PARENT in self.scope.children and bound.child in self.scope.children:
            facts["lowest_is_mine"] = is_(lowest(bound.child), end)
        names = FocusNames(end, ike, bound, facts)
        guard = loose(self.term(row.condition(), names))
        if guard == FALSE:
            return
        label = f"{end} {row.name}" + (f" ({kind})" if len(row.on.kinds) > 1 else "")
        label += (f" on {ike}" if len(self.scope.ikes) > 1 else "") + bound.text()
        shown, unseen = (
            succession.sight(self.scope, row, end, ike, self.known) if kind is Kind.REKEY_IKE else (TRUE, FALSE)
        )
        fate = judged(row, bound)
        if fate and PARENT not in self.scope.children:
            guard = conj((guard, isnt(KEPT if fate == DROPPED else DROPPED)))
        for number, assign in enumerate(self.certain(self.effects(row, names))):
            assign |= {fate: True} if fate else {}
            for step in self.message(f"{label}{'*' * number}", row, end, ike, bound, kind, guard, assign):
                yield step._replace(guard=conj((step.guard, shown)))
                if unseen != FALSE:
                    yield Step(f"{step.name}, unseen", row.name, conj((step.guard, unseen)), ((LOST, True),))

    def message(
        self,
        label: str,
        row: Row,
        end: str,
        ike: str,
        bound: Bound,
        kind: Kind,
        guard: Term,
        assign: dict[str, Right],
    ) -> Iterator[Step]:
        """The row with what it does to the network."""
        slot = f"{PEER[end] if row.on.what == 'request' else end}>{ike}"
        new = bound.theirs if row.on.what == "request" and accepts(row) else bound.mine
        new = str(bound.child) if kind is Kind.CREATE_CHILD else new
        new = NONE if new == OTHER else new
        passing = bound.child in (None, OTHER) and new == NONE and kind in OTHERS
        named, about = (PASSING, NONE) if passing else (kind, bound.child or NONE)
        alike = self.passed if passing else self.outcomes
        own = f"{end}.ike_{ike}.own"
        latest = (is_(f"{slot}.msg", named), is_(f"{slot}.about", about), is_(f"{slot}.new", new))
        match row.on.what:
            case "send":
                fresh = (isnt(born(new)),) if new != NONE else ()
                sent: dict[str, Right] = {f"{slot}.msg": named, f"{slot}.about": about, f"{slot}.new": new, own: named}
                sent |= {born(new): True} if fresh else {}
                sent |= {KEPT: True} if new == THIS and kind is Kind.CREATE_CHILD else {}
                guard = conj((guard, is_(f"{slot}.msg", NONE), *fresh))
                yield Step(label, row.name, guard, tuple({**assign, **sent}.items()))
            case "request":
                if bound.child == PARENT and end != MAKER and accepts(row):
                    assign = {**assign, LINKED: new == THIS}
                guard = conj((guard, *latest, is_(f"{slot}.ans", NONE), *self.linked(row, end, bound)))
                for outcome in sorted({alike[each.name] for each in row.answers if each.what == "reply"}):
                    answered = {**assign, f"{slot}.ans": outcome}
                    yield Step(f"{label}: {outcome}", row.name, guard, tuple(answered.items()))
            case "response":
                outcomes = sorted({alike[each] for each in row.on.outcomes})
                arrived = (*latest, is_(f"{slot}.ans", *outcomes), is_(own, named), *self.linked(row, end, bound))
                taken = {f"{slot}.{part}": NONE for part in ("msg", "about", "new", "ans")}
                yield Step(label, row.name, conj((guard, *arrived)), tuple({**assign, **taken}.items()))

    @staticmethod
    def linked(row: Row, end: str, bound: Bound) -> tuple[Term, ...]:
        """The peer's rekey of the parent has made `this`, or has not, as the row takes it to have."""
        if bound.child == PARENT and end != MAKER and _tells(row) and not accepts(row):
            return (is_(LINKED, bound.theirs == THIS),)
        return ()

    @staticmethod
    def certain(assign: dict[str, Right]) -> Iterator[dict[str, Right]]:
        """The assignments with every unknown condition taken either way."""
        unknown = [each for each, right in assign.items() if _unknown(right)]
        for choices in product((True, False), repeat=len(unknown)):
            chosen = dict(zip(unknown, choices, strict=True))
            yield {each: _decided(right, taken=chosen.get(each, True)) for each, right in assign.items()}


def _known(among: list[bool]) -> Term:
    """True if all are, False if none is, else unknown."""
    if all(among):
        return TRUE
    return UNKNOWN if any(among) else FALSE


def _unknown(right: Right) -> bool:
    if not isinstance(right, If):
        return False
    unsure = loose(right.condition) != loose(right.condition, sure=True)
    return unsure or _unknown(right.then) or _unknown(right.otherwise)


def _decided(right: Right, *, taken: bool) -> Right:
    if not isinstance(right, If):
        return right
    then, otherwise = _decided(right.then, taken=taken), _decided(right.otherwise, taken=taken)
    if loose(right.condition) != loose(right.condition, sure=True):
        return then if taken else otherwise
    return If(right.condition, then, otherwise)
