"""State diagrams of the rows: Mermaid for the documents, Graphviz DOT for everything else."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ikeref_model import phrases
from ikeref_model.rows import On, Row
from ikeref_model.state import Child, Ike
from ikeref_model.tables import ROWS
from ikeref_model.terms import Is, Pick


class Diagram(NamedTuple):
    """Which part of the rows is drawn."""

    name: str
    title: str
    component: str
    """`ike` or `child`."""
    states: tuple[str, ...]
    start: str
    last: tuple[str, ...] = ()
    """States whose way on another diagram shows."""
    heirs: bool = True
    """Whether the SAs are drawn that come into being as replacements."""


DIAGRAMS: tuple[Diagram, ...] = (
    Diagram(
        "ike_initiator",
        "The IKE SA of an initiator, until it is established",
        "ike",
        (Ike.IDLE, Ike.INIT_SENT, Ike.AUTH_SENT, Ike.REPORTING, Ike.ESTABLISHED, Ike.CLOSED),
        Ike.IDLE,
        (Ike.ESTABLISHED,),
        heirs=False,
    ),
    Diagram(
        "ike_responder",
        "The IKE SA of a responder, until it is established",
        "ike",
        (Ike.IDLE, Ike.HALF_OPEN, Ike.ESTABLISHED, Ike.CLOSED),
        Ike.IDLE,
        (Ike.ESTABLISHED,),
        heirs=False,
    ),
    Diagram(
        "eap_initiator",
        "The IKE SA of an initiator that asks for EAP",
        "ike",
        (Ike.INIT_SENT, Ike.EAP_ASKED, Ike.EAP_SENT, Ike.FINAL_SENT, Ike.ESTABLISHED, Ike.CLOSED),
        Ike.INIT_SENT,
        (Ike.ESTABLISHED,),
        heirs=False,
    ),
    Diagram(
        "eap_responder",
        "The IKE SA of a responder while EAP goes on",
        "ike",
        (Ike.HALF_OPEN, Ike.EAP_OPEN, Ike.EAP_PASSED, Ike.ESTABLISHED, Ike.CLOSED),
        Ike.HALF_OPEN,
        (Ike.ESTABLISHED,),
        heirs=False,
    ),
    Diagram(
        "ike_rekey",
        "The IKE SA at either end, from then on: rekeyed, or deleted",
        "ike",
        (Ike.ESTABLISHED, Ike.REKEYING, Ike.CROSSED, Ike.REPLACED, Ike.DELETING, Ike.CLOSED),
        Ike.ESTABLISHED,
    ),
    Diagram("child", "The Child SA at either end", "child", tuple(Child), Child.ABSENT),
    Diagram(
        "deletion",
        "The Child SA at either end, as far as nobody rekeys it",
        "child",
        (Child.OPEN, Child.DELETING, Child.HALF_CLOSED, Child.ABSENT),
        Child.OPEN,
        (Child.ABSENT,),
    ),
)
BY_NAME: dict[str, Diagram] = {each.name: each for each in DIAGRAMS}
NONE_YET = {"ike": str(Ike.IDLE), "child": str(Child.ABSENT)}


class Move(NamedTuple):
    """A row takes a record from one state to another."""

    source: str
    destination: str
    row: str
    on: On
    heir: bool
    """It is the replacement that changes, not the SA in question."""


def moves(row: Row, component: str) -> Iterator[Move]:
    """The changes of state that a row makes to the SA in question, and to those that replace it."""
    for variable, value in row.effects():
        scope, _, name = variable.partition(".")
        if name != "state" or scope.partition("_")[0] != component:
            continue
        own = scope == row.component
        sources = row.source if own else (NONE_YET[component],)
        if isinstance(value, Pick) and isinstance(value.condition, Is):
            named = tuple(map(str, value.condition.values)) if value.condition.variable == variable else ()
            yes = tuple(each for each in sources if each in named) if own else named
            no = tuple(each for each in sources if each not in named)
            branches = [(yes, value.then), (no, value.otherwise)]
        elif isinstance(value, Pick):
            branches = [(sources, value.then), (sources, value.otherwise)]
        else:
            branches = [(sources, value)]
        for froms, to in branches:
            for source in froms:
                if to is not None and source != to:
                    yield Move(source, str(to), row.name, row.on, scope != component)


def edges(diagram: Diagram, rows: Iterable[Row] = ROWS) -> dict[tuple[str, str], tuple[Move, ...]]:
    """What is drawn, by source and destination, in the order of the states."""
    found: dict[tuple[str, str], list[Move]] = {}
    for row in rows:
        for move in moves(row, diagram.component):
            shown = move.source in diagram.states and move.destination in diagram.states
            if shown and move.source not in diagram.last and not row.variant and (diagram.heirs or not move.heir):
                found.setdefault(move[:2], []).append(move)
    order = {str(state): place for place, state in enumerate(diagram.states)}
    return {key: tuple(found[key]) for key in sorted(found, key=lambda key: (order[key[0]], order[key[1]]))}


def _labels(found: Iterable[Move]) -> tuple[str, ...]:
    """One label for all responses to one request."""
    events: dict[tuple[object, ...], Move] = {}
    for move in found:
        key = (*move.on._replace(outcomes=frozenset()), move.heir)
        before = events.get(key, move)
        events[key] = move._replace(on=move.on._replace(outcomes=move.on.outcomes | before.on.outcomes))
    return tuple(phrases.brief(move.on) + (" (replacement)" if move.heir else "") for move in events.values())


def mermaid(diagram: Diagram, rows: Iterable[Row] = ROWS) -> str:
    """A Mermaid state diagram: an arrow for each pair of states, labelled with the events."""
    lines = ["stateDiagram-v2", f"    [*] --> {diagram.start}"]
    for (source, destination), found in edges(diagram, rows).items():
        label = "<br/>".join(_labels(found)).replace(":", ",")
        lines.append(f"    {source} --> {destination}: {label}")
    return "\n".join(lines)


def dot(diagram: Diagram, rows: Iterable[Row] = ROWS) -> str:
    """The same for Graphviz; the rows stand in the tooltips."""
    lines = [f'digraph "{diagram.name}" {{', "  rankdir=LR;", "  node [shape=box, style=rounded];"]
    lines += [f'  "{state}"{" [penwidth=2]" if state == diagram.start else ""};' for state in diagram.states]
    for (source, destination), found in edges(diagram, rows).items():
        label, tip = "\\n".join(_labels(found)), " ".join(dict.fromkeys(move.row for move in found))
        lines.append(f'  "{source}" -> "{destination}" [label="{label}", tooltip="{tip}"];')
    return "\n".join([*lines, "}"])
