"""Revocation: CRLs and OCSP responses, from files and from the peer (Section 3.6, RFC 4806, RFC 5280, RFC 6960)."""

from datetime import UTC, datetime, timedelta
from hashlib import sha1
from types import MappingProxyType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ikeref_properties.network import A, B

from ikeref.crypto import revocation
from ikeref.crypto.crls import MAX_STATEMENTS
from ikeref.crypto.paths import Path
from ikeref.crypto.revocation import Evidence
from ikeref.policy.credentials import Strictness
from ikeref.registry import CertEncoding, NotifyType
from ikeref.wire import CERT, CERTREQ, N
from tests.unit.certificates import scene
from tests.unit.certificates.making import DAY, NOW, OCSP_SIGNING, Made, certificate, crl, new_key, response
from tests.unit.certificates.scene import BELOW, LEAVES, NAMES, ROOT, STRANGER, own, trust

LEAF = LEAVES[A]
PATH: Path = (LEAF.certificate, BELOW.certificate, ROOT.certificate)


def of_leaf(
    *crls: bytes, responses: tuple[bytes, ...] = (), trusted: tuple[Made, ...] = (), at: datetime | None = None
) -> str:
    """What is known of the peer's own certificate, now if no time is given: responses are made as the tests go on."""
    evidence = Evidence(
        revocation.read_crls(crls), revocation.read_responses(responses), tuple(each.certificate for each in trusted)
    )
    return revocation.check(PATH, evidence, at or datetime.now(UTC))[0].verdict


IDP = x509.IssuingDistributionPoint


def point(**only: bool) -> tuple[x509.ExtensionType, bool]:
    names = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs")
    user, ca, indirect, attribute = (only.get(name, False) for name in names)
    full = [x509.UniformResourceIdentifier("http://crl.example/1")] if not any(only.values()) else None
    return IDP(full, None, user, ca, None, indirect, attribute), True


CRLS = MappingProxyType(
    {
        "none": ((), "unknown"),
        "good": ((crl(BELOW),), "good"),
        "good, of another serial number": ((crl(BELOW, STRANGER),), "good"),
        "revoked": ((crl(BELOW, LEAF),), "revoked"),
        "of another issuer": ((crl(ROOT, LEAF),), "unknown"),
        "signed by another key": ((crl(BELOW, LEAF, signer=new_key()),), "unknown"),
        "good, signed by another key": ((crl(BELOW, signer=new_key()),), "unknown"),
        "good, signed by the certificate itself": ((crl(BELOW, signer=LEAF.key),), "unknown"),
        "expired": ((crl(BELOW, at=NOW - 3 * DAY, until=NOW - DAY),), "unknown"),
        "expired, and revoked": ((crl(BELOW, LEAF, at=NOW - 3 * DAY, until=NOW - DAY),), "revoked"),
        "of tomorrow": ((crl(BELOW, LEAF, at=NOW + DAY, until=NOW + 2 * DAY),), "unknown"),
        "a new one that revokes, an old one that does not": (
            (crl(BELOW, at=NOW - 2 * DAY), crl(BELOW, LEAF)),
            "revoked",
        ),
        "unreadable": ((b"junk", crl(BELOW)[:-3]), "unknown"),
        "a delta": ((crl(BELOW, extensions=[(x509.DeltaCRLIndicator(7), True)]),), "unknown"),
        "unknown critical": (
            (crl(BELOW, extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)]),),
            "unknown",
        ),
        "of end entities": ((crl(BELOW, extensions=[point(only_contains_user_certs=True)]),), "good"),
        "of authorities": ((crl(BELOW, extensions=[point(only_contains_ca_certs=True)]),), "unknown"),
        "indirect": ((crl(BELOW, extensions=[point(indirect_crl=True)]),), "unknown"),
        "of attributes": ((crl(BELOW, extensions=[point(only_contains_attribute_certs=True)]),), "unknown"),
        "of another distribution point": ((crl(BELOW, extensions=[point()]),), "unknown"),
    }
)


