"""CERT and CERTREQ between two ends: chains, and which certificate is shown to whom (Sections 2.15, 3.6 and 3.7)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from itertools import permutations
from types import MappingProxyType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ikeref_properties.network import ENDS, A, B, Flight, Pair, connection

from ikeref.crypto.certificates import authority_hash
from ikeref.crypto.paths import MAX_CERTIFICATES
from ikeref.policy import identities
from ikeref.registry import CertEncoding, ExchangeType, NotifyType
from ikeref.sa import certification
from ikeref.sa.certification import Asked
from ikeref.wire import CERT, CERTREQ, N
from tests.unit.certificates import scene
from tests.unit.certificates.making import NOW, Made, certificate, crl, new_key
from tests.unit.certificates.scene import BELOW, LEAVES, NAMES, ROOT, STRANGER, own, trust


def spki_hash(made: Made) -> bytes:
    info = made.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha1(info, usedforsecurity=False).digest()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_s3_6_intermediate_authorities_come_in_any_order(order: tuple[int, ...]) -> None:
    """7296-3.6-10, 7296-3.6-13: four certificates, the first of them fixed."""
    one = certificate("one", ROOT, ca=True)
    two = certificate("two", one, ca=True)
    three = certificate("three", two, ca=True)
    leaf = certificate(NAMES[A], three)
    middle = [(one, two, three)[index] for index in order]
    assert scene.is_up(scene.run(a_local_auth=own(leaf, *middle)))


def test_s3_6_the_first_certificate_is_of_the_key_that_signs() -> None:
    """7296-3.6-12: the same certificates with another one first."""
    chain = own(LEAVES[A], BELOW)
    assert scene.is_up(scene.run(a_local_auth=chain))
    ends = scene.run(a_local_auth=replace(chain, chain=chain.chain[::-1]))
    assert not scene.is_up(ends)
    assert "authentication of the initiator failed" in scene.said(ends, B)
    other = certificate(NAMES[A], BELOW)
    ends = scene.run(a_local_auth=replace(chain, chain=(other.der, *chain.chain)))
    assert not scene.is_up(ends)
    assert "the signature is wrong" in scene.said(ends, B)


def test_s3_6_a_missing_intermediate_fails_and_is_explained() -> None:
    ends = scene.run(a_local_auth=own(LEAVES[A]))
    assert not scene.is_up(ends)
    told = scene.said(ends, B)
    assert "shown: CN=a.example, issued by CN=below" in told
    assert "trusted here: CN=root" in told


def test_s3_6_what_is_available_is_sent_in_payloads_of_one_certificate_each() -> None:
    """7296-3.6-01, 7296-3.6-06, 7296-2.15-09."""
    ends = scene.run()
    for end in ENDS:
        wanted = [CERT(CertEncoding.X509_SIGNATURE, each.der) for each in (LEAVES[end], BELOW)]
        assert scene.certs(ends, end) == wanted


def altered(change: Callable[[tuple[CERT, ...]], tuple[CERT, ...]], monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Both ends send other CERT payloads than they would."""
    show = certification.show
    monkeypatch.setattr(certification, "show", lambda *arguments: change(show(*arguments)))
    return scene.run()


