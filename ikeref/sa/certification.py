"""CERT and CERTREQ: what is asked for, which certificates of ours are shown, and what the peer's payloads hold
(Sections 3.6 and 3.7, RFC 4806, RFC 7670)."""

from datetime import datetime
from typing import NamedTuple

from cryptography import x509

from ikeref.crypto import bundles, certificates, crls
from ikeref.crypto.paths import signed_by
from ikeref.policy import lookup
from ikeref.policy.connections import Connection
from ikeref.policy.credentials import PrivateKey, RawKeys, TrustAnchors
from ikeref.policy.trust import Shown
from ikeref.registry import CertEncoding, NotifyType
from ikeref.wire import CERT, CERTREQ, N, Payload

HASH_OCTETS = 20
"""Of each authority in a CERTREQ (`7296-3.7-04`)."""
MAX_AUTHORITIES = 256
"""Authorities in the CERTREQs of a peer that we look at, at most."""
_X509 = (CertEncoding.X509_SIGNATURE, CertEncoding.HASH_AND_URL_X509, CertEncoding.HASH_AND_URL_BUNDLE)
"""Encodings for which CERTREQ names authorities."""
_BY_URL = (CertEncoding.HASH_AND_URL_X509, CertEncoding.HASH_AND_URL_BUNDLE)


# What we ask for


def requests(connections: tuple[Connection, ...]) -> tuple[Payload, ...]:
    """CERTREQ with the authorities that we believe, where the peer is to sign (`7296-3.7-01`, `7296-3.7-02`).

    Of several connections, all that any of them believes: which it will be is known only by the peer's identity.
    """
    if not [each for each in connections if isinstance(each.remote_auth, (TrustAnchors, RawKeys))]:
        return ()
    trusted = [c.remote_auth for c in connections if isinstance(c.remote_auth, TrustAnchors)]
    found: list[Payload] = []
    if any(each.certificates for each in trusted):
        hashes = [certificates.authority_hash(anchor) for each in trusted for anchor in each.parsed()]
        found.append(CERTREQ(CertEncoding.X509_SIGNATURE, b"".join(dict.fromkeys(hashes))))
    if any(each.ocsp for each in trusted):
        responders = [x509.load_der_x509_certificate(der) for each in trusted for der in each.responders]
        hashes = [certificates.authority_hash(responder) for responder in responders]
        found.append(CERTREQ(CertEncoding.OCSP_CONTENT, b"".join(dict.fromkeys(hashes))))
    if any(isinstance(c.remote_auth, RawKeys) for c in connections):
        found.append(CERTREQ(CertEncoding.RAW_PUBLIC_KEY, b""))
    if any(each.lookup_hosts for each in trusted):
        found.append(N(NotifyType.HTTP_CERT_LOOKUP_SUPPORTED))  # 7296-3.7-11
    return tuple(found)


# What we are asked for


class Asked(NamedTuple):
    """What the peer would like to see; a hint, and no more (`7296-3.7-10`)."""

    authorities: frozenset[bytes] = frozenset()
    """SHA-1 hashes of their SubjectPublicKeyInfos."""
    x509: bool = False
    raw_key: bool = False
    ocsp: bool = False
    lookup: bool = False
    """The peer fetches by hash and URL."""


NOTHING_ASKED = Asked()


def asked(payloads: tuple[Payload, ...]) -> Asked:
    """From the peer's CERTREQs; encodings that we don't know, and odd octets, are ignored (`7296-3.7-06`)."""
    found = [payload for payload in payloads if type(payload) is CERTREQ]
    kinds = {payload.encoding for payload in found}
    hashes = [
        payload.data[start : start + HASH_OCTETS]
        for payload in found
        if payload.encoding in _X509
        for start in range(0, len(payload.data) - HASH_OCTETS + 1, HASH_OCTETS)
    ]
    return Asked(
        frozenset(hashes[:MAX_AUTHORITIES]),
        any(kind in kinds for kind in _X509),
        CertEncoding.RAW_PUBLIC_KEY in kinds,
        CertEncoding.OCSP_CONTENT in kinds,
        any(type(p) is N and p.type == NotifyType.HTTP_CERT_LOOKUP_SUPPORTED for p in payloads),
    )


# What we show


def choose(connection: Connection, credential: PrivateKey, wanted: Asked, now: datetime) -> PrivateKey:
    """The first of our keys with a valid certificate under an authority that the peer names; if there is none, the
    first key (`7296-3.7-07`, `7296-3.7-08`, `7296-3.7-10`)."""
    if not credential.others or wanted == NOTHING_ASKED:
        return credential
    ours = (credential, *credential.others)
    if wanted.raw_key and not wanted.x509:
        return next((each for each in ours if not each.chain), credential)
    trusted = connection.remote_auth if isinstance(connection.remote_auth, TrustAnchors) else TrustAnchors(())
    for each in ours:
        if each.chain and _fits(each, trusted, wanted, now):
            return each
    return credential


