"""The link between two ends: network namespaces, a NAT before either end, the guest in place of one.

Everything is taken away by `close`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import time
from contextlib import ExitStack
from typing import NamedTuple

from tests.interop import lab
from tests.interop.guest import TAP, Guest
from tests.interop.lab import PREFIX, in_namespace, run

_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17

_NAT_PORTS = ((20000, 29999), (30000, 39999))
"""From which a NAT takes its ports, before it is rebound and after."""

_RULES = """
table ip lab {{
  chain out {{
    type nat hook postrouting priority 100
    oifname "outside" udp dport {{ 500, 4500 }} masquerade to :{first}-{last}
  }}
  chain in {{
    type nat hook prerouting priority -100
    iifname "outside" udp dport {{ 500, 4500 }} dnat to {inside}
  }}
}}
"""


class End(NamedTuple):
    """One end of a link: a namespace with one interface. The guest has no namespace here."""

    namespace: str
    interface: str
    address: str
    public: str
    """The address under which the other end sees it: that of the NAT, if one is before it."""
    gateway: str = ""
    """The NAT's address inside."""


class Link:
    """Two namespaces, and between them a third that holds the other ends, `left` and `right`, of their interfaces.

    Nothing passes until something of ours carries the frames across (see relay.py). `nat` names the ends before which
    a NAT stands: `ours`, `theirs`. It lets them out under a port of its own, and lets in what comes for ports 500 and
    4500. With `guest`, that is the other end.
    """

    def __init__(
        self, name: str = "lab", *, nat: tuple[str, ...] = (), family: int = 4, guest: Guest | None = None
    ) -> None:
        self._base = f"{PREFIX}{os.getpid()}-{name}"
        self.middle = f"{self._base}-middle"
        self.guest = guest
        self.nat = nat
        self.ours = self._end("ours", 1, family)
        self.theirs = self._end("theirs", 2, family)
        self._stack = ExitStack()
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the namespaces, and with them the interfaces; the guest's goes back home."""
        self._stack.close()

    def _end(self, who: str, number: int, family: int) -> End:
        public = f"10.77.0.{number}" if family == 4 else f"fd00:77::{number}"
        namespace = "" if who == "theirs" and self.guest else f"{self._base}-{who}"
        if who in self.nat:
            assert family == 4, "there is no NAT for IPv6 here"
            return End(namespace, "lab0", f"10.78.{number}.2", public, gateway=f"10.78.{number}.1")
        return End(namespace, "lab0", public, public)

    def _build(self) -> None:
        self._namespace(self.middle)
        for who, end, far in (("ours", self.ours, "left"), ("theirs", self.theirs, "right")):
            outer, outer_name = self.middle, far
            if who in self.nat:
                outer, outer_name = self._build_nat(who, end, far), "inside"
            if end.namespace:
                self._namespace(end.namespace)
                _veth(end.namespace, end.interface, outer, outer_name)
                _address(end.namespace, end.interface, end.address)
                if end.gateway:
                    run("ip", "-n", end.namespace, "route", "add", "default", "via", end.gateway)
                checksum_in_software(end.namespace, end.interface)
            else:
                self._borrow_guest(end, outer, outer_name)
            if end.gateway:
                _address(outer, outer_name, end.gateway)

    def _build_nat(self, who: str, end: End, far: str) -> str:
        """A namespace with a NAT in it; its interface `outside` is already on the link."""
        namespace = f"{self._base}-nat-{who}"
        self._namespace(namespace)
        _veth(namespace, "outside", self.middle, far)
        _address(namespace, "outside", end.public)
        checksum_in_software(namespace, "outside")
        _rules(namespace, end, _NAT_PORTS[0])
        return namespace

    def _borrow_guest(self, end: End, namespace: str, name: str) -> None:
        assert self.guest is not None
        home = self.guest.home
        run("ip", "-n", home, "link", "set", TAP, "netns", namespace, "name", name)
        self._stack.callback(run, "ip", "-n", namespace, "link", "set", name, "netns", home, "name", TAP)
        run("ip", "-n", namespace, "link", "set", name, "up")
        self.guest.address([f"{end.address}/{_prefix(end.address)}"], end.gateway)

    def _namespace(self, name: str) -> None:
        run("ip", "netns", "add", name)
        self._stack.callback(lab.remove_namespace, name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    def rebind(self, who: str) -> None:
        """Let the NAT before this end forget what it had: it takes new ports for what passes from now on."""
        namespace = f"{self._base}-nat-{who}"
        _rules(namespace, self.ours if who == "ours" else self.theirs, _NAT_PORTS[1])
        for state in ("down", "up"):  # It forgets what it masquerades as an interface that goes down.
            run("ip", "-n", namespace, "link", "set", "outside", state)
            time.sleep(0.5)


def _veth(one: str, one_name: str, other: str, other_name: str) -> None:
    run(
        *("ip", "link", "add", one_name, "netns", one, "type", "veth"),
        *("peer", "name", other_name, "netns", other),
    )
    run("ip", "-n", one, "link", "set", one_name, "up")
    run("ip", "-n", other, "link", "set", other_name, "up")


def _address(namespace: str, interface: str, address: str) -> None:
    nodad = ("nodad",) if ":" in address else ()
    run("ip", "-n", namespace, "address", "add", f"{address}/{_prefix(address)}", "dev", interface, *nodad)


def _prefix(address: str) -> int:
    return 64 if ":" in address else 24


def _rules(namespace: str, end: End, ports: tuple[int, int]) -> None:
    _sysctl(namespace, "ipv4/ip_forward", 1)
    text = "flush ruleset\n" + _RULES.format(first=ports[0], last=ports[1], inside=end.address)
    run("ip", "netns", "exec", namespace, "nft", text)


def _sysctl(namespace: str, name: str, value: int) -> None:
    run("ip", "netns", "exec", namespace, "sh", "-c", f"echo {value} > /proc/sys/net/{name}")


def checksum_in_software(namespace: str, interface: str) -> None:
    """Have the kernel fill in transport checksums before a frame leaves this virtual interface.

    Otherwise it leaves that to hardware, which a veth pair has not, and the carried frames would arrive damaged.
    """

    def switch() -> None:
        setting = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_STXCSUM, 0))
        request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(setting))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCETHTOOL, request)

    in_namespace(namespace, switch)
