"""What may happen in a state, and what it becomes (Sections 2.1, 2.3, 2.4, 2.8, 2.25).

The network delivers, loses, duplicates and, by delivering whatever it likes first, reorders. A request is sent again
when neither it nor its response is on its way; a retry may come at any time; what waits for longer than any
retransmission (Section 2.8: a Delete that the peer owes) expires only when nothing is on its way or unanswered.
An end gives up if its peer has forgotten the IKE SA.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ikeref import sa
from ikeref.sa import ChildState, Phase
from ikeref_properties.explore import checks
from ikeref_properties.explore.fingerprint import own, shared, wanted
from ikeref_properties.explore.local import Branch, Local
from ikeref_properties.explore.values import NAMES, Action, Bounds, Deviation, Flight, Left, State

RETRANSMIT, GIVE_UP, EITHER = ("retransmit",), ("give up",), ("retransmit", "give up")


class Successor(NamedTuple):
    """A step of the whole."""

    action: Action
    state: State
    deviation: Deviation | None
    branch: Branch | None
    """What the end made of it; None where only the network acted."""


class Moves:
    """The steps of a state, within bounds."""

    def __init__(self, local: Local, bounds: Bounds, *, tidy: bool = True) -> None:
        self._local = local
        self._bounds = bounds
        self._tidy = tidy
        """Whether what can do nothing any more is cleared away, after it was seen to do nothing."""
        self.behaviours: set[str] = set()
        """What ends did when something came again."""
        self.checked = 0
        """Steps that were judged."""

    def successors(self, state: State) -> Iterator[Successor]:
        """All steps from a state, always in the same order."""
        yield from self._network(state)
        yield from self._timers(state)
        yield from self._commands(state)

    # What the network does

    def _network(self, state: State) -> Iterator[Successor]:
        left = state.left
        seen = set()
        for index, flight in enumerate(state.flights):
            if flight.datagram in seen:
                continue
            seen.add(flight.datagram)
            others = state.flights[:index] + state.flights[index + 1 :]
            yield from self._step(state, Action("deliver", flight.to, flight), flight.datagram, others, left)
            if left.duplicates:
                fewer = left._replace(duplicates=left.duplicates - 1)
                action = Action("duplicate", flight.to, flight)
                yield from self._step(state, action, flight.datagram, state.flights, fewer)
            if left.losses:
                fewer = left._replace(losses=left.losses - 1)
                yield self._finish(Action("lose", flight.to, flight), State(state.ends, others, fewer), None, None)

    # What time does

    def _timers(self, state: State) -> Iterator[Successor]:
        quiet = not state.flights and not any(ike.outstanding for end in state.ends for ike in end.skeleton.ikes)
        for who, end in enumerate(state.ends):
            if end.session is None:
                continue
            for which, ike in enumerate(end.skeleton.ikes):
                for number in ike.outstanding:
                    for timer in self._overdue(state, who, which, number):
                        yield from self._step(state, Action(timer, who, which=which), (timer, which, number))
                if ike.outstanding:
                    continue
                if ike.expires and ike.phase is not Phase.CLOSED and quiet:
                    yield from self._step(state, Action("expire", who, which=which), ("expire", which, 0))
                elif ike.phase is Phase.CLOSED and self._bounds.give_up:
                    yield from self._step(state, Action("forget", who, which=which), ("forget", which, 0))
            for which in range(len(end.session.retries) if self._bounds.early or quiet else 0):
                yield from self._step(state, Action("retry", who, which=which), ("retry", which, 0))

    def _overdue(self, state: State, who: int, which: int, number: int) -> tuple[str, ...]:
        """What becomes of a request without a response."""
        ike = state.ends[who].skeleton.ikes[which]
        for flight in state.flights:
            message = flight.skeleton
            if message.ike == ike.ike and message.message_id == number:
                sent_by_us = flight.to != who
                if message.response is not sent_by_us:
                    return ()
        peer = state.ends[1 - who].skeleton
        theirs = shared(peer, ike.ike)
        if theirs is None:
            reachable = any(spi in ike.ike for each in peer.ikes for spi in each.announced)
        else:
            reachable = theirs.phase is not Phase.CLOSED or number in theirs.answered
        if not reachable:
            return GIVE_UP
        return EITHER if self._bounds.give_up else RETRANSMIT

    # What users do

    def _commands(self, state: State) -> Iterator[Successor]:
        for who, end in enumerate(state.ends):
            session, left = end.session, state.left.commands[who]
            if not left or session is None or session.current is None:
                continue
            commands = (left - 1, state.left.commands[1]) if who == 0 else (state.left.commands[0], left - 1)
            fewer = state.left._replace(commands=commands)
            for command in commands_of(session, self._bounds.kinds):
                action = Action("command", who, command=command)
                yield from self._step(state, action, command, state.flights, fewer)

    # Both ends together

    def _step(
        self,
        state: State,
        action: Action,
        key: object,
        flights: tuple[Flight, ...] | None = None,
        left: Left | None = None,
    ) -> Iterator[Successor]:
        who = action.end
        message = action.flight.skeleton if action.flight is not None else None
        branches = self._local.branches(who, state.ends[who], key, state.ends[1 - who], message)
        for number, branch in enumerate(branches):
            after = _joined(state, who, branch, state.flights if flights is None else flights, left or state.left)
            numbered = action._replace(branch=number) if number else action
            deviation = branch.deviation
            if action.what == "give up" and not self._bounds.give_up:
                why = "waits for an answer that will never come"
                deviation = deviation or Deviation("every request is answered (Section 2.1)", why)
            yield self._finish(numbered, after, deviation, branch)

    def _finish(self, action: Action, state: State, deviation: Deviation | None, branch: Branch | None) -> Successor:
        self.checked += 1
        if deviation is not None:
            deviation = deviation._replace(why=f"{NAMES[action.end]}: {deviation.why}")
        else:
            deviation = checks.both(state)
        if self._tidy and deviation is None:
            state, deviation = self._tidied(state)
        if deviation is None and not self._bounds.give_up:
            deviation = checks.orphan(state)
        return Successor(action, state, deviation, branch)

    def _tidied(self, state: State) -> tuple[State, Deviation | None]:
        """What can't matter is seen to change nothing, and forgotten: old datagrams, closed IKE SAs that nobody asks.

        A request that is lost is sent again at once: until then it would be no different from one that is slow.
        One that was answered already arrives at once: its response would be no different from one that is slow.
        """
        for who in (0, 1):
            for which, ike in enumerate(state.ends[who].skeleton.ikes):
                for number in ike.outstanding:
                    if self._overdue(state, who, which, number) != RETRANSMIT:
                        continue
                    key = (RETRANSMIT[0], which, number)
                    [branch] = self._local.branches(who, state.ends[who], key, state.ends[1 - who])
                    self.checked += 1
                    if branch.deviation is not None or branch.end.session != state.ends[who].session:
                        why = f"it changes {NAMES[who]}"
                        return state, branch.deviation or Deviation("retransmission (Section 2.1)", why)
                    state = state._replace(flights=state.flights + branch.sent)
        flights: list[Flight] = []
        for flight in state.flights:
            matters = _matters(state, flight)
            if matters and not _again(state, flight):
                if flight not in flights:
                    flights.append(flight)
                continue
            end, peer = state.ends[flight.to], state.ends[1 - flight.to]
            for branch in self._local.branches(flight.to, end, flight.datagram, peer, flight.skeleton):
                self.checked += 1
                self.behaviours.add(branch.behaviour)
                if branch.end.session != end.session or branch.end.plane != end.plane or branch.deviation is not None:
                    why = f"{flight.skeleton.title} changes {NAMES[flight.to]}"
                    return state, branch.deviation or Deviation("old messages (Section 2.3)", why)
                if matters:
                    # The same response is on its way: once is as good as twice.
                    flights += [sent for sent in branch.sent if sent not in flights and sent not in state.flights]
        if len(flights) != len(state.flights) or flights != [*state.flights]:
            state = state._replace(flights=tuple(flights))
        for who in (0, 1):
            while (closed := _useless(state, who)) is not None:
                [branch] = self._local.branches(who, state.ends[who], ("forget", closed, 0), state.ends[1 - who])
                self.checked += 1
                if branch.deviation is not None:
                    return state, branch.deviation
                state = _joined(state, who, branch, state.flights, state.left)
        return state, None


def _joined(state: State, who: int, branch: Branch, flights: tuple[Flight, ...], left: Left) -> State:
    ends = (branch.end, state.ends[1]) if who == 0 else (state.ends[0], branch.end)
    return State(ends, flights + branch.sent, left)


def commands_of(session: sa.Session, kinds: tuple[str, ...]) -> list[sa.Command]:
    """The commands that make sense; the code refuses those that are not allowed now."""
    found: list[sa.Command] = []
    for kind in kinds:
        match kind:
            case "create child":
                found.append(sa.CreateChild(session.connection.children[0].name))
            case "rekey child":
                found += [sa.RekeyChild(c.spi_in) for c in session.children if c.state is ChildState.OPEN]
            case "rekey IKE":
                found.append(sa.RekeyIke())
            case "delete child":
                found += [sa.DeleteChild(c.spi_in) for c in session.children if c.state is not ChildState.DELETING]
            case "delete IKE":
                found.append(sa.DeleteIke())
            case _:
                found.append(sa.CheckLiveness())
    return found


def _matters(state: State, flight: Flight) -> bool:
    """Whether a datagram may still have an effect when it arrives, now or later."""
    message = flight.skeleton
    receiver, sender = state.ends[flight.to].skeleton, state.ends[1 - flight.to].skeleton
    ike = own(receiver, message.to_spi)
    if ike is None:
        return any(message.to_spi in each.announced for each in receiver.ikes)
    if message.response:
        return message.message_id in ike.outstanding
    if message.message_id in ike.answered:
        theirs = shared(sender, message.ike)
        return theirs is not None and message.message_id in theirs.outstanding
    return message.message_id >= ike.expected and ike.phase is not Phase.CLOSED


def _again(state: State, flight: Flight) -> bool:
    """Whether it is a request that the receiver has answered, and would answer again."""
    message = flight.skeleton
    ike = own(state.ends[flight.to].skeleton, message.to_spi)
    return ike is not None and not message.response and message.message_id in ike.answered


def _useless(state: State, who: int) -> int | None:
    """A closed IKE SA whose last answer nobody will ask for."""
    mine, other = state.ends[who].skeleton, state.ends[1 - who].skeleton
    for which, ike in enumerate(mine.ikes):
        if ike.phase is Phase.CLOSED and not wanted(ike, who, other, state.flights):
            return which
    return None
