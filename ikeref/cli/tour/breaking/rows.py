"""What falls in the model when rows are broken: the shortest run to a violation, or the sentence that they break."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ikeref_model import network, worlds
from ikeref_model.endpoint_state import Endpoint
from ikeref_model.events import Kind
from ikeref_model.explore import Schedule, explore
from ikeref_model.local import one_end
from ikeref_model.machine import triggers
from ikeref_model.rows import Row
from ikeref_model.sentences import Breach, Sentence, judge
from ikeref_model.state import Child, Ike
from ikeref_model.system import ENDS, NONE, PEER, Scope, Step, System
from ikeref_model.tables import ROWS
from ikeref_model.terms import Value, holds, no
from ikeref_properties import proofs
from ikeref_properties.mutants_rows import Rows
from ikeref_properties.proofs import Statement, lemma
from ikeref_properties.proofs.statements import quiescent

LIMIT: Final = 200_000
"""States after which a search of the broken rows gives up."""


class Move(NamedTuple):
    """One step of a run of the model."""

    end: str
    """`A` or `B`; empty where the model goes on to the next generation."""
    what: str
    """`send`, `request` (one is handled), `response` (one is taken) or `other`."""
    kind: str
    ike: str
    child: str
    """The IKE SA and the Child SA that it is about; empty where there is but one, or none."""
    row: str
    said: str = ""
    """What is answered."""


class Fall(NamedTuple):
    """How the rows fall."""

    name: str
    """The property, in words."""
    section: str
    how: str
    """By what, with figures."""
    moves: tuple[Move, ...] = ()
    """The shortest run; empty where no run is needed to see it."""
    wrong: tuple[str, ...] = ()
    """What is wrong then."""
    left: tuple[tuple[str, str], ...] = ()
    """What A and B have at the end."""
    kept: str = ""
    """What is known of the same property while the rule is kept."""
    lowest: str = ""
    """Whose exchange holds the lowest nonce; empty where that does not matter."""
    scope: str = ""
    """What the run is about."""
    rows: tuple[Row, ...] = ()
    """The broken table."""


def fall(by: str, rows: Rows) -> Fall | None:
    """How that statement (or the sentences, the lemma, the plain search) falls with these rows; None if it stands."""
    match by:
        case "sentences":
            return sentence(rows)
        case "network":
            return plain(rows)
        case "message-ids":
            return numbers(rows)
        case _:
            return search(proofs.BY_ID[by], rows)


# Searches


def search(statement: Statement, rows: Rows, *, twin: bool = True) -> Fall | None:
    """The shortest run of two ends that leads to a violation; `twin`: look at the unbroken rows too."""
    system = statement.build(rows)
    started = time.perf_counter()
    found = explore(system, no(statement.safe(system)), limit=LIMIT)
    if found.violation is None:
        return None
    seconds = time.perf_counter() - started
    schedule = found.violation
    last = schedule.states[-1]
    how = f"breadth-first search: {len(schedule.steps)} steps, and no run with fewer; {found.states:,} states"
    return Fall(
        statement.title,
        statement.section,
        f"{how}, {seconds:.1f} s",
        tuple(_move(step, before) for step, before in zip(schedule.steps, schedule.states, strict=False)),
        _wrong(statement, system, last),
        tuple((end, "; ".join(_holdings(system.scope, end, last)) or "nothing") for end in ENDS),
        kept(statement) if twin else "",
        _lowest(schedule),
        statement.about,
        rows,
    )


def kept(statement: Statement) -> str:
    """What is known of the statement for the rows as they are: found out now."""
    if statement.id == "no-child-before-auth":
        verdict = proofs.verify(statement, proofs.committed(statement))
        return f"{verdict.claim}: its certificate was checked again just now ({verdict.size})" if verdict.good else ""
    system = statement.build(ROWS)
    whole = explore(system, no(statement.safe(system)), limit=LIMIT)
    if whole.violation is not None or not whole.complete:
        return ""
    return (
        f"it holds in each of the {whole.states:,} states that the same two ends can reach: all were visited just now"
    )


def _move(step: Step, before: dict[str, Value]) -> Move:
    match = re.match(r"([AB]) (\S+)(?: (\w+)?)?(?: on (\w+))?(?: \[([\w-]+)\])?", step.name)
    if step.row == "recycle" or match is None:
        return Move("", "other", "", "", "", "the next generation begins")
    row = next((row for row in ROWS if row.name == step.row), None)
    end, what = match[1], row.on.what if row is not None else "other"
    on = re.search(r" on (\w+)", step.name)
    about = re.search(r" \[(\w+)\]", step.name)
    ike, child = on[1] if on else "", about[1] if about else ""
    asker = PEER[end] if what == "request" else end
    kind = next((str(each) for each in Kind if f" {each} " in f"{step.name} "), "")
    slot = f"{asker}>{ike or 'old'}.msg"
    if what == "send":
        kind = kind or next((str(value) for name, value in step.assign if name == slot), "")
    elif not kind and before.get(slot, NONE) != NONE:
        kind = str(before[slot])
    said = step.name.rpartition(": ")[2] if ": " in step.name else ""
    if what == "response":
        said = str(before.get(f"{end}>{ike or 'old'}.ans", "")).replace(NONE, "")
    if what == "request" and not said and row is not None:
        said = " or ".join(sorted(each.name for each in row.answers))
    return Move(end, what, kind, ike, child, step.row, said)


def _lowest(schedule: Schedule) -> str:
    """The end whose exchange holds the lowest nonce, if the run ever compares nonces."""
    compares = any(".won" in step.row or ".lost" in step.row for step in schedule.steps)
    if not compares:
        return ""
    which = "lowest_ike" if any(step.row.startswith("ike.rekey.response") for step in schedule.steps) else ""
    return str(schedule.states[0].get(which or "lowest_child", ""))


# What is wrong in a state


def _holdings(scope: Scope, end: str, state: dict[str, Value]) -> Iterator[str]:
    """What an end has, in words."""
    for ike in scope.ikes:
        value = state[f"{end}.ike_{ike}.state"]
        if len(scope.ikes) > 1 and value not in (Ike.IDLE, Ike.CLOSED):
            yield f"IKE SA {ike} {value}"
    for child in scope.children:
        here = state.get(f"{end}.child_{child}.state")
        if here is None:
            continue
        ways = _ways(state, end, child)
        homes = [ike for ike in scope.ikes if len(scope.ikes) > 1 and state.get(f"{end}.child_{child}.on_{ike}")]
        if here != Child.ABSENT or ways:
            under = f" of IKE SA {' and '.join(homes)}" if homes else ""
            yield f"Child SA {child}{under} {here}, {' and '.join(ways) or 'closed'}"


def _ways(state: dict[str, Value], end: str, child: str) -> list[str]:
    names = {"in": "incoming", "out": "outgoing"}
    return [word for way, word in names.items() if state[f"{end}.child_{child}.{way}"]]


def _wrong(statement: Statement, system: System, state: dict[str, Value]) -> tuple[str, ...]:
    finders: dict[str, tuple[Callable[[Scope, dict[str, Value]], Iterator[str]], ...]] = {
        "child-sas-in-pairs": (_unpaired,),
        "inherited-exactly-once": (_homeless, _unpaired, _disagreeing),
        "pairs-and-inheritance": (_homeless, _unpaired, _disagreeing),
        "traffic-goes-on": (_cut_off,),
        "traffic-through-ike-rekeys": (_cut_off,),
        "no-child-before-auth": (_unauthenticated,),
    }
    found: list[str] = []
    for finder in finders.get(statement.id, ()):
        if finder in (_unpaired, _disagreeing) and not holds(quiescent(system), state.__getitem__):
            continue
        found += finder(system.scope, state)
    return tuple(dict.fromkeys(found))


def _unpaired(scope: Scope, state: dict[str, Value]) -> Iterator[str]:
    for child in scope.children:
        ways = {end: _ways(state, end, child) for end in ENDS}
        if any(ways.values()) and not all(len(each) == 2 for each in ways.values()):
            said = ", ".join(f"{end} has it {' and '.join(each) or 'not at all'}" for end, each in ways.items())
            yield f"all is at rest, and Child SA {child} is not in a pair: {said}"
        for end in ENDS:
            if state[f"{end}.child_{child}.state"] == Child.REPLACED:
                yield f"all is at rest, and {end} still has Child SA {child}, which was replaced: nobody deletes it"


def _homeless(scope: Scope, state: dict[str, Value]) -> Iterator[str]:
    for end in ENDS:
        for child in scope.children:
            homes = [ike for ike in scope.ikes if state[f"{end}.child_{child}.on_{ike}"]]
            if not _ways(state, end, child):
                continue
            if len(homes) > 1:
                yield f"{end} has Child SA {child} twice: under the IKE SAs {' and '.join(homes)}"
            if not homes:
                yield f"{end} has Child SA {child} under no IKE SA"
            for ike in homes:
                if state[f"{end}.ike_{ike}.state"] in (Ike.IDLE, Ike.CLOSED):
                    yield f"{end} has Child SA {child} under IKE SA {ike}, which does not exist"


def _disagreeing(scope: Scope, state: dict[str, Value]) -> Iterator[str]:
    for ike in scope.ikes:
        states = {end: state[f"{end}.ike_{ike}.state"] for end in ENDS}
        gone = {end: value in (Ike.IDLE, Ike.CLOSED) for end, value in states.items()}
        if not all(gone.values()) and not all(value == Ike.ESTABLISHED for value in states.values()):
            said = ", ".join(f"{end}: {'none' if gone[end] else value}" for end, value in states.items())
            yield f"all is at rest, and the ends don't agree on IKE SA {ike} ({said})"
    for child in scope.children:
        homes_of = {end: [ike for ike in scope.ikes if state[f"{end}.child_{child}.on_{ike}"]] for end in ENDS}
        if homes_of["A"] != homes_of["B"] and any(_ways(state, end, child) for end in ENDS):
            said = ", ".join(f"{end}: {' and '.join(each) or 'none'}" for end, each in homes_of.items())
            yield f"all is at rest, and the ends don't agree under which IKE SA Child SA {child} is ({said})"


def _cut_off(scope: Scope, state: dict[str, Value]) -> Iterator[str]:
    for end in ENDS:
        ways = [
            child
            for child in scope.children
            if state[f"{end}.child_{child}.out"] and state[f"{PEER[end]}.child_{child}.in"]
        ]
        if not ways:
            yield f"{end} has no outgoing SA whose incoming half {PEER[end]} has: what it sends is lost"


def _unauthenticated(scope: Scope, state: dict[str, Value]) -> Iterator[str]:
    for end in ENDS:
        if state[f"{PEER[end]}.proved"]:
            continue
        for child in scope.children:
            if _ways(state, end, child):
                yield f"{end} has Child SA {child}, and its peer has never sent an AUTH that verifies"
        for ike in scope.ikes:
            if state[f"{end}.ike_{ike}.state"] not in (
                Ike.IDLE,
                Ike.INIT_SENT,
                Ike.AUTH_SENT,
                Ike.HALF_OPEN,
                Ike.CLOSED,
            ):
                yield f"{end} has IKE SA {ike} with a peer that has never sent an AUTH that verifies"


# Everything else than a search of two ends


_OVERLAPPING: Final = (Kind.REKEY_IKE, Kind.DELETE_IKE)


def plain(rows: Rows) -> Fall | None:
    """The search with every message kept, in which generations of IKE SAs overlap: two commands at one end."""
    found: worlds.Found | None = None
    left = (2, 1)
    lowest = 0
    for left, lowest in (((2, 1), 1), ((2, 1), 0)):
        found = worlds.search(left, rows=rows, lowest=lowest, kinds=_OVERLAPPING, limit=LIMIT)
        if found.violation:
            break
    if found is None or not found.violation:
        return None
    whole = worlds.search(left, lowest=lowest, kinds=_OVERLAPPING, limit=LIMIT)
    held = f"it holds in each of the {whole.states:,} states within the same bounds: all were visited just now"
    return Fall(
        "Two ends agree at rest",
        "2.8.2",
        f"search with every message kept: {len(found.violation)} steps, and no run with fewer; {found.states:,} states",
        tuple(_action(each) for each in found.violation),
        ("all is at rest, and the ends don't have the same SAs",),
        tuple((end, _kept_by(state)) for end, state in zip(ENDS, found.last, strict=True)) if found.last else (),
        "" if whole.violation else held,
        ENDS[lowest],
        "two ends, of which A is told two things about IKE SAs and B one; every message may arrive at any later time; "
        "i.A0 is the IKE SA that A's request 0 on i has made",
        rows,
    )


def _kept_by(end: Endpoint) -> str:
    """What an end has, in words."""
    ikes = [f"IKE SA {each.name} {each.state}" for each in end.ikes if each.state not in (Ike.IDLE, Ike.CLOSED)]
    children = [
        f"Child SA {each.name} of IKE SA {' and '.join(sorted(each.homes))}"
        for each in end.children
        if each.incoming or each.outgoing
    ]
    return "; ".join((*ikes, *children)) or "nothing"


def _action(action: network.Action) -> Move:
    row, _, said = action.row.partition(": ")
    end, message = ENDS[action.end], action.message
    answered = bool(message.outcome)
    what = "send" if not answered else "request" if message.sender == action.end else "response"
    return Move(end, what, str(message.kind), message.sa, message.child, row, said or message.outcome)


def sentence(rows: Rows) -> Fall | None:
    """The first sentence of the RFC that these rows break, by z3 over every state of one end."""
    from ikeref_properties.proofs.sentences import SENTENCES

    started = time.perf_counter()
    changed = [row for row in rows if row not in ROWS] or [row for row in ROWS if row not in rows]
    events = {each for row in changed for each in triggers(row.on)}
    at = one_end()
    names = {row.name for row in changed}
    found: tuple[Sentence, Breach] | None = None
    for each in SENTENCES:
        if not events & frozenset(triggers(each.on)):
            continue
        breach = judge(each, rows, at)
        if isinstance(breach, Breach) and (found is None or breach.row in names):
            found = each, breach
            if breach.row in names:
                break  # it is the changed row itself that breaks it, not another that has to stand in for it
    if found is None:
        return None
    told, breach = found
    held = judge(told, ROWS, at)
    return Fall(
        told.words,
        told.section,
        f"z3, over every state of one end, {time.perf_counter() - started:.1f} s",
        (),
        (f"{breach.row}: {breach.why}" if breach.row else breach.why,),
        kept="" if isinstance(held, Breach) else "the rows as they are keep it: z3 has looked just now",
        rows=rows,
    )


def numbers(rows: Rows) -> Fall | None:
    """The lemma about message IDs, proved by induction with unbounded integers."""
    verdict = lemma.prove(rows)
    if verdict.good:
        return None
    unbroken = lemma.prove()
    return Fall(
        verdict.title,
        verdict.section,
        "the proof by induction does not go through",
        (),
        (verdict.bounds,),
        kept=f"proved: {unbroken.bounds}" if unbroken.good else "",
        rows=rows,
    )
