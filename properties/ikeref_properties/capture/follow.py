"""One end of a family of IKE SAs followed through a capture: which of its histories are consistent with what was seen.

A datagram that is seen was sent before that moment; if it is received at all, then afterwards. So this end may have

* sent its next request at any moment before it is first seen (earlier copies may have been lost),
* received a response at any moment after it was first seen (or never),
* handled a request at any moment between that request and its response being first seen.

Every order that this allows is tried; each is a sequence of observations which the rows have to explain. When a
request or response is seen, the histories stay in which it has been sent by then. None left: no state explains it.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from ikeref_model.endpoint_state import Endpoint, IkeRecord, Outstanding
from ikeref_model.events import Kind, Outcome
from ikeref_model.monitor import Candidate, Match
from ikeref_model.rows import LIVE
from ikeref_model.state import Ike

from ikeref_properties.capture.judging import LARGE, Event, Judge, Key, Ruling
from ikeref_properties.capture.sessions import Exchange, Item, Sa, Side
from ikeref_properties.refinement.words import window_size

LIMIT = 20_000
"""Histories that are kept at once; beyond, an end is given up as too ambiguous."""


Queues = dict[tuple[str, Side], list[Exchange]]
"""The exchanges that each end began on each IKE SA."""


class TooMany(Exception):
    """More histories than `LIMIT`."""


class Place(NamedTuple):
    """How far the exchanges of one IKE SA have come at this end, by their places in the two queues.

    Windows above 1 let responses and requests come out of order: `received` and `handled` are all up to there, and
    what has come beyond stands beside them.
    """

    sent: int = 0
    received: int = 0
    handled: int = 0
    received_ahead: tuple[int, ...] = ()
    handled_ahead: tuple[int, ...] = ()

    @property
    def waiting(self) -> tuple[int, ...]:
        """The requests of this end without a response."""
        return tuple(each for each in range(self.received, self.sent) if each not in self.received_ahead)

    def has_handled(self, place: int) -> bool:
        """Whether that request of the peer has been handled."""
        return place < self.handled or place in self.handled_ahead

    def receiving(self, place: int) -> "Place":
        """The same after the response to that request."""
        received, ahead = _counted(place, self.received, self.received_ahead)
        return self._replace(received=received, received_ahead=ahead)

    def handling(self, place: int) -> "Place":
        """The same after that request of the peer."""
        handled, ahead = _counted(place, self.handled, self.handled_ahead)
        return self._replace(handled=handled, handled_ahead=ahead)

    @property
    def progress(self) -> int:
        """How much has happened."""
        return self.sent + self.received + self.handled + len(self.received_ahead) + len(self.handled_ahead)


def _counted(place: int, first: int, ahead: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    found = {*ahead, place}
    while first in found:
        found.discard(first)
        first += 1
    return first, tuple(sorted(found))


class History(NamedTuple):
    """One way to explain what was seen so far."""

    state: Endpoint
    places: tuple[Place, ...]
    """By IKE SA, in the order of the family."""
    loose: frozenset[str] = frozenset()
    """IKE SAs that use what the rows don't have, so that only the order of messages is still judged."""


class Blocked(Enum):
    """Why a message can't have been sent, apart from the rows."""

    WINDOW = auto()
    """The response to the request before has not been seen."""
    NO_REQUEST = auto()
    """The request that it answers has not been seen."""
    ORDER = auto()
    """An earlier one has not been seen."""


class Verdict(NamedTuple):
    """What one end's histories say of one message."""

    matches: tuple[Match, ...] = ()
    departures: tuple[Match, ...] = ()
    """Rows that say SHOULD and were not followed."""
    blocked: Blocked | None = None
    candidates: tuple[Candidate, ...] = ()
    """The rows that were tried."""
    fitting: frozenset[str] = frozenset()
    """Those whose situation is the one at hand, by name."""
    phases: frozenset[str] = frozenset()
    """In which states the IKE SA may have been."""
    explained: bool = True
    loose: bool = False
    """The IKE SA does what the rows don't have; only the order of messages was judged."""


