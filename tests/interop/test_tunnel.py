"""Packets of two machines through Child SAs, by `serve --tun` and `connect --tun` (Sections 2.8, 2.23, 2.24)."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.interop import lab

ECT_0 = 2
ADDRESSES = {"a": "192.0.2.1", "b": "192.0.2.2"}
INSIDE = {"a": "10.0.1.1", "b": "10.0.2.1"}
LATER = {"a": "10.0.3.1", "b": "10.0.4.1"}
"""For which there is no Child SA before a packet asks for it."""
PORT = 4711

CONFIGURATION = """
[connections.peer]
local_address = "{local}"
remote_address = "{remote}"
local_id = "@{name}.example"
remote_id = "@{other}.example"
psk = "a shared key of two machines"
force_encapsulation = {udp}

[connections.peer.children.net]
local_ts = "{mine}/24"
remote_ts = "{theirs}/24"

[connections.peer.children.later]
local_ts = "{mine_later}/24"
remote_ts = "{theirs_later}/24"
start = false
"""


class Machine(NamedTuple):
    """A network namespace."""

    name: str
    namespace: str

    def ip(self, *words: str) -> str:
        return lab.run("ip", "-n", self.namespace, *words)


@contextmanager
def machines() -> Iterator[dict[str, Machine]]:
    """Two of them, with a cable between and an inner address each."""
    made = {name: Machine(name, f"{lab.PREFIX}{os.getpid()}-tunnel-{name}") for name in "ab"}
    with ExitStack() as stack:
        for machine in made.values():
            lab.run("ip", "netns", "add", machine.namespace)
            stack.callback(subprocess.run, ["ip", "netns", "del", machine.namespace], check=False)
        a, b = made.values()
        cable = ("type", "veth", "peer", "name", "cable", "netns", b.namespace)
        lab.run("ip", "link", "add", "cable", "netns", a.namespace, *cable)
        for machine in made.values():
            machine.ip("address", "add", f"{ADDRESSES[machine.name]}/24", "dev", "cable")
            for inside in (INSIDE, LATER):
                machine.ip("address", "add", f"{inside[machine.name]}/32", "dev", "lo")
            for device in ("lo", "cable"):
                machine.ip("link", "set", device, "up")
        yield made


@pytest.fixture
def two(laboratory: Path) -> Iterator[dict[str, Machine]]:  # noqa: ARG001
    if not Path("/dev/net/tun").exists():
        pytest.skip("interop: needs /dev/net/tun")
    with machines() as made:
        yield made


class Run:
    """`ikeref` in a namespace; its output is read line by line."""

    def __init__(self, machine: Machine, udp: bool, folder: Path, *words: str) -> None:
        name, other = machine.name, "ab".replace(machine.name, "")
        text = CONFIGURATION.format(
            local=ADDRESSES[name],
            remote=ADDRESSES[other],
            name=name,
            other=other,
            udp=str(udp).lower(),
            mine_later=LATER[name].removesuffix(".1") + ".0",
            theirs_later=LATER[other].removesuffix(".1") + ".0",
            mine=INSIDE[name].removesuffix(".1") + ".0",
            theirs=INSIDE[other].removesuffix(".1") + ".0",
        )
        configuration = folder / f"{name}.toml"
        configuration.write_text(text)
        verb, *rest = words
        program = (sys.executable, "-c", "from ikeref.cli.main import main; main()", verb, str(configuration), *rest)
        self.process = subprocess.Popen(
            ("ip", "netns", "exec", machine.namespace, "setpriv", "--pdeathsig", "TERM", *program, "--tun", "ike0"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "300"},
        )
        self.lines: list[str] = []
        self._read = 0
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def until(self, pattern: str) -> str:
        """Read on to a line with this in it; LabError, with all lines, if it does not come."""

        def found() -> str | None:
            while self._read < len(self.lines):
                self._read += 1
                if re.search(pattern, self.lines[self._read - 1]):
                    return self.lines[self._read - 1]
            return None

        try:
            return lab.eventually(pattern, found, timeout=20)
        except lab.LabError as error:
            raise lab.LabError("\n".join((str(error), *self.lines))) from None

    def order(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self._listener.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def speaker(machine: Machine, inside: dict[str, str] = INSIDE) -> socket.socket:
    """A UDP socket on the inner address, which tells the ECN field of what it gets."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((inside[machine.name], PORT))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ECT_0)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        made.settimeout(5)
        return made

    return lab.in_namespace(machine.namespace, make)


def there_and_back(one: socket.socket, other: socket.socket, count: int) -> None:
    """So many numbered datagrams each way; none is lost, changed or doubled."""
    for sender, receiver in ((one, other), (other, one)):
        for number in range(count):
            sender.sendto(number.to_bytes(4) * 200, receiver.getsockname())
        for number in range(count):
            octets, told, _, source = receiver.recvmsg(2048, 64)
            assert octets == number.to_bytes(4) * 200
            assert source == sender.getsockname()
            assert told[0][2][0] & 3 == ECT_0


@pytest.mark.root
@pytest.mark.parametrize("udp", [True, False], ids=["in UDP", "as IP protocol 50"])
def test_packets_go_through_before_amid_and_after_rekeys(udp: bool, two: dict[str, Machine], tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = Run(two["b"], udp, tmp_path, "serve", "--quiet")
        stack.callback(server.close)
        server.until("go through Child SAs")
        client = Run(two["a"], udp, tmp_path, "connect", "--quiet")
        stack.callback(client.close)
        client.until("installs ESP outbound")
        one, other = (stack.enter_context(speaker(machine)) for machine in two.values())
        there_and_back(one, other, 20)
        for order, done in (("rekey-child", "removes ESP inbound"), ("rekey-ike", "IKE SA .* closed")):
            client.order(order)
            there_and_back(one, other, 20)
            client.until(done)
            there_and_back(one, other, 20)
        client.order("status")
        line = client.until("came [0-9]+ packets")
        assert int(re.search(r"came (\d+) packets", line)[1]) >= 60  # type: ignore[index]
        assert "10.0.2.0/24 dev ike0" in two["a"].ip("route")
        client.order("delete-child")
        client.until("removes ESP inbound")
        lab.eventually("the route is gone", lambda: "10.0.2.0/24 dev ike0" not in two["a"].ip("route"))


@pytest.mark.root
def test_s2_9_a_packet_asks_for_its_child_sa(two: dict[str, Machine], tmp_path: Path) -> None:
    """With `start = false` none is there before, and the first datagrams, which are lost, bring it about."""
    with ExitStack() as stack:
        server = Run(two["b"], True, tmp_path, "serve")
        stack.callback(server.close)
        server.until("go through Child SAs")
        client = Run(two["a"], True, tmp_path, "connect")
        stack.callback(client.close)
        client.until(r"installs ESP outbound .*\(net\)")
        one, other = (stack.enter_context(speaker(machine, LATER)) for machine in two.values())
        one.sendto(b"who is there?", other.getsockname())
        client.until(r"installs ESP outbound .*\(later\)")
        there_and_back(one, other, 20)
        assert sum("installs ESP outbound" in line for line in client.lines) == 2


@pytest.mark.root
def test_a_device_that_cannot_be_had_is_said(two: dict[str, Machine], tmp_path: Path) -> None:
    two["a"].ip("link", "add", "ike0", "type", "veth", "peer", "name", "ike1")
    with ExitStack() as stack:
        client = Run(two["a"], True, tmp_path, "connect")
        stack.callback(client.close)
        client.until("no TUN device 'ike0'")
        assert client.process.wait(10) == 2