@pytest.mark.parametrize("kind", CRLS)
def test_rfc5280_what_a_crl_says(kind: str) -> None:
    """RFC 5280 section 6.3.3."""
    crls, wanted = CRLS[kind]
    assert of_leaf(*crls) == wanted


def test_rfc5280_a_crl_of_the_distribution_point_in_the_certificate_counts() -> None:
    names = [x509.UniformResourceIdentifier("http://crl.example/1")]
    points = x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)])
    leaf = certificate(NAMES[A], BELOW, extensions=[points])
    evidence = Evidence(revocation.read_crls((crl(BELOW, leaf, extensions=[point()]),)))
    path = (leaf.certificate, *PATH[1:])
    assert revocation.check(path, evidence, NOW)[0].verdict == "revoked"


def test_rfc5280_an_authority_without_crl_sign_signs_none() -> None:
    weak = certificate("weak", ROOT, ca=True, usage=("key_cert_sign",))
    leaf = certificate(NAMES[A], weak)
    evidence = Evidence(revocation.read_crls((crl(weak, leaf),)))
    path = (leaf.certificate, weak.certificate, ROOT.certificate)
    assert revocation.check(path, evidence, NOW)[0].verdict == "unknown"


def test_only_so_many_statements_are_looked_at() -> None:
    assert len(revocation.read_crls((crl(BELOW),) * 99)) == MAX_STATEMENTS
    assert len(revocation.read_responses((response(LEAF, BELOW),) * 99)) == MAX_STATEMENTS


# OCSP

DELEGATE = certificate("ocsp", BELOW, extensions=[OCSP_SIGNING])
BY_ROOT = certificate("ocsp", ROOT, extensions=[OCSP_SIGNING])
PLAIN = certificate("ocsp", BELOW)
LATE = certificate("ocsp", BELOW, extensions=[OCSP_SIGNING], end=NOW - timedelta(hours=1))
NO_SIGN = certificate("ocsp", BELOW, extensions=[OCSP_SIGNING], usage=("key_agreement",))
SAME_KEY_OTHER_NAME = certificate("someone", BELOW)

SOON = NOW + timedelta(minutes=5)
"""A time at which all that is made below has been made, however late the test is run."""

RESPONSES = MappingProxyType(
    {
        "good": (response(LEAF, BELOW), "good"),
        "revoked": (response(LEAF, BELOW, revoked=True), "revoked"),
        "unknown": (response(LEAF, BELOW, unknown=True), "unknown"),
        "of another certificate": (response(LEAVES[B], BELOW, revoked=True), "unknown"),
        "of another issuer": (response(LEAF, ROOT), "unknown"),
        "by a delegate": (response(LEAF, BELOW, by=DELEGATE), "good"),
        "revoked by a delegate": (response(LEAF, BELOW, by=DELEGATE, revoked=True), "revoked"),
        "by a delegate that does not show itself": (response(LEAF, BELOW, by=DELEGATE, silent=True), "unknown"),
        "by a delegate of an authority above": (response(LEAF, BELOW, by=BY_ROOT), "unknown"),
        "by a certificate for other purposes": (response(LEAF, BELOW, by=PLAIN), "unknown"),
        "by the peer itself": (response(LEAF, BELOW, by=LEAF), "unknown"),
        "by an expired delegate": (response(LEAF, BELOW, by=LATE), "unknown"),
        "by a delegate that may not sign": (response(LEAF, BELOW, by=NO_SIGN), "unknown"),
        "by a stranger": (response(LEAF, BELOW, by=certificate("x", STRANGER, extensions=[OCSP_SIGNING])), "unknown"),
        "forged": (response(LEAF, BELOW, key=new_key()), "unknown"),
        "forged by a delegate": (response(LEAF, BELOW, by=DELEGATE, key=LEAF.key), "unknown"),
        "forged, and revoked": (response(LEAF, BELOW, revoked=True, key=new_key()), "unknown"),
        "expired": (response(LEAF, BELOW, at=NOW - 2 * DAY, until=NOW - DAY), "unknown"),
        "expired, and revoked": (response(LEAF, BELOW, at=NOW - 2 * DAY, until=NOW - DAY, revoked=True), "revoked"),
        "without end, fresh": (response(LEAF, BELOW, at=NOW - timedelta(minutes=50), until=None), "good"),
        "without end, old": (response(LEAF, BELOW, at=NOW - timedelta(minutes=70), until=None), "unknown"),
        "of tomorrow": (response(LEAF, BELOW, at=NOW + DAY, until=NOW + 2 * DAY), "unknown"),
        "junk": (b"junk", "unknown"),
        "cut": (response(LEAF, BELOW)[:-5], "unknown"),
    }
)


