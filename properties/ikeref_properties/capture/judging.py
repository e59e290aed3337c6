"""A step of one end as an observation for the model, and what the rows make of it (Sections 1.2 to 1.4, 2.25).

Of the SAs of an end a capture shows nothing, so the observations leave the changes out. Where the rows that fit the
situation say SHOULD, or the RFC is silent, another answer is a departure: it is noted, and the history goes on as the
row says that allows such an answer elsewhere.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

from ikeref_model.endpoint_state import ChildRecord, Endpoint
from ikeref_model.events import (
    Asked,
    Change,
    Command,
    Direction,
    Established,
    Installed,
    Kind,
    Observation,
    Outcome,
    Position,
    Reply,
    Request,
    Response,
    Sent,
)
from ikeref_model.monitor import Accepted, Candidate, Match, Rejection, advance
from ikeref_model.rows import Answer, Row
from ikeref_model.state import Child, Ike
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_model.terms import TRUE

from ikeref.registry import NotifyType
from ikeref_properties.capture import meaning, rounds
from ikeref_properties.capture.opening import State
from ikeref_properties.capture.sessions import Exchange, Item, Side
from ikeref_properties.closest import fitting
from ikeref_properties.refinement.words import window_size

Facts = tuple[tuple[str, bool], ...]
Key = tuple[str, str, int, int]

LARGE: Final = 16
"""A window that is large enough, where nobody knows which one was announced."""
_BINDING: Final = ("MUST", "implied")
"""Levels of rows from which nobody may depart; the others say SHOULD or MAY, or that the RFC is silent."""
_OPENING: Final = "init.response.ok"
"""The row by which IKE_AUTH begins."""
_REFUSALS: Final = (
    Outcome.REFUSED,
    Outcome.NO_ADDITIONAL_SAS,
    Outcome.INVALID_KE_PAYLOAD,
    Outcome.TEMPORARY_FAILURE,
    Outcome.INVALID_SYNTAX,
)
_POSSIBLE: Final[dict[Kind, tuple[Outcome, ...]]] = {
    Kind.IKE_SA_INIT: (Outcome.OK, Outcome.COOKIE, Outcome.INVALID_KE_PAYLOAD, Outcome.REFUSED),
    Kind.IKE_AUTH: (Outcome.OK, Outcome.REFUSED, Outcome.AUTHENTICATION_FAILED, Outcome.INVALID_SYNTAX),
    Kind.CREATE_CHILD: (Outcome.OK, *_REFUSALS),
    Kind.REKEY_CHILD: (Outcome.OK, Outcome.CHILD_SA_NOT_FOUND, *_REFUSALS),
    Kind.REKEY_IKE: (Outcome.OK, *_REFUSALS),
    Kind.DELETE_CHILD: (Outcome.OK, Outcome.EMPTY, Outcome.INVALID_SYNTAX),
    Kind.DELETE_IKE: (Outcome.EMPTY, Outcome.INVALID_SYNTAX),
    Kind.LIVENESS: (Outcome.OK, Outcome.INVALID_SYNTAX),
}
"""What may have been said in a response that the capture lacks."""
_FATAL_REPORTS: Final = (
    NotifyType.AUTHENTICATION_FAILED,
    NotifyType.INVALID_SYNTAX,
    NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
)
"""Errors that end the IKE SA without a Delete, in a request right after IKE_AUTH (Section 2.21.2)."""


class Event(Enum):
    """What an end does unseen."""

    SEND = auto()
    RECEIVE = auto()
    HANDLE = auto()


class Ruling(Enum):
    """The rows have nothing to say."""

    SAME = auto()
    """It changes nothing that the rows know: a round of IKE_AUTH, an extension's exchange."""
    LOOSE = auto()
    """From here on the IKE SA does what the rows don't have."""


