"""From what a peer shows to the public key that its AUTH is verified with (Sections 2.15, 3.6, RFC 7670)."""

from datetime import datetime
from typing import NamedTuple

from cryptography import x509

from ikeref.crypto import certificates, revocation
from ikeref.crypto.auth import PublicKey
from ikeref.crypto.names import Identified
from ikeref.crypto.paths import Path
from ikeref.crypto.revocation import Status
from ikeref.errors import AuthenticationFailed
from ikeref.policy import explain
from ikeref.policy.credentials import RawKeys, TrustAnchors
from ikeref.policy.identities import Identity


class Shown(NamedTuple):
    """What the CERT payloads of a peer hold, each kind in order, and what was looked up for them."""

    certificates: tuple[bytes, ...] = ()
    """DER; the first is of the key that made AUTH (`7296-3.6-12`)."""
    crls: tuple[bytes, ...] = ()
    responses: tuple[bytes, ...] = ()
    """OCSP responses (RFC 4806)."""
    raw_keys: tuple[bytes, ...] = ()
    """SubjectPublicKeyInfos (RFC 7670)."""
    faults: tuple[str, ...] = ()
    """What was wrong with those payloads that count for nothing, for a person."""


def public_key(anchors: TrustAnchors, shown: Shown, identity: Identified, now: datetime) -> PublicKey:
    """The key of a certificate that leads to an anchor, still holds, and bears the identity.

    Raises AuthenticationFailed, with the path and what is known of it where one was found.
    """
    if not shown.certificates:
        raise _failed("the peer sent no X.509 certificate", "\n".join(shown.faults))
    try:
        path = certificates.find_path(shown.certificates, anchors.parsed(), now)
    except AuthenticationFailed as error:
        detail = explain.certificates_shown(shown.certificates, anchors.parsed(), shown.faults)
        raise _failed(error.reason, detail) from None
    _check_revocation(anchors, path, shown, now)
    try:
        return certificates.key_for(path[0], identity, wildcards=anchors.wildcards)
    except AuthenticationFailed as error:
        wanted = Identity(identity.id_type, identity.data)
        raise _failed(error.reason, explain.names_borne(wanted, path[0])) from None


def _check_revocation(anchors: TrustAnchors, path: Path, shown: Shown, now: datetime) -> None:
    """Every certificate of the path but the anchor, as strictly as policy wants (RFC 4806 section 4.1)."""
    if anchors.revocation == "off":
        return
    evidence = revocation.Evidence(
        revocation.read_crls(anchors.crls) + revocation.read_crls(shown.crls),
        revocation.read_responses(shown.responses),
        tuple(x509.load_der_x509_certificate(der) for der in anchors.responders),
    )
    found = revocation.check(path, evidence, now)
    refused = [each for each in found if _is_refused(each, anchors)]
    if refused:
        first = refused[0]
        kind = "revoked" if first.verdict == "revoked" else "of unknown status, which policy does not accept"
        whose = "the peer's certificate" if first.certificate == path[0] else "the certificate of an authority"
        raise _failed(f"{whose} is {kind}", explain.path(path, found, refused))


def _is_refused(status: Status, anchors: TrustAnchors) -> bool:
    return status.verdict == "revoked" or (status.verdict == "unknown" and anchors.revocation == "require")


def raw_public_keys(keys: RawKeys, shown: Shown, identity: Identity) -> tuple[PublicKey, ...]:
    """The keys that may have made the peer's AUTH: the one shown, if it is known for that identity, or all that are.

    Compared octet by octet (RFC 7670 section 3). Raises AuthenticationFailed where there is none.
    """
    known = keys.of(identity)
    if shown.raw_keys:
        known = tuple(key for key in known if key == shown.raw_keys[0])
    if not known:
        reason = "the peer's raw public key is not the one configured" if shown.raw_keys else "no key is configured"
        raise _failed(f"{reason} for {identity}", "")
    return tuple(certificates.load_public_key(key) for key in known)


def _failed(reason: str, detail: str) -> AuthenticationFailed:
    return AuthenticationFailed(reason, section="2.15", field="CERT", detail=detail)
