"""Every state of two ends and the messages between them, breadth-first, within a bound of commands (`network`).

What an end does depends on its own state, on the messages to it and on the commands that it has left: its half of the
world. So its steps are worked out from the rows once for each half and looked up afterwards; a world is two numbers.
"""

from collections import deque
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

from ikeref_model.endpoint_state import Endpoint
from ikeref_model.events import Kind
from ikeref_model.network import (
    KINDS,
    Action,
    Bound,
    Did,
    Message,
    Rules,
    agreed,
    beyond,
    carried,
    quiescent,
    spent,
    start,
)
from ikeref_model.rows import Row
from ikeref_model.tables import ROWS

T = TypeVar("T")


class Found(NamedTuple):
    """What the search found: numbers, and the schedule to the first state that is as it should not be."""

    states: int
    transitions: int
    rows: frozenset[str]
    violation: tuple[Action, ...]
    why: str = ""
    complete: bool = True
    """Whether every state within the bound was seen."""
    last: tuple[Endpoint, Endpoint] | None = None
    """The two ends in that state."""


class Half(NamedTuple):
    """One end, the messages to it, and the commands that it may still give: all that its next step depends on."""

    end: int
    state: int
    """By number."""
    messages: int
    """As bits."""
    left: int


class Move(NamedTuple):
    """A step of one end."""

    action: Action
    after: int
    """The number of the half afterwards."""
    sent: int
    """The message to the other end; -1 if there is none."""


Pair = tuple[int, int]
"""A world: the numbers of its halves."""


class _Halves:
    """Halves by number, and every step from each, worked out when it is first needed."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.halves: list[Half] = []
        self.quiet: list[bool] = []
        self.beyond: list[bool] = []
        self.taken: set[str] = set()
        self._states: _Numbered[Endpoint] = _Numbered()
        self._messages: _Numbered[Message] = _Numbered()
        self._numbers: dict[Half, int] = {}
        self._moves: dict[int, list[Move]] = {}
        self._reached: dict[tuple[int, int], int] = {}
        self._commands: dict[tuple[int, int, bool], list[_Done]] = {}
        self._received: dict[tuple[int, int], list[_Done]] = {}
        self._spent: dict[tuple[int, int], bool] = {}
        self._agreed: dict[tuple[int, int], bool] = {}

    def first(self, end: int, left: int) -> int:
        """The number of the half at the start."""
        return self._number(end, self._states.number(start(self.rules.bound)), 0, left)

    def _number(self, end: int, state: int, messages: int, left: int) -> int:
        """The number of a half, without the messages that can do nothing any more if they are to be forgotten."""
        if self.rules.bound.forget:
            for each in bits(messages):
                if self._is_spent(state, each):
                    messages ^= 1 << each
        half = Half(end, state, messages, left)
        number = self._numbers.setdefault(half, len(self.halves))
        if number == len(self.halves):
            it = self._states.listed[state]
            self.halves.append(half)
            self.quiet.append(quiescent(it))
            self.beyond.append(any(beyond(it, self._messages.listed[each]) for each in bits(messages)))
        return number

    def _is_spent(self, state: int, message: int) -> bool:
        key = state, message
        if key not in self._spent:
            self._spent[key] = spent(self._states.listed[state], self._messages.listed[message])
        return self._spent[key]

    def reached(self, half: int, message: int) -> int:
        """The half after a message to it was sent."""
        key = half, message
        if key not in self._reached:
            end, state, messages, left = self.halves[half]
            self._reached[key] = self._number(end, state, messages | 1 << message, left)
        return self._reached[key]

    def moves(self, half: int) -> list[Move]:
        """The steps of that end."""
        if half not in self._moves:
            self._moves[half] = list(self._work_out(self.halves[half]))
            self.taken |= {each.action.row.partition(":")[0] for each in self._moves[half]}
        return self._moves[half]

    def _work_out(self, half: Half) -> Iterator[Move]:
        end, state, messages, left = half
        it = self._states.listed[state]
        steps: list[_Done] = []
        for due in (False, True) if left else (True,):
            asked = end, state, due
            if asked not in self._commands:
                self._commands[asked] = self._done(self.rules.commands(it, end, due))
            steps += self._commands[asked]
        for message in bits(messages):
            key = state, message
            if key not in self._received:
                what = self._messages.listed[message]
                handle = self.rules.response if what.outcome else self.rules.request
                self._received[key] = self._done(handle(it, what))
            steps += self._received[key]
        for done in steps:
            yield Move(done.action, self._number(end, done.after, messages, left - done.spends), done.sent)

    def _done(self, steps: Iterator[Did]) -> list["_Done"]:
        return [
            _Done(
                did.action,
                self._states.number(did.after),
                -1 if did.sent is None else self._messages.number(did.sent),
                did.spends,
            )
            for did in steps
        ]

    def state(self, half: int) -> Endpoint:
        """The end itself."""
        return self._states.listed[self.halves[half].state]

    def agreed(self, one: int, two: int) -> bool:
        """Whether two ends at rest agree."""
        key = self.halves[one].state, self.halves[two].state
        if key not in self._agreed:
            self._agreed[key] = agreed(*(self._states.listed[each] for each in key))
        return self._agreed[key]


class _Done(NamedTuple):
    """A `Did` by numbers."""

    action: Action
    after: int
    sent: int
    spends: bool


class _Numbered(Generic[T]):
    """Values by number."""

    def __init__(self) -> None:
        self.listed: list[T] = []
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        """Its number, a new one if it is new."""
        number = self._numbers.setdefault(value, len(self.listed))
        if number == len(self.listed):
            self.listed.append(value)
        return number


def bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set."""
    while mask:
        bit = mask & -mask
        mask ^= bit
        yield bit.bit_length() - 1


