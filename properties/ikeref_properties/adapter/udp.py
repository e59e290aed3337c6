"""An implementation that runs as a process of its own and speaks UDP: a daemon, on this machine or another.

Its clock is its own: the campaign's time passes for ikeref only. What it sends counts as its answer to what it has just
received, if it comes within `patience` seconds; so let that be longer than the daemon ever takes.
"""

import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence

from ikeref.errors import ProtocolError
from ikeref.registry import ExchangeType
from ikeref.wire import FLAG_RESPONSE, peek
from ikeref_properties.adapter.implementation import Address, Command, Implementation, Unsupported

_LARGEST = 65_535


class Udp(Implementation):
    """A daemon at `daemon`, as seen from the socket of its peer at `own`; both without NAT between them.

    `start` is the command line of a process to be started for the run and ended after it; None if it runs already.
    `control` passes commands on, in whatever way the daemon takes them. Ports other than 4500, which wants a marker.
    """

    def __init__(
        self,
        own: Address,
        daemon: Address,
        start: Sequence[str] | None = None,
        control: Callable[[Command], None] | None = None,
        *,
        patience: float = 1.0,
        gap: float = 0.05,
        ready: float = 10.0,
    ) -> None:
        self._control = control
        self._patience = patience
        self._gap = gap
        """Seconds of silence after which no more is expected."""
        family = socket.AF_INET6 if ":" in own[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._socket.bind(own)
            self._socket.connect(daemon)
            self._drain(0.0)  # what is left from a run before
            if start is not None:
                self._process = subprocess.Popen(start)
                self._await(time.monotonic() + ready)
        except OSError:
            self.close()
            raise

    def _await(self, until: float) -> None:
        """Send empty datagrams until the port is open. Raises ConnectionRefusedError if it never is."""
        while True:
            try:
                self._socket.send(b"")
                self._drain(self._gap)
                return
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise

    def receive(self, datagram: bytes, source: Address, destination: Address, now: float) -> Iterable[bytes]:
        del source, destination, now
        self._socket.send(datagram)
        return self._drain(self._patience if _wants_more(datagram) else self._gap)

    def tick(self, now: float) -> Iterable[bytes]:
        del now
        return self._drain(self._gap)

    def next_deadline(self) -> float | None:
        return None

    def command(self, command: Command, now: float) -> Iterable[bytes]:
        del now
        if self._control is None:
            raise Unsupported("there is no way to tell the daemon")
        self._control(command)
        return self._drain(self._patience)

    def close(self) -> None:
        self._socket.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _drain(self, wait: float) -> list[bytes]:
        """What comes in; the first within `wait` seconds, the others each within the gap."""
        found: list[bytes] = []
        while select.select((self._socket,), (), (), wait)[0]:
            found.append(self._socket.recv(_LARGEST))
            wait = min(wait, self._gap)
        return found


def _wants_more(datagram: bytes) -> bool:
    """Whether something is to come at once: the response to a request, IKE_AUTH after IKE_SA_INIT (Section 1.2)."""
    try:
        header = peek(datagram)
    except ProtocolError:
        return False
    return not header.flags & FLAG_RESPONSE or header.exchange_type == ExchangeType.IKE_SA_INIT
