"""OCSP responses that came along with certificates (RFC 4806, RFC 6960 section 3.2).

A response counts if it is signed by the issuer of the certificate, by a responder to which that issuer gave a
certificate for just this, or by one that policy trusts. Nonces play no part (RFC 4806 section 5.1).
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from ikeref.crypto import der
from ikeref.crypto.auth import MIN_RSA_BITS
from ikeref.crypto.certificates import key_info
from ikeref.crypto.crls import MAX_STATEMENTS, SKEW, Evidence, Status, by_crls
from ikeref.crypto.paths import UNREADABLE, extension, signed_by

MAX_AGE = timedelta(hours=1)
"""How long a response holds that does not say until when (RFC 6960 section 4.2.2.1)."""
MAX_RESPONDERS = 4
"""Certificates in a response that we look at, at most."""


def read_responses(many_der: tuple[bytes, ...]) -> tuple[ocsp.OCSPResponse, ...]:
    """OCSP responses in DER, the first `MAX_STATEMENTS`; those that say nothing are left out."""
    found = []
    for each in many_der[:MAX_STATEMENTS]:
        try:
            response = ocsp.load_der_ocsp_response(each)
            if response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL:
                found.append(response)
        except (ValueError, UnsupportedAlgorithm):
            continue
    return tuple(found)


def by_responses(certificate: x509.Certificate, issuer: x509.Certificate, evidence: Evidence, now: datetime) -> Status:
    """What the OCSP responses say of a certificate; the newest counts."""
    said: list[ocsp.OCSPSingleResponse] = []
    for response in evidence.responses:
        try:
            about = [each for each in response.responses if _is_about(each, certificate, issuer)]
            if about and _is_authentic(response, issuer, evidence, now):
                said += [each for each in about if each.this_update_utc <= now + SKEW]
        except (*UNREADABLE, UnsupportedAlgorithm):
            continue
    if not said:
        return Status(certificate, "unknown", "no OCSP response")
    newest = max(said, key=lambda each: each.this_update_utc)
    when = f"{newest.this_update_utc:%Y-%m-%d %H:%M} UTC"
    if newest.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        reason = f", {newest.revocation_reason.value}" if newest.revocation_reason is not None else ""
        return Status(certificate, "revoked", f"by an OCSP response of {when}{reason}")
    if newest.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        return Status(certificate, "unknown", "the OCSP responder does not know it")
    if (newest.next_update_utc or newest.this_update_utc + MAX_AGE) < now:
        return Status(certificate, "unknown", f"the OCSP response of {when} is too old")
    return Status(certificate, "good", f"by an OCSP response of {when}")


def _is_about(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the CertID is of that certificate of that issuer (RFC 6960 section 4.1.1)."""
    algorithm = single.hash_algorithm
    return (
        single.serial_number == certificate.serial_number
        and single.issuer_name_hash == _digest(algorithm, certificate.issuer.public_bytes())
        and single.issuer_key_hash == _digest(algorithm, _key_bits(issuer))
    )


def _is_authentic(response: ocsp.OCSPResponse, issuer: x509.Certificate, evidence: Evidence, now: datetime) -> bool:
    """Whether somebody signed it who may (RFC 6960 section 4.2.2.2)."""
    if response.produced_at_utc > now + SKEW or any(each.critical for each in response.extensions):
        return False
    if _is_responder(response, issuer) and _verifies(response, issuer):
        return True
    for trusted in evidence.responders:
        if _is_responder(response, trusted) and _is_current(trusted, now) and _verifies(response, trusted):
            return True
    for delegate in response.certificates[:MAX_RESPONDERS]:
        if _is_responder(response, delegate) and _is_delegated(delegate, issuer, evidence, now):
            return _verifies(response, delegate)
    return False


def _is_responder(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    """Whether ResponderID means this certificate."""
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == _digest(hashes.SHA1(), _key_bits(certificate))


def _is_delegated(delegate: x509.Certificate, issuer: x509.Certificate, evidence: Evidence, now: datetime) -> bool:
    """Whether the issuer itself, none below it, gave this certificate to a responder, and it still holds."""
    purposes, usage = extension(delegate, x509.ExtendedKeyUsage), extension(delegate, x509.KeyUsage)
    if purposes is None or ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
        return False
    if (usage is not None and not usage.digital_signature) or not _is_current(delegate, now):
        return False
    if not isinstance(delegate.signature_hash_algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None):
        return False
    return signed_by(delegate, issuer) and by_crls(delegate, issuer, evidence.crls, now).verdict != "revoked"


def _is_current(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _verifies(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, algorithm = signer.public_key(), response.signature_hash_algorithm
    signature, signed = response.signature, response.tbs_response_bytes
    if not isinstance(algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None):
        return False
    try:
        match key, algorithm:
            case ((Ed25519PublicKey() | Ed448PublicKey()), None):
                key.verify(signature, signed)
            case ec.EllipticCurvePublicKey(), hashes.HashAlgorithm():
                key.verify(signature, signed, ec.ECDSA(algorithm))
            case RSAPublicKey(), hashes.HashAlgorithm():
                if key.key_size < MIN_RSA_BITS or response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
                    return False
                key.verify(signature, signed, padding.PKCS1v15(), algorithm)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The public key as a bit string, without tag, length and number of unused bits."""
    info = der.content(key_info(certificate), 0x30)[0]
    return der.elements(info)[1].content[1:]


def _digest(algorithm: hashes.HashAlgorithm, octets: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(octets)
    return digest.finalize()
