"""ikeref's end in the laboratory: an endpoint on sockets of a namespace, its commands and its listing of SAs."""

from __future__ import annotations

import os
import queue
import selectors
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ikeref import sa, wire
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.registry import ExchangeType, name
from ikeref.sa.values import Phase, Session
from tests.interop.lab import LabError, eventually, in_namespace
from tests.interop.listing import Listing
from tests.interop.pki import Pki
from tests.interop.scene import Connection
from tests.interop.translation import configuration, listing

T = TypeVar("T")

IKE_PORT = 500
NAT_PORT = 4500
_LONGEST_WAIT = 0.05


class Ikeref:
    """A running endpoint with one connection. `settings` are those of ikeref.policy.Settings."""

    def __init__(
        self,
        namespace: str,
        connection: Connection,
        settings: dict[str, float],
        pki: Pki | None = None,
        patience: float = 30,
    ) -> None:
        loaded = configuration(connection, settings, pki)
        self._connection = loaded.connections[0]
        self._endpoint = Endpoint(loaded.connections, RealCrypto(), os.urandom, loaded.settings)
        self._patience = patience
        self._local, self._remote = connection.local.address, connection.remote.address
        self._sockets = in_namespace(namespace, lambda: {port: self._bind(port) for port in (IKE_PORT, NAT_PORT)})
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._lines: list[str] = []
        self.keys: list[sa.NewKeys] = []
        """Of each IKE SA that got keys, in order."""
        self._running = True
        self._thread = threading.Thread(target=self._run, name="ikeref")
        self._thread.start()

    def _bind(self, port: int) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind((self._local, port))
        return bound

    def close(self) -> None:
        def stop() -> None:
            self._running = False

        self._ask(stop)
        self._thread.join()
        for each in (self._wake, self._woken, *self._sockets.values()):
            each.close()

    # Commands

    def connect(self) -> None:
        def begin() -> int:
            path = sa.Path((self._local, IKE_PORT), (self._remote, IKE_PORT))
            number, outputs = self._endpoint.initiate(self._connection, path, time.monotonic())
            self._perform(outputs)
            return number

        number = self._ask(begin)

        def established() -> bool:
            session = self._ask(lambda: self._endpoint.sessions.get(number))
            if session is None:
                raise LabError(f"the IKE SA was not established\n{self.log(20)}")
            return session.current is not None and session.current.phase is Phase.ESTABLISHED

        eventually("ikeref establishes an IKE SA", established, self._patience)

    def create_child(self, child: str) -> None:
        self._command(lambda _: sa.CreateChild(child))
        eventually(f"ikeref creates {child}", lambda: self._find(child) is not None, self._patience)

    def rekey_child(self, child: str) -> None:
        self._command(lambda session: sa.RekeyChild(_child(session, child).spi_in))

    def rekey_ike(self) -> None:
        self._command(lambda _: sa.RekeyIke())

    def delete_child(self, child: str) -> None:
        self._command(lambda session: sa.DeleteChild(_child(session, child).spi_in))
        eventually(f"ikeref deletes {child}", lambda: self._find(child) is None, self._patience)

    def delete_ike(self) -> None:
        self._command(lambda _: sa.DeleteIke())
        eventually("ikeref deletes the IKE SA", lambda: not self.sas(), self._patience)

    def liveness(self) -> None:
        """Ask the peer whether it is alive; does not wait."""
        self._command(lambda _: sa.CheckLiveness())

    def sas(self) -> Listing:
        return self._ask(lambda: listing(self._endpoint.sessions.values()))

    def log(self, lines: int = 120) -> str:
        return "\n".join(self._lines[-lines:])

    def _command(self, make: Callable[[Session], sa.Command]) -> None:
        """Ask something of the session whose IKE SA is established."""

        def ask() -> None:
            for number, session in self._endpoint.sessions.items():
                if session.current is not None and session.current.phase is Phase.ESTABLISHED:
                    self._perform(self._endpoint.command(number, make(session), time.monotonic()))
                    return
            raise LabError("no IKE SA is established")

        self._ask(ask)

    def _find(self, name: str) -> sa.ChildSa | None:
        sessions = self._ask(lambda: tuple(self._endpoint.sessions.values()))
        return next((child for each in sessions for child in each.children if child.name == name), None)

    # The endpoint's own thread

    def _ask(self, work: Callable[[], T]) -> T:
        """Do something in the endpoint's thread and return what it returned."""
        answer: Future[T] = Future()

        def do() -> None:
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)

        self._work.put(do)
        self._wake.send(b"x")
        return answer.result(self._patience)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ, 0)
            for port, bound in self._sockets.items():
                selector.register(bound, selectors.EVENT_READ, port)
            while self._running:
                due = self._endpoint.next_deadline()
                wait = _LONGEST_WAIT if due is None else min(_LONGEST_WAIT, max(0.0, due - time.monotonic()))
                ready = [key.data for key, _ in selector.select(wait)]
                try:
                    for port in ready:
                        self._receive(port)
                    self._perform(self._endpoint.timer(time.monotonic()))
                except Exception:
                    self._say(traceback.format_exc())

    def _receive(self, port: int) -> None:
        if port == 0:
            self._woken.recv(1)
            self._work.get()()
            return
        datagram, (host, remote_port) = self._sockets[port].recvfrom(65535)
        path = sa.Path((self._local, port), (host, remote_port), port == NAT_PORT)
        self._perform(self._endpoint.receive(datagram, path, time.monotonic()))

    def _perform(self, outputs: tuple[sa.Output, ...]) -> None:
        for output in outputs:
            if isinstance(output, sa.Transmit):
                self._sockets[output.path.local[1]].sendto(output.datagram, output.path.remote)
            if isinstance(output, sa.NewKeys):
                self.keys.append(output)
            self._say(_describe(output))

    def _say(self, text: str) -> None:
        self._lines.append(f"{time.strftime('%H:%M:%S')} {text}")


def _child(session: Session, name: str) -> sa.ChildSa:
    for child in session.children:
        if child.name == name and child.state is sa.ChildState.OPEN:
            return child
    raise LabError(f"no Child SA {name} is open")


def _describe(output: sa.Output) -> str:
    """One line for the log."""
    kind = type(output).__name__
    message = getattr(output, "message", None)
    if isinstance(message, wire.Message):
        names = " ".join(wire.payload_name(payload) for payload in message.payloads)
        role = "response" if message.is_response else "request"
        again = " again" if getattr(output, "again", False) else ""
        return f"{kind}{again} {name(ExchangeType, message.exchange_type)} {role} {message.message_id} [{names}]"
    return " ".join(part for part in (kind, getattr(output, "reason", "")) if part)
