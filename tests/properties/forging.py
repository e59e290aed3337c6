"""Messages that an end with the keys could send but ikeref would not: for tests of the other end."""

from typing import NamedTuple

from ikeref_properties.network import ADDRESS, PEER, Flight, Pair

from ikeref import sa, wire
from ikeref.crypto import Provider, envelope
from ikeref.crypto.free import FreeCrypto
from ikeref.sa import IkeSa, Output, Path
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, Message, Payload


class Answered(NamedTuple):
    """What came of a forged message."""

    outputs: tuple[Output, ...]

    @property
    def messages(self) -> list[Message]:
        """What the end sent."""
        return [each.message for each in self.outputs if type(each) is sa.Transmit and each.message is not None]

    def kinds(self) -> set[type]:
        return {type(each) for each in self.outputs}


def sealed(
    ike: IkeSa,
    exchange: int,
    payloads: tuple[Payload, ...],
    number: int,
    *,
    response: bool = False,
    iv: int = 99,
    version: int = 0x20,
    crypto: Provider | None = None,
) -> bytes:
    """A message under the keys of `ike`, as its end would send it."""
    assert ike.suite is not None
    assert ike.keys is not None
    flags = (FLAG_INITIATOR if ike.initiator else 0) | (FLAG_RESPONSE if response else 0)
    message = Message(ike.spi_i, ike.spi_r, exchange, flags, number, payloads, version)
    sk_e, sk_a = (ike.keys.sk_ei, ike.keys.sk_ai) if ike.initiator else (ike.keys.sk_er, ike.keys.sk_ar)
    crypto = crypto or FreeCrypto()
    return envelope.protect(crypto, ike.suite, sk_e, sk_a, message, iv.to_bytes(crypto.iv_size(ike.suite), "big"))


def arrive(pair: Pair, end: str, datagram: bytes) -> Answered:
    """A datagram arrives from the other end; what is sent in answer is in flight afterwards."""
    path = Path(ADDRESS[PEER[end]], ADDRESS[end])
    message = wire.decode(datagram)
    return Answered(pair.deliver(Flight(-1, end, datagram, path, message), keep=True).outputs)


def request(pair: Pair, end: str, exchange: int, payloads: tuple[Payload, ...]) -> Answered:
    """The peer of an end asks for something, under the keys of the newest IKE SA and with the right message ID."""
    ike = pair.ikes(PEER[end])[-1]
    return arrive(pair, end, sealed(ike, exchange, payloads, pair.ikes(end)[-1].expected))


def respond(pair: Pair, end: str, exchange: int, payloads: tuple[Payload, ...], number: int) -> Answered:
    """The peer of an end answers its request of that number."""
    ike = pair.ikes(PEER[end])[-1]
    return arrive(pair, end, sealed(ike, exchange, payloads, number, response=True))
