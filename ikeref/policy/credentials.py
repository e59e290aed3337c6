"""What an end authenticates itself with, and what it accepts from its peer (Sections 2.15 and 3.8).

Of IKE itself: `Secret` (shared key, both directions), `PrivateKey` (to sign with), `TrustAnchors` and `RawKeys` (to
verify with).
By EAP: `EapPeer` for an initiator, `EapServer` for a responder, and `EapOnly` where nothing else is wanted. None of
them shows its contents in a repr.
"""

import hmac
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509

from ikeref.crypto.auth import PrivateKey as SigningKey
from ikeref.policy import identities
from ikeref.policy.identities import Identity
from ikeref.registry import EapType


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
    """DER certificates: first the one of this key, then intermediate authorities. The trust anchor needs no sending.
    Empty: a raw public key (RFC 7670)."""
    urls: tuple[str, ...] = ()
    """Where a peer that looks up certificates finds those of the chain, one after the other (Section 3.6)."""
    bundle_url: str = ""
    """Where it finds all of the chain, and the CRLs, as one bundle."""
    crls: tuple[bytes, ...] = ()
    """CRLs in DER that are sent along."""
    responses: tuple[bytes, ...] = ()
    """OCSP responses in DER, for a peer that asks for them (RFC 4806)."""
    others: tuple["PrivateKey", ...] = ()
    """Further keys, for peers whose CERTREQ wants other authorities than this one's (Section 3.7)."""

    def __repr__(self) -> str:
        return f"PrivateKey({type(self.key).__name__.removesuffix('PrivateKey')}, {len(self.chain)} certificates)"


Strictness = Literal["off", "if-available", "require"]
"""What becomes of a certificate of unknown status: nobody asks; it is accepted; it is refused. A revoked one is refused
but where nobody asks."""


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Certification authorities whose certificates are believed, and peer keys known beforehand (Section 3.6)."""

    certificates: tuple[bytes, ...]
    """DER certificates of the authorities."""
    revocation: Strictness = "off"
    crls: tuple[bytes, ...] = ()
    """CRLs in DER, beside those that a peer sends."""
    ocsp: bool = False
    """Ask the peer for OCSP responses (RFC 4806)."""
    responders: tuple[bytes, ...] = ()
    """DER certificates of OCSP responders that are believed for every authority."""
    lookup_hosts: tuple[str, ...] = ()
    """`host` or `host:port`, in lower case, from which certificates are fetched by hash and URL; none: never."""
    wildcards: bool = False
    """Whether `*.example.org` in a certificate stands for any host of that domain."""

    def parsed(self) -> tuple[x509.Certificate, ...]:
        """The anchors as objects of the cryptography package; ValueError when one is no certificate."""
        return tuple(x509.load_der_x509_certificate(der) for der in self.certificates)

    def __repr__(self) -> str:
        return f"TrustAnchors({len(self.certificates)} certificates)"


@dataclass(frozen=True, slots=True)
class RawKeys:
    """Public keys of peers, known beforehand (RFC 7670)."""

    keys: tuple[tuple[Identity | None, bytes], ...]
    """Whose, and its SubjectPublicKeyInfo in DER. None: of whoever the connection is for."""

    def of(self, identity: Identity) -> tuple[bytes, ...]:
        """The keys by which that identity may be proved."""
        return tuple(key for owner, key in self.keys if owner is None or identities.matches(owner, identity))


SAFE_EAP = (EapType.TLS,)
"""Methods that may stand alone: mutual, making keys, and proof against dictionaries (RFC 5998 section 4)."""


@dataclass(frozen=True, slots=True)
class EapPeer:
    """What an initiator proves itself with by EAP (Section 2.16)."""

    methods: tuple[int, ...]
    """EAP types, the preferred first."""
    identity: bytes
    """Told in EAP, and the user's name of MSCHAPv2; IDi may be another (7296-2.16-19)."""
    password: Secret | None = None
    """For MD5-Challenge and MSCHAPv2."""
    key: PrivateKey | None = None
    """For EAP-TLS, as `anchors`."""
    anchors: TrustAnchors | None = None
    server: Identity | None = None
    """Whose certificate the server of EAP-TLS must show; None: that of the responder."""
    only: bool = False
    """Ask the responder to prove itself by EAP alone (RFC 5998)."""


@dataclass(frozen=True, slots=True)
class EapServer:
    """How a responder has initiators prove themselves by EAP (Section 2.16)."""

    methods: tuple[int, ...]
    """EAP types, the preferred first."""
    users: tuple[tuple[bytes, Secret], ...] = ()
    """Names and passwords, for MD5-Challenge and MSCHAPv2."""
    key: PrivateKey | None = None
    """For EAP-TLS, as `anchors`."""
    anchors: TrustAnchors | None = None
    ask_identity: bool = False
    """Ask for the EAP identity, although IDi tells one (7296-3.16-08 advises against it)."""
    only: bool = False
    """Prove ourselves by EAP alone to an initiator that asks for it (RFC 5998)."""

    def password(self, user: bytes) -> Secret | None:
        """A user's password; None where there is no such user."""
        return next((password for name, password in self.users if name == user), None)


@dataclass(frozen=True, slots=True)
class EapOnly:
    """No credential besides EAP: a responder has no other proof, or an initiator accepts none (RFC 5998)."""


OwnCredential = Secret | PrivateKey | EapPeer | EapOnly
"""What this end authenticates itself with."""

PeerCredential = Secret | TrustAnchors | RawKeys | EapServer | EapOnly
"""What the peer must prove possession of."""