@pytest.mark.parametrize("kind", RESPONSES)
def test_rfc6960_what_an_ocsp_response_says(kind: str) -> None:
    """RFC 6960 sections 3.2 and 4.2.2.2."""
    octets, wanted = RESPONSES[kind]
    assert of_leaf(responses=(octets,), at=SOON) == wanted


@pytest.mark.parametrize("key", ["rsa", "ed25519"])
def test_rfc6960_responders_with_other_keys(key: str) -> None:
    delegate = certificate("ocsp", BELOW, extensions=[OCSP_SIGNING], key=new_key(key))
    assert of_leaf(responses=(response(LEAF, BELOW, by=delegate),)) == "good"
    assert of_leaf(responses=(response(LEAF, BELOW, by=delegate, key=new_key(key)),)) == "unknown"


def test_rfc6960_a_revoked_delegate_speaks_for_nobody() -> None:
    said = response(LEAF, BELOW, by=DELEGATE)
    assert of_leaf(crl(BELOW, DELEGATE, at=NOW - 2 * DAY, until=NOW - DAY), responses=(said,)) == "unknown"


def test_rfc4806_3_1_a_responder_that_policy_trusts_speaks_for_any_authority() -> None:
    trusted = certificate("our ocsp", STRANGER)
    said = response(LEAF, BELOW, by=trusted, silent=True)
    assert of_leaf(responses=(said,)) == "unknown"
    assert of_leaf(responses=(said,), trusted=(trusted,)) == "good"


def test_the_word_that_it_is_revoked_counts_more_than_any_other() -> None:
    assert of_leaf(crl(BELOW, LEAF), responses=(response(LEAF, BELOW),)) == "revoked"
    assert of_leaf(crl(BELOW), responses=(response(LEAF, BELOW, revoked=True),)) == "revoked"
    assert of_leaf(crl(BELOW), responses=(response(LEAF, BELOW, unknown=True),)) == "good"


@pytest.mark.parametrize("octets", [crl(BELOW, LEAF), response(LEAF, BELOW, by=DELEGATE)], ids=["CRL", "OCSP"])
def test_mutated_statements_say_nothing_good_and_raise_nothing(octets: bytes) -> None:
    """Every octet changed, and every hundredth cut. What is signed may at most still say that it is revoked."""
    unchanged = of_leaf(octets, responses=(octets,))
    for index in range(0, len(octets), 3):
        changed = octets[:index] + bytes([octets[index] ^ 0x55]) + octets[index + 1 :]
        assert of_leaf(changed, responses=(changed,)) in ("unknown", unchanged)
    signed = sum(of_leaf(octets[:end], responses=(octets[:end],)) != "unknown" for end in range(0, len(octets), 97))
    assert signed == 0


# Between two ends


def status(strictness: Strictness, *crls: bytes, **more: object) -> tuple[bool, str]:
    """Whether A gets in at B, which has these CRLs, and what B's operator is told."""
    ends = scene.run(b_remote_auth=trust(ROOT, revocation=strictness, crls=crls, **more))
    return scene.is_up(ends), scene.said(ends, B)


def test_s3_6_a_revoked_certificate_is_refused_and_the_path_explained() -> None:
    up, told = status("if-available", crl(BELOW, LEAF))
    assert not up
    assert "the peer's certificate is revoked" in told
    assert "CN=a.example: revoked, by a CRL of" in told
    assert "keyCompromise  <- refused" in told
    assert "CN=root: trusted here" in told


