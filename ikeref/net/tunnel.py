"""Packets of this machine through Child SAs: a TUN device on one side, ESP on the other (Linux, as root).

What the machine routes to the device is protected and sent; what arrives is opened and given to the machine. Routes to
what the selectors of a Child SA allow come and go with it, internal addresses with their IKE SA (Section 2.19).
"""

import asyncio
import errno
import logging
import os
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, summarize_address_range
from typing import Final, NamedTuple, Protocol

from ikeref.esp import Carrier, Delivered, Inner, Sealed
from ikeref.esp.packet import HEADER_SIZE
from ikeref.net.dataplane import NotInstalled
from ikeref.net.sockets import Port, esp_port
from ikeref.policy.connections import ChildConfig
from ikeref.sa.outputs import Configured, Install, Moved, Remove, Unconfigured
from ikeref.sa.values import Address, Path
from ikeref.wire import TrafficSelector

_log = logging.getLogger("ikeref.net")

MTU: Final = 1360
"""Octets of an IP packet that, protected, still fits into 1500 with any cipher, in UDP and IPv6."""
IKE_PORT: Final = 500
"""Where whoever sends ESP without UDP hears IKE (Section 2)."""
_AT_ONCE: Final = 64

Network = IPv4Network | IPv6Network


class TunnelError(Exception):
    """The device can't be had or set up; the text says why and what to do."""


class Sender(Protocol):
    """Who has sockets for ESP in UDP; `ikeref.net.transport.Node` is one."""

    def send_esp(self, packet: bytes, path: Path, ecn: int) -> None: ...


class Ask(NamedTuple):
    """What packets ask of IKE."""

    rekey: Callable[[bytes], None]
    """Rekey the Child SA with this SPI of ours: its sequence numbers come to an end."""
    create: Callable[[Inner], None]
    """Create a Child SA for this packet, which none is for; asked with each such packet."""
    follow: Callable[[bytes, Path], None]
    """The peer of the Child SA with this SPI of ours is there now: a NAT has moved it, or it has just answered."""
    unknown: Callable[[bytes, Path], None]
    """Tell who sent it on this path that nobody has this SPI; asked with each such packet."""


class Device(Protocol):
    """A TUN device: reads and writes one IP packet at a time."""

    @property
    def name(self) -> str: ...

    def fileno(self) -> int: ...

    def read(self, size: int) -> bytes: ...

    def write(self, data: bytes) -> int: ...

    def close(self) -> None: ...


