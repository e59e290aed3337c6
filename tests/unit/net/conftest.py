"""Two real endpoints on loopback UDP."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.net.dataplane import RecordingDataPlane
from ikeref.net.disturb import Disturbance, Profile
from ikeref.net.transport import Bind, Event, Node, Observer
from ikeref.policy import identities, proposals, selectors
from ikeref.policy.config import ChildConfig, Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import ProtocolId
from ikeref.sa.values import Path


class End(NamedTuple):
    """One of the two."""

    node: Node
    data_plane: RecordingDataPlane
    connection: Connection
    events: list[Event]


class Pair(NamedTuple):
    """Two ends that know each other; `connect` opens their sockets and begins."""

    a: End
    b: End
    path: Path

    async def connect(self) -> int:
        """The number of a's session, once both have a Child SA."""
        await self.listen()
        number = self.a.node.initiate(self.a.connection, self.path)
        await self.settle(1)
        return number

    async def listen(self) -> None:
        for end in (self.a, self.b):
            connection = end.connection
            host = connection.local_address
            assert host is not None
            await end.node.start(
                [Bind(host, connection.local_port, False), Bind(host, connection.local_nat_port, True)]
            )

    async def settle(self, children: int) -> None:
        """Wait until both have so many Child SAs."""
        for end in (self.a, self.b):
            await end.node.wait_for(lambda end=end: len(end.data_plane.pairs()) == children, 10)  # type: ignore[misc]

    async def close(self) -> None:
        for end in (self.a, self.b):
            await end.node.close()


def _free_ports(host: str, count: int) -> list[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with _sockets(family, count) as opened:
        for each in opened:
            each.bind((host, 0))
        return [each.getsockname()[1] for each in opened]


@contextmanager
def _sockets(family: int, count: int) -> Iterator[list[socket.socket]]:
    opened = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


PairMaker = Callable[..., Pair]


@pytest.fixture
def pair() -> PairMaker:
    """A function that makes two ends."""

    def make(
        *,
        host: str = "127.0.0.1",
        ike: str = "aes256gcm16-prfsha256-x25519",
        esp: str = "aes256gcm16",
        observers: tuple[Observer, ...] = (),
        disturbed: Profile | None = None,
        settings: Settings | None = None,
        encapsulated: bool = True,
    ) -> Pair:
        ports = _free_ports(host, 4)
        ends = []
        for index, name in enumerate("ab"):
            mine, theirs = (ports[:2], ports[2:])[:: 1 if name == "a" else -1]
            local_ts, remote_ts = ("10.0.1.0/24", "10.0.2.0/24")[:: 1 if name == "a" else -1]
            child = ChildConfig(
                "net",
                proposals.parse(esp, ProtocolId.ESP),
                (selectors.from_text(local_ts),),
                (selectors.from_text(remote_ts),),
            )
            connection = Connection(
                name=name,
                local_id=identities.parse(f"@{name}.example"),
                remote_id=identities.parse(f"@{'ba'[index]}.example"),
                local_auth=Secret(b"a shared key"),
                remote_auth=Secret(b"a shared key"),
                ike_proposals=proposals.parse(ike, ProtocolId.IKE),
                children=(child,),
                local_address=host,
                remote_address=host,
                local_port=mine[0],
                local_nat_port=mine[1],
                remote_port=theirs[0],
                remote_nat_port=theirs[1],
                force_encapsulation=encapsulated,
            )
            events: list[Event] = []
            plane = RecordingDataPlane()
            node = Node(
                Endpoint((connection,), RealCrypto(legacy=True, null=True), os.urandom, settings),
                data_plane=plane,
                observers=[*observers, lambda event, _, events=events: events.append(event)],  # type: ignore[misc]
                disturbance=None if disturbed is None else Disturbance(disturbed._replace(seed=index)),
            )
            ends.append(End(node, plane, connection, events))
        return Pair(ends[0], ends[1], Path((host, ports[0]), (host, ports[2])))

    return make
