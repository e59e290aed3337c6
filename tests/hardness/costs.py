"""What one datagram of a stranger costs, in key exchanges with X25519.

python -m tests.hardness.costs
"""

import os
import time
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from ikeref_properties.network import ADDRESS, A, B, Pair, connection

from ikeref import wire
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, KeGroup
from ikeref.sa import Path
from ikeref.wire import KE, SA, Attribute, Message, Payload, Proposal, Transform
from ikeref.wire.header import HEADER_SIZE, pack_header

TO_B = Path(ADDRESS[B], ADDRESS[A])
Dear = tuple[str, bytes, Endpoint]


def dear() -> Iterator[Dear]:
    """Datagrams that take long, and who gets them; each as long as may be, and longer."""
    life = Pair(1, crypto=RealCrypto)
    life.initiate()
    sound = life.flying[0].datagram
    life.deliver_all()
    (ike,) = life.ikes(B)
    message = wire.decode(sound)
    limit = Settings().unprotected_octets
    yield "a sound IKE_SA_INIT", sound, _fresh()
    yield "a wrong KE of 8192 bits", wire.encode(_with_ke(message, KE(KeGroup.MODP_8192, b"\2" * 1024))), _fresh()
    for size in (limit, 65_000):
        for kind, body in ((43, b""), (200, b""), (41, b"\0\0\x40\0"), (41, b"\0\0\0\x11"), (40, bytes(16))):
            yield f"payload type {kind}, {size} octets", _alone(kind, _chain(kind, body, size)), _fresh()
        for count in (1, 5, 50, 250):
            yield f"{count} transforms in each proposal, {size} octets", _offer(message, count, size), _fresh()
        junk = _chain(43, b"", size - 64)[:-4] + b"\x2e\0\0\x04" + bytes((0, 0, 0, 60)) + bytes(56)
        for spis, whose in ((b"a" * 8 + b"b" * 8, "an unknown IKE SA"), (ike.spi_i + ike.spi_r, "a known IKE SA")):
            head = pack_header(spis[:8], spis[8:], 43, 0x20, 36, 8, ike.expected, HEADER_SIZE + len(junk))
            yield f"payloads before SK to {whose}, {size} octets", head + junk, life.ends[B]
    forged = bytes((0, 0)) + (65_004).to_bytes(2, "big") + bytes(65_000)
    head = pack_header(ike.spi_i, ike.spi_r, 46, 0x20, 36, 8, ike.expected, HEADER_SIZE + len(forged))
    yield "a forged SK of 65000 octets to a known IKE SA", head + forged, life.ends[B]


def _fresh() -> Endpoint:
    return Endpoint((connection(B),), RealCrypto(), os.urandom)


def _chain(kind: int, body: bytes, size: int) -> bytes:
    """As many payloads of a kind as there is room for."""
    room, length = size - HEADER_SIZE, 4 + len(body)
    return (bytes((kind, 0)) + length.to_bytes(2, "big") + body) * (room // length - 1) + (
        bytes(2) + length.to_bytes(2, "big") + body
    )


def _alone(kind: int, chain: bytes) -> bytes:
    head = pack_header(os.urandom(8), bytes(8), kind, 0x20, ExchangeType.IKE_SA_INIT, 8, 0, HEADER_SIZE + len(chain))
    return head + chain


def _with_ke(message: Message, key: KE) -> Message:
    return message._replace(payloads=tuple(key if type(each) is KE else each for each in message.payloads))


def _offer(message: Message, transforms: int, size: int) -> bytes:
    """As many proposals, none acceptable, as there is room for."""
    offer = next(each for each in message.payloads if type(each) is SA)
    others = offer.proposals[0].transforms[1:]
    keys = tuple(Transform(1, 20, (Attribute(14, 1 + number),)) for number in range(transforms))
    one = Proposal(1, 1, b"", keys + others)
    octets = len(wire.encode_payloads((SA((one,)),))) - 4
    count = max(1, min(255, (size - 300) // octets))
    offered = SA(tuple(one._replace(number=number + 1) for number in range(count)))
    payloads: tuple[Payload, ...] = tuple(offered if type(each) is SA else each for each in message.payloads)
    return wire.encode(message._replace(payloads=payloads))


def exchange_seconds() -> float:
    """One key exchange with X25519."""
    own, peer = X25519PrivateKey.generate(), X25519PrivateKey.generate().public_key()
    return min(_spent(lambda: [own.exchange(peer) for _ in range(100)]) for _ in range(5)) / 100


def _spent(act: object) -> float:
    assert callable(act)
    before = time.process_time()
    act()
    return time.process_time() - before


def main() -> None:
    """Measure, and print."""
    one = exchange_seconds()
    print(f"one X25519: {one * 1e6:.0f} microseconds")
    for name, datagram, endpoint in dear():
        best = min(_spent(lambda e=endpoint, d=datagram, n=n: e.receive(d, TO_B, 1.0 + n)) for n in range(1))
        print(f"{best * 1e6:9.0f} microseconds {best / one:7.1f} X25519   {len(datagram):6} octets: {name}")


if __name__ == "__main__":
    main()