class Judge:
    """Asks the model, and remembers the answers."""

    def __init__(
        self,
        side: Side,
        queues: dict[tuple[str, Side], list[Exchange]],
        *,
        wild: bool,
        unsure: frozenset[str] = frozenset(),
    ) -> None:
        self.side = side
        self.queues = queues
        self.taken: dict[tuple[Event, Key], dict[Endpoint, tuple[Match, ...]]] = {}
        """The rows of one explanation of each step, by the state that it leads to."""
        self.order: dict[tuple[Event, Key], Candidate] = {}
        """Why IKE_AUTH did not fit, which is judged by its place alone."""
        self.departures: dict[tuple[Event, Key], tuple[Match, ...]] = {}
        self.wild = wild
        """The capture lacks something: a Child SA that it does not tell of may be there all the same."""
        self.unsure = unsure
        """The IKE SAs on which the peer may have announced a larger window, in a message that the capture lacks."""
        self.relaxed: Key | None = None
        """The exchange in which departures are let pass."""
        self._known: dict[tuple[object, ...], tuple[Endpoint | Ruling, ...]] = {}

    def rule(
        self, state: Endpoint, event: Event, exchange: Exchange, before: Exchange | None, number: int | None = None
    ) -> tuple[Endpoint | Ruling, ...]:
        """The states that a step leads to. `before` is the exchange whose response arrives in the same step, `number`
        the model's Message ID of the request that is answered, where several are outstanding."""
        relaxed = self.relaxed == exchange.key
        key = (state, event, exchange.key, before.key if before is not None else None, number, relaxed)
        if key not in self._known:
            self._known[key] = tuple(dict.fromkeys(self._rule(state, event, exchange, before, number, relaxed)))
        return self._known[key]

    def _rule(
        self,
        state: Endpoint,
        event: Event,
        exchange: Exchange,
        before: Exchange | None,
        number: int | None,
        relaxed: bool,
    ) -> Iterator[Endpoint | Ruling]:
        if event is Event.SEND and before is not None and _silent(before, Event.RECEIVE) is not None:
            return
        silent = _silent(exchange, event)
        in_rounds = event is Event.SEND or not exchange.final
        if event is Event.SEND and self._opens_authentication(exchange):
            silent = None
        elif exchange.by_round:
            wrong = rounds.misplaced(before, exchange) if event is Event.SEND and before is not None else None
            if wrong is not None:
                self.order[event, exchange.key] = wrong
                return
        elif exchange.kind is Kind.IKE_AUTH and in_rounds and silent is not Ruling.LOOSE:
            silent = Ruling.SAME
            if state.ike(exchange.sa.name).state not in (Ike.AUTH_SENT, Ike.HALF_OPEN):
                why = f"it comes once, after IKE_SA_INIT; the IKE SA is {state.ike(exchange.sa.name).state}"
                self.order[event, exchange.key] = Candidate(_OPENING, "1.2", why)
                return
        if silent is not None:
            if before is None:
                yield silent
            return
        if event is Event.SEND and exchange.kind is Kind.IKE_SA_INIT and exchange.round and before is None:
            return
        for observation in self._observations(event, exchange, before, number):
            for start in _starts(state, self.wild, exchange):
                yield from self._ask(self._roomy(start, event, exchange), observation, event, exchange, relaxed)

    def _roomy(self, state: Endpoint, event: Event, exchange: Exchange) -> Endpoint:
        """The state before a request is sent, with as large a window as the peer may have announced."""
        record = state.ike(exchange.sa.name)
        if event is not Event.SEND or exchange.sa.name not in self.unsure or record.room:
            return state
        return state.with_ike(record._replace(peer_window=max(record.peer_window, LARGE)))

    def _ask(
        self, state: Endpoint, observation: Observation, event: Event, exchange: Exchange, relaxed: bool
    ) -> Iterator[Endpoint]:
        key = (event, exchange.key)
        result = advance(frozenset((state,)), observation)
        if isinstance(result, Accepted):
            for after in result.states:
                self.taken.setdefault(key, {}).setdefault(after, result.matches)
            yield from result.states
            return
        if relaxed:
            for departed, states in _departing(state, observation):
                self.departures.setdefault(key, departed)
                yield from states

    def why(
        self, states: Iterable[Endpoint], event: Event, exchange: Exchange
    ) -> tuple[tuple[Candidate, ...], frozenset[str]]:
        """The rows that were tried in these states with the reasons why they don't allow the step, and the names of
        those whose situation was the one at hand."""
        if (event, exchange.key) in self.order:
            return (self.order[event, exchange.key],), frozenset()
        if exchange.kind is None:
            return (), frozenset()
        found: dict[str, Candidate] = {}
        names: frozenset[str] = frozenset()
        for state in states:
            for observation in self._observations(event, exchange, None):
                result = advance(frozenset((state,)), observation)
                if isinstance(result, Rejection):
                    found |= {each.row: each for each in result.candidates if each.row not in found}
                    names |= fitting((state,), observation)
        return tuple(found.values()), names

    def _opens_authentication(self, exchange: Exchange) -> bool:
        """Whether it is the first request after IKE_SA_INIT, be it IKE_AUTH or IKE_INTERMEDIATE."""
        queue = self.queues[exchange.sa.name, exchange.requester]
        later = [each for each in queue if each.kind is not Kind.IKE_SA_INIT]
        return 0 < len(later) < len(queue) and later[0] is exchange and exchange.message_id == 1

    def _observations(
        self, event: Event, exchange: Exchange, before: Exchange | None, number: int | None = None
    ) -> Iterator[Observation]:
        """The step as the model may have to see it: several where the capture lacks something."""
        sa = exchange.sa.name
        names = _names(exchange)
        match event:
            case Event.SEND:
                opens = self._opens_authentication(exchange)
                kind = Kind.IKE_AUTH if opens else exchange.kind
                assert kind is not None
                asked: tuple[Sent, ...] = (Asked(kind, _asked(exchange), window=_window(exchange.request)),)
                if before is None:
                    yield Observation(sa, Command(kind), asked, visible=False)
                    return
                for response in self._responses(before, number):
                    facts = self._facts_of_response(before)
                    if exchange.by_round and before.kind is Kind.IKE_SA_INIT:
                        facts = (("without_auth", not rounds.proves(exchange)),)
                    yield Observation(sa, response, asked, _names(before), facts, visible=False)
            case Event.RECEIVE:
                for response in self._responses(exchange, number):
                    yield Observation(sa, response, (), names, self._facts_of_response(exchange), visible=False)
            case Event.HANDLE:
                assert exchange.kind is not None
                window = _window(exchange.request)
                request = Request(exchange.kind, exchange.subjects, Position.FRESH, window=window)
                for facts in _facts_of_request(exchange):
                    for sent in _replies(exchange):
                        yield Observation(sa, request, sent, names, facts, visible=False)

    def _responses(self, exchange: Exchange, number: int | None) -> Iterator[Response]:
        kind = exchange.kind
        assert kind is not None
        outcome = rounds.outcome(exchange)
        if outcome is not None:
            yield Response(kind, outcome, exchange.answered, number, _window(exchange.response))
            return
        for outcome in _possible(exchange):
            yield Response(kind, outcome, (), number)

    def _facts_of_response(self, exchange: Exchange) -> Facts:
        """Whose nonce is the lowest, if the peer's exchange that may have crossed is the only one (Section 2.8.1). In
        rounds of EAP, whether the response proves anything."""
        if exchange.by_round:
            return rounds.verifies(exchange)
        if exchange.kind not in (Kind.REKEY_CHILD, Kind.REKEY_IKE) or exchange.outcome is not Outcome.OK:
            return ()
        theirs = [
            each
            for each in self.queues[exchange.sa.name, self.side.other]
            if each.kind is exchange.kind and each.subjects == exchange.subjects and each.outcome is Outcome.OK
        ]
        if len(theirs) != 1:
            return ()
        mine, other = _nonces(exchange), _nonces(theirs[0])
        return (("lowest_is_mine", min(mine) < min(other)),) if mine and other and min(mine) != min(other) else ()