class End:
    """One end."""

    def __init__(self, side: Side, sas: tuple[Sa, ...], queues: Queues) -> None:
        self.side = side
        self.sas = sas
        self.own = [queues[sa.name, side] for sa in sas]
        self.peer = [queues[sa.name, side.other] for sa in sas]
        self.windows = tuple(announced(sa, side, queues) for sa in sas)
        """The largest window that this end ever announces on each IKE SA (Section 2.3); the rows know from when on."""
        self.peer_windows = tuple(announced(sa, side.other, queues) for sa in sas)
        self.gaps = tuple(
            gap for sa in sas for end in Side for gap in lacking(sa, queues[sa.name, end], heard(sa, end.other, queues))
        )
        """What the capture lacks, in words."""
        self.sudden = frozenset(sa.name for sa in sas if _sudden(sa, sas, queues))
        """IKE SAs whose establishment the capture lacks."""
        unsure = frozenset(sa.name for sa in sas if unheard(sa, side.other, queues))
        self.judge = Judge(
            side, queues, unsure=unsure, wild=bool(self.gaps or self.sudden) or any(not sa.begun for sa in sas)
        )
        state = Endpoint()
        for sa in sas:
            if not sa.begun:
                state = state.with_ike(_found(sa, side))
        self.histories = {History(state, (Place(),) * len(sas))}

    def see(self, item: Item) -> Verdict:
        """Take note of a message that this end has sent; after one that is not explained nothing has changed."""
        at = self.sas.index(item.sa)
        queue = (self.peer if item.is_response else self.own)[at]
        place = queue.index(item.exchange)
        key = (Event.HANDLE if item.is_response else Event.SEND, item.exchange.key)

        def done(history: History) -> bool:
            now = history.places[at]
            return now.has_handled(place) if item.is_response else now.sent > place

        reached = self._closure(self.histories, item.index)
        fitting = {each for each in reached if done(each)}
        if fitting:
            self.histories = fitting
            if all(item.sa.name in each.loose for each in fitting):
                return Verdict(loose=True)
            return Verdict(self._rows(key, fitting))
        self.judge.relaxed = item.exchange.key
        relaxed = {each for each in self._closure(reached, item.index) if done(each)}
        self.judge.relaxed = None
        if relaxed:
            self.histories = relaxed
            return Verdict((), self.judge.departures.get(key, ()))
        ready = [each for each in reached if self._is_next(each.places[at], item, at, place)]
        furthest = max((_progress(each) for each in ready), default=0)
        states = {each.state for each in ready if _progress(each) == furthest}
        candidates, names = self.judge.why(states, key[0], item.exchange)
        full = not item.is_response and not any(each.ike(item.sa.name).room for each in states)
        return Verdict(
            blocked=None if candidates and not full else self._blocked(reached, at, place, item),
            candidates=candidates,
            fitting=names,
            phases=frozenset(str(each.ike(item.sa.name).state) for each in states),
            explained=False,
        )

    def _rows(self, key: tuple[Event, Key], histories: set[History]) -> tuple[Match, ...]:
        """The rows of an explanation that still holds, if there is one in which the step was the last."""
        taken = self.judge.taken.get(key, {})
        for state, matches in taken.items():
            if any(each.state == state for each in histories):
                return matches
        return next(iter(taken.values()), ())

    def _blocked(self, histories: Iterable[History], at: int, place: int, item: Item) -> Blocked:
        if item.is_response:
            request = item.exchange.request
            unseen = request is None or request.index > item.index
            return Blocked.NO_REQUEST if unseen else Blocked.ORDER
        if any(each.places[at].sent == place and each.places[at].waiting for each in histories):
            return Blocked.WINDOW
        return Blocked.ORDER

    def _closure(self, histories: Iterable[History], now: int) -> set[History]:
        """All histories that unseen steps lead to, up to the datagram `now`."""
        found = set(histories)
        frontier = list(found)
        while frontier:
            history = frontier.pop()
            for at in range(len(self.sas)):
                for following in self._steps(history, at, now):
                    if following not in found:
                        found.add(following)
                        frontier.append(following)
            if len(found) > LIMIT:
                raise TooMany
        return found

    def _steps(self, history: History, at: int, now: int) -> Iterator[History]:
        """What may happen next on one IKE SA."""
        yield from self._own_steps(history, at, now)
        yield from self._peer_steps(history, at, now)
        sa = self.sas[at]
        if sa.name in self.sudden and history.state.ike(sa.name).state not in (*LIVE, Ike.CLOSED):
            record = IkeRecord(sa.name, Ike.ESTABLISHED, verified=True)
            yield history._replace(state=history.state.with_ike(record))

    def _own_steps(self, history: History, at: int, now: int) -> Iterator[History]:
        """A request of this end is sent, its response received, or the response together with the next request."""
        place, own = history.places[at], self.own[at]
        asked = own[place.sent] if place.sent < len(own) else None
        waiting = place.waiting
        for each in waiting:
            exchange = own[each]
            if not _answered(exchange, asked, now):
                continue
            received, number = place.receiving(each), self._number(history, at, each)
            yield from self._take(history, at, received, Event.RECEIVE, exchange, number=number)
            if asked is not None:
                both = received._replace(sent=place.sent + 1)
                yield from self._take(history, at, both, Event.SEND, asked, exchange, number=number)
        if asked is not None and (not waiting or place.sent < waiting[0] + self.peer_windows[at]):
            sent = place._replace(sent=place.sent + 1)
            for following in self._lack(history, at, own, place.sent):
                yield from self._take(following, at, sent, Event.SEND, asked)

    def _number(self, history: History, at: int, place: int) -> int | None:
        """By which Message ID the model knows a request: the model counts the exchanges that it has seen."""
        own = self.own[at]
        kind = own[place].kind
        earlier = [each for each in history.places[at].waiting if each < place and own[each].kind is kind]
        known = [each.number for each in history.state.ike(self.sas[at].name).outstanding if each.kind == kind]
        return known[len(earlier)] if len(earlier) < len(known) else None

    def _peer_steps(self, history: History, at: int, now: int) -> Iterator[History]:
        """A request of the peer is handled. An IKE_SA_INIT that nobody answered need not have arrived."""
        place, peer = history.places[at], self.peer[at]
        for number in range(place.handled, min(len(peer), place.handled + self.windows[at])):
            if place.has_handled(number):
                continue
            exchange, handled = peer[number], place.handling(number)
            if exchange.kind is Kind.IKE_SA_INIT and exchange.response is None:
                yield history._replace(places=_with(history.places, at, handled))
            if not _arrived(exchange, now):
                continue
            for each in self._lack(history, at, peer, number):
                yield from self._take(each, at, handled, Event.HANDLE, exchange)

    def _is_next(self, at: Place, item: Item, ike: int, place: int) -> bool:
        """Whether the message is the next that an end may send which has come so far."""
        if item.is_response:
            in_window = at.handled <= place < at.handled + self.windows[ike] and not at.has_handled(place)
            return in_window and (item.exchange.request is None or item.exchange.request.index < item.index)
        return at.sent == place and (not at.waiting or place < at.waiting[0] + self.peer_windows[ike])

    def _take(
        self,
        history: History,
        at: int,
        place: Place,
        event: Event,
        exchange: Exchange,
        before: Exchange | None = None,
        *,
        number: int | None = None,
    ) -> Iterator[History]:
        """One step, explained by the rows; `before` is the exchange whose response arrives in the same step, `number`
        the model's Message ID of the request that is answered."""
        sa = self.sas[at]
        places = _with(history.places, at, place)
        if sa.name in history.loose:
            yield history._replace(places=places)
            return
        for ruling in self.judge.rule(history.state, event, exchange, before, number):
            loose = history.loose | {sa.name} if ruling is Ruling.LOOSE else history.loose
            state = history.state if isinstance(ruling, Ruling) else ruling
            if event is Event.SEND and _unknown(exchange):
                state = _rid(state, sa)
            yield History(state, places, loose)

    def _lack(self, history: History, at: int, queue: list[Exchange], place: int) -> Iterator[History]:
        """The history after exchanges that the capture lacks, if Message IDs show that there were any (Section 2.2)."""
        sa, exchange = self.sas[at], queue[place]
        if exchange.message_id <= _expected(sa, queue, place):
            yield history
            return
        for state in _unsettled(history.state, sa, self.side, exchange):
            yield history._replace(state=state)