def test_s3_6_a_revoked_intermediate_is_refused() -> None:
    up, told = status("if-available", crl(ROOT, BELOW))
    assert not up
    assert "the certificate of an authority is revoked" in told
    assert "CN=below: revoked" in told


def test_s3_6_strictness_decides_about_what_is_not_known() -> None:
    """RFC 4806 section 4.1."""
    every = (crl(BELOW), crl(ROOT))
    assert status("require", *every)[0]
    assert status("if-available")[0]
    for crls in ((), every[:1], every[1:], (crl(BELOW, at=NOW - 3 * DAY, until=NOW - DAY), every[1])):
        up, told = status("require", *crls)
        assert not up
        assert "of unknown status, which policy does not accept" in told
        assert status("if-available", *crls)[0]
    assert status("off", crl(BELOW, LEAF), crl(ROOT, BELOW))[0]


def test_s3_6_a_revoked_peer_is_told_no_more_than_any_other() -> None:
    ends = scene.run(b_remote_auth=trust(ROOT, revocation="require", crls=(crl(BELOW, LEAF),)))
    (answer,) = scene.messages(ends, B)
    assert answer.payloads == (N(NotifyType.AUTHENTICATION_FAILED),)


def test_s3_6_crls_come_along_in_cert_payloads() -> None:
    """7296-3.6-07: encoding 7, signed by the issuer; it frees nobody whom a newer one of ours revokes."""
    sent = own(LEAF, BELOW, crls=(crl(BELOW, at=NOW - 2 * DAY), crl(ROOT)))
    ends = scene.run(a_local_auth=sent, b_remote_auth=trust(ROOT, revocation="require"))
    assert scene.is_up(ends)
    assert [each.encoding for each in scene.certs(ends, A)] == [4, 4, CertEncoding.CRL, CertEncoding.CRL]
    newer = trust(ROOT, revocation="require", crls=(crl(BELOW, LEAF),))
    assert not scene.is_up(scene.run(a_local_auth=sent, b_remote_auth=newer))


def test_rfc4806_responses_are_asked_for_and_sent() -> None:
    """RFC 4806 sections 4.1 and 4.2: in payloads of their own, and to those who ask."""
    responder = certificate("our ocsp", STRANGER)
    stapled = own(LEAF, BELOW, responses=(response(LEAF, BELOW, by=responder, silent=True), response(BELOW, ROOT)))
    asking = trust(ROOT, revocation="require", ocsp=True, responders=(responder.der,))
    ends = scene.run(a_local_auth=stapled, b_remote_auth=asking)
    assert scene.is_up(ends)
    info = responder.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    wanted = CERTREQ(CertEncoding.OCSP_CONTENT, sha1(info, usedforsecurity=False).digest())
    assert wanted in scene.certreqs(ends, B)
    assert CERT(CertEncoding.OCSP_CONTENT, stapled.responses[0]) in scene.certs(ends, A)
    unasked = scene.run(a_local_auth=stapled)
    assert scene.is_up(unasked)
    assert not [each for each in scene.certs(unasked, A) if each.encoding == CertEncoding.OCSP_CONTENT]


def test_rfc4806_4_1_a_request_without_responders_is_empty() -> None:
    ends = scene.run(b_remote_auth=trust(ROOT, revocation="if-available", ocsp=True))
    assert CERTREQ(CertEncoding.OCSP_CONTENT, b"") in scene.certreqs(ends, B)
    assert scene.is_up(ends)


def test_rfc4806_a_stapled_response_that_revokes_is_believed() -> None:
    stapled = own(LEAF, BELOW, responses=(response(LEAF, BELOW, revoked=True),))
    ends = scene.run(a_local_auth=stapled, b_remote_auth=trust(ROOT, revocation="if-available", ocsp=True))
    assert not scene.is_up(ends)
    assert "revoked, by an OCSP response of" in scene.said(ends, B)
