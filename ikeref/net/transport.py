"""One endpoint on UDP: ports 500 and 4500 or any others, IPv4 and IPv6 (Sections 2, 2.11 and 2.23).

The endpoint decides, the node acts: it hands over datagrams and the time, sends what comes out, arms one timer, keeps
the data plane up to date and tells its observers. Sockets are bound to one address each and never to a wildcard,
because the address that a datagram was sent to enters NAT detection (Section 2.23), and a request is answered from the
address that it was sent to (Section 2.11).
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from ikeref.errors import LocalProtocolError
from ikeref.esp.packet import HEADER_SIZE
from ikeref.net.clock import Clock, monotonic
from ikeref.net.dataplane import DataPlane, NotInstalled, RecordingDataPlane
from ikeref.net.disturb import Disturbance, Fate
from ikeref.net.lookup import HttpLookup, Lookup
from ikeref.net.sockets import Port, udp_port
from ikeref.policy.config import Connection
from ikeref.sa.certification import Fetched
from ikeref.sa.outputs import Fetch, Install, Moved, Output, Remove, Transmit
from ikeref.sa.values import Address, Command, Path
from ikeref.wire import NON_ESP_MARKER

_log = logging.getLogger("ikeref.net")


class Engine(Protocol):
    """What the node needs of an endpoint; `ikeref.endpoint.Endpoint` is one."""

    def initiate(self, connection: Connection, path: Path, now: float) -> tuple[int, tuple[Output, ...]]: ...

    def command(self, number: int, command: Command, now: float) -> tuple[Output, ...]: ...

    def receive(self, datagram: bytes, path: Path, now: float) -> tuple[Output, ...]: ...

    def timer(self, now: float) -> tuple[Output, ...]: ...

    def heard(self, spi_in: bytes, path: Path, now: float) -> tuple[Output, ...]: ...

    def hint(self, path: Path, now: float) -> tuple[Output, ...]: ...

    def unknown_spi(self, spi: bytes, path: Path, now: float) -> tuple[Output, ...]: ...

    def next_deadline(self) -> float | None: ...

    def fetched(self, answer: Fetched, now: float) -> tuple[Output, ...]: ...

    def not_installed(self, spi_in: bytes, reason: str, now: float) -> tuple[Output, ...]: ...


class Sent(NamedTuple):
    """A datagram left this end; stands for the Transmit that asked for it."""

    transmit: Transmit
    fate: Fate
    """What a disturbance, if there is one, does to it."""


class Arrived(NamedTuple):
    """A datagram came in, whatever it may be."""

    datagram: bytes
    path: Path


Event = Sent | Arrived | Output
"""What observers see: an Arrived comes before what it leads to."""

Observer = Callable[[Event, float], None]
"""Told of each event, with the time of day in seconds since 1970. It must not raise; an OSError is logged."""


class Bind(NamedTuple):
    """A socket to open. Port 0 takes a free one."""

    host: str
    """A numeric address of this machine, no wildcard."""
    port: int
    encapsulated: bool
    """Whether IKE bears the non-ESP marker here, as on port 4500 (Section 2.23)."""


class Node:
    """An endpoint with its sockets, its timer, its data plane and its observers."""

    def __init__(
        self,
        endpoint: Engine,
        *,
        data_plane: DataPlane | None = None,
        observers: Iterable[Observer] = (),
        disturbance: Disturbance[Transmit] | None = None,
        clock: Clock = monotonic,
        lookup: Lookup | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.data_plane: DataPlane = RecordingDataPlane() if data_plane is None else data_plane
        self._observers = list(observers)
        self._disturbance = disturbance
        self._clock = clock
        self._lookup = lookup
        """For certificates by hash and URL; made when first needed."""
        self._sockets: dict[Address, Port] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._closed = False

    # Sockets

    async def bind(self, bind: Bind) -> Address:
        """Open a socket; its address with the real port. ValueError for a wildcard or a name, OSError where it can't be
        had.
        """
        address = ip_address(bind.host)
        if address.is_unspecified:
            raise ValueError(f"{bind.host} is a wildcard: bind to one address of this machine, see source_address")

        def arrival(octets: bytes, source: Address, ecn: int) -> None:
            self.arrived(octets, Path(port.name, source, bind.encapsulated), ecn)

        def report(remote: Address) -> None:
            self.unreachable(Path(port.name, remote, bind.encapsulated))

        port = udp_port(bind.host, bind.port, arrival, report)
        self._sockets[port.name] = port
        return port.name

    async def start(self, binds: Iterable[Bind]) -> tuple[Address, ...]:
        """Open several sockets, all or none; their addresses in order."""
        opened: list[Address] = []
        try:
            for bind in binds:
                address = await self.bind(bind)
                opened.append(address)
        except (OSError, ValueError):
            for address in opened:
                self._sockets.pop(address).close()
            raise
        return tuple(opened)

    async def close(self) -> None:
        """Close sockets and timer at once. Nothing is said to the peers: delete their IKE SAs first."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for port in self._sockets.values():
            port.close()
        self._sockets.clear()
        if self._lookup is not None:
            self._lookup.close()
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    # What can be asked

    def initiate(self, connection: Connection, path: Path) -> int:
        """Begin an IKE SA; the number of its session. LocalProtocolError where `path.local` is not bound."""
        if path.local not in self._sockets:
            raise LocalProtocolError(f"no socket is bound to {path.local[0]} port {path.local[1]}", section="2.11")
        number, outputs = self.endpoint.initiate(connection, path, self._clock())
        self._perform(outputs)
        return number

    def command(self, number: int, command: Command) -> None:
        """Ask something of a session; LocalProtocolError where it can't be done."""
        self._perform(self.endpoint.command(number, command, self._clock()))

    async def wait_for(self, condition: Callable[[], bool], timeout_seconds: float | None = None) -> None:
        """Return once `condition()` holds; it is looked at now and after everything that happens. TimeoutError if it
        never does.
        """
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (condition, future)
        self._waiting.append(entry)
        try:
            await asyncio.wait_for(future, timeout_seconds)
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)

    def observe(self, observer: Observer) -> None:
        """One observer more."""
        self._observers.append(observer)

    # What happens

    def arrived(self, datagram: bytes, path: Path, ecn: int = 0) -> None:
        """Process a datagram; sockets call this. `ecn` is the ECN field of its IP header."""
        if self._closed:
            return
        if path.encapsulated and len(datagram) >= HEADER_SIZE and datagram[:4] != NON_ESP_MARKER:
            self.data_plane.arrived(datagram, path, ecn)  # whether or not there is a NAT (7296-2.23-27)
            return
        self._tell(Arrived(datagram, path))
        self._perform(self.endpoint.receive(datagram, path, self._clock()))

    def _due(self) -> None:
        self._timer = None
        self._perform(self.endpoint.timer(self._clock()))

    def _perform(self, outputs: tuple[Output, ...]) -> None:
        refused: list[tuple[bytes, str]] = []
        for output in outputs:
            if type(output) is Transmit:
                self._transmit(output)
                continue
            if type(output) is Install:
                try:
                    self.data_plane.install(output)
                except NotInstalled as why:
                    refused.append((output.child.spi_in, str(why)))
            elif type(output) is Remove:
                self.data_plane.remove(output)
            elif type(output) is Moved:
                self.data_plane.moved(output)
            elif type(output) is Fetch:
                self._fetch(output)
            self._tell(output)
        for spi_in, reason in refused:
            self._perform(self.endpoint.not_installed(spi_in, reason, self._clock()))
        self._arm()
        for entry in tuple(self._waiting):
            condition, future = entry
            if not future.done() and condition():
                future.set_result(None)

    def heard(self, spi_in: bytes, path: Path) -> None:
        """A data plane tells that an authentic ESP packet, newer than all before, came on another path."""
        self._perform(self.endpoint.heard(spi_in, path, self._clock()))

    def unreachable(self, path: Path) -> None:
        """ICMP says that a datagram did not arrive: a hint, and no more (7296-2.4-08, 7296-2.21.4-09)."""
        if not self._closed:
            self._perform(self.endpoint.hint(path, self._clock()))

    def unknown_spi(self, spi: bytes, path: Path) -> None:
        """A data plane tells that an ESP packet came whose SPI nobody has (Section 1.5)."""
        if not self._closed:
            self._perform(self.endpoint.unknown_spi(spi, path, self._clock()))

    def send_esp(self, packet: bytes, path: Path, ecn: int) -> None:
        """Send an ESP packet in UDP from a socket that is open (Section 2.23)."""
        port = self._sockets.get(path.local)
        if port is not None:
            port.send(packet, path.remote, ecn)

    def _fetch(self, what: Fetch) -> None:
        """Look a certificate up in a thread; what it comes to is processed in the event loop."""
        loop = asyncio.get_running_loop()
        if self._lookup is None:
            self._lookup = HttpLookup()

        def tell(answer: Fetched) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._fetched, answer)

        self._lookup.fetch(what, tell)

    def _fetched(self, answer: Fetched) -> None:
        if not self._closed:
            self._perform(self.endpoint.fetched(answer, self._clock()))

    def _transmit(self, transmit: Transmit) -> None:
        if self._disturbance is None:
            self._tell(Sent(transmit, Fate()))
            self._send(transmit)
            return
        passed = self._disturbance.put(transmit)
        self._tell(Sent(transmit, passed.fate))
        for item in passed.items:
            self._send(item)

    def _send(self, transmit: Transmit) -> None:
        path = transmit.path
        port = self._sockets.get(path.local)
        if port is None:
            _log.warning("nothing is bound to %s port %d: a datagram is lost", *path.local)
            return
        port.send(transmit.datagram, path.remote)

    def _tell(self, event: Event) -> None:
        if self._observers:
            now = time.time()
            for observer in self._observers:
                try:
                    observer(event, now)
                except OSError as error:  # a disk that is full stops no protocol
                    _log.error("an observer failed: %s", error)

    def _arm(self) -> None:
        """One timer for the whole endpoint. An early one does no harm: it finds nothing due and arms the next."""
        due = self.endpoint.next_deadline()
        if due is None or self._closed:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, due - self._clock())
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._due)


def source_address(remote: str) -> str:
    """The address of this machine from which `remote`, a numeric address, is reached. OSError if there is no route."""
    family = socket.AF_INET if ip_address(remote).version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((remote, 500))  # sends nothing
        name: str = probe.getsockname()[0]
        return name


def binds_for(connections: Iterable[Connection]) -> tuple[Bind, ...]:
    """The sockets that these connections need: each port of each local address once.

    LocalProtocolError for a connection that has neither a local address nor a remote one to find it by.
    """
    found: list[Bind] = []
    for connection in connections:
        host = connection.local_address
        if host is None:
            if connection.remote_address is None:
                reason = f"connection {connection.name} needs a local_address to listen on"
                raise LocalProtocolError(reason, section="2.11")
            host = source_address(connection.remote_address)
        for bind in (Bind(host, connection.local_port, False), Bind(host, connection.local_nat_port, True)):
            if bind not in found:
                found.append(bind)
    return tuple(found)