def _progress(history: History) -> int:
    """How much has happened in it."""
    return sum(each.progress for each in history.places)


def _arrived(exchange: Exchange, now: int) -> bool:
    """Whether this end can have the request: it was seen, or the capture lacks it, or lacks the first copy of it."""
    request, response = exchange.request, exchange.response
    if request is None or request.index <= now:
        return True
    return response is not None and response.index < request.index


def _answered(exchange: Exchange, following: Exchange | None, now: int) -> bool:
    """Whether this end can have the response: it was seen, or the capture lacks it, or lacks the first copy of it.

    The latter is taken to be so only where the request was repeated, since that makes a responder send it again.
    """
    response = exchange.response
    if response is None or response.index <= now:
        return True
    if exchange.copies < 2 or following is None or following.request is None:
        return False
    return following.request.index < response.index


def _expected(sa: Sa, queue: list[Exchange], place: int) -> int:
    """The Message ID that is next (Section 2.2)."""
    if place:
        return queue[place - 1].message_id + (queue[place].round == 0)
    return 0 if sa.begun else queue[place].message_id


def unheard(sa: Sa, side: Side, queues: Queues) -> bool:
    """Whether the capture lacks messages of an end in which it may have announced a larger window."""
    lost = any(each.request is None for each in queues[sa.name, side])
    return not sa.begun or lost or any(each.response is None for each in queues[sa.name, side.other][:-1])


