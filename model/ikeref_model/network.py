"""Two ends with messages in between, as they are: Message IDs, windows, loss, duplication, reordering.

Nothing is abstracted. This composition is the plain one against which `system` is tested, and the one that has windows
of any size. A message once sent stays in the network: it may be delivered now, later, again, or never. Each end has a
number of commands to spend; within that bound every state is visited.

This is what may happen and what must not; `worlds` visits the states.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ikeref_model.endpoint_state import ChildRecord, Endpoint, IkeRecord, View, apply, scopes
from ikeref_model.events import Asked, Kind, Outcome, Position
from ikeref_model.rows import LIVE, Row
from ikeref_model.state import FACTS, Child, Ike
from ikeref_model.terms import holds

KINDS = (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.DELETE_CHILD, Kind.REKEY_IKE, Kind.DELETE_IKE)
NEW = (Kind.CREATE_CHILD, Kind.REKEY_CHILD, Kind.REKEY_IKE)


class Message(NamedTuple):
    """A request, or the response to it if `outcome` is not empty."""

    sender: int
    sa: str
    number: int
    kind: Kind
    child: str
    outcome: str
    window: int = 0
    """What SET_WINDOW_SIZE in it says; 0 if there is none."""

    @property
    def new(self) -> str:
        """The name of what the exchange brings into being."""
        asker = self.sender if not self.outcome else 1 - self.sender
        return f"{self.sa}.{'AB'[asker]}{self.number}" if self.kind in NEW else ""


class Action(NamedTuple):
    """Something that happens."""

    end: int
    row: str
    message: Message

    def text(self) -> str:
        """One line: `A child.delete.send i.A0 DELETE_CHILD c`."""
        asker = self.message.sender if not self.message.outcome else 1 - self.message.sender
        about = f" {self.message.child}" if self.message.child else ""
        return f"{'AB'[self.end]} {self.row} {self.message.sa}.{'AB'[asker]}{self.message.number}{about}"


class Bound(NamedTuple):
    """What a search is about."""

    left: tuple[int, int]
    """Commands of either end. What an end sends because it is due is no command."""
    kinds: tuple[Kind, ...] = KINDS
    """A LIVENESS request is sent only to announce a window size."""
    children: tuple[str, ...] = ("c",)
    """Child SAs at the start."""
    window: int = 1
    """What either end has announced at the start."""
    announces: int = 0
    """What LIVENESS requests announce."""
    lowest: Mapping[str, int] | int = 0
    """The end whose exchange has the lowest nonce, if the rekeys of that SA cross: of each by name, or of all."""
    carries: bool = False
    """Whether at rest some Child SA has to be left: for kinds that delete none on command."""
    forget: bool = True
    """Whether a message that can have no effect any more is left out of the state: fewer states, the same runs."""


def start(bound: Bound) -> Endpoint:
    """One IKE SA and its Child SAs, established, at either end."""
    ike = IkeRecord("i", state=Ike.ESTABLISHED, verified=True, window=bound.window, peer_window=bound.window)
    children = tuple(ChildRecord(each, Child.OPEN, True, True, homes=frozenset(("i",))) for each in bound.children)
    return Endpoint((ike,), children)


class Did(NamedTuple):
    """What an end does in one step."""

    action: Action
    after: Endpoint
    sent: Message | None
    spends: bool


class Rules:
    """What an end may do, worked out from the rows."""

    def __init__(self, rows: tuple[Row, ...], bound: Bound, *, variants: bool = False) -> None:
        kept = [(row, row.condition()) for row in rows if variants or not row.variant]
        self.bound = bound
        self.sends = {
            due: [each for each in kept if each[0].on.what == "send" and each[0].name.endswith(".due") is due]
            for due in (False, True)
        }
        self.requests = {
            kind: [each for each in kept if each[0].on.position is Position.FRESH and kind in each[0].on.kinds]
            for kind in Kind
        }
        self.responses = {
            (kind, str(outcome)): [
                each
                for each in kept
                if each[0].on.what == "response" and kind in each[0].on.kinds and outcome in each[0].on.outcomes
            ]
            for kind in Kind
            for outcome in Outcome
        }
        self.sizes = {what: [each for each in kept if each[0].on.what == what] for what in ("announce", "announced")}

    def view(self, state: Endpoint, sa: str, child: str, end: int, number: int | None = None) -> View:
        """How the rows see an end: nothing is malformed; the nonces are as the bound says."""
        facts = {each.name: bool(each.initial) for each in FACTS}
        lowest = self.bound.lowest
        facts["lowest_is_mine"] = end == (lowest if isinstance(lowest, int) else lowest.get(child or sa, 0))
        return scopes(state, sa, child, facts, number=number)

    def commands(self, state: Endpoint, end: int, due: bool) -> Iterator[Did]:
        """The requests that an end may send on command, or because they are due."""
        for row, condition in self.sends[due]:
            for kind in sorted(row.on.kinds if due else row.on.kinds & set(self.bound.kinds)):
                for ike in state.ikes:
                    for child in _subjects(kind, state, f"{ike.name}.{'AB'[end]}{ike.sent}"):
                        view = self.view(state, ike.name, child, end)
                        if not holds(condition, view.read, view.children()):
                            continue
                        after = apply(state, row, view, [], "").asked(ike.name, Asked(kind, (child,) if child else ()))
                        size = self.bound.announces if kind is Kind.LIVENESS else 0
                        message = Message(end, ike.name, ike.sent, kind, child, "", size)
                        after = self.announcement(after, "announce", ike.name, size)
                        yield Did(Action(end, row.name, message), after, message, not due)

    def request(self, state: Endpoint, message: Message) -> Iterator[Did]:
        """What an end may do on a request. On a replay only the response is repeated, and that is in the network."""
        end = 1 - message.sender
        if not state.position_fits(message.sa, Position.FRESH, message.number, message.kind):
            return
        state = self.announcement(state, "announced", message.sa, message.window)
        view = self.view(state, message.sa, message.child, end)
        for row, condition in self.requests[message.kind]:
            if not holds(condition, view.read, view.children()):
                continue
            named = view._replace(state=_name_theirs(state, row, message))
            after = apply(named.state, row, named, [message.new], message.new)
            after = after.counted(message.sa, True, message.number)
            for outcome in _outcomes(row):
                answer = message._replace(sender=end, outcome=outcome, window=0)
                yield Did(Action(end, f"{row.name}: {outcome}", answer), after, answer, False)

    def response(self, state: Endpoint, message: Message) -> Iterator[Did]:
        """What an end does on a response: nothing if its request is not outstanding."""
        end = 1 - message.sender
        if state.ike(message.sa).answered_by(message.kind, message.number) is None:
            return
        if message.kind is Kind.REKEY_CHILD:
            state = state.with_child(state.child(message.child)._replace(mine=message.new))
        view = self.view(state, message.sa, message.child, end, message.number)
        for row, condition in self.responses[message.kind, message.outcome]:
            if holds(condition, view.read, view.children()):
                after = apply(state, row, view, [message.new], message.new)
                if message.kind in (Kind.CREATE_CHILD, Kind.REKEY_CHILD):
                    after = after.without_denied(message.sa)
                yield Did(Action(end, row.name, message), after, None, False)

    def announcement(self, state: Endpoint, what: str, sa: str, size: int) -> Endpoint:
        """The state after SET_WINDOW_SIZE was sent, or has arrived."""
        if not size:
            return state
        ike = state.ike(sa)
        view = self.view(state, sa, "", 0)._replace(announced=size)
        view.facts["larger"] = size > (ike.window if what == "announce" else ike.peer_window)
        row = next(row for row, condition in self.sizes[what] if holds(condition, view.read, view.children()))
        return apply(state, row, view, [], "")


def _subjects(kind: Kind, state: Endpoint, new: str) -> tuple[str, ...]:
    match kind:
        case Kind.CREATE_CHILD:
            return (new,)
        case Kind.REKEY_CHILD | Kind.DELETE_CHILD:
            return tuple(each.name for each in state.children)
        case _:
            return ("",)


def _name_theirs(state: Endpoint, row: Row, message: Message) -> Endpoint:
    if message.kind is not Kind.REKEY_CHILD or not any(each.variable == "child_theirs.state" for each in row.effects()):
        return state
    return state.with_child(state.child(message.child)._replace(theirs=message.new))


def _outcomes(row: Row) -> tuple[str, ...]:
    names = {answer.name for answer in row.answers if answer.what == "reply"}
    if Outcome.REFUSED in names:
        names -= {Outcome.NO_ADDITIONAL_SAS, Outcome.INVALID_KE_PAYLOAD, Outcome.TEMPORARY_FAILURE}
    return tuple(sorted(names))


def quiescent(state: Endpoint) -> bool:
    """At this end nothing is outstanding, nothing due."""
    return not any(each.outstanding or each.due for each in state.ikes) and not any(each.due for each in state.children)


def agreed(one: Endpoint, two: Endpoint) -> bool:
    """Each Child SA has both directions at both ends or none, under the same one IKE SA; both ends have the same IKE
    SAs; nothing is left that was replaced."""
    held = [
        {
            (each.name, each.homes, each.incoming, each.outgoing)
            for each in end.children
            if each.incoming or each.outgoing
        }
        for end in (one, two)
    ]
    alive = [{each.name for each in end.ikes if each.state not in (Ike.IDLE, Ike.CLOSED)} for end in (one, two)]
    left = any(each.state == Ike.REPLACED for end in (one, two) for each in end.ikes)
    left = left or any(each.state == Child.REPLACED for end in (one, two) for each in end.children)
    whole = all(both[2] and both[3] and len(both[1]) == 1 for both in held[0])
    return held[0] == held[1] and alive[0] == alive[1] and whole and not left


def carried(one: Endpoint) -> bool:
    """Whether there is a Child SA left, in both directions."""
    return any(each.incoming and each.outgoing for each in one.children)


def beyond(state: Endpoint, message: Message) -> bool:
    """Whether a request lies beyond the window of the end that it reaches (Section 2.3)."""
    ike = state.ike(message.sa)
    return not message.outcome and ike.state in LIVE and message.number >= ike.seen + ike.window


def spent(state: Endpoint, message: Message) -> bool:
    """Whether a message can do nothing any more to the end that it reaches, now or later: it answers nothing that is
    outstanding, it was answered, or its IKE SA is closed. (It may reach an IKE SA that is still to come.)"""
    ike = state.ike(message.sa)
    if message.outcome:
        return ike.answered_by(message.kind, message.number) is None
    return message.number < ike.seen or message.number in ike.ahead or ike.state == Ike.CLOSED