def _silent(exchange: Exchange, event: Event) -> Ruling | None:
    """What the rows can't say anything about."""
    response = exchange.response
    if exchange.by_round:
        return Ruling.LOOSE if rounds.is_deleted(exchange) and event is not Event.SEND else None
    if exchange.abandoned or (response is not None and meaning.eap_failed(response.message)):
        return Ruling.LOOSE
    if any(each.startswith("multiple key exchanges") for each in exchange.extensions):
        return Ruling.LOOSE
    return Ruling.SAME if exchange.kind is None or not exchange.final else None


def _starts(state: Endpoint, wild: bool, exchange: Exchange) -> Iterator[Endpoint]:
    """The state; where the capture lacks something, also with the named Child SAs in what other state they may be."""
    yield state
    if not wild:
        return
    for supposed in (Child.OPEN, Child.DELETING, Child.ABSENT):
        other = state
        for name in exchange.subjects:
            record = ChildRecord(name, supposed, True, True, False, frozenset((exchange.sa.name,)))
            other = other.with_child(record)
        if other != state:
            yield other


def _names(exchange: Exchange) -> tuple[Change, ...]:
    """The names of the SAs that an exchange may bring into being."""
    found: tuple[Change, ...] = ()
    if exchange.born:
        found += (Installed(exchange.born, Direction.IN), Installed(exchange.born, Direction.OUT))
    if exchange.heir:
        found += (Established(exchange.heir),)
    return found


def _window(item: Item | None) -> int:
    """What SET_WINDOW_SIZE says in a message; 0 where there is none."""
    return window_size(item.message) if item is not None else 0


def _asked(exchange: Exchange) -> tuple[str, ...]:
    return (exchange.born,) if exchange.kind is Kind.CREATE_CHILD and exchange.born else exchange.subjects


