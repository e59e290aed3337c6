"""Two real endpoints in one process, joined by a network that can do everything UDP can (Sections 2.1 to 2.3).

A `Pair` holds two endpoints called A and B, a simulated clock and the datagrams in flight. Each of these can be
delivered, lost or duplicated, in any order; whatever an endpoint does is kept as a `Record`. Everything follows from
the seed and from the calls, so a run can be repeated exactly.
"""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

from ikeref import sa
from ikeref.crypto import Provider
from ikeref.crypto.free import FreeCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.policy import addresses, identities, proposals
from ikeref.policy.connections import ChildConfig, Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import ProtocolId
from ikeref.sa import ChildSa, IkeSa, Output, Path, Phase, Session, Transmit
from ikeref.wire import Message
from ikeref.wire.encapsulation import KEEPALIVE

A, B = "A", "B"
ENDS = (A, B)
PEER = {A: B, B: A}
ADDRESS = {A: ("192.0.2.1", 500), B: ("192.0.2.2", 500)}
SUBNET = {A: "10.1.0.0/16", B: "10.2.0.0/16"}


class Initiate(NamedTuple):
    """The command to begin an IKE SA."""


class Flight(NamedTuple):
    """A datagram on its way."""

    number: int
    """Counts all that were sent by either end."""
    to: str
    datagram: bytes
    path: Path
    """As the sender sees it."""
    message: Message | None
    """The same in clear, of every fragment the whole; None for a keepalive."""
    again: bool = False
    """A retransmission, or a response replayed."""


Event = Initiate | Flight | sa.Command | sa.Tick


class Record(NamedTuple):
    """One step of one end."""

    number: int
    end: str
    now: float
    """Seconds of the simulated clock."""
    event: Event
    before: dict[int, Session]
    """The sessions of that end before the step."""
    outputs: tuple[Output, ...]
    after: dict[int, Session]


def connection(
    end: str,
    *,
    ike: str = "aes256gcm16-prfsha256-x25519",
    esp: str = "aes256gcm16",
    children: tuple[str, ...] = ("net", "web"),
    starting: int = 1,
    secret: bytes = b"a secret that both ends share",
) -> Connection:
    """Policy of one end towards the other: a shared key, and Child SAs of which the first `starting` begin at once."""
    local = (addresses.from_text(SUBNET[end]),)
    remote = (addresses.from_text(SUBNET[PEER[end]]),)
    esp_proposals = proposals.parse(esp, ProtocolId.ESP)
    return Connection(
        name=f"to {PEER[end]}",
        local_id=identities.parse(f"{end}.example".lower()),
        remote_id=identities.parse(f"{PEER[end]}.example".lower()),
        local_auth=Secret(secret),
        remote_auth=Secret(secret),
        ike_proposals=proposals.parse(ike, ProtocolId.IKE),
        children=tuple(
            ChildConfig(name, esp_proposals, local, remote, start=index < starting)
            for index, name in enumerate(children)
        ),
    )


