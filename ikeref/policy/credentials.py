"""What an end authenticates itself with, and what it accepts from its peer (Sections 2.15 and 3.8).

Three values: `Secret` (shared key, both directions), `PrivateKey` (to sign with) and `TrustAnchors` (to verify with).
None of them shows its contents in a repr.
"""

import hmac
from dataclasses import dataclass, field

from cryptography import x509

from ikeref.crypto.auth import PrivateKey as SigningKey


@dataclass(frozen=True, slots=True, eq=False)
class Secret:
    """A pre-shared key (Section 2.15). Equality takes constant time; repr says how long it is and no more."""

    octets: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.octets:
            raise ValueError("a pre-shared key has at least one octet")

    def __repr__(self) -> str:
        return f"Secret({len(self.octets)} octets)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.octets, other.octets)

    def __hash__(self) -> int:
        return hash((Secret, self.octets))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key with the certificates that vouch for it, the end entity's first (Section 3.6)."""

    key: SigningKey = field(repr=False)
    chain: tuple[bytes, ...] = ()
    """DER certificates: first the one of this key, then intermediate authorities. The trust anchor needs no sending."""

    def __repr__(self) -> str:
        return f"PrivateKey({type(self.key).__name__.removesuffix('PrivateKey')}, {len(self.chain)} certificates)"


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Certification authorities whose certificates are believed, and peer keys known beforehand (Section 3.6)."""

    certificates: tuple[bytes, ...]
    """DER certificates of the authorities."""

    def parsed(self) -> tuple[x509.Certificate, ...]:
        """The anchors as objects of the cryptography package; ValueError when one is no certificate."""
        return tuple(x509.load_der_x509_certificate(der) for der in self.certificates)

    def __repr__(self) -> str:
        return f"TrustAnchors({len(self.certificates)} certificates)"


OwnCredential = Secret | PrivateKey
"""What this end authenticates itself with."""

PeerCredential = Secret | TrustAnchors
"""What the peer must prove possession of."""
