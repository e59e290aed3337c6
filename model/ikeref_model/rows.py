"""What a row is, and how the tables write one.

A row is one rule of the RFC for one end of an IKE SA: in this state, on this event, if this guard holds, the end may
send one of these answers, makes these updates and goes to this state. Where the RFC allows a choice, several rows
fit; they then bear the same `choice`. A row with a `variant` is a permitted or historical alternative to the
default: the monitor uses it where it is permitted, the proofs leave it out.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ikeref_model.events import Alarm, Input, Kind, Outcome, Position
from ikeref_model.state import Child, Ike
from ikeref_model.terms import TRUE, Is, Pick, Set, Term, Value, all_of, is_, isnt


class On(NamedTuple):
    """The event of a row."""

    what: str
    """`send` (a request of one's own), `wait` (a command that stays undone), `request`, `response`, `timer`, `input`,
    `announce` or `announced`: a message of one's own, or of the peer, has SET_WINDOW_SIZE in it."""
    kinds: frozenset[Kind] = frozenset()
    outcomes: frozenset[Outcome] = frozenset()
    position: Position | None = None
    alarm: Alarm | None = None
    input: Input | None = None

    def text(self) -> str:
        """For a person: `request DELETE_CHILD`, `response REKEY_IKE: OK`."""
        kinds = "any" if self.kinds == frozenset(Kind) else ", ".join(sorted(self.kinds))
        outcomes = ": " + ", ".join(sorted(self.outcomes)) if self.outcomes else ""
        match self.what:
            case "timer":
                return f"timer {self.alarm}"
            case "input":
                return f"input {self.input}"
            case "announce" | "announced":
                return f"{self.what} SET_WINDOW_SIZE"
            case "request" if self.position is not Position.FRESH:
                return f"request {kinds} ({self.position})"
            case _:
                return f"{self.what} {kinds}{outcomes}"


class Answer(NamedTuple):
    """What may be sent: `reply` with an outcome, `ask` with a kind, `repeat`, `one-way` (unprotected), or `nothing`."""

    what: str
    name: str = ""

    def text(self) -> str:
        """For a person: `reply OK`."""
        return f"{self.what} {self.name}".strip()


NOTHING_SENT = frozenset((Answer("nothing"),))
ONE_WAY = frozenset((Answer("one-way"),))
REPEAT = frozenset((Answer("repeat"),))
LEVELS = ("MUST", "SHOULD", "MAY", "implied", "silent")

FAILED = frozenset(Outcome) - {Outcome.OK, Outcome.INVALID_SYNTAX, Outcome.CHILD_SA_NOT_FOUND}
"""The outcomes by which a CREATE_CHILD_SA exchange fails while the IKE SA stays."""
REFUSALS = (
    Outcome.REFUSED,
    Outcome.NO_ADDITIONAL_SAS,
    Outcome.INVALID_KE_PAYLOAD,
    Outcome.TEMPORARY_FAILURE,
)
"""What a responder that is unwilling or unable may answer to CREATE_CHILD_SA."""

LIVE = (Ike.ESTABLISHED, Ike.REKEYING, Ike.CROSSED, Ike.REPLACED, Ike.DELETING)
"""The states in which an IKE SA is authenticated and takes requests."""


class Row(NamedTuple):
    """One rule."""

    name: str
    component: str
    """Whose state `source` and `destination` are: `ike` or `child`."""
    source: tuple[str, ...]
    on: On
    guard: Term
    update: tuple[Set, ...]
    destination: str
    """"" where the state stays as it is or an update decides it."""
    answers: frozenset[Answer]
    section: str
    level: str
    requirements: tuple[str, ...]
    choice: str = ""
    variant: str = ""

    def condition(self) -> Term:
        """Source and guard in one."""
        return all_of(Is(f"{self.component}.state", self.source), self.guard)

    def effects(self) -> tuple[Set, ...]:
        """Destination and updates in one."""
        if not self.destination:
            return self.update
        return (Set(f"{self.component}.state", self.destination), *self.update)


def row(
    name: str,
    source: tuple[Ike | Child, ...] | Ike | Child,
    on: On,
    *,
    section: str,
    level: str,
    ids: tuple[str, ...] = (),
    guard: Term = TRUE,
    to: Ike | Child | None = None,
    set: Mapping[str, Value | Pick] | None = None,
    answers: frozenset[Answer] = NOTHING_SENT,
    choice: str = "",
    variant: str = "",
) -> Row:
    """A row. The component is that of the source states; a fresh request is well-formed unless its guard says
    otherwise, and no request is sent where no Message ID is left for it (Section 2.2)."""
    sources = source if isinstance(source, tuple) else (source,)
    component = "ike" if isinstance(sources[0], Ike) else "child"
    update = dict(set or {})
    any_form = "malformed" in name or name.startswith(("order.", "closed."))
    if on.what == "request" and on.position is Position.FRESH and not any_form:
        guard = all_of(guard, isnt("fact.malformed"))
    if on.what == "send":
        if Kind.IKE_SA_INIT not in on.kinds:
            guard = all_of(guard, isnt("fact.used_up"))
        answers = frozenset(Answer("ask", kind) for kind in on.kinds)
    return Row(
        name,
        component,
        tuple(str(each) for each in sources),
        on,
        guard,
        tuple(Set(variable, value) for variable, value in update.items()),
        str(to) if to is not None else "",
        answers,
        section,
        level,
        ids,
        choice,
        variant,
    )


def send(*kinds: Kind) -> On:
    """This end sends a request of such a kind, on command or of its own accord."""
    return On("send", frozenset(kinds))


def request(*kinds: Kind, position: Position = Position.FRESH) -> On:
    """A request arrives."""
    return On("request", frozenset(kinds), position=position)


def response(kind: Kind, *outcomes: Outcome) -> On:
    """The response to this end's outstanding request arrives."""
    return On("response", frozenset((kind,)), frozenset(outcomes))


def timer(alarm: Alarm) -> On:
    """A timer fires."""
    return On("timer", alarm=alarm)


def arrives(what: Input) -> On:
    """Input that belongs to no exchange."""
    return On("input", input=what)


def reply(*outcomes: Outcome) -> frozenset[Answer]:
    """The answer is a response with one of these outcomes."""
    return frozenset(Answer("reply", outcome) for outcome in outcomes)


def ask(kind: Kind) -> frozenset[Answer]:
    """A request of that kind is sent in the same step."""
    return frozenset((Answer("ask", kind),))


def opened(scope: str, *, state: Child = Child.OPEN, due: bool = False, out: bool = True) -> dict[str, Value | Pick]:
    """The updates that bring a Child SA into being: both directions at once, or the outgoing one later (Section
    2.8)."""
    return {
        f"{scope}.state": state,
        f"{scope}.in": True,
        f"{scope}.out": out,
        f"{scope}.on_ike": True,
        f"{scope}.due": due,
    }


SENDING: dict[str, Value | Pick] = {
    "child_theirs.out": Pick(is_("child_theirs.state", Child.OPEN, Child.REKEYING, Child.CROSSED), True, None),
}
"""The update by which an end sends on what the peer has put in place of a Child SA that goes now (Section 2.8)."""


PROVED: dict[str, Value | Pick] = {"child.out": True}
"""The update by which an end sends on a Child SA that the peer asks to rekey: so the peer has it (Section 2.8)."""


def opened_unless_denied(scope: str, *, state: Child = Child.OPEN, due: bool = False) -> dict[str, Value | Pick]:
    """The same at the end that asked for it, unless the peer has disposed of it already (docs/silences.md)."""
    denied = is_(f"{scope}.state", Child.DENIED)
    return {
        f"{scope}.state": Pick(denied, Child.ABSENT, state),
        f"{scope}.in": Pick(denied, False, True),
        f"{scope}.out": Pick(denied, False, True),
        f"{scope}.on_ike": Pick(denied, False, True),
        f"{scope}.due": Pick(denied, False, due),
    }


def unwanted(scope: str) -> dict[str, Value | Pick]:
    """The updates of an end that asked for a Child SA and does not accept the answer: the peer has it, and this end is
    to delete it (Section 1.3.1)."""
    nothing: dict[str, Value | Pick] = {f"{scope}.in": False, f"{scope}.out": False}
    return {**nothing, f"{scope}.state": Child.UNWANTED, f"{scope}.on_ike": True, f"{scope}.due": True}


def unwanted_unless_denied(scope: str) -> dict[str, Value | Pick]:
    """The same, unless the peer has disposed of it already (docs/silences.md)."""
    denied = is_(f"{scope}.state", Child.DENIED)
    return {
        **unwanted(scope),
        f"{scope}.state": Pick(denied, Child.ABSENT, Child.UNWANTED),
        f"{scope}.on_ike": Pick(denied, False, True),
        f"{scope}.due": Pick(denied, False, True),
    }


def shut(scope: str, *, keep: bool = False) -> dict[str, Value | Pick]:
    """The updates that end a Child SA: both directions (Section 1.4.1). `keep` leaves the record for an exchange under
    way."""
    closed: dict[str, Value | Pick] = {f"{scope}.in": False, f"{scope}.out": False, f"{scope}.due": False}
    return closed if keep else {**closed, f"{scope}.on_any": False}


def dissolved() -> dict[str, Value | Pick]:
    """The updates that end every Child SA of an IKE SA (Section 1.4.1)."""
    return {"each.state": Child.ABSENT, **shut("each")}


def handed_over(heir: str) -> dict[str, Value | Pick]:
    """The updates by which `heir` ("mine" or "theirs") inherits every Child SA (Section 2.8). An heir that was deleted
    meanwhile takes them with it (Section 1.4.1)."""
    ended = is_(f"ike_{heir}.state", Ike.CLOSED)
    return {
        "each.state": Pick(ended, Child.ABSENT, None),
        "each.in": Pick(ended, False, None),
        "each.out": Pick(ended, False, None),
        "each.due": Pick(ended, False, None),
        "each.on_ike": False,
        f"each.on_{heir}": Pick(ended, False, True),
    }