def announced(sa: Sa, side: Side, queues: Queues) -> int:
    """The largest window that one end announces on an IKE SA, or may have announced (Section 2.3)."""
    return LARGE if unheard(sa, side, queues) else heard(sa, side, queues)


def heard(sa: Sa, side: Side, queues: Queues) -> int:
    """The largest window that the capture shows to be announced."""
    messages = [each.request for each in queues[sa.name, side]] + [
        each.response for each in queues[sa.name, side.other]
    ]
    return max((1, *(window_size(each.message) for each in messages if each is not None)))


def lacking(sa: Sa, queue: list[Exchange], window: int = 1) -> Iterator[str]:
    """What the capture lacks of the exchanges that one end began, in words; `window` is its peer's."""
    for place, exchange in enumerate(queue):
        expected, last = _expected(sa, queue, place), exchange.message_id - 1
        who = f"of the {exchange.requester} on IKE SA {sa.name}"
        if expected <= last:
            yield f"requests {expected} to {last} {who}" if last > expected else f"request {expected} {who}"
        if exchange.request is None:
            yield f"request {exchange.message_id} {who}"
        elif exchange.response is not None and exchange.response.index < exchange.request.index:
            yield f"the first copy of request {exchange.message_id} {who}"
        elif exchange.response is None and place + window < len(queue):
            yield f"the response to request {exchange.message_id} {who}"


def _found(sa: Sa, side: Side) -> IkeRecord:
    """An IKE SA as it stands where the capture begins in its middle."""
    if not sa.authenticating:
        return IkeRecord(sa.name, Ike.ESTABLISHED, verified=True)
    return _authenticating(sa, side)


def _authenticating(sa: Sa, side: Side) -> IkeRecord:
    """An IKE SA in the middle of IKE_AUTH."""
    if side is sa.initiator:
        return IkeRecord(sa.name, Ike.AUTH_SENT, (Outstanding(0, Kind.IKE_AUTH),))
    return IkeRecord(sa.name, Ike.HALF_OPEN)


def _with(places: tuple[Place, ...], at: int, place: Place) -> tuple[Place, ...]:
    return (*places[:at], place, *places[at + 1 :])


def _unknown(exchange: Exchange) -> bool:
    """Whether the capture lacks what the exchange was about."""
    return exchange.request is None and exchange.kind is None


def _unsettled(state: Endpoint, sa: Sa, side: Side, following: Exchange) -> Iterator[Endpoint]:
    """The IKE SA after exchanges that the capture lacks, as it may be when `following` comes."""
    record = state.ike(sa.name)
    if following.kind is Kind.IKE_AUTH:
        yield state.with_ike(_authenticating(sa, side))
        return
    own = following.requester is side
    if record.state in LIVE and not (own and record.outstanding):
        yield state
    if (record.state != Ike.CLOSED and own) or record.state not in (*LIVE, Ike.CLOSED):
        yield state.with_ike(record._replace(state=Ike.ESTABLISHED, outstanding=(), due=False, verified=True))


def _rid(state: Endpoint, sa: Sa) -> Endpoint:
    """The state after a request of this end that the capture lacks: it may have been a Delete that was due."""
    for each in state.children:
        if sa.name in each.homes and each.due:
            state = state.with_child(each._replace(due=False))
    return state.with_ike(state.ike(sa.name)._replace(outstanding=()))


def _sudden(sa: Sa, sas: tuple[Sa, ...], queues: Queues) -> bool:
    """Whether an IKE SA is used although the capture lacks the exchange that established it."""
    used = [each for side in Side for each in queues[sa.name, side]]
    if not sa.begun or all(each.kind in (Kind.IKE_SA_INIT, Kind.IKE_AUTH) for each in used):
        return False
    if any(each.kind is Kind.IKE_SA_INIT for each in used):
        ends = (each.final or each.abandoned or each.by_round for each in used if each.kind is Kind.IKE_AUTH)
        return not any(ends)
    rekeys = [each for old in sas for side in Side for each in queues[old.name, side] if each.heir == sa.name]
    return not any(each.outcome in (None, Outcome.OK) for each in rekeys)
