"""ikeref's own endpoint: the peer of every campaign, and an example of an adapter around a library."""

from collections.abc import Iterable, Iterator
from random import Random

from ikeref import sa
from ikeref.crypto import Provider
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.errors import LocalProtocolError
from ikeref.policy.connections import Connection, Settings
from ikeref.sa import Output, Path, Phase, Transmit
from ikeref_properties.adapter.implementation import (
    Address,
    Ask,
    ChildView,
    Command,
    Implementation,
    Unsupported,
    View,
)
from ikeref_properties.capture.keys import Keys
from ikeref_properties.network import ADDRESS, A, B, connection


class Ikeref(Implementation):
    """An `Endpoint` behind the adapter, as a foreign implementation would be."""

    def __init__(
        self,
        seed: int = 0,
        policy: Connection | None = None,
        own: Address = ADDRESS[B],
        peer: Address = ADDRESS[A],
        crypto: Provider | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.policy = policy or connection(B, children=("net",))
        self.path = Path(own, peer)
        self.endpoint = Endpoint(
            (self.policy,), crypto or RealCrypto(), Random(f"{seed} foreign").randbytes, settings or Settings()
        )
        self._keys: list[Keys] = []

    def receive(self, datagram: bytes, source: Address, destination: Address, now: float) -> Iterable[bytes]:
        return self._sent(self.endpoint.receive(datagram, Path(destination, source), now))

    def tick(self, now: float) -> Iterable[bytes]:
        return self._sent(self.endpoint.timer(now))

    def next_deadline(self) -> float | None:
        return self.endpoint.next_deadline()

    def command(self, command: Command, now: float) -> Iterable[bytes]:
        if command.ask is Ask.INITIATE:
            return self._sent(self.endpoint.initiate(self.policy, self.path, now)[1])
        number = max(self.endpoint.sessions, default=None)
        if number is None:
            return ()
        try:
            return self._sent(self.endpoint.command(number, meaning(command, self.policy), now))
        except LocalProtocolError:
            return ()

    def keys(self) -> Iterable[Keys]:
        return tuple(self._keys)

    def sas(self) -> View:
        return view_of(self.endpoint)

    def _sent(self, outputs: tuple[Output, ...]) -> Iterable[bytes]:
        self._keys += keys_of(outputs)
        return tuple(output.datagram for output in outputs if type(output) is Transmit)


def meaning(command: Command, policy: Connection) -> sa.Command:
    """A command in ikeref's own words. Raises Unsupported."""
    match command.ask:
        case Ask.CREATE_CHILD:
            return sa.CreateChild(policy.children[0].name)
        case Ask.REKEY_CHILD:
            return sa.RekeyChild(command.spi)
        case Ask.REKEY_IKE:
            return sa.RekeyIke()
        case Ask.DELETE_CHILD:
            return sa.DeleteChild(command.spi)
        case Ask.DELETE_IKE:
            return sa.DeleteIke()
        case Ask.LIVENESS:
            return sa.CheckLiveness()
        case Ask.INITIATE:
            raise Unsupported("an IKE SA is begun by the endpoint, not by a session")


def keys_of(outputs: Iterable[Output]) -> list[Keys]:
    """The keys that a step has made."""
    return [
        Keys(each.spi_i, each.spi_r, each.suite, each.keys.sk_ei, each.keys.sk_er, each.keys.sk_ai, each.keys.sk_ar)
        for each in outputs
        if type(each) is sa.NewKeys
    ]


def child_keys_of(outputs: Iterable[Output]) -> Iterator[tuple[tuple[bool, bytes], bytes]]:
    """The keys of Child SAs that a step has installed, by direction and SPI (Section 2.17)."""
    for each in outputs:
        if type(each) is sa.Install and each.child.keys is not None:
            child, keys = each.child, each.child.keys
            from_initiator = child.initiator is not each.inbound
            octets = keys.encr_i + keys.integ_i if from_initiator else keys.encr_r + keys.integ_r
            yield (each.inbound, child.spi_in if each.inbound else child.spi_out), octets


def view_of(endpoint: Endpoint) -> View:
    """The SAs of an endpoint."""
    ikes = [ike for session in endpoint.sessions.values() for ike in session.ikes]
    children = [child for session in endpoint.sessions.values() for child in session.children]
    return View(
        frozenset((ike.spi_i, ike.spi_r) for ike in ikes if Phase.CANDIDATE <= ike.phase < Phase.CLOSED),
        frozenset(ChildView(each.spi_in, each.spi_out) for each in children if each.inbound and each.outbound),
    )
