"""An endpoint from its sockets to its end: it connects or listens, obeys orders, and deletes its IKE SAs at last."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from ikeref.cli.live import orders
from ikeref.cli.live.orders import Order, OrderError
from ikeref.cli.live.sockets import open_sockets
from ikeref.cli.live.tell import Teller
from ikeref.cli.tour.life import is_quiet
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.esp import Inner
from ikeref.esp.carrier import covered
from ikeref.net.transport import Node, Observer
from ikeref.net.tunnel import Ask, Tunnel
from ikeref.policy.connections import Configuration, Connection
from ikeref.sa import CreateChild, DeleteIke, Path, Phase, RekeyChild

FAREWELL_SECONDS = 3.0
"""How long the deletion of IKE SAs may take when the program ends."""


class Plan(NamedTuple):
    """What a program is to do."""

    configuration: Configuration
    connect: Connection | None
    """The connection to initiate; None: listen only."""
    orders: tuple[Order, ...] = ()
    """Carried out one after the other, each when the one before has come to rest."""
    once: bool = False
    """End when the last IKE SA has ended, or the orders are done."""
    delete: bool = True
    """Whether to delete IKE SAs on ending."""
    order_seconds: float = 60.0
    """How long an order may take to come to rest."""
    listen_to_stdin: bool = True
    device: str = ""
    """Name of the TUN device that carries packets through Child SAs; empty: none are carried."""


class Program:
    """One run. `run` gives the exit code. Raises TunnelError where a device is wanted and can't be had."""

    def __init__(self, plan: Plan, teller: Teller, observers: Sequence[Observer] = ()) -> None:
        self._plan = plan
        self._teller = teller
        self._endpoint = self._made(plan.configuration.connections)
        self._tunnel = Tunnel(plan.device, teller.say) if plan.device else None
        self._node = Node(self._endpoint, data_plane=self._tunnel, observers=(teller, *observers))
        self._stop = asyncio.Event()
        self._code = 0

    def _made(self, connections: tuple[Connection, ...]) -> Endpoint:
        return Endpoint(connections, RealCrypto(), os.urandom, self._plan.configuration.settings)

    # From beginning to end

    async def run(self) -> int:
        """Raises Unbound where a socket can't be had."""
        connections = await open_sockets(self._node, self._plan.configuration.connections, self._teller.say)
        self._endpoint = self._made(connections)
        self._node.endpoint = self._endpoint
        if self._tunnel is not None:
            self._carry(self._tunnel, connections)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, self._interrupted)
        worker = asyncio.create_task(self._work(connections))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((worker, stopping), return_when=asyncio.FIRST_COMPLETED)
            if worker.done():
                worker.result()
        finally:
            for task in (worker, stopping):
                task.cancel()
            await asyncio.gather(worker, stopping, return_exceptions=True)
            await self._farewell()
            await self._node.close()
            if self._tunnel is not None:
                self._tunnel.close()
        return self._code

    def _carry(self, tunnel: Tunnel, connections: tuple[Connection, ...]) -> None:
        self._node.observe(tunnel)
        ask = Ask(self._rekey, self._create, self._node.heard, self._node.unknown_spi)
        tunnel.start(self._node, [(each.local_address or "", each.local_port) for each in connections], ask)
        self._teller.say(f"packets that are routed to {tunnel.name} go through Child SAs")
        for connection in connections:
            for child in connection.children:
                if not child.start and connection.remote_address is not None:
                    tunnel.expect(child, connection.remote_address)

    def _rekey(self, spi_in: bytes) -> None:
        """A Child SA whose sequence numbers come to an end (Section 2.8)."""
        for number, session in self._endpoint.sessions.items():
            if any(child.spi_in == spi_in for child in session.children):
                with suppress(LocalProtocolError):  # it is being rekeyed already, or deleted
                    self._node.command(number, RekeyChild(spi_in))
                return

    def _create(self, packet: Inner) -> None:
        """A packet that no Child SA is for: one is asked for with it, where policy has one to ask for (Section 2.9)."""
        ends = (packet.source, packet.destination)
        for number, session in self._endpoint.sessions.items():
            if session.current is None or not is_quiet(session):
                continue
            for child in session.connection.children:
                if not child.start and covered(ends[0], child.local_ts) and covered(ends[1], child.remote_ts):
                    with suppress(LocalProtocolError):  # the IKE SA is about to end; another packet will ask again
                        self._node.command(number, CreateChild(child.name, packet=ends))
                    return

    def _interrupted(self) -> None:
        if self._stop.is_set():
            self._plan = self._plan._replace(delete=False)  # asked twice: don't wait for the peer
        self._stop.set()

    async def _work(self, connections: tuple[Connection, ...]) -> None:
        plan = self._plan
        if plan.connect is not None:
            chosen = next(each for each in connections if each.name == plan.connect.name)
            if not await self._connect(chosen):
                return
        elif plan.orders or plan.once:
            await self._node.wait_for(self._is_up)
        for order in plan.orders:
            if not await self._obey(order):
                self._code = 1
                return
            if order.word == "quit":
                return
        if plan.once and plan.orders:
            return
        reading = asyncio.create_task(self._read())
        try:
            if plan.connect is not None or plan.once:
                await self._node.wait_for(lambda: not self._alive())
            else:
                await reading
                await self._stop.wait()
        finally:
            reading.cancel()

    async def _connect(self, connection: Connection) -> bool:
        assert connection.remote_address is not None
        assert connection.local_address is not None
        path = Path(
            (connection.local_address, connection.local_port), (connection.remote_address, connection.remote_port)
        )
        self._node.initiate(connection, path)
        await self._node.wait_for(lambda: self._is_up() or not self._alive())
        if self._is_up():
            with suppress(TimeoutError):
                await self._node.wait_for(self._is_at_rest, self._plan.order_seconds)
            return True
        where = f"{connection.remote_address} port {connection.remote_port}"
        self._teller.say(f"no IKE SA with {where}: {self._teller.closed or 'it came to nothing'}", "error")
        self._code = 1
        return False

    async def _farewell(self) -> None:
        if not self._plan.delete or not self._alive():
            return
        for number, session in list(self._endpoint.sessions.items()):
            if session.current is not None:
                with suppress(LocalProtocolError):
                    self._node.command(number, DeleteIke())
        with suppress(TimeoutError):
            await self._node.wait_for(lambda: not self._alive(), FAREWELL_SECONDS)

    # What is there

    def _alive(self) -> bool:
        """Whether there is an IKE SA, or one on its way."""
        return any(
            ike.phase is not Phase.CLOSED for session in self._endpoint.sessions.values() for ike in session.ikes
        )

    def _is_up(self) -> bool:
        return any(session.peer is not None and session.current for session in self._endpoint.sessions.values())

    def _is_at_rest(self) -> bool:
        return all(is_quiet(session) for session in self._endpoint.sessions.values())

    # Orders

    async def _obey(self, order: Order) -> bool:
        """Carry out an order of the plan and wait for its end; whether it went well."""
        failures = self._teller.failures
        if order.word == "wait":
            await asyncio.sleep(float(order.argument))
            return True
        if not self._carry_out(order):
            return False
        try:
            await self._node.wait_for(self._is_at_rest, self._plan.order_seconds)
        except TimeoutError:
            self._teller.say(f"{order.text}: not done after {self._plan.order_seconds:g} seconds", "error")
            return False
        return self._teller.failures == failures

    def _carry_out(self, order: Order) -> bool:
        match order.word:
            case "help":
                self._teller.say(orders.manual())
            case "status":
                self._teller.status(self._endpoint.sessions, self._tunnel.carrier.counted if self._tunnel else {})
            case "quit":
                self._stop.set()
            case "wait":
                self._teller.say("wait is for --do; just wait", "error")
            case _:
                try:
                    number, session = orders.choose(order, self._endpoint.sessions)
                    self._node.command(number, orders.command_of(order, session))
                except (OrderError, LocalProtocolError) as error:
                    self._teller.say(f"{order.text}: {error}", "error")
                    return False
        return True

    async def _read(self) -> None:
        """Orders from standard input, as they are typed; its end means nothing but on a terminal."""
        if not self._plan.listen_to_stdin:
            return
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        hand_over = _from_thread(loop, lines)
        threading.Thread(target=_read_lines, args=(hand_over,), daemon=True).start()
        while (line := await lines.get()) is not None:
            if not line.strip():
                continue
            try:
                self._carry_out(orders.parse(line))
            except OrderError as error:
                self._teller.say(str(error), "error")
        if os.isatty(0):
            self._stop.set()


def _from_thread(loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[str | None]") -> Callable[[str | None], None]:
    def hand_over(line: str | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(lines.put_nowait, line)

    return hand_over


def _read_lines(hand_over: Callable[[str | None], None]) -> None:
    """Lines of standard input, read without Python's buffers: a thread that waits in those would not let go."""
    rest = b""
    while True:
        try:
            octets = os.read(0, 4096)
        except OSError:
            break
        if not octets:
            break
        *whole, rest = (rest + octets).split(b"\n")
        for line in whole:
            hand_over(line.decode("utf-8", "replace"))
    if rest:
        hand_over(rest.decode("utf-8", "replace"))
    hand_over(None)
