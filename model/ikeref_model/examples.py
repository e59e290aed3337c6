"""Runs of two ends, told step by step for those who learn to read the rows (Sections 1.4.1, 2.8.1, 2.8.2, 2.25.1).

A story is a list of steps of a composed system. `tell` runs it, so a step that the rows don't allow is an error.
"""

from typing import NamedTuple

from ikeref_model import phrases
from ikeref_model.events import Kind
from ikeref_model.rows import Row
from ikeref_model.state import Child, Ike
from ikeref_model.system import ENDS, Copy, If, Right, Scope, Step, System, build, initials
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_model.terms import Value, holds


class Story(NamedTuple):
    """A run worth telling."""

    name: str
    title: str
    text: str
    scope: Scope
    lowest: str
    """Whose exchange holds the lowest nonce, where that matters: `A` or `B`."""
    steps: tuple[str, ...]


CHILDREN = Scope("two ends with one IKE SA", (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD))
WHOLE = Scope(
    "two ends with an IKE SA that is rekeyed",
    (Kind.REKEY_IKE, Kind.DELETE_IKE, Kind.DELETE_CHILD, Kind.CREATE_CHILD),
    ("old", "a", "b"),
    ("old",),
)
STORIES: tuple[Story, ...] = (
    Story(
        "crossing-deletes",
        "Crossing Deletes of a Child SA (Section 1.4.1)",
        "Both ends delete the same Child SA at the same time. Each hears of the other's Delete while its own is"
        " unanswered: it closes its outgoing SA at once and its incoming SA with the response, and neither response"
        " repeats a Delete.",
        CHILDREN,
        "",
        (
            "A child.delete.send [old]",
            "B child.delete.send [old]",
            "A collision.delete_child.closing [old]: EMPTY",
            "B collision.delete_child.closing [old]: EMPTY",
            "A child.delete.response.crossed [old]",
            "B child.delete.response.crossed [old]",
        ),
    ),
    Story(
        "crossing-rekeys",
        "Crossing rekeys of a Child SA (Section 2.8.1)",
        "Both ends rekey the Child SA `old` at the same time, and both accept: now there are three pairs. The lowest of"
        " the four nonces is in A's exchange, so A deletes the Child SA `a` that it made, and B, whose `b` stays,"
        " deletes `old`.",
        CHILDREN,
        "A",
        (
            "A child.rekey.send [old]",
            "B child.rekey.send [old]",
            "A collision.rekey_child.rekeying [old]: OK",
            "B collision.rekey_child.rekeying [old]: OK",
            "A child.rekey.response.lost [old]",
            "B child.rekey.response.won [old]",
            "A child.delete.send.due [a]",
            "B child.delete.request [a]: OK",
            "A child.delete.response.ok [a]",
            "B child.delete.send.due [old]",
            "A child.delete.request [old]: OK",
            "B child.delete.response.ok [old]",
        ),
    ),
    Story(
        "delete-crosses-rekey",
        "A Delete crosses a rekey (Section 2.25.1)",
        "A rekeys the Child SA while B deletes it. A obeys the Delete; B, which is closing, sends A away with"
        " TEMPORARY_FAILURE.",
        CHILDREN,
        "",
        (
            "A child.rekey.send [old]",
            "B child.delete.send [old]",
            "A collision.delete_child.rekeying [old]: OK",
            "B collision.rekey_child.closing [old]: TEMPORARY_FAILURE",
            "A child.rekey.response.failed.gone [old]",
            "B child.delete.response.ok [old]",
        ),
    ),
    Story(
        "crossing-ike-rekeys",
        "Crossing rekeys of the IKE SA (Section 2.8.2)",
        "Both ends rekey the IKE SA `old` at the same time. The lowest nonce is in A's exchange: the Child SA goes to"
        " the IKE SA `b` that B made, A deletes its own `a`, and only then B deletes `old`.",
        WHOLE,
        "A",
        (
            "A ike.rekey.send on old",
            "B ike.rekey.send on old",
            "B collision.rekey_ike.rekeying on old: OK",
            "A collision.rekey_ike.rekeying on old: OK",
            "A ike.rekey.response.lost on old",
            "B ike.rekey.response.won on old",
            "A ike.delete.send.due on a",
            "B ike.delete.request on a: EMPTY",
            "A ike.delete.response on a",
            "B ike.delete.send.due on old",
            "A ike.delete.request on old: EMPTY",
            "B ike.delete.response on old",
        ),
    ),
)


