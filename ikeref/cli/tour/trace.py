"""What happened in a tour, as values: moments of two endpoints, and the datagrams between them.

A `Recorder` stands between a node and its endpoint and writes down every call with what came of it. Nothing is
interpreted here; `ladder`, `verdicts` and the exports read the `Trace`.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from ikeref.endpoint import Endpoint
from ikeref.net.disturb import Fate
from ikeref.policy.connections import Connection
from ikeref.sa import Command, Fetched, Output, Path, Session, Transmit
from ikeref.wire import Message


class Side(StrEnum):
    """The two ends. Alice is the original initiator of the first IKE SA; a rekey may change these roles."""

    ALICE = "alice"
    BOB = "bob"

    @property
    def other(self) -> "Side":
        return Side.BOB if self is Side.ALICE else Side.ALICE


class Initiate(NamedTuple):
    """The operator asks for an IKE SA."""

    connection: str


class Arrival(NamedTuple):
    """A datagram came in."""

    datagram: bytes
    path: Path
    flight: int
    """Index of the `Flight` that it belongs to; -1 if nobody sent it."""


class Alarm(NamedTuple):
    """A timer fell due."""


Cause = Initiate | Command | Arrival | Alarm


class Moment(NamedTuple):
    """One call of one endpoint: what made it act, what it did, and its session before and after."""

    time: float
    """Seconds since the tour began."""
    side: Side
    cause: Cause
    outputs: tuple[Output, ...]
    before: dict[int, Session]
    """The sessions of that end before the call, by number."""
    after: dict[int, Session]
    stage: int
    """Index of the stage of the life that it belongs to."""


class Flight(NamedTuple):
    """One datagram on its way."""

    time: float
    sender: Side
    moment: int
    """Index of the moment in which it was sent."""
    transmit: Transmit
    fate: Fate

    @property
    def octets(self) -> bytes:
        """From the IKE header on, without non-ESP marker."""
        return self.transmit.datagram[4 if self.transmit.path.encapsulated else 0 :]

    @property
    def message(self) -> Message | None:
        return self.transmit.message


class Quiescence(NamedTuple):
    """A point at which nothing is under way at either end."""

    moment: int
    """How many moments came before."""
    stage: int
    sessions: dict[Side, tuple[Session, ...]]


class Trace(NamedTuple):
    """All of a tour."""

    moments: tuple[Moment, ...]
    flights: tuple[Flight, ...]
    rests: tuple[Quiescence, ...]


class Log:
    """Collects the trace of both ends while they run. The one mutable thing of a tour."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = clock()
        self.moments: list[Moment] = []
        self.flights: list[Flight] = []
        self.rests: list[Quiescence] = []
        self.stage = 0

    def now(self) -> float:
        return self._clock() - self._start

    def sent(self, side: Side, transmit: Transmit, fate: Fate) -> None:
        """A datagram leaves `side`; what the network does to it is known at once."""
        self.flights.append(Flight(self.now(), side, len(self.moments) - 1, transmit, fate))

    def flight_of(self, receiver: Side, datagram: bytes) -> int:
        """The latest flight towards `receiver` with these octets."""
        for index in range(len(self.flights) - 1, -1, -1):
            flight = self.flights[index]
            if flight.sender is not receiver and flight.transmit.datagram == datagram and not flight.fate.dropped:
                return index
        return -1

    def trace(self) -> Trace:
        return Trace(tuple(self.moments), tuple(self.flights), tuple(self.rests))


class Recorder:
    """An endpoint that writes down what it is asked and what it answers; `ikeref.net.transport.Node` drives it.

    The endpoint is put in place once the sockets are bound, because its policy names their ports.
    """

    def __init__(self, side: Side, log: Log) -> None:
        self._side = side
        self._log = log
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        assert self._endpoint is not None
        return self._endpoint

    @endpoint.setter
    def endpoint(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def initiate(self, connection: Connection, path: Path, now: float) -> tuple[int, tuple[Output, ...]]:
        before = dict(self.endpoint.sessions)
        number, outputs = self.endpoint.initiate(connection, path, now)
        return number, self._note(Initiate(connection.name), before, outputs)

    def command(self, number: int, command: Command, now: float) -> tuple[Output, ...]:
        before = dict(self.endpoint.sessions)
        return self._note(command, before, self.endpoint.command(number, command, now))

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]:
        before = dict(self.endpoint.sessions)
        arrival = Arrival(datagram, path, self._log.flight_of(self._side, datagram))
        return self._note(arrival, before, self.endpoint.receive(datagram, path, now))

    def timer(self, now: float) -> tuple[Output, ...]:
        before = dict(self.endpoint.sessions)
        outputs = self.endpoint.timer(now)
        if not outputs and before == self.endpoint.sessions:
            return outputs
        return self._note(Alarm(), before, outputs)

    def next_deadline(self) -> float | None:
        return self._endpoint.next_deadline() if self._endpoint is not None else None

    def heard(self, spi_in: bytes, path: Path, now: float) -> tuple[Output, ...]:
        """As the endpoint does."""
        return self.endpoint.heard(spi_in, path, now)

    def hint(self, path: Path, now: float) -> tuple[Output, ...]:
        """As the endpoint does."""
        return self.endpoint.hint(path, now)

    def unknown_spi(self, spi: bytes, path: Path, now: float) -> tuple[Output, ...]:
        """As the endpoint does."""
        return self.endpoint.unknown_spi(spi, path, now)

    def not_installed(self, spi_in: bytes, reason: str, now: float) -> tuple[Output, ...]:
        """As the endpoint does."""
        return self.endpoint.not_installed(spi_in, reason, now)

    def fetched(self, answer: Fetched, now: float) -> tuple[Output, ...]:
        """As the endpoint does."""
        return self.endpoint.fetched(answer, now)

    def _note(self, cause: Cause, before: dict[int, Session], outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        log, after = self._log, dict(self.endpoint.sessions)
        log.moments.append(Moment(log.now(), self._side, cause, outputs, before, after, log.stage))
        return outputs
