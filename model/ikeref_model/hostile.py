"""Each end alone against the most hostile network: anything may arrive at any time, in any order, from anybody.

In this composition no message is ever checked against what the other end has sent, with one exception: an AUTH
payload verifies only if the other end has sent its own (`proved`). That is what Section 2.15 promises; that it holds
is a matter of cryptography and not of these rows. All rows of all tables take part, each for the IKE SA `old`, its
successors and its Child SAs; all facts that the rows read are free.
"""

from collections.abc import Iterator
from itertools import product

from ikeref_model import state
from ikeref_model.events import Kind
from ikeref_model.rows import Row
from ikeref_model.state import Variable
from ikeref_model.system import ENDS, PEER, Builder, Names, Right, Scope, Step, System, at_window_one, conj
from ikeref_model.tables import ROWS
from ikeref_model.terms import FALSE, Pick, Term, is_, variables_of

SCOPE = Scope("hostile network", tuple(Kind), ("old", "a", "b"), ("old", "a", "b"), recycle=False)
UNHEARD = ("wait", "announce", "announced")
"""Events in which nothing happens to an SA."""
INITIAL = frozenset((Kind.IKE_SA_INIT, Kind.IKE_AUTH))


def proved(end: str) -> str:
    """The variable that says that `end` has sent its AUTH payload."""
    return f"{end}.proved"


def build_hostile(rows: tuple[Row, ...] = ROWS) -> System:
    """Two ends, each of which may receive anything."""
    builder = _Hostile(SCOPE, rows)
    return System(SCOPE, builder.variables(), tuple(builder.steps()))


class _Hostile(Builder):
    def __init__(self, scope: Scope, rows: tuple[Row, ...]) -> None:
        super().__init__(scope, rows)
        self.rows = [at_window_one(row) for row in rows if not row.variant and row.on.what not in UNHEARD]

    def variables(self) -> tuple[Variable, ...]:
        """The records of both ends, empty at the start, and `proved`."""
        found: list[Variable] = []
        for end in ENDS:
            for ike in self.scope.ikes:
                found += [each._replace(name=f"{end}.ike_{ike}.{each.name}") for each in state.IKE]
            for child in self.scope.children:
                found += [
                    each._replace(name=f"{end}.child_{child}.{each.name}")
                    for each in state.CHILD
                    if not each.name.startswith("on_")
                ]
                found += [
                    Variable(f"{end}.child_{child}.on_{ike}", state.BOOL, False, "controls it")
                    for ike in self.scope.ikes
                ]
            found.append(Variable(proved(end), state.BOOL, False, "has sent its AUTH payload"))
        return tuple(found)

    def steps(self) -> Iterator[Step]:
        """Every row, for every IKE SA and Child SA, in every world."""
        for end in ENDS:
            for row in self.rows:
                for ike in ("old",) if row.on.kinds and row.on.kinds <= INITIAL else self.scope.ikes:
                    kinds: tuple[Kind | None, ...] = tuple(sorted(row.on.kinds)) or (None,)
                    for kind in kinds if len(kinds) < len(Kind) else (None,):
                        for child in self.any_subject(row, kind):
                            yield from self.worlds(row, end, ike, child, kind)

    def any_subject(self, row: Row, kind: Kind | None) -> tuple[str | None, ...]:
        """The Child SAs that a row may be about."""
        if row.component == "ike" and kind is not Kind.IKE_AUTH:
            return (None,)
        match kind:
            case Kind.IKE_AUTH | Kind.REKEY_CHILD | Kind.CREATE_CHILD:
                return ("old",)
            case Kind.DELETE_CHILD:
                return self.scope.children
            case None if row.component == "child":
                return self.scope.children
            case _:
                return (None,)

    def worlds(self, row: Row, end: str, ike: str, child: str | None, kind: Kind | None) -> Iterator[Step]:
        """The row in each combination of the facts that it reads."""
        read = variables_of(row.guard)
        for each in row.update:
            if isinstance(each.value, Pick):
                read |= variables_of(each.value.condition)
        free = sorted(each[5:] for each in read if each.startswith("fact."))
        for values in product((False, True), repeat=len(free)):
            facts: dict[str, bool | Term] = {fact.name: bool(fact.initial) for fact in state.FACTS}
            facts |= dict(zip(free, values, strict=True))
            names = Names(end, ike, child, facts)
            guard = [self.term(row.condition(), names)]
            if row.on.what == "response" and kind is not None:
                guard.append(is_(f"{end}.ike_{ike}.own", kind))
            if kind is Kind.IKE_AUTH and "verifies" in free and facts["verifies"]:
                guard.append(is_(proved(PEER[end])))
            if FALSE in guard:
                continue
            world = ", ".join(f"{name}" for name, value in zip(free, values, strict=True) if value)
            label = f"{end} {row.name} {kind or ''} on {ike} [{child or '-'}]" + (f" if {world}" if world else "")
            yield Step(label, row.name, conj(tuple(guard)), (*self.effects(row, names).items(), *self.proof(row, end)))

    @staticmethod
    def proof(row: Row, end: str) -> tuple[tuple[str, Right], ...]:
        """Whether the row sends an AUTH payload: in the IKE_AUTH request, with EAP in the last; in a response that does
        not refuse, with EAP in the first too (Section 2.16)."""
        proving = (state.Ike.AUTH_SENT, state.Ike.FINAL_SENT)
        asks = row.destination in proving and any(each.name == Kind.IKE_AUTH for each in row.answers)
        answers = (
            Kind.IKE_AUTH in row.on.kinds
            and row.on.what == "request"
            and row.destination in (state.Ike.ESTABLISHED, state.Ike.EAP_OPEN)
        )
        return ((proved(end), True),) if asks or answers else ()