def run(story: Story) -> tuple[tuple[Step, dict[str, Value]], ...]:
    """Each step with the state after it; LookupError if there is no such step, ValueError if it is not possible."""
    system: System = build(story.scope, ROWS)
    named = {step.name: step for step in system.steps}
    state = next(each for each in initials(system) if _starts(story, each))
    told = []
    for name in story.steps:
        step = named[name]
        if not holds(step.guard, state.__getitem__):
            raise ValueError(f"{story.name}: {name} is not possible here")
        state = {**state, **{variable: _value(right, state) for variable, right in step.assign}}
        told.append((step, state))
    return tuple(told)


def _starts(story: Story, state: dict[str, Value]) -> bool:
    return not story.lowest or all(value == story.lowest for name, value in state.items() if name.startswith("lowest"))


def _value(right: Right, state: dict[str, Value]) -> Value:
    match right:
        case Copy(source):
            return state[source]
        case If(condition, then, otherwise):
            return _value(then if holds(condition, state.__getitem__) else otherwise, state)
        case constant:
            return constant


def tell(story: Story) -> str:
    """Markdown: a line for each step, with what either end has afterwards."""
    lines = [f"## {story.title}", "", story.text, "", "| end | row | event | answer | A has then | B has then |"]
    lines.append("|---|---|---|---|---|---|")
    for step, state in run(story):
        row: Row = BY_NAME[step.row]
        ends = " | ".join(_has(story.scope, end, state) for end in ENDS)
        said = phrases.answers(row) if row.on.what == "request" else ""
        lines.append(f"| {step.name[0]} | [`{row.name}`](#{row.name}) | {phrases.event(row.on)} | {said} | {ends} |")
    return "\n".join(lines)


def sequence(story: Story) -> str:
    """The run as a sequence diagram for Mermaid: each message where it arrives, each state that an end enters."""
    lines = ["sequenceDiagram", "    participant A", "    participant B"]
    before: dict[str, Value] = {}
    for step, state in run(story):
        row, end = BY_NAME[step.row], step.name[0]
        other = "B" if end == "A" else "A"
        kind, answer = ", ".join(sorted(row.on.kinds)), step.name.rpartition(": ")[2]
        match row.on.what:
            case "request":
                lines.append(f"    {other}->>{end}: {kind}")
                told = f"{row.name}<br/>answers {answer}"
            case "response":
                lines.append(f"    {other}-->>{end}: response to {kind}")
                told = row.name
            case _:
                told = row.name
        for child in story.scope.children:
            name = f"{end}.child_{child}.state"
            was = before.get(name, Child.OPEN if child == "old" else Child.ABSENT)
            if state[name] != was:
                told += f"<br/>{child} is {state[name]}"
        lines.append(f"    Note over {end}: {told}")
        before = state
    return "\n".join(lines)


def _has(scope: Scope, end: str, state: dict[str, Value]) -> str:
    found = []
    for ike in scope.ikes if len(scope.ikes) > 1 else ():
        value = state[f"{end}.ike_{ike}.state"]
        if value not in (Ike.IDLE, Ike.CLOSED):
            found.append(f"IKE SA `{ike}` {value}")
    for child in scope.children:
        value, ways = (
            state[f"{end}.child_{child}.state"],
            [state[f"{end}.child_{child}.{way}"] for way in ("in", "out")],
        )
        if value == Child.ABSENT and not any(ways):
            continue
        words = {(True, True): "", (True, False): ", incoming only", (False, True): ", outgoing only"}
        homes = [ike for ike in scope.ikes if len(scope.ikes) > 1 and state[f"{end}.child_{child}.on_{ike}"]]
        under = f" under `{homes[0]}`" if homes else ""
        found.append(f"Child SA `{child}` {value}{words.get((bool(ways[0]), bool(ways[1])), ', closed')}{under}")
    return "<br>".join(found) or "nothing"
