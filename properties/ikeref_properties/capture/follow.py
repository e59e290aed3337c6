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

from ikeref_model.endpoint_state import Endpoint, IkeRecord
from ikeref_model.events import Kind
from ikeref_model.monitor import Candidate, Match
from ikeref_model.rows import LIVE
from ikeref_model.state import NOTHING, Ike

from ikeref_properties.capture.judging import Event, Judge, Key, Ruling
from ikeref_properties.capture.sessions import Exchange, Item, Sa, Side

LIMIT = 20_000
"""Histories that are kept at once; beyond, an end is given up as too ambiguous."""


class TooMany(Exception):
    """More histories than `LIMIT`."""


class Place(NamedTuple):
    """How far the exchanges of one IKE SA have come at this end: counts in the order of the two queues."""

    sent: int = 0
    received: int = 0
    handled: int = 0


class History(NamedTuple):
    """One way to explain what was seen so far."""

    state: Endpoint
    places: tuple[Place, ...]
    """By IKE SA, in the order of the family."""
    loose: frozenset[str] = frozenset()
    """IKE SAs that use what the rows don't have, so that only the order of messages is still judged."""
    wild: bool = False
    """Something happened that the capture lacks: a Child SA that is not known may be there all the same."""


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
    explained: bool = True


class End:
    """One end."""

    def __init__(self, side: Side, sas: tuple[Sa, ...], queues: dict[tuple[str, Side], list[Exchange]]) -> None:
        self.side = side
        self.sas = sas
        self.own = [queues[sa.name, side] for sa in sas]
        self.peer = [queues[sa.name, side.other] for sa in sas]
        self.judge = Judge(side, queues)
        state = Endpoint()
        for sa in sas:
            if not sa.begun:
                state = state.with_ike(IkeRecord(sa.name, Ike.ESTABLISHED, verified=True))
        self.histories = {History(state, (Place(),) * len(sas), wild=any(not sa.begun for sa in sas))}
        self.gaps: dict[str, None] = {}
        """What the capture lacks, in words."""

    def see(self, item: Item) -> Verdict:
        """Take note of a message that this end has sent; after one that is not explained nothing has changed."""
        at = self.sas.index(item.sa)
        queue = (self.peer if item.is_response else self.own)[at]
        place = queue.index(item.exchange)
        key = (Event.HANDLE if item.is_response else Event.SEND, item.exchange.key)

        def done(history: History) -> bool:
            now = history.places[at]
            return (now.handled if item.is_response else now.sent) > place

        reached = self._closure(self.histories, item.index)
        fitting = {each for each in reached if done(each)}
        if fitting:
            self.histories = fitting
            return Verdict(self._rows(key, fitting))
        self.judge.relaxed = item.exchange.key
        relaxed = {each for each in self._closure(reached, item.index) if done(each)}
        self.judge.relaxed = None
        if relaxed:
            self.histories = relaxed
            return Verdict((), self.judge.departures.get(key, ()))
        candidates = tuple(self.judge.reasons.get(key, {}).values())
        return Verdict(
            blocked=None if candidates else self._blocked(reached, at, place, item),
            candidates=candidates,
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
        if any(each.places[at].sent == place and each.places[at].received < place for each in histories):
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
        place = history.places[at]
        own, peer = self.own[at], self.peer[at]
        asked = own[place.sent] if place.sent < len(own) else None
        if place.sent > place.received:
            waiting = own[place.received]
            if self._answered(waiting, asked, now):
                received = place._replace(received=place.received + 1)
                yield from self._take(history, at, received, Event.RECEIVE, waiting)
                if asked is not None:
                    both = received._replace(sent=place.sent + 1)
                    yield from self._take(history, at, both, Event.SEND, asked, waiting)
        elif asked is not None:
            history = self._lack(history, at, own, place.sent)
            yield from self._take(history, at, place._replace(sent=place.sent + 1), Event.SEND, asked)
        if place.handled < len(peer):
            request = peer[place.handled]
            handled = place._replace(handled=place.handled + 1)
            if request.request is None or request.request.index <= now:
                history = self._lack(history, at, peer, place.handled)
                yield from self._take(history, at, handled, Event.HANDLE, request)
                if request.kind is Kind.IKE_SA_INIT and request.response is None:
                    yield history._replace(places=_with(history.places, at, handled))

    def _answered(self, exchange: Exchange, following: Exchange | None, now: int) -> bool:
        """Whether this end can have the response: it was seen, or the capture lacks it and things went on."""
        if exchange.response is not None:
            return exchange.response.index <= now
        return following is not None

    def _take(
        self, history: History, at: int, place: Place, event: Event, exchange: Exchange, before: Exchange | None = None
    ) -> Iterator[History]:
        """One step, explained by the rows; `before` is the exchange whose response arrives in the same step."""
        sa = self.sas[at]
        places = _with(history.places, at, place)
        if sa.name in history.loose:
            yield history._replace(places=places)
            return
        for ruling in self.judge.rule(history.state, history.wild, event, exchange, before):
            loose = history.loose | {sa.name} if ruling is Ruling.LOOSE else history.loose
            state = history.state if isinstance(ruling, Ruling) else ruling
            wild = history.wild or _unknown(exchange)
            if _unknown(exchange):
                state = _unsettled(state, sa)
            yield History(state, places, loose, wild)

    def _lack(self, history: History, at: int, queue: list[Exchange], place: int) -> History:
        """The history after exchanges that the capture lacks, if Message IDs show that there were any (Section 2.2)."""
        exchange = queue[place]
        sa = self.sas[at]
        if place:
            expected = queue[place - 1].message_id + (exchange.round == 0)
        else:
            expected = 0 if sa.begun else exchange.message_id
        if exchange.message_id <= expected:
            return history
        last = exchange.message_id - 1
        numbers = f"requests {expected} to {last}" if last > expected else f"request {expected}"
        self.gaps[f"{numbers} of the {exchange.requester} on IKE SA {sa.name}"] = None
        return history._replace(state=_unsettled(history.state, sa), wild=True)


def _with(places: tuple[Place, ...], at: int, place: Place) -> tuple[Place, ...]:
    return (*places[:at], place, *places[at + 1 :])


def _unknown(exchange: Exchange) -> bool:
    """Whether the capture lacks what the exchange was about."""
    return exchange.request is None and exchange.kind is None


def _unsettled(state: Endpoint, sa: Sa) -> Endpoint:
    """The IKE SA after exchanges that the capture lacks: there if it was not closed."""
    record = state.ike(sa.name)
    if record.state == Ike.CLOSED:
        return state
    kept = record.state if record.state in LIVE else Ike.ESTABLISHED
    if kept in (Ike.REKEYING, Ike.CROSSED, Ike.DELETING):
        kept = Ike.ESTABLISHED
    return state.with_ike(record._replace(state=kept, own=NOTHING, due=False, verified=True, subjects=()))