class Pair:
    """Two endpoints and the network between them. Mutable; made anew for every run."""

    def __init__(
        self,
        seed: int = 0,
        *,
        crypto: Callable[[], Provider] = FreeCrypto,
        settings: Settings | None = None,
        connections: dict[str, Connection] | None = None,
        watch: Callable[[Record], None] | None = None,
    ) -> None:
        self.now = 0.0
        self.connections = connections or {end: connection(end) for end in ENDS}
        self.randoms = {end: Random(f"{seed} {end}") for end in ENDS}
        """Where the ends draw SPIs, nonces and IVs."""
        self.forced: dict[str, dict[int, list[bytes]]] = {end: {} for end in ENDS}
        """Octets that an end draws before any random ones, by their length."""
        self.ends = {
            end: Endpoint((self.connections[end],), crypto(), self._draw(end), settings or Settings()) for end in ENDS
        }
        self.flying: list[Flight] = []
        """In the order in which they were sent."""
        self.past: list[Flight] = []
        """All that were ever sent: a network may bring any of them again, at any time."""
        self.records: list[Record] = []
        self._sent = 0
        self._watch = watch

    def _draw(self, end: str) -> Callable[[int], bytes]:
        def draw(octets: int) -> bytes:
            waiting = self.forced[end].get(octets)
            return waiting.pop(0) if waiting else self.randoms[end].randbytes(octets)

        return draw

    # What may happen

    def initiate(self, end: str = A) -> Record:
        """One end begins an IKE SA."""
        path = Path(ADDRESS[end], ADDRESS[PEER[end]])
        return self._step(end, Initiate(), lambda: self.ends[end].initiate(self.connections[end], path, self.now)[1])

    def command(self, end: str, command: sa.Command, number: int | None = None) -> Record:
        """A command to one end's session, its newest by default. Raises LocalProtocolError where it can't be done."""
        sessions = self.ends[end].sessions
        if number is None:
            if not sessions:
                raise LocalProtocolError(f"{end} has no session")
            number = max(sessions)
        return self._step(end, command, partial(self.ends[end].command, number, command, self.now))

    def deliver(self, flight: Flight, *, keep: bool = False) -> Record:
        """A datagram arrives. With `keep` it will arrive again: the network has duplicated it."""
        if not keep:
            self.flying.remove(flight)
        path = Path(flight.path.remote, flight.path.local, flight.path.encapsulated)
        receive = self.ends[flight.to].receive
        return self._step(flight.to, flight, partial(receive, flight.datagram, path, self.now))

    def lose(self, flight: Flight) -> None:
        """A datagram never arrives."""
        self.flying.remove(flight)

    def advance(self) -> tuple[Record, ...]:
        """Time goes on to the next deadline of either end; nothing happens where there is none."""
        due = [deadline for end in ENDS if (deadline := self.ends[end].next_deadline()) is not None]
        if not due:
            return ()
        self.now = max(self.now, min(due))
        return self.tick()

    def tick(self) -> tuple[Record, ...]:
        """The ends do what is due by now."""
        records = []
        for end in ENDS:
            deadline = self.ends[end].next_deadline()
            if deadline is not None and deadline <= self.now:
                records.append(self._step(end, sa.Tick(), partial(self.ends[end].timer, self.now)))
        return tuple(records)

    def wake(self, end: str) -> Record:
        """An end looks at the clock, whether something is due or not."""
        return self._step(end, sa.Tick(), partial(self.ends[end].timer, self.now))

    def heard(self, end: str, spi_in: bytes) -> Record:
        """An authentic ESP packet of a Child SA has come to an end."""
        path = Path(ADDRESS[end], ADDRESS[PEER[end]])
        return self._step(end, sa.Tick(), partial(self.ends[end].heard, spi_in, path, self.now))

    def _step(self, end: str, event: Event, act: Callable[[], tuple[Output, ...]]) -> Record:
        before = dict(self.ends[end].sessions)
        outputs = act()
        whole: Message | None = None
        for output in outputs:
            if type(output) is Transmit:
                self._sent += 1
                keepalive = output.datagram == KEEPALIVE
                whole = None if keepalive else output.message or whole
                flight = Flight(self._sent, PEER[end], output.datagram, output.path, whole, output.again)
                self.flying.append(flight)
                self.past.append(flight)
        record = Record(len(self.records), end, self.now, event, before, outputs, dict(self.ends[end].sessions))
        self.records.append(record)
        if self._watch is not None:
            self._watch(record)
        return record

    # Conveniences

    def deliver_all(self) -> None:
        """Whatever is in flight arrives in order, and so does what is sent then; no time passes."""
        while self.flying:
            self.deliver(self.flying[0])

    def settle(self, ticks: int = 1000) -> None:
        """The network is perfect and time goes on, until nothing is in flight, outstanding or due."""
        for _ in range(ticks):
            self.deliver_all()
            if not self.advance() and not self.flying:
                return
        raise AssertionError(f"the ends do not come to rest within {ticks} ticks")

    def establish(self, end: str = A) -> "Pair":
        """One end begins an IKE SA, nothing is lost."""
        self.initiate(end)
        self.deliver_all()
        return self

    def sessions(self, end: str) -> tuple[Session, ...]:
        """The sessions of an end."""
        return tuple(self.ends[end].sessions.values())

    def ikes(self, end: str) -> tuple[IkeSa, ...]:
        """The IKE SAs of an end; those that only replay their last response are left out."""
        return tuple(ike for session in self.sessions(end) for ike in session.ikes if ike.phase is not Phase.CLOSED)

    def children(self, end: str) -> tuple[ChildSa, ...]:
        """The Child SAs of an end."""
        return tuple(child for session in self.sessions(end) for child in session.children)
