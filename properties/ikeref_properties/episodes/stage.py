"""Two real ends whose every step is judged by the rows, and words for what a peer may do that ours never does.

What arrives may be forged, by the peer itself: rightly protected, with other payloads. What the event was may be told
where no message says it (a timer, traffic, an IKE SA that an observer can't name); what the end did is always what it
did.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from ikeref_model.endpoint_state import Endpoint as State
from ikeref_model.events import Event, Observation
from ikeref_model.monitor import Accepted, advance
from ikeref_model.rows import Row

from ikeref import sa, wire
from ikeref.crypto import envelope
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType
from ikeref.sa import IkeSa, Path
from ikeref.wire import FLAG_INITIATOR, Message, Payload, Unknown
from ikeref_properties.network import ENDS, PEER, A, Flight, Pair, Record
from ikeref_properties.refinement import Observer
from ikeref_properties.refinement.observer import Facts
from ikeref_properties.refinement.step import taken

FIRST = "IKE SA 1"
"""What observers call the first IKE SA that they hear of."""
CRITICAL = Unknown(200, b"", 0x80)
"""A payload that nobody knows, with the Critical bit (Section 2.5)."""
BAD = wire.Nonce(b"short")
"""A payload that may not be so (Section 3.9)."""
MALFORMED: Facts = (("malformed", True), ("critical", False))
UNSUPPORTED: Facts = (("malformed", True), ("critical", True))
_FORGED = 1_000_000
"""From here on datagrams are numbered that nobody sent."""

Taken = frozenset[tuple[str, str]]
"""Rows, each with the answer that was given."""


class Step(NamedTuple):
    """One observation, and in which states of the model the end may have been before."""

    observation: Observation
    before: frozenset[State]


class Chapter(NamedTuple):
    """What one end did until it restarted, or was put elsewhere by hand."""

    steps: tuple[Step, ...]
    after: frozenset[State]
    """In which of these states of the model the end was then."""


class Told(NamedTuple):
    """What is said of the next step of either end by who arranged it."""

    event: Event | None = None
    name: str = FIRST
    facts: Facts = ()
    besides: tuple[Observation, ...] = ()
    """What else happens in it, with nothing to be seen."""


class Stage:
    """Two ends. Mutable; made anew for every episode."""

    def __init__(self, seed: int = 0, *, verifies: dict[str, bool] | None = None, **arranged: Any) -> None:
        """`verifies`: whether the peer's AUTH is right, at ends where that is known; the rest is as for `Pair`."""
        known = verifies or {}
        settings = arranged.get("settings") or Settings()
        linger = settings.closed_linger_seconds
        self.observers = {end: Observer(end, verifies=known.get(end), linger=linger) for end in ENDS}
        self._closed: list[Chapter] = []
        self._steps: dict[str, list[Step]] = {end: [] for end in ENDS}
        self.refused: list[str] = []
        """Why the rows don't allow a step, of each that they don't allow."""
        self._facts: dict[int, Facts] = {}
        self._told: Told | None = None
        self._forged = _FORGED
        self.pair = Pair(seed, watch=self._watch, **arranged)

    def _watch(self, record: Record) -> None:
        observer, told = self.observers[record.end], self._told or Told()
        self._told = None
        observations = observer.abstract(record)
        facts = told.facts
        if isinstance(record.event, Flight):
            facts += self._facts.get(record.event.number, ())
        if told.event is not None:
            first = observations[0] if observations else Observation("", told.event)
            observations = (replace(first, sa=told.name, event=told.event, facts=facts), *observations[1:])
        elif facts:
            observations = (replace(observations[0], facts=(*observations[0].facts, *facts)), *observations[1:])
        for observation in (*observations, *told.besides):
            states = observer.monitor.states
            result = observer.monitor.step(observation)
            if not isinstance(result, Accepted):
                self.refused.append(f"step {record.number} of {record.end}: {result}")
                return
            self._steps[record.end].append(Step(observation, states))

    # What was taken

    def taken(self) -> Taken:
        """Rows that are in every explanation of some step, with the answer; of explanations that lead to the same state
        the monitor has one.

        What can't be seen at a step may be told by later ones: an explanation counts if the rest can be explained, too.
        """
        found: set[tuple[str, str]] = set()
        for steps, after in self._chapters():
            for step in reversed(steps):
                ways = [(state, *way) for state in step.before for way in _ways(state, step.observation)]
                ways = [each for each in ways if each[1] in after]
                found |= frozenset.intersection(*(rows for _, _, rows in ways))
                after = frozenset(state for state, _, _ in ways)
        return frozenset(found)

    def allowed_by(self, rows: tuple[Row, ...]) -> bool:
        """Whether other rows would allow all that was done."""
        return all(_allows(rows, chapter) for chapter in self._chapters() if chapter.steps)

    def _chapters(self) -> list[Chapter]:
        return self._closed + [self._chapter(end) for end in ENDS]

    def _chapter(self, end: str) -> Chapter:
        return Chapter(tuple(self._steps[end]), self.observers[end].monitor.states)

    def _close(self, end: str) -> None:
        self._closed.append(self._chapter(end))
        self._steps[end] = []

    # Ends

    def establish(self, end: str = A) -> "Stage":
        """One end begins an IKE SA, nothing is lost."""
        self.pair.establish(end)
        return self

    def begin(self, end: str = A) -> "Stage":
        """One end begins an IKE SA; nothing has arrived."""
        self.pair.initiate(end)
        return self

    def command(self, end: str, command: sa.Command) -> "Stage":
        """A command to the newest session of an end."""
        self.pair.command(end, command)
        return self

    def child(self, end: str, place: int = 0) -> bytes:
        """The SPI of a Child SA, inbound at that end."""
        return self.pair.children(end)[place].spi_in

    def ike(self, end: str, place: int = 0) -> IkeSa:
        """An IKE SA of an end, those that only replay their last response included."""
        return [ike for session in self.pair.sessions(end) for ike in session.ikes][place]

    def change(self, end: str, alter: Callable[[sa.Session], sa.Session]) -> None:
        """Put the only session of an end into another state by hand."""
        ((number, session),) = self.pair.ends[end].sessions.items()
        self.pair.ends[end].sessions[number] = alter(session)

    def settings(self, end: str, settings: Settings) -> None:
        """From now on other settings hold at an end."""
        endpoint = self.pair.ends[end]
        endpoint.settings = settings
        endpoint.environment = endpoint.environment._replace(settings=settings)

    def restart(self, end: str) -> None:
        """The end loses all that it had; who watches it begins anew, too."""
        self._close(end)
        old = self.pair.ends[end].environment
        self.pair.ends[end] = Endpoint(old.connections, old.crypto, old.random, old.settings)
        self.observers[end] = Observer(end)

    # The network

    def to(self, end: str) -> Flight:
        """The oldest datagram on its way to an end."""
        return next(flight for flight in self.pair.flying if flight.to == end)

    @property
    def next(self) -> str:
        """To whom the oldest datagram of all is."""
        return self.pair.flying[0].to

    def deliver(self, *ends: str) -> "Stage":
        """The oldest datagram to each of these ends arrives, one after the other."""
        for end in ends:
            self.pair.deliver(self.to(end))
        return self

    def lose(self, end: str) -> Flight:
        """The oldest datagram to an end is lost, or held back."""
        flight = self.to(end)
        self.pair.lose(flight)
        return flight

    def again(self, flight: Flight) -> "Stage":
        """A datagram of the past arrives (again)."""
        self.pair.deliver(flight, keep=True)
        return self

    def quiet(self) -> "Stage":
        """All that is in flight arrives in order; no time passes."""
        self.pair.deliver_all()
        return self

    def settle(self) -> "Stage":
        """The network is perfect, time goes on until all is at rest."""
        self.pair.settle()
        return self

    def silence(self, ticks: int) -> "Stage":
        """Nothing that is sent arrives while timers fire so many times."""
        for _ in range(ticks):
            self.pair.flying.clear()
            self.pair.advance()
        return self

    def wake(self, end: str, seconds: float = 0.0) -> "Stage":
        """So much later the end is woken, whether something is due or not."""
        self.pair.now += seconds
        self.pair.wake(end)
        return self

    def number(self, end: str, number: int, place: int = 0) -> "Stage":
        """By hand: the next request of an end has that Message ID, as if all before were over, at both ends, and for
        those who watch."""
        spi_i = self.ike(end, place).spi_i
        for who in ENDS:
            self._close(who)
            for key, session in self.pair.ends[who].sessions.items():
                ikes = [
                    ike
                    if ike.spi_i != spi_i
                    else ike._replace(next_request=number)
                    if who == end
                    else ike._replace(expected=number)
                    for ike in session.ikes
                ]
                self.pair.ends[who].sessions[key] = session._replace(ikes=tuple(ikes))
                for ike in ikes:
                    if ike.spi_i == spi_i and who == end:
                        self.observers[who].number(ike.spi, sent=number)
                    elif ike.spi_i == spi_i:
                        self.observers[who].number(ike.spi, seen=number)
        return self

    # What is told

    def telling(
        self, event: Event | None = None, name: str = FIRST, facts: Facts = (), besides: Iterable[Observation] = ()
    ) -> "Stage":
        """What the next step is about."""
        self._told = Told(event, name, facts, tuple(besides))
        return self

    # What peers may do, too

    def forge(self, end: str, *payloads: Payload, facts: Facts = (), **header: Any) -> "Stage":
        """In place of the oldest message to an end another one of the same sender arrives."""
        flight = self.to(end)
        assert flight.message is not None
        self.pair.lose(flight)
        self._arrive(flight.message._replace(payloads=payloads, **header), end, flight.path, facts)
        return self

    def request(
        self,
        end: str,
        exchange_type: int,
        *payloads: Payload,
        ahead: int = 0,
        ike: IkeSa | None = None,
        facts: Facts = (),
    ) -> "Stage":
        """The peer of that end sends a request that is not its code's own, so far ahead of the next one."""
        ike = ike or self.ike(PEER[end], -1)
        mine = self._own(end, ike)
        number = (mine.expected if mine is not None else ike.next_request) + ahead
        flags = FLAG_INITIATOR if ike.initiator else 0
        self._arrive(Message(ike.spi_i, ike.spi_r, exchange_type, flags, number, payloads), end, ike.path, facts, ike)
        return self

    def _own(self, end: str, other: IkeSa) -> IkeSa | None:
        every = [ike for session in self.pair.sessions(end) for ike in session.ikes]
        return next((ike for ike in every if (ike.spi_i, ike.spi_r) == (other.spi_i, other.spi_r)), None)

    def _arrive(self, message: Message, end: str, path: Path, facts: Facts, ike: IkeSa | None = None) -> None:
        self._forged += 1
        datagram = self._sealed(message, end, ike)
        flight = Flight(self._forged, end, datagram, path, message)
        self._facts[flight.number] = facts
        self.pair.deliver(flight, keep=True)

    def _sealed(self, message: Message, end: str, ike: IkeSa | None) -> bytes:
        if message.exchange_type == ExchangeType.IKE_SA_INIT and ike is None:
            return wire.encode(message)
        endpoint = self.pair.ends[PEER[end]]
        for session in endpoint.sessions.values():
            for own in session.ikes:
                if ike is None and (own.spi_i, own.spi_r) == (message.spi_i, message.spi_r):
                    ike = own
        assert ike is not None, "nobody has the keys"
        assert ike.keys is not None
        assert ike.suite is not None
        keys, crypto = ike.keys, endpoint.environment.crypto
        sk_e, sk_a = (keys.sk_ei, keys.sk_ai) if ike.initiator else (keys.sk_er, keys.sk_ar)
        iv = self._forged.to_bytes(crypto.iv_size(ike.suite))
        return envelope.protect(crypto, ike.suite, sk_e, sk_a, message, iv)


def _allows(rows: tuple[Row, ...], chapter: Chapter) -> bool:
    states = chapter.steps[0].before
    for step in chapter.steps:
        result = advance(states, step.observation, rows)
        if not isinstance(result, Accepted):
            return False
        states = result.states
    return True


def _ways(state: State, observation: Observation) -> Iterable[tuple[State, Taken]]:
    """The states to which an observation leads from that state, each with the rows that say so."""
    result = advance(frozenset((state,)), observation)
    for after, matches in result.ways if isinstance(result, Accepted) else ():
        yield after, frozenset(taken(match, observation) for match in matches)