def _replies(exchange: Exchange) -> Iterator[tuple[Sent, ...]]:
    kind = exchange.kind
    assert kind is not None
    outcome = rounds.outcome(exchange)
    if outcome is not None:
        yield (Reply(outcome, exchange.answered, _window(exchange.response)),)
        return
    for outcome in _possible(exchange):
        yield (Reply(outcome),)
    yield ()


def _possible(exchange: Exchange) -> tuple[Outcome, ...]:
    assert exchange.kind is not None
    return _POSSIBLE[exchange.kind] + (rounds.OUTCOMES if exchange.by_round else ())


def _facts_of_request(exchange: Exchange) -> Iterator[Facts]:
    """What is known of a request besides: whether it is malformed, and whether it reports a failed IKE_AUTH."""
    request, response = exchange.request, exchange.response
    if request is not None and request.seen.state is State.MALFORMED:
        yield (("malformed", True), ("critical", request.seen.critical))
        return
    yield (("without_auth", not rounds.proves(exchange)),) if exchange.by_round else ()
    found = meaning.errors(request.message) if request is not None else ()
    if exchange.kind is Kind.LIVENESS and any(each in _FATAL_REPORTS for each in found):
        yield (("reports_failure", True),)
    answer = meaning.errors(response.message) if response is not None else ()
    if NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD in answer:
        yield (("malformed", True), ("critical", True))
    elif NotifyType.INVALID_SYNTAX in answer:
        yield (("malformed", True), ("critical", False))


def _nonces(exchange: Exchange) -> tuple[bytes, ...]:
    found = [meaning.nonce(each.message) for each in (exchange.request, exchange.response) if each is not None]
    return tuple(each for each in found if each is not None)


def _departing(state: Endpoint, observation: Observation) -> Iterator[tuple[tuple[Match, ...], frozenset[Endpoint]]]:
    """The rows that fit a request and were not followed, and the states after the answer all the same."""
    event = observation.event
    if isinstance(event, Command):
        yield from _late(state, observation, event.kind)
    names = fitting((state,), observation)
    fit = [row for row in ROWS if row.name in names]
    if not isinstance(event, Request) or not fit or any(row.level in _BINDING for row in fit):
        return
    answer = observation.sent[0] if observation.sent else None
    if not isinstance(answer, Reply):
        return
    child = event.children[0] if event.children else ""
    rows = _for_request(event)
    wanted = Answer("reply", answer.outcome)
    allowing = tuple(_anywhere(row) for row in rows if wanted in row.answers)
    answering = tuple(_anywhere(row)._replace(answers=frozenset((wanted,))) for row in fit)
    for candidates in (allowing, answering):
        result = advance(frozenset((state,)), observation, candidates)
        if isinstance(result, Accepted):
            yield tuple(Match(row, child) for row in fit), result.states
            return


LATE: Final[dict[Kind, tuple[str, str, str]]] = {
    Kind.LIVENESS: ("liveness.send", "2.8", "7296-2.8-11"),
    Kind.DELETE_IKE: ("ike.delete.send", "2.8", "7296-2.8-10"),
    Kind.CREATE_CHILD: ("child.create.send", "1.3.2", "7296-1.3.2-04"),
    Kind.REKEY_IKE: ("ike.rekey.send", "1.3.2", "7296-1.3.2-04"),
}
"""Requests on an IKE SA that was replaced, other than the Delete that is due: nothing that the RFC forbids. The row by
which it would be sent earlier, and where the RFC says what comes next."""


def _late(
    state: Endpoint, observation: Observation, kind: Kind
) -> Iterator[tuple[tuple[Match, ...], frozenset[Endpoint]]]:
    """Such a request, and the states after it."""
    record = state.ike(observation.sa)
    if kind not in LATE or record.state != Ike.REPLACED or record.outstanding:
        return
    row = BY_NAME[LATE[kind][0]]
    result = advance(frozenset((state,)), observation, (_anywhere(row),))
    if isinstance(result, Accepted):
        yield (Match(row),), result.states


def _for_request(event: Request) -> list[Row]:
    """The rows for a request that is new."""
    rows = (row for row in ROWS if row.on.what == "request" and event.kind in row.on.kinds)
    return [row for row in rows if row.on.position is Position.FRESH]


def _anywhere(row: Row) -> Row:
    """The row in whatever state."""
    states = tuple(Ike) if row.component == "ike" else tuple(Child)
    return row._replace(source=tuple(str(each) for each in states), guard=TRUE)
