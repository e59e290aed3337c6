"""ikeref's end in the laboratory: a node on sockets of a namespace, its commands and its listing of SAs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from ikeref import sa, wire
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.net.dataplane import RecordingDataPlane
from ikeref.net.transport import Arrived, Event, Node, Sent, binds_for
from ikeref.net.tunnel import Ask, Tunnel
from ikeref.registry import ExchangeType, name
from ikeref.sa.values import Phase, Session
from tests.interop.lab import LabError, enter_namespace
from tests.interop.listing import Listing
from tests.interop.pki import Pki
from tests.interop.scene import Connection
from tests.interop.translation import configuration, listing

T = TypeVar("T")


class Ikeref:
    """A running endpoint with one connection. `settings` are those of ikeref.policy.Settings.

    Its event loop runs in a thread of its own that lives in the namespace. `patience` in seconds bounds what is waited
    for.
    """

    def __init__(
        self,
        namespace: str,
        connection: Connection,
        settings: dict[str, float],
        pki: Pki | None = None,
        patience: float = 30,
    ) -> None:
        loaded = configuration(connection, settings, pki)
        (self._connection,) = loaded.connections
        self._loaded = loaded
        self._patience = patience
        self._lines: list[str] = []
        self.events: list[Event] = []
        """All that happened, in order."""
        self._begin()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self._say(f"EXCEPTION {context}"))
        self._thread = threading.Thread(target=self._live, args=(namespace,), name="ikeref")
        self._thread.start()
        try:
            self._ask(self._node.start(binds_for(loaded.connections)))
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._endpoint = Endpoint(self._loaded.connections, RealCrypto(legacy=True), os.urandom, self._loaded.settings)
        self.data_plane = RecordingDataPlane()
        self._node = Node(self._endpoint, data_plane=self.data_plane, observers=(self._observe,))

    def crash(self) -> None:
        """Begin anew, with nothing known of before. Whatever the end says of it has to be lost on the bridge."""
        self._ask(self._node.close())
        self._begin()
        self._ask(self._node.start(binds_for(self._loaded.connections)))

    def _live(self, namespace: str) -> None:
        enter_namespace(namespace)
        self._loop.run_forever()
        self._loop.close()

    def close(self) -> None:
        self._ask(self._node.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def carry(self, device: str) -> Tunnel:
        """From now on Child SAs carry what is routed to a TUN device of this name."""

        async def begin() -> Tunnel:
            tunnel = Tunnel(device, self._say)
            nothing = Ask(
                rekey=lambda spi: self._say(f"worn {spi.hex()}"),
                create=lambda packet: self._say(f"for nobody: {packet}"),
                follow=self._node.heard,
                unknown=self._node.unknown_spi,
            )
            tunnel.start(self._node, (), nothing)
            self._node.data_plane = _Both(self.data_plane, tunnel)
            return tunnel

        return self._ask(begin())

    # Commands

    def connect(self) -> None:
        """Create the IKE SA with the Child SA `first`."""

        async def connect() -> None:
            connection = self._connection
            assert connection.local_address
            assert connection.remote_address
            path = sa.Path(
                (connection.local_address, connection.local_port), (connection.remote_address, connection.remote_port)
            )
            number = self._node.initiate(connection, path)
            await self._until(lambda: number not in self._endpoint.sessions or self._established(number))
            if number not in self._endpoint.sessions:
                raise LabError(f"no IKE SA was established:\n{self.log(20)}")

        self._ask(connect())

    def create_child(self, child: str) -> None:
        self._command(lambda _: sa.CreateChild(child), lambda: self._child(child) is not None)

    def create_child_for(self, child: str, packet: tuple[wire.TrafficSelector, ...]) -> None:
        """Create a Child SA because of a packet: its source and destination."""
        self._command(lambda _: sa.CreateChild(child, packet=packet), lambda: self._child(child) is not None)

    def rekey_child(self, child: str) -> None:
        self._command(lambda session: sa.RekeyChild(_open_child(session, child).spi_in))

    def rekey_ike(self) -> None:
        self._command(lambda _: sa.RekeyIke())

    def delete_child(self, child: str) -> None:
        self._command(
            lambda session: sa.DeleteChild(_open_child(session, child).spi_in), lambda: self._child(child) is None
        )

    def delete_ike(self) -> None:
        self._command(lambda _: sa.DeleteIke(), lambda: not listing(self._endpoint.sessions.values()))

    def liveness(self) -> None:
        """Ask the peer whether it is alive; does not wait."""
        self._command(lambda _: sa.CheckLiveness())

    def sas(self) -> Listing:
        """What is established; a Child SA counts as installed only where the data plane has both its directions."""

        async def look() -> Listing:
            assert self.data_plane.faults == []
            return listing(self._endpoint.sessions.values(), self.data_plane.pairs())

        return self._ask(look())

    def log(self, lines: int = 120) -> str:
        return "\n".join(self._lines[-lines:])

    def _command(self, make: Callable[[Session], sa.Command], done: Callable[[], bool] = lambda: True) -> None:
        """Ask something of the session whose IKE SA is established, and wait until it is done."""

        async def ask() -> None:
            number = next((each for each in self._endpoint.sessions if self._established(each)), None)
            if number is None:
                raise LabError("no IKE SA is established")
            self._node.command(number, make(self._endpoint.sessions[number]))
            await self._until(done)

        self._ask(ask())

    def _established(self, number: int) -> bool:
        current = self._endpoint.sessions[number].current
        return current is not None and current.phase is Phase.ESTABLISHED

    def _child(self, name: str) -> sa.ChildSa | None:
        children = (child for session in self._endpoint.sessions.values() for child in session.children)
        return next((child for child in children if child.name == name), None)

    async def _until(self, done: Callable[[], bool]) -> None:
        try:
            await self._node.wait_for(done, self._patience)
        except TimeoutError:
            raise LabError(f"ikeref has not done it within {self._patience:g} s:\n{self.log(20)}") from None

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the endpoint's thread and return what it returned."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(self._patience + 5)

    # The log

    def _observe(self, event: Event, _at: float) -> None:
        self.events.append(event)
        if not isinstance(event, Arrived):
            self._say(_describe(event))

    def _say(self, text: str) -> None:
        self._lines.append(f"{time.strftime('%H:%M:%S')} {text}")


class _Both(NamedTuple):
    """A data plane that is told to two."""

    recording: RecordingDataPlane
    tunnel: Tunnel

    def install(self, install: sa.Install) -> None:
        for plane in self:
            plane.install(install)

    def remove(self, remove: sa.Remove) -> None:
        for plane in self:
            plane.remove(remove)

    def moved(self, moved: sa.Moved) -> None:
        for plane in self:
            plane.moved(moved)

    def arrived(self, packet: bytes, path: sa.Path, ecn: int) -> None:
        self.tunnel.arrived(packet, path, ecn)


def _open_child(session: Session, name: str) -> sa.ChildSa:
    for child in session.children:
        if child.name == name and child.state is sa.ChildState.OPEN:
            return child
    raise LabError(f"no Child SA {name} is open")


def _describe(event: Event) -> str:
    """One line for the log."""
    kind = type(event).__name__
    output = event.transmit if isinstance(event, Sent) else event
    message = getattr(output, "message", None)
    if isinstance(message, wire.Message):
        names = " ".join(wire.payload_name(payload) for payload in message.payloads)
        role = "response" if message.is_response else "request"
        again = " again" if getattr(output, "again", False) else ""
        return f"{kind}{again} {name(ExchangeType, message.exchange_type)} {role} {message.message_id} [{names}]"
    return " ".join(part for part in (kind, getattr(output, "reason", "")) if part)