class Tunnel:
    """A data plane with a TUN device. `say` is told what a person may want to know."""

    def __init__(self, name: str, say: Callable[[str], None] = _log.info) -> None:
        """Makes the device; raises TunnelError."""
        self.carrier = Carrier(os.urandom)
        self._say = say
        self._sender: Sender | None = None
        self._ask: Ask | None = None
        self._raw: dict[str, Port] = {}
        self._routes: dict[Network, set[bytes]] = {}
        """Which Child SAs want a route, by our SPIs; and which policies, by name."""
        self._device = _open(name)
        self.name = self._device.name
        # No address of its own, of which the machine would tell neighbours that there are none.
        _ip("link", "set", self.name, "addrgenmode", "none")
        _ip("link", "set", self.name, "mtu", str(MTU), "up")

    def start(self, sender: Sender, hosts: Iterable[Address], ask: Ask) -> None:
        """Begin to carry packets. `hosts` are our addresses, for ESP without UDP, with the port of IKE there. Raises
        TunnelError."""
        self._sender, self._ask = sender, ask
        for local in hosts:
            host = local[0]
            if host in self._raw:
                continue

            def arrival(packet: bytes, source: Address, ecn: int, local: Address = local) -> None:
                self.arrived(packet, Path(local, (source[0], IKE_PORT)), ecn)

            try:
                self._raw[host] = esp_port(host, arrival)
            except OSError as error:
                raise TunnelError(f"no socket for ESP at {host} ({error.strerror}): it needs root") from None
        asyncio.get_running_loop().add_reader(self._device, self._readable)

    def close(self) -> None:
        """Take the device away, and all addresses and routes with it."""
        with suppress(RuntimeError):  # no loop: it was never started
            asyncio.get_running_loop().remove_reader(self._device)
        for port in self._raw.values():
            port.close()
        self._device.close()

    def expect(self, child: ChildConfig, peer: str) -> None:
        """Have the machine route here what a Child SA is for that packets shall ask for."""
        for network in _networks(child.remote_ts):
            self._want(network, child.name.encode(), peer)

    # A data plane

    def install(self, install: Install) -> None:
        """Open a direction, and the way to it. Raises NotInstalled."""
        if why := self.carrier.install(install):
            raise NotInstalled(why)
        if not install.inbound:
            for network in _networks(install.child.remote_ts):
                self._want(network, install.child.spi_in, install.path.remote[0])

    def remove(self, remove: Remove) -> None:
        """Close a direction, and the way to it where no other Child SA wants it."""
        self.carrier.remove(remove)
        if not remove.inbound:
            for network, wanted in list(self._routes.items()):
                wanted.discard(remove.child.spi_in)
                if not wanted:
                    del self._routes[network]
                    self._try("route", "del", str(network), "dev", self.name)

    def moved(self, moved: Moved) -> None:
        """Send on another path from now on."""
        self.carrier.moved(moved)

    def arrived(self, packet: bytes, path: Path, ecn: int) -> None:
        """An ESP packet came, in UDP or by itself: what is in it goes to the machine."""
        result = self.carrier.receive(packet, ecn)
        if isinstance(result, Delivered):
            if path.encapsulated and result.newest and self._ask and path != self.carrier.path(result.spi):
                self._ask.follow(result.spi, path)
            try:
                self._device.write(result.packet)
            except OSError as error:
                _log.info("the machine takes no packet: %s", error)
            return
        _log.info("an ESP packet is dropped: %s", result.reason)
        if self._ask and len(packet) >= HEADER_SIZE and not self.carrier.receives(packet[:4]):
            self._ask.unknown(packet[:4], path)  # 7296-1.5-02

    # An observer

    def __call__(self, event: object, _: float) -> None:
        """Internal addresses of ours are set on the device, and taken away (Section 2.19)."""
        if isinstance(event, Configured | Unconfigured) and event.internal.ours:
            verb = "replace" if isinstance(event, Configured) else "del"
            for address in event.internal.packed:
                self._try("address", verb, f"{ip_address(address)}/{8 * len(address)}", "dev", self.name)

    # Packets

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = self._device.read(65535)
            except BlockingIOError:
                return
            except OSError as error:
                _log.info("the device gives no packet: %s", error)
                return
            self._send(packet)

    def _send(self, packet: bytes) -> None:
        result = self.carrier.send(packet)
        if not isinstance(result, Sealed):
            _log.info("a packet is not sent: %s", result.reason)
            if result.packet is not None and self._ask is not None:
                self._ask.create(result.packet)
            return
        if result.path.encapsulated:
            assert self._sender is not None
            self._sender.send_esp(result.packet, result.path, result.ecn)
        else:
            port = self._raw.get(result.path.local[0])
            if port is not None:
                port.send(result.packet, (result.path.remote[0], 0), result.ecn)
        if result.worn and self._ask is not None:
            self._ask.rekey(result.worn)

    # Routes

    def _want(self, network: Network, spi: bytes, peer: str) -> None:
        if ip_address(peer) in network:
            self._say(
                f"no route to {network} is set: the peer's own address {peer} is in it; set one that leaves it out"
            )
            return
        if network not in self._routes:
            self._try("route", "replace", str(network), "dev", self.name)
        self._routes.setdefault(network, set()).add(spi)

    def _try(self, *words: str) -> None:
        try:
            _ip(*words)
        except TunnelError as error:
            self._say(str(error))


def _networks(selectors: tuple[TrafficSelector, ...]) -> list[Network]:
    """Their addresses, as networks that one can route to."""
    found: list[Network] = []
    for selector in selectors:
        first, last = ip_address(selector.start), ip_address(selector.end)
        found += summarize_address_range(first, last)
    return found


def _open(name: str) -> Device:
    try:
        from pytun_pmd3 import linux
    except ImportError:
        raise TunnelError("carrying packets needs Linux") from None
    try:
        device: Device = linux.TunTapDevice(name, linux.IFF_TUN | linux.IFF_NO_PI)
    except OSError as error:
        forbidden = error.errno in (errno.EPERM, errno.EACCES)
        why = "it needs root, or the capability CAP_NET_ADMIN" if forbidden else error.strerror or str(error)
        raise TunnelError(f"no TUN device {name!r}: {why}") from None
    os.set_blocking(device.fileno(), False)
    return device


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(("ip", *words), capture_output=True, text=True, check=False, timeout=10)
    except FileNotFoundError:
        raise TunnelError("the program ip is missing: install iproute2") from None
    if done.returncode:
        raise TunnelError(f"ip {' '.join(words)}: {done.stderr.strip()}")