def _fits(credential: PrivateKey, trusted: TrustAnchors, wanted: Asked, now: datetime) -> bool:
    """Whether the certificate is valid, not known to be revoked, and leads to an authority that the peer names, perhaps
    over those that we believe ourselves: with cross-certificates among them, also to others (`7296-3.7-09`)."""
    leaf, *others = [x509.load_der_x509_certificate(der) for der in credential.chain]
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        return False
    known, found = [*others, *trusted.parsed()], [leaf]
    statements = crls.read_crls(trusted.crls + credential.crls)
    for certificate in found:  # grows while we walk
        for issuer in known:
            if issuer in found or not signed_by(certificate, issuer):
                continue
            if crls.by_crls(certificate, issuer, statements, now).verdict == "revoked":
                return False
            found.append(issuer)
    return any(certificates.authority_hash(each) in wanted.authorities for each in found)


def show(credential: PrivateKey, wanted: Asked) -> tuple[CERT, ...]:
    """The CERT payloads in front of AUTH: first the certificate of its key (`7296-3.6-01`, `7296-3.6-06`).

    By hash and URL where the peer can look up and we know where (`7296-3.6-02`). OCSP responses only where they are
    asked for (RFC 4806 section 4.2).
    """
    if not credential.chain:
        info = certificates.public_key_info(credential.key.public_key())
        return (CERT(CertEncoding.RAW_PUBLIC_KEY, info),) if wanted.raw_key else ()
    responses = [CERT(CertEncoding.OCSP_CONTENT, each) for each in credential.responses] if wanted.ocsp else []
    if wanted.lookup and credential.bundle_url:
        bundle = bundles.build(bundles.Bundle(credential.chain, credential.crls))
        data = lookup.hash_and_url(bundle, credential.bundle_url)
        return (CERT(CertEncoding.HASH_AND_URL_BUNDLE, data), *responses)
    urls = credential.urls if wanted.lookup else ()
    chain = [
        CERT(CertEncoding.HASH_AND_URL_X509, lookup.hash_and_url(der, urls[index]))
        if index < len(urls)
        else CERT(CertEncoding.X509_SIGNATURE, der)
        for index, der in enumerate(credential.chain)
    ]
    return (*chain, *[CERT(CertEncoding.CRL, each) for each in credential.crls], *responses)


# What the peer shows


class Fetched(NamedTuple):
    """What a lookup came to: an input, in answer to the output `Fetch`."""

    spi: bytes
    """As in `Fetch`."""
    url: str
    octets: bytes = b""
    fault: str = ""
    """Why there are no octets."""


def shown(payloads: tuple[Payload, ...], fetched: tuple[Fetched, ...] = (), hosts: tuple[str, ...] = ()) -> Shown:
    """What the CERT payloads hold, in order. Encodings that we don't know are ignored, and so is what a lookup did not
    bring; `hosts` are those that policy lets us fetch from."""
    found: dict[int, list[bytes]] = {int(kind): [] for kind in _KINDS}
    faults: list[str] = []
    for payload in payloads:
        if type(payload) is not CERT:
            continue
        if payload.encoding in _BY_URL:
            _add_fetched(payload, fetched, hosts, found, faults)
        elif payload.encoding in found:
            found[payload.encoding].append(payload.data)
        else:
            faults.append(f"CERT of encoding {payload.encoding}: not known here, ignored")
    certs, revoked, responses, keys = (tuple(found[kind]) for kind in _KINDS)
    return Shown(certs, revoked, responses, keys, tuple(faults))


_KINDS = (
    CertEncoding.X509_SIGNATURE,
    CertEncoding.CRL,
    CertEncoding.OCSP_CONTENT,
    CertEncoding.RAW_PUBLIC_KEY,
)


def _add_fetched(
    payload: CERT,
    fetched: tuple[Fetched, ...],
    hosts: tuple[str, ...],
    found: dict[int, list[bytes]],
    faults: list[str],
) -> None:
    """The hash is checked before anything in the octets is looked at."""
    try:
        url = lookup.url_of(payload.data)
        if lookup.host_of(url) not in hosts:
            raise ValueError(f"{url} is of no host that lookups are allowed from")
        got = next((each for each in fetched if each.url == url), None)
        if got is None or not got.octets:
            raise ValueError(f"{url}: {got.fault if got is not None else 'not looked up'}")
        if not lookup.is_of(payload.data, got.octets):
            raise ValueError(f"{url}: what it gave has another hash")
        if payload.encoding == CertEncoding.HASH_AND_URL_X509:
            found[CertEncoding.X509_SIGNATURE].append(got.octets)
            return
        bundle = bundles.parse(got.octets)
        found[CertEncoding.X509_SIGNATURE] += bundle.certificates
        found[CertEncoding.CRL] += bundle.crls
    except ValueError as error:
        faults.append(str(error))


def urls(payloads: tuple[Payload, ...], hosts: tuple[str, ...]) -> tuple[str, ...]:
    """What is to be looked up: each URL once, of the hosts allowed, and no more than `lookup.MAX_LOOKUPS`."""
    found: list[str] = []
    for payload in payloads:
        if type(payload) is CERT and payload.encoding in _BY_URL:
            try:
                url = lookup.url_of(payload.data)
            except ValueError:
                continue
            if url not in found and lookup.host_of(url) in hosts:
                found.append(url)
    return tuple(found[: lookup.MAX_LOOKUPS])
