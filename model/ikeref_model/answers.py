"""Which answer to which request in which state: the rows read as a matrix (Sections 2.25.1 and 2.25.2).

A cell lists what may be answered to a fresh, well-formed request, and where that leads; several lines where the RFC
allows a choice, or where more than the two states decides.
"""

from collections.abc import Iterable, Mapping
from itertools import product

from ikeref_model.events import Kind, Position
from ikeref_model.phrases import listed
from ikeref_model.rows import LIVE, Row
from ikeref_model.state import AUTHENTICATING, BOOL, Child, Ike, variable
from ikeref_model.tables import ROWS
from ikeref_model.terms import All, Is, Not, Pick, Some, SomeChild, Term, Value, text, variables_of

OUTSTANDING: dict[str, Kind] = {
    Ike.INIT_SENT: Kind.IKE_SA_INIT,
    **dict.fromkeys(AUTHENTICATING, Kind.IKE_AUTH),
    Ike.REKEYING: Kind.REKEY_IKE,
    Ike.CROSSED: Kind.REKEY_IKE,
    Ike.DELETING: Kind.DELETE_IKE,
}
"""Which request of ours is outstanding in a state of the IKE SA."""
ABOUT: dict[str, Kind] = {
    Child.CREATING: Kind.CREATE_CHILD,
    Child.REKEYING: Kind.REKEY_CHILD,
    Child.CROSSED: Kind.REKEY_CHILD,
    Child.REKEYING_GONE: Kind.REKEY_CHILD,
    Child.CROSSED_GONE: Kind.REKEY_CHILD,
}
"""The same for a state of the Child SA."""
IKE_REQUESTS = (Kind.CREATE_CHILD, Kind.REKEY_IKE, Kind.DELETE_IKE, Kind.LIVENESS)
CHILD_REQUESTS = (Kind.REKEY_CHILD, Kind.DELETE_CHILD)


def settle(term: Term, known: Mapping[str, Value]) -> bool | None:
    """The value of a term of which only some variables are known; None if they don't decide it."""
    match term:
        case Is(variable, values):
            return known[variable] in values if variable in known else None
        case Not(inner):
            found = settle(inner, known)
            return None if found is None else not found
        case All(terms) | Some(terms):
            decisive = isinstance(term, Some)
            found_all = [settle(each, known) for each in terms]
            if decisive in found_all:
                return decisive
            return None if None in found_all else not decisive
        case SomeChild():
            return None


def alternatives(row: Row, rows: Iterable[Row] = ROWS) -> tuple[Row, ...]:
    """The other rows of the same choice that may fit the same event in the same state."""
    return tuple(
        each
        for each in rows
        if row.choice and each.choice == row.choice and each.name != row.name
        if (each.component, each.on.what, each.on.position) == (row.component, row.on.what, row.on.position)
        if each.on.kinds & row.on.kinds and (not row.on.outcomes or each.on.outcomes & row.on.outcomes)
        if compatible(row.condition(), each.condition())
    )


def compatible(one: Term, two: Term) -> bool:
    """Whether some values of the variables satisfy both; "some Child SA" counts as a variable of its own."""
    both = All((_freed(one), _freed(two)))
    names = sorted(variables_of(both))
    domains = [BOOL if name.startswith("some Child SA") else variable(name).domain for name in names]
    return any(settle(both, dict(zip(names, values, strict=True))) for values in product(*domains))


def _freed(term: Term) -> Term:
    match term:
        case SomeChild():
            return Is(text(term), (True,))
        case Not(inner):
            return Not(_freed(inner))
        case All(terms):
            return All(tuple(_freed(each) for each in terms))
        case Some(terms):
            return Some(tuple(_freed(each) for each in terms))
        case _:
            return term


def possible(ike: Ike, child: Child) -> bool:
    """Whether the requests that are outstanding in the two states can be the same one."""
    if child not in ABOUT:
        return True
    return ike in LIVE and OUTSTANDING.get(ike, ABOUT[child]) == ABOUT[child]


def answering(kind: Kind, ike: Ike, child: Child = Child.ABSENT, rows: Iterable[Row] = ROWS) -> tuple[Row, ...]:
    """The rows that may answer a fresh, well-formed request."""
    known: dict[str, Value] = {"ike.state": ike, "child.state": child, "fact.malformed": False}
    known["fact.reports_failure"] = False
    own = ABOUT.get(child, OUTSTANDING.get(ike))
    if own:
        known["ike.own"] = own
    return tuple(
        row
        for row in rows
        if row.on.what == "request"
        and row.on.position is Position.FRESH
        and kind in row.on.kinds
        and not row.variant
        and settle(row.condition(), known) is not False
    )


def leads_to(row: Row) -> str:
    """The state that a row gives to the SA in question; "" where it stays as it is, or that depends."""
    found = [each.value for each in row.effects() if each.variable == f"{row.component}.state"]
    return str(found[0]) if found and not isinstance(found[0], Pick) else ""


def cell(kind: Kind, ike: Ike, child: Child = Child.ABSENT) -> str:
    """What may be answered, one line for each state that it leads to."""
    if not possible(ike, child):
        return ""
    found: dict[str, set[str]] = {}
    for row in answering(kind, ike, child):
        to = leads_to(row)
        arrow = f" → {'Child SA ' if kind is Kind.CREATE_CHILD else ''}{to}" if to else ""
        found.setdefault(arrow, set()).update(each.name or each.what for each in row.answers)
    return "<br>".join(listed(sorted(names)) + arrow for arrow, names in sorted(found.items(), reverse=True))


def ike_matrix() -> str:
    """Markdown: states of the IKE SA against requests about it, or for a Child SA that is new."""
    lines = ["| IKE SA | " + " | ".join(IKE_REQUESTS) + " |", "|---|" + "---|" * len(IKE_REQUESTS)]
    lines += [f"| {ike} | " + " | ".join(cell(kind, ike) for kind in IKE_REQUESTS) + " |" for ike in LIVE]
    return "\n".join(lines)


def child_matrix(kind: Kind) -> str:
    """Markdown: states of the Child SA against states of the IKE SA, for one request about that Child SA."""
    lines = ["| Child SA | " + " | ".join(f"IKE SA {ike}" for ike in LIVE) + " |", "|---|" + "---|" * len(LIVE)]
    lines += [f"| {child} | " + " | ".join(cell(kind, ike, child) for ike in LIVE) + " |" for child in Child]
    return "\n".join(lines)
