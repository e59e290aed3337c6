"""ikeref at one end, the implementation that is tested at the other, and a network that can do everything UDP can.

As `ikeref_properties.network`, but of the other end only octets are known. Each datagram can be delivered, lost or
duplicated, in any order (Sections 2.1 to 2.3). A, on the left, is always ikeref.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple

from ikeref import sa
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError, ProtocolError
from ikeref.policy.connections import Connection, Settings
from ikeref.sa import IkeSa, Output, Path, Phase, Transmit
from ikeref.wire import FLAG_RESPONSE, Message, peek
from ikeref_properties.adapter.implementation import Address, Ask, Command, Factory, Unsupported
from ikeref_properties.adapter.peer import child_keys_of, keys_of, meaning
from ikeref_properties.capture.keys import Keys
from ikeref_properties.network import ADDRESS, PEER, A, B


class Flight(NamedTuple):
    """A datagram on its way."""

    number: int
    """Counts all that were sent by either end, from 1."""
    to: str
    datagram: bytes
    message: Message | None = None
    """The same in clear, where ikeref has sent it; None also if it is not authentic."""
    probe: str = ""
    """What is probed with it; empty for what ikeref itself has sent."""


class Tick(NamedTuple):
    """It has become later."""


class Probe(NamedTuple):
    """A message that ikeref would not send is sent in its name, over its IKE SA."""

    name: str


Event = Flight | Command | Tick | Probe


class Step(NamedTuple):
    """What one end did at once."""

    number: int
    end: str
    now: float
    """Seconds."""
    event: Event
    sent: tuple[Flight, ...]
    outputs: tuple[Output, ...] = ()
    """ikeref's, empty for the other end."""


class Crashed(AssertionError):
    """The implementation raised an exception."""


