"""CERT and CERTREQ payloads of a hostile peer, under the keys of its IKE SA: nothing raises, nobody gets in."""

from collections.abc import Sequence
from random import Random

import pytest
from cryptography import x509
from ikeref_properties.network import B, Pair

from ikeref.crypto import bundles, crls
from ikeref.crypto.bundles import Bundle
from ikeref.policy import lookup
from ikeref.registry import CertEncoding
from ikeref.sa import certification
from ikeref.sa.certification import Fetched
from ikeref.wire import CERT
from tests.unit.certificates import scene
from tests.unit.certificates.making import crl, response
from tests.unit.certificates.scene import BELOW, LEAVES, ROOT, STRANGER, trust
from tests.unit.certificates.test_hash_and_url import HOST, URLS, serve

LEAF = LEAVES["A"]
BUNDLE = bundles.build(Bundle((LEAF.der, BELOW.der), (crl(BELOW), crl(ROOT))))
SEEDS = (
    (CertEncoding.X509_SIGNATURE, LEAF.der),
    (CertEncoding.X509_SIGNATURE, BELOW.der),
    (CertEncoding.X509_SIGNATURE, STRANGER.der),
    (CertEncoding.CRL, crl(BELOW, LEAF, BELOW, ROOT)),
    (CertEncoding.CRL, crl(ROOT, BELOW)),
    (CertEncoding.OCSP_CONTENT, response(LEAF, BELOW)),
    (CertEncoding.HASH_AND_URL_X509, lookup.hash_and_url(LEAF.der, URLS[0])),
    (CertEncoding.HASH_AND_URL_BUNDLE, lookup.hash_and_url(BUNDLE, URLS[1])),
    (CertEncoding.RAW_PUBLIC_KEY, b"\x30\x00"),
)
STRICT = trust(ROOT, revocation="if-available", ocsp=True, lookup_hosts=(HOST,), wildcards=True)


def spoiled(octets: bytes, random: Random) -> bytes:
    """A few octets changed, cut or added."""
    changed = bytearray(octets)
    for _ in range(random.randint(1, 4)):
        match random.randrange(3):
            case 0 if changed:
                changed[random.randrange(len(changed))] = random.choice((0, 1, 0x30, 0x7F, 0x80, 0x84, 0xFF))
            case 1:
                del changed[random.randrange(len(changed) + 1) :]
            case _:
                changed[(at := random.randrange(len(changed) + 1)) : at] = random.randbytes(random.randint(1, 5))
    return bytes(changed)


def payloads(random: Random) -> tuple[CERT, ...]:
    """Spoiled ones, and some that are whole; behind a chain that is good, every other time."""
    chosen = random.choices(SEEDS, k=random.randint(1, 8))
    made = [CERT(kind, spoiled(octets, random)) for kind, octets in chosen]
    front = random.choice(((), tuple(CERT(*each) for each in SEEDS[:2])))
    return (*front, *made, *[CERT(*random.choice(SEEDS[1:6])) for _ in range(random.randint(0, 3))])


def attack(shown: Sequence[CERT], monkeypatch: pytest.MonkeyPatch, random: Random) -> Pair:
    monkeypatch.setattr(certification, "show", lambda *_: tuple(shown))
    ends = scene.run(b_remote_auth=STRICT)
    serve(ends, B, lambda url: Fetched(b"", url, spoiled(random.choice((LEAF.der, BUNDLE)), random)))
    monkeypatch.undo()
    return ends


@pytest.mark.parametrize("seed", range(4))
def test_s3_6_whatever_a_peer_shows_it_is_refused_and_nothing_raises(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run with a key of our own authority: only what is shown is wrong. Every refusal is answered."""
    random = Random(f"hostile {seed}")
    for _ in range(100):
        shown = payloads(random)
        ends = attack(shown, monkeypatch, random)
        whole = shown[0].encoding == CertEncoding.X509_SIGNATURE and shown[0].data == LEAF.der
        assert whole or not scene.is_up(ends)
        assert len(scene.messages(ends, B)) == 1


def test_an_endpoint_that_lets_the_package_raise_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: parts of a CRL are read when they are asked for, and not before."""
    monkeypatch.setattr(crls, "UNREADABLE", (x509.InvalidVersion,))
    random = Random("twin")
    shown = [(CERT(4, LEAF.der), CERT(4, BELOW.der), CERT(7, spoiled(SEEDS[3][1], random))) for _ in range(20)]
    monkeypatch.setattr(certification, "show", lambda *_: shown.pop())
    with pytest.raises((ValueError, x509.DuplicateExtension)):
        _run_all(shown)


def _run_all(shown: Sequence[object]) -> None:
    while shown:
        scene.run(b_remote_auth=STRICT)
