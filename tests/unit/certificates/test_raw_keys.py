"""Raw public keys (RFC 7670)."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ikeref_properties.network import ENDS, A, B

from ikeref.crypto.certificates import load_public_key, public_key_info
from ikeref.policy import identities, trust
from ikeref.policy.credentials import PrivateKey, RawKeys
from ikeref.registry import CertEncoding
from ikeref.sa import certification
from ikeref.wire import CERT, CERTREQ, Payload
from tests.unit.certificates import scene
from tests.unit.certificates.making import Key, new_key

KEYS = {end: new_key() for end in ENDS}


def info(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def raw(*keys: Key) -> RawKeys:
    return RawKeys(tuple((None, info(key)) for key in keys))


def changes(**more: object) -> dict[str, object]:
    made: dict[str, object] = {}
    for end, other in ((A, B), (B, A)):
        made[f"{end.lower()}_local_auth"] = PrivateKey(KEYS[end])
        made[f"{end.lower()}_remote_auth"] = raw(KEYS[other])
    return {**made, **more}


def test_rfc7670_both_ends_by_raw_keys() -> None:
    """RFC 7670 section 3: an empty CERTREQ of encoding 15, and the SubjectPublicKeyInfo as it is."""
    ends = scene.run(**changes())
    assert scene.is_up(ends)
    for end in ENDS:
        assert scene.certreqs(ends, end) == [CERTREQ(CertEncoding.RAW_PUBLIC_KEY, b"")]
        assert scene.certs(ends, end) == [CERT(CertEncoding.RAW_PUBLIC_KEY, info(KEYS[end]))]


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_rfc7670_keys_of_other_kinds(kind: str) -> None:
    key = new_key(kind)
    assert scene.is_up(scene.run(**changes(a_local_auth=PrivateKey(key), b_remote_auth=raw(key))))


def test_rfc7670_the_example_of_appendix_a_1() -> None:
    octets = bytes.fromhex(
        "3059301306072a8648ce3d020106082a8648ce3d030107034200"
        "04cb28e0999b9c7715fd0a80d8e47a77079716cbbf917dd72e97566ea1c066957c"
        "2b57c0235fb7489768d058ff4911c20fdbe71e3699d91339afbb903ee17255dc"
    )
    key = load_public_key(octets)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert public_key_info(key) == octets


def test_rfc7670_a_key_that_is_not_configured_is_refused() -> None:
    stranger = new_key()
    ends = scene.run(**changes(a_local_auth=PrivateKey(stranger)))
    assert not scene.is_up(ends)
    assert "the peer's raw public key is not the one configured for a.example" in scene.said(ends, B)


def test_rfc7670_a_known_key_shown_by_who_has_it_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = (CERT(CertEncoding.RAW_PUBLIC_KEY, info(KEYS[A])),)
    monkeypatch.setattr(certification, "show", lambda *_: shown)
    ends = scene.run(**changes(a_local_auth=PrivateKey(new_key())))
    assert not scene.is_up(ends)
    assert "the signature is wrong" in scene.said(ends, B)


def without(payloads: tuple[Payload, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certification, "show", lambda *_: payloads)


def test_rfc7670_a_peer_that_does_not_show_its_key_is_known_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    without((), monkeypatch)
    several = raw(new_key(), new_key("ed25519"), KEYS[A])
    assert scene.is_up(scene.run(**changes(b_remote_auth=several)))
    assert not scene.is_up(scene.run(**changes(b_remote_auth=raw(new_key(), new_key()))))


def test_rfc7670_a_certificate_of_the_key_is_taken_for_nothing_but_ignored() -> None:
    chain = replace(PrivateKey(KEYS[A]), chain=(scene.BELOW.der,))
    assert scene.is_up(scene.run(**changes(a_local_auth=chain)))


def test_s2_15_who_has_no_key_that_could_verify_verifies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the search for keys should have said so: what nobody has verified is not authentic."""
    assert scene.is_up(scene.run(**changes()))
    monkeypatch.setattr(trust, "raw_public_keys", lambda *_: ())
    assert not scene.is_up(scene.run(**changes()))


def test_rfc7670_keys_belong_to_identities() -> None:
    """Each key proves its own identity and no other, also where anybody may come."""
    keys = {name: new_key() for name in ("a.example", "c.example")}
    known = RawKeys(tuple((identities.parse(name), info(key)) for name, key in keys.items()))
    for name, key in keys.items():
        for claimed in keys:
            told = changes(
                a_local_auth=PrivateKey(key),
                a_local_id=identities.parse(claimed),
                b_remote_auth=known,
                b_remote_id=None,
            )
            assert scene.is_up(scene.run(**told)) == (name == claimed)


def test_rfc7670_a_raw_key_is_no_certificate() -> None:
    """Who trusts authorities takes none; and is not shown one that it did not ask for."""
    ends = scene.run(a_local_auth=PrivateKey(KEYS[A]))
    assert not scene.is_up(ends)
    assert scene.certs(ends, A) == []
    assert "the peer sent no X.509 certificate" in scene.said(ends, B)


def test_rfc7670_certreq_chooses_between_certificate_and_raw_key() -> None:
    both = replace(scene.own(scene.LEAVES[A], scene.BELOW), others=(PrivateKey(KEYS[A]),))
    for trusted, encoding in ((scene.trust(scene.ROOT), 4), (raw(KEYS[A]), 15)):
        ends = scene.run(a_local_auth=both, b_remote_auth=trusted)
        assert scene.is_up(ends)
        assert scene.certs(ends, A)[0].encoding == encoding