class Arena:
    """Two ends and what is between them. Mutable; made anew for every run."""

    def __init__(
        self,
        seed: int,
        factory: Factory,
        policy: Connection,
        watch: Callable[[Step], None],
        *,
        addresses: dict[str, Address] = ADDRESS,
        settings: Settings | None = None,
        waits: int = 40,
        rest_seconds: float = 60.0,
    ) -> None:
        self.now = 0.0
        self.policy = policy
        self.addresses = addresses
        self.random = Random(f"{seed} {A}")
        self.crypto = RealCrypto()
        self.ikeref = Endpoint((policy,), self.crypto, self.random.randbytes, settings or Settings())
        self.foreign = factory(seed)
        self.unsupported: set[Ask] = set()
        self.flying: list[Flight] = []
        self.past: list[Flight] = []
        self.steps: list[Step] = []
        self.keys: dict[tuple[bytes, bytes], Keys] = {}
        """ikeref's, and what the other end tells; by SPIi and SPIr."""
        self.child_keys: dict[tuple[bool, bytes], bytes] = {}
        """ikeref's keys of Child SAs: encryption, then integrity; by whether inbound, and SPI."""
        self.owes: Callable[[], bool] = lambda: False
        """Whether the other end waits for an answer."""
        self._waits = waits
        self._rest = rest_seconds
        self._sent = 0
        self._watch = watch

    def close(self) -> None:
        """The run is over."""
        self.foreign.close()

    # What may happen

    def initiate(self, end: str) -> None:
        """One end begins an IKE SA. Raises Unsupported."""
        if end == B:
            self._foreign(Command(Ask.INITIATE), lambda: self.foreign.command(Command(Ask.INITIATE), self.now))
            return
        path = Path(self.addresses[A], self.addresses[B])
        self._ikeref(Command(Ask.INITIATE), self.ikeref.initiate(self.policy, path, self.now)[1])

    def tell(self, end: str, command: Command) -> bool:
        """A command to one end; False where it can't be done."""
        if end == B:
            if command.ask in self.unsupported:
                return False
            try:
                return bool(self._foreign(command, lambda: self.foreign.command(command, self.now)).sent)
            except Unsupported:
                self.unsupported.add(command.ask)
                return False
        number = max(self.ikeref.sessions, default=None)
        if number is None:
            return False
        try:
            self._ikeref(command, self.ikeref.command(number, meaning(command, self.policy), self.now))
        except LocalProtocolError:
            return False
        return True

    def deliver(self, flight: Flight, *, keep: bool = False) -> None:
        """A datagram arrives. With `keep` it will arrive again: the network has duplicated it."""
        if not keep:
            self.flying.remove(flight)
        here, there = self.addresses[flight.to], self.addresses[PEER[flight.to]]
        if flight.to == B:
            self._foreign(flight, lambda: self.foreign.receive(flight.datagram, there, here, self.now))
        else:
            self._ikeref(flight, self.ikeref.receive(flight.datagram, Path(here, there), self.now))

    def lose(self, flight: Flight) -> None:
        """A datagram never arrives."""
        self.flying.remove(flight)

    def advance(self) -> bool:
        """Time goes on to the next deadline of either end; False if there is none."""
        due = [each for each in (self.ikeref.next_deadline(), self.foreign.next_deadline()) if each is not None]
        if not due:
            return False
        self.now = max(self.now, min(due))
        deadline = self.ikeref.next_deadline()
        if deadline is not None and deadline <= self.now:
            self._ikeref(Tick(), self.ikeref.timer(self.now))
        self.tick()
        return True

    def tick(self) -> bool:
        """The other end does what is due by now; False if that is nothing."""
        return bool(self._foreign(Tick(), lambda: self.foreign.tick(self.now)).sent)

    def send_probe(self, name: str, datagram: bytes, message: Message | None, ike: IkeSa, *, counts: bool) -> None:
        """Send a message over ikeref's IKE SA, and let it arrive.

        If it `counts` and is answered, ikeref's next request gets the Message ID after it; else it has never been, and
        the network will not bring it again when that Message ID is another's.
        """
        flight = self._fly(B, datagram, message, name)
        self._note(Step(len(self.steps), A, self.now, Probe(name), (flight,)))
        self.deliver(flight)
        if not counts or message is None or not any(_answers(each.datagram, message) for each in self.steps[-1].sent):
            self.past.remove(flight)
            return
        for number, session in self.ikeref.sessions.items():
            ikes = tuple(
                each._replace(next_request=each.next_request + 1) if each == ike else each for each in session.ikes
            )
            self.ikeref.sessions[number] = session._replace(ikes=ikes)

    def forget(self) -> None:
        """ikeref loses everything, what it has sent and nobody has received too, as if it had never been."""
        lost = [each for each in self.flying if each.to == B]
        self.flying.clear()
        self.past = [each for each in self.past if each not in lost]
        self.ikeref = Endpoint((self.policy,), self.crypto, self.random.randbytes, self.ikeref.settings)

    # Conveniences

    def deliver_all(self, limit: int = 10_000) -> None:
        """Whatever is in flight arrives in order, and so does what is sent then; no time passes."""
        for _ in range(limit):
            if not self.flying:
                return
            self.deliver(self.flying[0])
        raise Crashed(f"{limit} datagrams and no end: the two ends keep answering each other")

    def settle(self, limit: int = 1000) -> None:
        """The network is perfect from now on, until nothing is in flight, outstanding or due soon."""
        waits = 0
        for _ in range(limit):
            self.deliver_all()
            if self._soon():
                self.advance()
            elif not self.tick():
                waits += 1
                if not self.owes() or waits > self._waits:
                    return
        raise Crashed(f"the ends do not come to rest within {limit} timers")

    def _soon(self) -> bool:
        """Whether a timer of ikeref is running, or one of the other end that fires soon."""
        theirs = self.foreign.next_deadline()
        return self.ikeref.next_deadline() is not None or (theirs is not None and theirs <= self.now + self._rest)

    def ikes(self) -> tuple[IkeSa, ...]:
        """ikeref's IKE SAs but for those that only replay their last response."""
        return tuple(
            ike for session in self.ikeref.sessions.values() for ike in session.ikes if ike.phase is not Phase.CLOSED
        )

    def children(self) -> tuple[sa.ChildSa, ...]:
        """ikeref's Child SAs."""
        return tuple(child for session in self.ikeref.sessions.values() for child in session.children)

    # Steps

    def _ikeref(self, event: Event, outputs: tuple[Output, ...]) -> None:
        for keys in keys_of(outputs):
            self.keys[keys.spi_i, keys.spi_r] = keys
        self.child_keys.update(child_keys_of(outputs))
        sent = tuple(self._fly(B, each.datagram, each.message) for each in outputs if type(each) is Transmit)
        self._note(Step(len(self.steps), A, self.now, event, sent, outputs))

    def _foreign(self, event: Event, act: Callable[[], Iterable[bytes]]) -> Step:
        try:
            datagrams = tuple(act())
            told = tuple(self.foreign.keys())
        except Unsupported:
            raise
        except Exception as error:  # foreign code may raise anything: that is a finding
            self.steps.append(Step(len(self.steps), B, self.now, event, ()))
            raise Crashed(f"it raised {type(error).__name__}: {error}") from error
        for keys in told:
            self.keys.setdefault((keys.spi_i, keys.spi_r), keys)
        step = Step(len(self.steps), B, self.now, event, tuple(self._fly(A, each) for each in datagrams))
        self._note(step)
        return step

    def _fly(self, to: str, datagram: bytes, message: Message | None = None, probe: str = "") -> Flight:
        self._sent += 1
        flight = Flight(self._sent, to, datagram, message, probe)
        self.flying.append(flight)
        self.past.append(flight)
        return flight

    def _note(self, step: Step) -> None:
        self.steps.append(step)
        self._watch(step)


def _answers(datagram: bytes, request: Message) -> bool:
    """Whether a datagram is a response to that request, by its header."""
    try:
        header = peek(datagram)
    except ProtocolError:
        return False
    return bool(header.flags & FLAG_RESPONSE) and header.message_id == request.message_id
