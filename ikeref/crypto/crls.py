"""What CRLs say of a certificate (Section 3.6, RFC 5280 section 6.3). Of those of one issuer the newest counts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtensionOID

from ikeref.crypto.paths import UNREADABLE, extension

MAX_STATEMENTS = 16
"""CRLs, and OCSP responses, that we look at for one peer, at most; each."""
SKEW = timedelta(minutes=5)
"""How far ahead of ours the clock of an authority may be."""

Verdict = Literal["good", "revoked", "unknown"]


class Status(NamedTuple):
    """What is known of one certificate."""

    certificate: x509.Certificate
    verdict: Verdict
    why: str
    """For a person: by whom, and since when."""


class Evidence(NamedTuple):
    """Statements of authorities, from files and from the peer."""

    crls: tuple[x509.CertificateRevocationList, ...] = ()
    responses: tuple[ocsp.OCSPResponse, ...] = ()
    responders: tuple[x509.Certificate, ...] = ()
    """OCSP responders that policy trusts beside the authorities themselves (RFC 4806 section 3.1 (b))."""


def read_crls(many_der: Sequence[bytes]) -> tuple[x509.CertificateRevocationList, ...]:
    """CRLs in DER, the first `MAX_STATEMENTS`; those that can't be read are left out."""
    found = []
    for each in many_der[:MAX_STATEMENTS]:
        try:
            crl = x509.load_der_x509_crl(each)
            _ = (
                crl.issuer,
                crl.last_update_utc,
                crl.next_update_utc,
                crl.signature_hash_algorithm,
                tuple(crl.extensions),
            )
            found.append(crl)
        except (*UNREADABLE, UnsupportedAlgorithm):  # The package reads the parts when they are asked for.
            continue
    return tuple(found)


def by_crls(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    now: datetime,
) -> Status:
    """What the CRLs of its issuer say of a certificate."""
    authentic = [crl for crl in crls if _covers(crl, certificate, issuer, now)]
    if not authentic:
        return Status(certificate, "unknown", "no CRL of its issuer")
    newest = max(authentic, key=lambda crl: crl.last_update_utc)
    try:
        entry = newest.get_revoked_certificate_by_serial_number(certificate.serial_number)
    except UNREADABLE:
        return Status(certificate, "unknown", "the newest CRL of its issuer can't be read")
    if entry is not None:
        since, reason = f"since {entry.revocation_date_utc:%Y-%m-%d %H:%M} UTC", _reason(entry)
        return Status(certificate, "revoked", f"by a CRL of {newest.last_update_utc:%Y-%m-%d}, {since}{reason}")
    until = newest.next_update_utc
    if until is None or until < now:
        end = f"expired on {until:%Y-%m-%d %H:%M} UTC" if until is not None else "does not say until when it holds"
        return Status(certificate, "unknown", f"the newest CRL of its issuer {end}")
    return Status(certificate, "good", f"by a CRL of {newest.last_update_utc:%Y-%m-%d}")


def _covers(
    crl: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> bool:
    """Whether the CRL is authentic and would list this certificate (RFC 5280 section 6.3.3, (b), (f) and (g))."""
    if crl.issuer != certificate.issuer or crl.last_update_utc > now + SKEW:
        return False
    if not isinstance(crl.signature_hash_algorithm, SHA256 | SHA384 | SHA512 | None):
        return False
    usage = extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        return False
    for each in crl.extensions:
        if each.oid == ExtensionOID.ISSUING_DISTRIBUTION_POINT:
            if not isinstance(each.value, x509.IssuingDistributionPoint) or not _in_scope(each.value, certificate):
                return False
        elif each.critical:  # a delta CRL, or what we don't know
            return False
    try:
        return bool(crl.is_signature_valid(issuer.public_key()))  # type: ignore[arg-type]  # others raise TypeError
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _in_scope(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> bool:
    """RFC 5280 section 6.3.3 (b) (2). Indirect CRLs, and those of some reasons or of attribute certificates, are not
    built."""
    if point.indirect_crl or point.only_contains_attribute_certs or point.only_some_reasons or point.relative_name:
        return False
    constraints = extension(certificate, x509.BasicConstraints)
    authority = constraints is not None and constraints.ca
    if (point.only_contains_user_certs and authority) or (point.only_contains_ca_certs and not authority):
        return False
    if point.full_name is None:
        return True
    wanted = extension(certificate, x509.CRLDistributionPoints)
    names = [name for each in wanted or () for name in each.full_name or ()]
    return any(name in names for name in point.full_name)


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        found = entry.extensions.get_extension_for_class(x509.CRLReason).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return ""
    return f", {found.reason.value}"