@pytest.mark.parametrize("encoding", [0, 1, 2, 3, 6, 8, 9, 10, 11, 16, 255])
def test_s3_6_unknown_encodings_are_ignored(encoding: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they hold, in front of the others and behind."""
    junk = CERT(encoding, LEAVES[A].der)
    assert scene.is_up(altered(lambda shown: (junk, *shown, junk), monkeypatch))


@pytest.mark.parametrize("junk", [b"", b"\x30\x03\x02\x01\x01", bytes(300)], ids=["empty", "an integer", "zeros"])
def test_s3_6_an_unreadable_certificate_behind_the_first_is_left_out(
    junk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = CERT(CertEncoding.X509_SIGNATURE, junk)
    assert scene.is_up(altered(lambda shown: (*shown, payload), monkeypatch))
    assert not scene.is_up(altered(lambda shown: (payload, *shown), monkeypatch))


def test_s3_6_more_certificates_than_we_look_at_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = CERT(CertEncoding.X509_SIGNATURE, STRANGER.der)
    few, many = MAX_CERTIFICATES - 2, MAX_CERTIFICATES - 1
    assert scene.is_up(altered(lambda shown: (*shown, *[extra] * few), monkeypatch))
    monkeypatch.undo()
    ends = altered(lambda shown: (*shown, *[extra] * many), monkeypatch)
    assert not scene.is_up(ends)
    assert "too many" in scene.said(ends, B)


def test_s3_6_a_path_of_more_than_eight_is_refused() -> None:
    line = [ROOT]
    for index in range(9):
        line.append(certificate(f"authority {index}", line[-1], ca=True))
    for depth, good in ((7, True), (9, False)):
        leaf = certificate(NAMES[A], line[depth])
        assert scene.is_up(scene.run(a_local_auth=own(leaf, *line[1 : depth + 1]))) == good


# CERTREQ


def test_s3_7_certreq_is_the_hashes_of_the_anchors_keys_side_by_side() -> None:
    """7296-3.7-01, 7296-3.7-03, 7296-3.7-04, 7296-3.7-05: of each anchor once; one payload, of encoding 4."""
    anchors = (ROOT, STRANGER, ROOT)
    ends = scene.run(a_remote_auth=trust(*anchors), b_remote_auth=trust(*anchors))
    assert scene.is_up(ends)
    wanted = [CERTREQ(CertEncoding.X509_SIGNATURE, spki_hash(ROOT) + spki_hash(STRANGER))]
    assert scene.certreqs(ends, A) == scene.certreqs(ends, B) == wanted


def test_s3_7_the_hash_is_of_the_octets_in_the_certificate() -> None:
    """7296-3.7-04: of a certificate as it stands, also where its key would be encoded otherwise today."""
    for version in (ROOT, LEAVES[A]):
        assert authority_hash(version.certificate) == spki_hash(version)


SECOND = certificate("another root", ca=True)
UNDER_SECOND = {end: certificate(NAMES[end], SECOND) for end in ENDS}


def both(end: str) -> object:
    """A key under ROOT, and another under SECOND."""
    return own(LEAVES[end], BELOW, others=(own(UNDER_SECOND[end], SECOND),))


@pytest.mark.parametrize("end", ENDS)
def test_s3_7_certreq_chooses_among_our_certificates(end: str) -> None:
    """7296-3.7-06, 7296-3.7-07: at either end, the one under the authority that the other end names."""
    for anchor, wanted in ((ROOT, LEAVES[end]), (SECOND, UNDER_SECOND[end])):
        other = B if end == A else A
        changes = {f"{end.lower()}_local_auth": both(end), f"{other.lower()}_remote_auth": trust(anchor)}
        changes[f"{end.lower()}_remote_auth"] = trust(ROOT)
        ends = scene.run(**changes)
        assert scene.certs(ends, end)[0].data == wanted.der
        assert scene.is_up(ends) == (anchor is SECOND or wanted is LEAVES[end])


def test_s3_7_an_authority_that_we_only_trust_ourselves_links_a_certificate_to_the_one_named() -> None:
    """7296-3.7-07: our chain need not hold the anchor itself."""
    chosen = own(LEAVES[A], BELOW, others=(own(UNDER_SECOND[A]),))
    ends = scene.run(a_local_auth=chosen, a_remote_auth=trust(ROOT, SECOND), b_remote_auth=trust(SECOND))
    assert scene.is_up(ends)
    assert scene.certs(ends, A)[0].data == UNDER_SECOND[A].der


def test_s3_7_a_cross_certificate_leads_to_an_authority_that_is_not_ours() -> None:
    """7296-3.7-09: SECOND certified by ROOT, and the peer believes ROOT alone."""
    crossed = certificate("another root", ROOT, ca=True, key=SECOND.key)
    lonely = certificate(NAMES[A], STRANGER)
    chosen = own(lonely, others=(own(UNDER_SECOND[A], crossed),))
    ends = scene.run(a_local_auth=chosen, a_remote_auth=trust(ROOT))
    assert scene.is_up(ends)
    assert scene.certs(ends, A)[0].data == UNDER_SECOND[A].der


@pytest.mark.parametrize("fault", ["expired", "revoked"])
def test_s3_7_a_certificate_that_does_not_hold_is_not_chosen(fault: str) -> None:
    """7296-3.7-08: of two under the authority that the peer names."""
    old = certificate(NAMES[A], ROOT, end=NOW - timedelta(hours=1) if fault == "expired" else NOW + timedelta(9))
    statements = (crl(ROOT, old),) if fault == "revoked" else ()
    chosen = own(certificate(NAMES[A], STRANGER), others=(own(old), own(LEAVES[A], BELOW)))
    ends = scene.run(a_local_auth=chosen, a_remote_auth=trust(ROOT, crls=statements))
    assert scene.is_up(ends)
    assert scene.certs(ends, A)[0].data == LEAVES[A].der


HASHES = MappingProxyType(
    {
        "of nobody": (CERTREQ(4, bytes(20)),),
        "of odd length": (CERTREQ(4, bytes(33)),),
        "empty": (CERTREQ(4, b""),),
        "of an unknown encoding": (CERTREQ(99, b"\xff" * 7),),
        "without authority": (CERTREQ(14, b""), CERTREQ(15, b"junk")),
        "many": tuple(CERTREQ(4, bytes([index]) * 20) for index in range(40)),
        "none at all": (),
    }
)


@pytest.mark.parametrize("kind", HASHES)
def test_s3_7_certreq_is_a_hint_and_never_fails_an_exchange(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-3.7-02, 7296-3.7-10: the other end's CERTREQ in place of what it would send."""
    monkeypatch.setattr(certification, "requests", lambda _connections: HASHES[kind])
    ends = scene.run(a_local_auth=both(A))
    assert scene.is_up(ends)
    assert scene.certs(ends, A)[0].data == LEAVES[A].der


def test_s3_7_a_certreq_to_an_end_without_certificates_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """7296-3.7-10: shared keys, and a CERTREQ all the same."""
    secret = connection(A).local_auth
    monkeypatch.setattr(certification, "requests", lambda _connections: (CERTREQ(4, spki_hash(ROOT)),))
    ends = scene.run(a_local_auth=secret, b_local_auth=secret, a_remote_auth=secret, b_remote_auth=secret)
    assert scene.is_up(ends)


def test_s3_7_what_is_asked_is_read_from_all_certreqs_and_bounded() -> None:
    """7296-3.7-06: encodings 4, 12 and 13 name authorities, others do not."""
    wanted = tuple(CERTREQ(kind, bytes([kind]) * 20) for kind in (4, 7, 12, 13, 14, 15))
    assert certification.asked(wanted) == Asked(frozenset(bytes([kind]) * 20 for kind in (4, 12, 13)), True, True, True)
    crowd = tuple(CERTREQ(4, index.to_bytes(20)) for index in range(1000))
    assert len(certification.asked(crowd).authorities) == certification.MAX_AUTHORITIES
    told = certification.asked((N(NotifyType.HTTP_CERT_LOOKUP_SUPPORTED),))
    assert told == Asked(lookup=True)


# AUTH goes with the certificate


def test_s2_15_both_ends_may_authenticate_by_different_means() -> None:
    """7296-2.15-10, 7296-2.15-11: Ed25519 and RSA, ECDSA and a shared key."""
    kinds = {kind: certificate(NAMES[A], ROOT, key=new_key(kind)) for kind in ("rsa", "ed25519")}
    for made in kinds.values():
        assert scene.is_up(scene.run(a_local_auth=own(made)))
    secret = connection(B).local_auth
    assert scene.is_up(scene.run(b_local_auth=secret, a_remote_auth=secret))


def test_s2_15_a_self_signed_certificate_of_the_right_name_proves_nothing() -> None:
    """7296-2.15-09 needs an anchor: CVE-2023-26463 took the peer's own word."""
    selfmade = certificate(NAMES[A])
    for shown in (own(selfmade), own(selfmade, BELOW, ROOT), own(selfmade, LEAVES[A], BELOW)):
        ends = scene.run(a_local_auth=shown)
        assert not scene.is_up(ends)
        assert "no valid path" in scene.said(ends, B)


def test_s2_15_another_key_under_the_same_identity_proves_nothing() -> None:
    """CVE-2020-16088: the certificate is right, the key is not its own."""
    thief = replace(own(LEAVES[A], BELOW), key=new_key())
    ends = scene.run(a_local_auth=thief)
    assert not scene.is_up(ends)
    assert "the signature is wrong" in scene.said(ends, B)


def test_s2_15_the_certificate_must_bear_the_identity_and_the_operator_is_told_both() -> None:
    ends = scene.run(a_local_auth=own(certificate("c.example", BELOW), BELOW))
    assert not scene.is_up(ends)
    told = scene.said(ends, B)
    assert "claimed: a.example" in told
    assert "alternative names: c.example" in told


def test_s2_21_2_the_peer_is_told_authentication_failed_and_nothing_else() -> None:
    ends = scene.run(a_local_auth=own(LEAVES[A]))
    (answer,) = scene.messages(ends, B)
    assert answer.payloads == (N(NotifyType.AUTHENTICATION_FAILED),)


def test_a_lost_certificate_is_sent_again_to_the_octet() -> None:
    ends = Pair(5, connections=scene.connections())
    ends.initiate(A)
    while not scene.messages(ends, A):
        ends.deliver(ends.flying[0])
    lost: Flight = ends.flying[0]
    ends.lose(lost)
    while not scene.is_up(ends):
        ends.advance()
        ends.deliver_all()
    again = [flight for flight in ends.past if flight.message and flight.message.exchange_type == ExchangeType.IKE_AUTH]
    assert again[1].datagram == lost.datagram


def test_s3_5_names_in_explanations_cannot_play_tricks() -> None:
    """What a stranger wrote into a certificate reaches an operator's terminal without control characters."""
    evil = certificate(NAMES[A], BELOW, names=[x509.DNSName("x.example\x1b[2J\nforged line")])
    told = scene.said(scene.run(a_local_auth=own(evil, BELOW)), B)
    assert "\x1b" not in told
    assert "\nforged" not in told
    assert identities.parse("a.example")
