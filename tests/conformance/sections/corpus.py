"""What our ends send, in lives that use everything: the messages that rules for senders are held against."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from traceback import walk_tb
from typing import NamedTuple

from ikeref_properties.network import ENDS, A, B, Pair, connection

from ikeref import sa
from ikeref.crypto import ChildSuite
from ikeref.crypto.real import RealCrypto
from ikeref.policy import addresses, identities, proposals
from ikeref.policy.connections import ChildConfig, Settings
from ikeref.registry import IpcompTransform, NotifyType, ProtocolId
from ikeref.sa import IkeSa, Path
from ikeref.wire import SA, Message, N, Nonce, TSi, TSr
from tests.conformance import stations
from tests.properties.forging import request
from tests.unit.eap import scene as eap
from tests.unit.sa import test_configuration, test_transport_mode


class Sent(NamedTuple):
    """A message that an end sent."""

    life: str
    end: str
    message: Message
    """In clear."""
    datagram: bytes
    """As it went out; of one in fragments the first."""
    path: Path
    again: bool
    request: bool
    """Whether it waits for a response at its sender."""
    asked: Message | None
    """The request of the same message ID that its sender had got before, if any: a response answers it."""
    ike: IkeSa | None
    """The IKE SA that it belongs to, as its sender had it afterwards; None where there is none."""
    before: tuple[Message, ...]
    """What the same end sent earlier in that life, retransmissions left out."""
    came: tuple[Message, ...]
    """What it had received by then."""
    inbound: dict[bytes, int]
    """The protocols of the Child SAs that it has or had in this step, by their inbound SPI."""
    suites: dict[bytes, ChildSuite]
    """Their algorithms."""

    def of(self, message: Message) -> "Sent":
        """The same with another message."""
        return self._replace(message=message)


def _plain() -> Pair:
    life = Pair(11)
    stations.live(life)
    return life


def _real(suite: int) -> Pair:
    life = stations.pair(3, suite)
    stations.live(life)
    return life


def _modp() -> Pair:
    """MODP groups, several of them, so that the first guess is wrong once."""
    one = connection(
        A, ike="aes128-sha256-modp1536-modp2048", esp="aes128-aes256-sha256-modp2048, aes256gcm16-modp2048"
    )
    other = connection(B, ike="aes128-sha256-modp2048", esp="aes128-sha256-modp2048")
    life = Pair(4, crypto=lambda: RealCrypto(legacy=True), connections={A: one, B: other}).establish()
    life.command(A, sa.RekeyChild(life.children(A)[0].spi_in))
    life.deliver_all()
    life.command(B, sa.RekeyIke())
    life.deliver_all()
    return life


def _second() -> Pair:
    """The responder has the last of what the initiator offers, and nothing else."""
    ike, esp = "aes256gcm16-prfsha256-x25519", "aes256gcm16"
    one = connection(A, ike=f"aes128-sha256-x25519, aes192-sha384-ecp384, {ike}", esp=f"aes128-sha256, {esp}")
    life = Pair(14, connections={A: one, B: connection(B, ike=ike, esp=esp)}).establish()
    life.command(A, sa.RekeyIke())
    life.deliver_all()
    life.command(A, sa.RekeyChild(life.children(A)[0].spi_in))
    life.deliver_all()
    return life


def _cookies() -> Pair:
    """Under load, with another group preferred at each end."""
    ike = {A: "aes256gcm16-prfsha256-x25519-ecp256", B: "aes256gcm16-prfsha256-ecp256-x25519"}
    policies = {end: connection(end, ike=ike[end]) for end in ENDS}
    return Pair(2, settings=Settings(cookie_threshold=0), connections=policies).establish()


def _childless() -> Pair:
    policies = {end: replace(connection(end, starting=0), childless=True) for end in ENDS}
    life = Pair(6, connections=policies).establish()
    life.command(A, sa.CreateChild("net"))
    life.deliver_all()
    return life


def _fragments() -> Pair:
    life = Pair(7, settings=Settings(fragment_octets=150)).establish()
    life.command(B, sa.RekeyIke())
    life.deliver_all()
    return life


def _compressed() -> Pair:
    """Options of Child SAs: compression, fragments, padding; AH with extended sequence numbers."""
    ah = proposals.parse("sha256-esn", ProtocolId.AH)
    policies = {}
    for end in ENDS:
        policy = connection(end, starting=2)
        first, second = policy.children
        first = replace(
            first,
            ipcomp=(int(IpcompTransform.DEFLATE), int(IpcompTransform.LZS)),
            non_first_fragments=True,
            tfc_padding=False,
        )
        policies[end] = replace(policy, children=(first, replace(second, proposals=ah)))
    life = Pair(8, connections=policies).establish()
    for child in life.children(A):
        life.command(A, sa.RekeyChild(child.spi_in))
        life.deliver_all()
    life.command(B, sa.DeleteChild(life.children(B)[0].spi_in))
    life.deliver_all()
    return life


def _windows() -> Pair:
    """Mail addresses as identities, and windows above 1."""
    names = {A: identities.parse("a@example.org"), B: identities.parse("b@example.org")}
    policies = {
        A: replace(connection(A), local_id=names[A], remote_id=names[B]),
        B: replace(connection(B), local_id=names[B], remote_id=names[A]),
    }
    return Pair(9, settings=Settings(window_size=4), connections=policies).establish()


def _refused() -> Pair:
    """What a responder refuses: suites, traffic, Child SAs that it hasn't got or has too many of, and rubbish."""
    life = Pair(10, settings=Settings(child_limit=1)).establish()
    child = life.connections[A].children[0]
    esp = SA(tuple(each._replace(number=1, spi=b"\0\0\x20\1") for each in child.proposals[:1]))
    ts = (TSi(child.local_ts), TSr(child.remote_ts))
    gone = N(NotifyType.REKEY_SA, b"", ProtocolId.ESP, b"\x01\x02\x03\x04")
    request(life, B, 36, (gone, esp, Nonce(bytes(range(32))), *ts))
    request(life, B, 36, (esp, Nonce(bytes(range(32))), *ts))
    request(life, B, 36, (N(NotifyType.REKEY_SA, b"", ProtocolId.ESP, life.children(A)[0].spi_in), esp,
                          Nonce(bytes(range(32))), TSi((addresses.from_text("172.16.0.0/12"),)), ts[1]))  # fmt: skip
    request(life, B, 36, (esp, Nonce(bytes(32))))
    return life


