"""What the benchmarks run: a whole handshake, the same cryptography without a protocol, and messages to decode."""

import hashlib
import os
from collections.abc import Callable
from hmac import digest
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ikeref import wire
from ikeref.crypto import Provider
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy import addresses, identities, proposals
from ikeref.policy.connections import ChildConfig, Connection
from ikeref.policy.credentials import Secret
from ikeref.registry import ExchangeType, NotifyType, ProtocolId
from ikeref.sa import Output, Path, Transmit
from ikeref.wire import FLAG_INITIATOR, KE, NO_SPI, SA, Message, N, Nonce

SUITE = "aes256gcm16-prfsha256-x25519"
A, B = ("192.0.2.1", 500), ("192.0.2.2", 500)
FROM_A, FROM_B = Path(A, B), Path(B, A)
"""The path as each end sees it."""


def connection(own: str, peer: str, local: str, remote: str) -> Connection:
    """A shared key, one suite, one Child SA."""
    return Connection(
        name="benchmark",
        local_id=identities.parse(own),
        remote_id=identities.parse(peer),
        local_auth=Secret(b"a shared key of the benchmark"),
        remote_auth=Secret(b"a shared key of the benchmark"),
        ike_proposals=proposals.parse(SUITE, ProtocolId.IKE),
        children=(
            ChildConfig(
                "net",
                proposals.parse("aes256gcm16", ProtocolId.ESP),
                (addresses.from_text(local),),
                (addresses.from_text(remote),),
            ),
        ),
    )


OF_A = connection("a.example", "b.example", "10.1.0.0/16", "10.2.0.0/16")
OF_B = connection("b.example", "a.example", "10.2.0.0/16", "10.1.0.0/16")


# A handshake


def ends(crypto: Provider | None = None, random: Callable[[int], bytes] = os.urandom) -> tuple[Endpoint, Endpoint]:
    """Two endpoints that have not met."""
    provider = crypto or RealCrypto()
    return Endpoint((OF_A,), provider, random), Endpoint((OF_B,), provider, random)


def handshake(a: Endpoint, b: Endpoint) -> tuple[bytes, bytes, bytes, bytes]:
    """IKE_SA_INIT and IKE_AUTH with the first Child SA, both sides; the four datagrams (Section 1.2)."""
    first = _datagram(a.initiate(OF_A, FROM_A, 0.0)[1])
    second = _datagram(b.receive(first, FROM_B, 0.0))
    third = _datagram(a.receive(second, FROM_A, 0.0))
    fourth = _datagram(b.receive(third, FROM_B, 0.0))
    a.receive(fourth, FROM_A, 0.0)
    return first, second, third, fourth


def _datagram(outputs: tuple[Output, ...]) -> bytes:
    (datagram,) = [output.datagram for output in outputs if type(output) is Transmit]
    return datagram


def handshakes(count: int) -> None:
    """So many handshakes between two new endpoints, which keep all the IKE SAs."""
    a, b = ends()
    for _ in range(count):
        handshake(a, b)
    assert len(a.sessions) == len(b.sessions) == count
    assert b.half_open == 0


# The same cryptography, straight on


class Tools(NamedTuple):
    """The library calls that a handshake of this suite consists of; the test of this file puts counters here."""

    random: Callable[[int], bytes] = os.urandom
    private_key: Callable[[bytes], X25519PrivateKey] = X25519PrivateKey.from_private_bytes
    public_key: Callable[[bytes], X25519PublicKey] = X25519PublicKey.from_public_bytes
    aead: Callable[[bytes], Any] = AESGCM
    hmac: Callable[[bytes, bytes, str], bytes] = digest
    sha1: Callable[..., Any] = hashlib.sha1


_SECRET = b"a shared key of the benchmark"
_32, _64, _80, _NONCE = bytes(32), bytes(64), bytes(80), bytes(12)
_PREFIX = bytes(32)
_ADDRESS = bytes(22)
"""What NAT detection hashes: two SPIs, an IPv4 address, a port (Section 2.23)."""
_SIGNED = bytes(272)
"""What AUTH covers: an IKE_SA_INIT message, a nonce, prf(SK_p, ID) (Section 2.15)."""


