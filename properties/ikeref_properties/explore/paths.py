"""Named paths: what the RFC describes as a course of events, found in the states of the code (Sections 2.8, 2.25).

A path is a list of things that have to happen in this order, whatever happens in between, and what has to hold when all
is at rest. `find` searches breadth-first, so that what it finds is a shortest schedule.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ikeref_model.events import Kind, Outcome

from ikeref import sa
from ikeref.sa import ChildState, Phase
from ikeref.sa.values import ChildRequest, Exchange, IkeRequest
from ikeref_properties.explore import checks
from ikeref_properties.explore.fingerprint import Merging, fingerprint
from ikeref_properties.explore.moves import Successor
from ikeref_properties.explore.search import Begins, Counterexample, Search
from ikeref_properties.explore.values import Bounds, Deviation, State
from ikeref_properties.explore.worker import pack
from ikeref_properties.refinement import words

A, B = 0, 1
Test = Callable[[State, Successor], bool]


class Event(NamedTuple):
    """Something that happens at one end."""

    end: int
    did: str
    """asks (sends a request), replies (answers a request that came), hears (takes a response in), or twice (a request
    comes twice)."""
    kind: Kind
    outcome: Outcome | None = None
    """Of the response; None: any."""
    also: Test | None = None

    def happens(self, before: State, step: Successor) -> bool:
        """Whether this step is it."""
        if step.action.end != self.end or step.branch is None:
            return False
        if self.did == "twice":
            flight = step.action.flight
            again = step.action.what == "duplicate" and flight is not None and not flight.skeleton.response
            return again and flight is not None and words.kind_of(flight.skeleton.message) is self.kind
        found = any(self._is(before, step, output) for output in step.branch.outputs)
        return found and (self.also is None or self.also(before, step))

    def _is(self, before: State, step: Successor, output: sa.Output) -> bool:
        match self.did, output:
            case "asks", sa.Transmit(message=message, again=False) if message is not None and not message.is_response:
                return words.kind_of(message) is self.kind
            case "replies", sa.Transmit(message=message, again=again) if message is not None and message.is_response:
                flight = step.action.flight
                if flight is None or flight.skeleton.response or again:
                    return False
                if words.kind_of(flight.skeleton.message) is not self.kind:
                    return False
                return self.outcome in (None, words.outcome_of(self.kind, message))
            case "hears", sa.Received(message=message) if message.is_response:
                exchange = _asked(before, self.end, step)
                if exchange is None or words.kind_of(exchange.message) is not self.kind:
                    return False
                return self.outcome in (None, words.outcome_of(self.kind, message))
            case _:
                return False


class Path(NamedTuple):
    """A course of events."""

    name: str
    what: str
    section: str
    bounds: Bounds
    events: tuple[Event, ...]
    ends: Callable[[State], bool]
    """What has to hold at rest."""
    never: tuple[Event, ...] = ()
    """What must not happen on the way."""
    begins: Begins | None = None
    """How the first state is changed."""


def find(path: Path, states: int = 200_000) -> Counterexample | None:
    """A shortest schedule; None if there is none."""
    search = Search(path.bounds, judged=path.bounds.window == 1)
    first = search.start if path.begins is None else path.begins(search.start, search.origin)
    moves = search.moves()
    merging = Merging(symmetry=False, comparisons=False)
    known = [(-1, -1)]
    """For each state: where it came from, and by which step."""
    seen = {(fingerprint(first, search.origin, merging).octets, pack(first.left, False), 0)}
    todo = deque([(first, 0, 0)])
    while todo and len(known) < states:
        state, stage, index = todo.popleft()
        if stage == len(path.events) and checks.resting(state) and path.ends(state):
            return _schedule(path, search, known, index)
        for ordinal, step in enumerate(moves.successors(state)):
            if step.deviation is not None and path.begins is None:
                return None
            if any(event.happens(state, step) for event in path.never):
                continue
            now = stage
            while now < len(path.events) and path.events[now].happens(state, step):
                now += 1
                if now < len(path.events) and path.events[now] == path.events[now - 1]:
                    break
            mark = (fingerprint(step.state, search.origin, merging).octets, pack(step.state.left, False), now)
            if mark not in seen:
                seen.add(mark)
                known.append((index, ordinal))
                todo.append((step.state, now, len(known) - 1))
    return None


def _schedule(path: Path, search: Search, known: list[tuple[int, int]], index: int) -> Counterexample:
    ordinals: list[int] = []
    while index:
        index, ordinal = known[index]
        ordinals.insert(0, ordinal)
    steps = search.replay(tuple(ordinals), path.begins)
    return Counterexample(Deviation(path.name, path.what), tuple(step.action for step in steps), steps, tuple(ordinals))


# What happens


def asks(end: int, kind: Kind) -> Event:
    """An end sends a request."""
    return Event(end, "asks", kind)


def replies(end: int, kind: Kind, outcome: Outcome | None = None, also: Test | None = None) -> Event:
    """An end answers a request."""
    return Event(end, "replies", kind, outcome, also)


def hears(end: int, kind: Kind, outcome: Outcome | None = None, also: Test | None = None) -> Event:
    """An end takes a response in."""
    return Event(end, "hears", kind, outcome, also)


def twice(end: int, kind: Kind) -> Event:
    """A request comes, is answered, and comes again: the response is the same, as in every state (Section 2.1)."""
    return Event(end, "twice", kind)


def _asked(before: State, end: int, step: Successor) -> Exchange | None:
    """The request that the response belongs to."""
    flight, session = step.action.flight, before.ends[end].session
    if flight is None or session is None or not flight.skeleton.response:
        return None
    for ike in session.ikes:
        for exchange in ike.outstanding:
            if ike.spi == flight.skeleton.to_spi and exchange.message_id == flight.skeleton.message_id:
                return exchange
    return None


class Four(NamedTuple):
    """The four nonces of two rekeys that crossed, as one end has them when it hears the response to its own."""

    ni: bytes
    nr: bytes
    their_ni: bytes
    their_nr: bytes


def nonces(before: State, step: Successor) -> Four | None:
    """None where nothing crossed."""
    exchange = _asked(before, step.action.end, step)
    intent = exchange.intent if exchange is not None else None
    flight = step.action.flight
    if not isinstance(intent, ChildRequest | IkeRequest) or intent.crossing is None or flight is None:
        return None
    return Four(intent.nonce, words.nonce_of(flight.skeleton.message), *intent.crossing.nonces)


def lowest(which: str) -> Test:
    """This one of the four is lower than the three others."""

    def test(before: State, step: Successor) -> bool:
        four = nonces(before, step)
        if four is None:
            return False
        mine = four[Four._fields.index(which)]
        return all(mine < other for name, other in zip(Four._fields, four, strict=True) if name != which)

    return test


def equal(before: State, step: Successor) -> bool:
    """The lowest nonce is in both exchanges."""
    four = nonces(before, step)
    return four is not None and min(four.ni, four.nr) == min(four.their_ni, four.their_nr)


def prefix(before: State, step: Successor) -> bool:
    """The lowest nonce is the beginning of the lowest of the other exchange."""
    four = nonces(before, step)
    if four is None:
        return False
    mine, theirs = sorted((min(four.ni, four.nr), min(four.their_ni, four.their_nr)))
    return mine != theirs and theirs.startswith(mine)


# What holds at rest


def have(children: int, ikes: int = 1) -> Callable[[State], bool]:
    """Each end has so many Child SAs, and IKE SAs."""

    def test(state: State) -> bool:
        return all(count == (children, ikes) for count in _counts(state))

    return test


def nothing(state: State) -> bool:
    """Neither end has an IKE SA."""
    return all(count[1] == 0 for count in _counts(state))


def _counts(state: State) -> list[tuple[int, int]]:
    found = []
    for end in state.ends:
        if end.session is None:
            found.append((0, 0))
            continue
        children = [child for child in end.session.children if child.state is ChildState.OPEN]
        found.append((len(children), sum(ike.phase is Phase.ESTABLISHED for ike in end.session.ikes)))
    return found