def _strangers() -> Pair:
    """The wrong key."""
    policies = {A: connection(A), B: connection(B, secret=b"another")}
    return Pair(12, connections=policies).establish()


def _eap() -> Pair:
    return eap.run(eap.peer(eap.MSCHAPV2), eap.server(eap.MSCHAPV2), certified=True)


def _configured() -> Pair:
    return test_configuration.pair(
        test_configuration.asking("ipv4", "ipv6", "dns"), test_configuration.giving(test_configuration.POOL)
    )


def _natted() -> Pair:
    return test_transport_mode.pair(
        (A,), test_transport_mode.child("transport"), test_transport_mode.child("transport")
    )


def _certified() -> Pair:
    life = stations.pair(5, certificates=True)
    life.establish()
    return life


def _ipv6_children() -> Pair:
    """Selectors of every kind."""
    ours = tuple(map(addresses.from_text, ("2001:db8:1::/64", "10.1.0.0/16[tcp/443]", "10.1.0.0/16[icmp/8:0]")))
    theirs = tuple(map(addresses.from_text, ("2001:db8:2::/64", "10.2.0.0/16[tcp/opaque]", "10.2.0.0/16[icmp]")))
    policies = {
        A: replace(connection(A), children=(ChildConfig("net", local_ts=ours, remote_ts=theirs),)),
        B: replace(connection(B), children=(ChildConfig("net", local_ts=theirs, remote_ts=ours),)),
    }
    return Pair(13, connections=policies).establish()


LIVES: dict[str, Callable[[], Pair]] = {
    "plain": _plain,
    "cbc": lambda: _real(1),
    "gcm": lambda: _real(0),
    "modp": _modp,
    "second": _second,
    "cookies": _cookies,
    "childless": _childless,
    "fragments": _fragments,
    "options": _compressed,
    "windows": _windows,
    "refused": _refused,
    "strangers": _strangers,
    "eap": _eap,
    "configured": _configured,
    "natted": _natted,
    "certified": _certified,
    "selectors": _ipv6_children,
}


BROKEN: dict[str, Exception] = {}
"""Why a life did not come to its end."""


@cache
def life(name: str) -> Pair:
    """A life that is over, or as much of it as there is: what was sent until it broke is held against the rules too."""
    try:
        return LIVES[name]()
    except Exception as error:  # whatever a fault led to: `whole` raises it again
        BROKEN[name] = error
        frames = [frame for frame, _ in walk_tb(error.__traceback__)]
        return next(value for frame in frames for value in frame.f_locals.values() if isinstance(value, Pair))


def whole() -> None:
    """Raises what a life broke at, if one did."""
    for error in BROKEN.values():
        raise error


def _of(name: str) -> Iterator[Sent]:
    asked: dict[tuple[str, bytes, int], Message] = {}
    earlier: dict[str, tuple[Message, ...]] = {A: (), B: ()}
    came: dict[str, tuple[Message, ...]] = {A: (), B: ()}
    for record in life(name).records:
        sessions = (*record.before.values(), *record.after.values())
        ikes = [ike for session in sessions for ike in session.ikes]
        children = {child.spi_in: child for session in sessions for child in session.children}
        for output in record.outputs:
            if type(output) is sa.Received:
                came[record.end] += (output.message,)
                if not output.message.is_response:
                    asked[record.end, output.message.spi_i, output.message.message_id] = output.message
            if type(output) is not sa.Transmit or output.message is None:
                continue
            message = output.message
            own = [ike for ike in ikes if ike.spi_i == message.spi_i]
            waiting = [exchange.message for ike in own for exchange in ike.outstanding]
            yield Sent(
                name,
                record.end,
                message,
                output.datagram[4:] if output.path.encapsulated else output.datagram,
                output.path,
                output.again,
                any(each is message for each in waiting),
                asked.get((record.end, message.spi_i, message.message_id)),
                own[-1] if own else None,
                earlier[record.end],
                came[record.end],
                {spi: child.protocol_id for spi, child in children.items()},
                {spi: child.suite for spi, child in children.items()},
            )
            if not output.again:
                earlier[record.end] += (message,)


@cache
def sent() -> tuple[Sent, ...]:
    """All messages of all lives."""
    return tuple(each for name in LIVES for each in _of(name))