def bare(tools: Tools) -> None:
    """Every cryptographic call of a handshake, both sides, on octets of the same sizes; nothing else."""
    random, private_key, public_key, aead, hmac, sha1 = tools
    # SPIs of two IKE SAs and two Child SAs, nonces, private keys (Sections 2.6, 2.10)
    for octets in (8, 8, 4, 4, 32, 32):
        random(octets)
    own, peer = private_key(random(32)), private_key(random(32))
    own_public, peer_public = own.public_key().public_bytes_raw(), peer.public_key().public_bytes_raw()
    g_ir = own.exchange(public_key(peer_public))
    peer.exchange(public_key(own_public))
    # NAT detection: each end sends two digests and checks two (Section 2.23)
    for _ in range(8):
        sha1(_ADDRESS, usedforsecurity=False).digest()
    for _ in range(2):
        # SKEYSEED, and prf+ to 168 octets of SK_d, SK_ei, SK_er, SK_pi, SK_pr (Section 2.14)
        skeyseed = hmac(_64, g_ir, "sha256")
        block = hmac(skeyseed, _80 + b"\1", "sha256")
        for _ in range(5):
            block = hmac(skeyseed, block + _80 + b"\1", "sha256")
        # prf+ to 72 octets of KEYMAT (Section 2.17)
        block = hmac(_32, _64 + b"\1", "sha256")
        for _ in range(2):
            block = hmac(_32, block + _64 + b"\1", "sha256")
    for _ in range(4):
        # AUTH, made and checked by each end: prf(SK_p, ID), prf(secret, pad), prf(.., signed octets) (Section 2.15)
        hmac(_32, _32[:13], "sha256")
        hmac(hmac(_SECRET, _32[:17], "sha256"), _SIGNED, "sha256")
    for plaintext in (bytes(159), bytes(142)):
        # IKE_AUTH request and response (Section 3.14, RFC 5282)
        sealed = aead(_32).encrypt(_NONCE, plaintext, _PREFIX)
        aead(_32).decrypt(_NONCE, sealed, _PREFIX)


def bares(count: int) -> None:
    """The cryptography of so many handshakes."""
    tools = Tools()
    for _ in range(count):
        bare(tools)


# Messages to decode


def initial_message() -> bytes:
    """An IKE_SA_INIT request of 364 octets: two proposals with seventeen transforms, what daemons usually announce."""
    offer = proposals.parse(
        "aes256gcm16-aes128gcm16-prfsha256-prfsha384-prfsha512-x25519-ecp256-ecp384-modp3072,"
        "aes256-aes128-sha256-sha384-prfsha256-prfsha384-x25519-modp2048",
        ProtocolId.IKE,
    )
    payloads = (
        SA(tuple(proposal._replace(number=number) for number, proposal in enumerate(offer, 1))),
        KE(31, bytes(range(32))),
        Nonce(bytes(range(32))),
        N(NotifyType.NAT_DETECTION_SOURCE_IP, bytes(range(20))),
        N(NotifyType.NAT_DETECTION_DESTINATION_IP, bytes(range(20))),
        N(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED),
        N(NotifyType.SIGNATURE_HASH_ALGORITHMS, bytes((0, 2, 0, 3, 0, 4, 0, 5))),
        N(NotifyType.REDIRECT_SUPPORTED),
    )
    datagram = wire.encode(
        Message(b"\1" * 8, NO_SPI, ExchangeType.IKE_SA_INIT, FLAG_INITIATOR, 0, payloads),
    )
    assert len(datagram) == 364
    return datagram


def derive() -> Callable[[], bytes]:
    """One X25519 derive, the unit in which decoding is measured: the peer's public value in, the shared secret out."""
    private = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    from_public_bytes = X25519PublicKey.from_public_bytes
    return lambda: private.exchange(from_public_bytes(public))
