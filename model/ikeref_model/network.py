"""Two ends with messages in between, as they are: Message IDs, loss, duplication, reordering; nothing abstracted.

This composition is the plain one against which `system` is tested. A message once sent stays in the network: it may be
delivered now, later, again, or never. Each end has a number of commands to spend; within that bound every state is
visited.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ikeref_model.endpoint_state import ChildRecord, Endpoint, IkeRecord, View, apply, scopes
from ikeref_model.events import Asked, Kind, Outcome, Position
from ikeref_model.rows import Row
from ikeref_model.state import FACTS, Child, Ike
from ikeref_model.tables import ROWS
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

    @property
    def new(self) -> str:
        """The name of what the exchange brings into being."""
        asker = self.sender if not self.outcome else 1 - self.sender
        return f"{self.sa}.{'AB'[asker]}{self.number}" if self.kind in NEW else ""


class World(NamedTuple):
    """Two ends, all messages ever sent, the commands that each end may still give."""

    ends: tuple[Endpoint, Endpoint]
    sent: frozenset[Message]
    left: tuple[int, int]


class Action(NamedTuple):
    """Something that happens."""

    end: int
    row: str
    message: Message | None

    def text(self) -> str:
        """One line."""
        return f"{'AB'[self.end]} {self.row}"


class Found(NamedTuple):
    """What the search found: numbers, and the schedule to the first quiescent state in which Child SAs are not in
    pairs, with that state."""

    states: int
    transitions: int
    rows: frozenset[str]
    violation: tuple[Action, ...]
    last: World | None = None


def start(left: tuple[int, int]) -> World:
    """One IKE SA and one Child SA, established at both ends."""
    end = Endpoint(
        (IkeRecord("i", state=Ike.ESTABLISHED, verified=True),),
        (ChildRecord("c", Child.OPEN, True, True, homes=frozenset(("i",))),),
    )
    return World((end, end), frozenset(), left)


class _Search:
    def __init__(self, rows: tuple[Row, ...], lowest: int, kinds: tuple[Kind, ...]) -> None:
        self.rows = [row for row in rows if not row.variant]
        self.lowest = lowest
        self.kinds = kinds

    def next(self, world: World) -> Iterator[tuple[Action, World]]:
        for end in (0, 1):
            yield from self.commands(world, end)
        for message in sorted(world.sent):
            if message.outcome:
                yield from self.response(world, message)
            else:
                yield from self.request(world, message)

    def fits(self, state: Endpoint, row: Row, sa: str, child: str, end: int) -> "_Fit | None":
        facts = {each.name: bool(each.initial) for each in FACTS}
        facts["lowest_is_mine"] = end == self.lowest
        view = scopes(state, sa, child, facts)
        return _Fit(view) if holds(row.condition(), view.read, view.children()) else None

    def commands(self, world: World, end: int) -> Iterator[tuple[Action, World]]:
        state = world.ends[end]
        for row in self.rows:
            if row.on.what != "send":
                continue
            due = row.name.endswith(".due")
            if not due and not world.left[end]:
                continue
            for kind in sorted(row.on.kinds & set(self.kinds)):
                for ike in state.ikes:
                    number = ike.sent
                    name = f"{ike.name}.{'AB'[end]}{number}"
                    children = {
                        Kind.CREATE_CHILD: (name,),
                        Kind.REKEY_CHILD: tuple(each.name for each in state.children),
                        Kind.DELETE_CHILD: tuple(each.name for each in state.children),
                    }.get(kind, ("",))
                    for child in children:
                        fit = self.fits(state, row, ike.name, child, end)
                        if fit:
                            after = apply(state, row, fit.view, [], "")
                            after = after.asked(ike.name, Asked(kind, (child,) if child else ()))
                            message = Message(end, ike.name, number, kind, child, "")
                            left = world.left if due else _spend(world.left, end)
                            yield (
                                Action(end, row.name, message),
                                World(_with(world.ends, end, after), world.sent | {message}, left),
                            )

    def request(self, world: World, message: Message) -> Iterator[tuple[Action, World]]:
        end = 1 - message.sender
        state = world.ends[end]
        if not state.position_fits(message.sa, Position.FRESH, message.number, message.kind):
            return  # a replay: only the response is repeated, and that is in the network already
        for row in self.rows:
            if row.on.what != "request" or message.kind not in row.on.kinds or row.on.position is not Position.FRESH:
                continue
            fit = self.fits(state, row, message.sa, message.child, end)
            if not fit:
                continue
            if message.kind is Kind.REKEY_CHILD:
                fit = _Fit(fit.view._replace(state=_name_theirs(state, message)))
            after = apply(fit.view.state, row, fit.view, [message.new], message.new)
            after = after.counted(message.sa, True, message.number)
            for outcome in _outcomes(row):
                answer = message._replace(sender=end, outcome=outcome)
                yield (
                    Action(end, f"{row.name}: {outcome}", answer),
                    World(_with(world.ends, end, after), world.sent | {answer}, world.left),
                )

    def response(self, world: World, message: Message) -> Iterator[tuple[Action, World]]:
        end = 1 - message.sender
        state = world.ends[end]
        if state.ike(message.sa).answered_by(message.kind, message.number) is None:
            return  # unexpected: changes nothing
        for row in self.rows:
            if row.on.what != "response" or message.kind not in row.on.kinds:
                continue
            if message.outcome not in row.on.outcomes:
                continue
            if message.kind is Kind.REKEY_CHILD:
                record = state.child(message.child)
                state = state.with_child(record._replace(mine=message.new))
            fit = self.fits(state, row, message.sa, message.child, end)
            if fit:
                after = apply(state, row, fit.view._replace(number=message.number), [message.new], message.new)
                if message.kind in (Kind.CREATE_CHILD, Kind.REKEY_CHILD):
                    after = after.without_denied(message.sa)
                yield Action(end, row.name, message), world._replace(ends=_with(world.ends, end, after))


class _Fit(NamedTuple):
    view: "View"


def _name_theirs(state: Endpoint, message: Message) -> Endpoint:
    record = state.child(message.child)
    return state if record.state == Child.ABSENT else state.with_child(record._replace(theirs=message.new))


def _outcomes(row: Row) -> tuple[str, ...]:
    names = {answer.name for answer in row.answers if answer.what == "reply"}
    if Outcome.REFUSED in names:
        names -= {Outcome.NO_ADDITIONAL_SAS, Outcome.INVALID_KE_PAYLOAD, Outcome.TEMPORARY_FAILURE}
    return tuple(sorted(names))


def _with(ends: tuple[Endpoint, Endpoint], end: int, state: Endpoint) -> tuple[Endpoint, Endpoint]:
    return (state, ends[1]) if end == 0 else (ends[0], state)


def _spend(left: tuple[int, int], end: int) -> tuple[int, int]:
    return (left[0] - 1, left[1]) if end == 0 else (left[0], left[1] - 1)


def quiescent(world: World) -> bool:
    """Nothing outstanding, nothing due."""
    return all(not each.outstanding and not each.due for state in world.ends for each in state.ikes) and not any(
        each.due for state in world.ends for each in state.children
    )


def agreed(world: World) -> bool:
    """Each Child SA has both directions at both ends or none, under the same IKE SA; both ends have the same IKE
    SAs."""
    held = [
        {
            (each.name, each.homes, each.incoming, each.outgoing)
            for each in end.children
            if each.incoming or each.outgoing
        }
        for end in world.ends
    ]
    alive = [{each.name for each in end.ikes if each.state not in (Ike.IDLE, Ike.CLOSED)} for end in world.ends]
    return held[0] == held[1] and alive[0] == alive[1] and all(both[2] and both[3] for both in held[0])


def search(
    left: tuple[int, int],
    *,
    rows: tuple[Row, ...] = ROWS,
    lowest: int = 0,
    kinds: tuple[Kind, ...] = KINDS,
    limit: int = 200_000,
) -> Found:
    """Every state within the bound, or the shortest schedule to a quiescent one in which the ends disagree."""
    engine = _Search(rows, lowest, kinds)
    first = start(left)
    parents: dict[World, tuple[World, Action] | None] = {first: None}
    queue = deque((first,))
    taken: set[str] = set()
    transitions = 0
    while queue and len(parents) < limit:
        world = queue.popleft()
        for action, after in engine.next(world):
            transitions += 1
            taken.add(action.row.partition(":")[0])
            if after in parents:
                continue
            parents[after] = (world, action)
            if quiescent(after) and not agreed(after):
                return Found(len(parents), transitions, frozenset(taken), _schedule(parents, after), after)
            queue.append(after)
    return Found(len(parents), transitions, frozenset(taken), ())


def _schedule(parents: dict[World, tuple[World, Action] | None], world: World) -> tuple[Action, ...]:
    actions: list[Action] = []
    parent = parents[world]
    while parent is not None:
        world, action = parent
        actions.append(action)
        parent = parents[world]
    return tuple(reversed(actions))
