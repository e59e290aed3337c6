"""Messages that a conforming peer never sends, or seldom, sent in ikeref's name over its IKE SA.

Each has its own answer in the rows: an unknown Child SA (Section 2.25), a Message ID beyond the window (Section 2.3), a
wrong ICV (Section 2.2), no protection at all (Section 2.21.4), payloads that nobody knows (Section 2.5).
"""

from collections.abc import Callable
from typing import NamedTuple

from ikeref import wire
from ikeref.crypto import envelope
from ikeref.policy.connections import ChildConfig
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from ikeref.sa import IkeSa, Phase
from ikeref.wire import SA, D, Message, N, Nonce, Payload, TSi, TSr, Unknown
from ikeref_properties.adapter.arena import Arena
from ikeref_properties.network import A

_UNKNOWN_PAYLOAD = 201
_UNKNOWN_STATUS = 40_000
_CRITICAL = 0x80


class Probe(NamedTuple):
    """A message to be sent."""

    name: str
    exchange: ExchangeType
    payloads: Callable[[Arena], tuple[Payload, ...]]
    beyond: bool = False
    """Its Message ID is the first beyond the window."""
    altered: bool = False
    """An octet of the ICV is another."""
    clear: bool = False
    """Not protected."""
    phase: Phase = Phase.ESTABLISHED

    @property
    def counts(self) -> bool:
        """Whether it takes the place of ikeref's next request."""
        return not (self.beyond or self.altered or self.clear)


def _nothing(_: Arena) -> tuple[Payload, ...]:
    return ()


def _child(arena: Arena) -> tuple[Payload, ...]:
    config: ChildConfig = arena.policy.children[0]
    spi = _spi(arena)
    offer = tuple(each._replace(spi=spi) for each in config.proposals)
    nonce = arena.random.randbytes(32)
    return SA(offer), Nonce(nonce), TSi(config.local_ts), TSr(config.remote_ts)


def _spi(arena: Arena) -> bytes:
    return b"\xee" + arena.random.randbytes(3)


def _rekey_unknown(arena: Arena) -> tuple[Payload, ...]:
    return N(NotifyType.REKEY_SA, b"", ProtocolId.ESP, _spi(arena)), *_child(arena)


def _delete_unknown(arena: Arena) -> tuple[Payload, ...]:
    return (D(ProtocolId.ESP, 4, (_spi(arena),)),)


PROBES: tuple[Probe, ...] = (
    Probe("rekey of an unknown Child SA", ExchangeType.CREATE_CHILD_SA, _rekey_unknown),
    Probe("Delete of an unknown Child SA", ExchangeType.INFORMATIONAL, _delete_unknown),
    Probe("a request beyond the window", ExchangeType.INFORMATIONAL, _nothing, beyond=True),
    Probe("a request with a wrong ICV", ExchangeType.INFORMATIONAL, _nothing, altered=True),
    Probe(
        "an unprotected Delete of the IKE SA",
        ExchangeType.INFORMATIONAL,
        lambda _: (D(ProtocolId.IKE, 0, ()),),
        clear=True,
    ),
    Probe(
        "an unknown critical payload",
        ExchangeType.INFORMATIONAL,
        lambda _: (Unknown(_UNKNOWN_PAYLOAD, b"", _CRITICAL),),
    ),
    Probe("an unknown payload", ExchangeType.INFORMATIONAL, lambda _: (Unknown(_UNKNOWN_PAYLOAD, b"???"),)),
    Probe("an unknown status", ExchangeType.INFORMATIONAL, lambda _: (N(_UNKNOWN_STATUS, b"???"),)),
)
EARLY = Probe("CREATE_CHILD_SA before IKE_AUTH", ExchangeType.CREATE_CHILD_SA, _child, phase=Phase.AUTH_SENT)
"""Sent instead of IKE_AUTH (Section 1)."""
CRITICAL = PROBES[5].name


def probe(arena: Arena, which: Probe) -> bool:
    """Send it, if ikeref has an IKE SA over which it may send a request now; False if not."""
    ready = [each for each in arena.ikes() if each.phase is which.phase and each.keys is not None]
    ready = [each for each in ready if which is EARLY or (not each.outstanding and not each.queue)]
    if not ready or (which.exchange == ExchangeType.CREATE_CHILD_SA and not arena.policy.children):
        return False
    if which.beyond and any(flight.to == A for flight in arena.flying):
        return False  # the other end may be about to announce a larger window
    ike = ready[-1]
    if which is EARLY:
        ike = ike._replace(next_request=ike.next_request - 1)
    message, datagram = _sealed(arena, ike, which)
    arena.send_probe(which.name, datagram, None if which.altered else message, ike, counts=which.counts)
    return True


def _sealed(arena: Arena, ike: IkeSa, which: Probe) -> tuple[Message, bytes]:
    flags = wire.FLAG_INITIATOR if ike.initiator else 0
    number = ike.next_request + (ike.peer_window if which.beyond else 0)
    message = Message(ike.spi_i, ike.spi_r, which.exchange, flags, number, which.payloads(arena))
    if which.clear:
        return message, wire.encode(message)
    assert ike.suite is not None
    assert ike.keys is not None
    sk_e, sk_a = (ike.keys.sk_ei, ike.keys.sk_ai) if ike.initiator else (ike.keys.sk_er, ike.keys.sk_ar)
    iv = arena.random.randbytes(arena.crypto.iv_size(ike.suite))
    datagram = envelope.protect(arena.crypto, ike.suite, sk_e, sk_a, message, iv)
    if which.altered:
        datagram = datagram[:-1] + bytes((datagram[-1] ^ 1,))
    return message, datagram