def search_within(
    bound: Bound, rows: tuple[Row, ...] = ROWS, *, limit: int = 4_000_000, variants: bool = False
) -> Found:
    """Every state within the bound, or the shortest schedule to one in which something is wrong: the ends disagree at
    rest, a run ends elsewhere than at rest, a request lies beyond the window."""
    halves = _Halves(Rules(rows, bound, variants=variants))
    first: Pair = (halves.first(0, bound.left[0]), halves.first(1, bound.left[1]))
    parents: dict[Pair, tuple[Pair, Action] | None] = {first: None}
    queue = deque((first,))
    transitions = 0

    def found(why: str, at: Pair | None = None, *, complete: bool = True) -> Found:
        schedule = () if at is None else _schedule(parents, at)
        last = None if at is None else (halves.state(at[0]), halves.state(at[1]))
        return Found(len(parents), transitions, frozenset(halves.taken), schedule, why, complete, last)

    while queue:
        here = queue.popleft()
        if len(parents) > limit:
            return found("", complete=False)
        moved = False
        for action, after in _next(halves, here):
            transitions += 1
            moved = moved or after != here
            if after in parents:
                continue
            parents[after] = here, action
            one, two = after
            if halves.quiet[one] and halves.quiet[two] and not halves.agreed(one, two):
                return found("at rest the ends disagree", after)
            if bound.carries and halves.quiet[one] and halves.quiet[two] and not carried(halves.state(one)):
                return found("at rest no Child SA is left", after)
            if halves.beyond[one] or halves.beyond[two]:
                return found("a request lies beyond the window", after)
            queue.append(after)
        if not moved and not (halves.quiet[here[0]] and halves.quiet[here[1]]):
            return found("a run ends although something is outstanding or due", here)
    return found("")


def _next(halves: _Halves, world: Pair) -> Iterator[tuple[Action, Pair]]:
    one, two = world
    for action, after, sent in halves.moves(one):
        yield action, (after, two if sent < 0 else halves.reached(two, sent))
    for action, after, sent in halves.moves(two):
        yield action, (one if sent < 0 else halves.reached(one, sent), after)


def _schedule(parents: dict[Pair, tuple[Pair, Action] | None], world: Pair) -> tuple[Action, ...]:
    actions: list[Action] = []
    parent = parents[world]
    while parent is not None:
        world, action = parent
        actions.append(action)
        parent = parents[world]
    return tuple(reversed(actions))


def search(
    left: tuple[int, int],
    *,
    rows: tuple[Row, ...] = ROWS,
    lowest: int = 0,
    kinds: tuple[Kind, ...] = KINDS,
    limit: int = 200_000,
) -> Found:
    """The same for one Child SA and windows of 1, every message kept."""
    return search_within(Bound(left, kinds, lowest=lowest, forget=False), rows, limit=limit)
