"""Certificates with strongSwan: chains, revocation, OCSP, hash and URL, raw public keys (Sections 3.6, 3.7)."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509 import ocsp

from ikeref import sa, wire
from ikeref.registry import CertEncoding
from tests.interop import journal, scenarios
from tests.interop.lab import LabError
from tests.interop.pki import Credential, Pki
from tests.interop.scene import OURS, THEIRS, connections
from tests.interop.started import Start, Started
from tests.interop.vici import ViciError
from tests.interop.web import Web
from tests.unit.certificates.making import Made, certificate, crl, response

ROLES = pytest.mark.parametrize("initiator", ["ours", "theirs"])
WHOSE = pytest.mark.parametrize("whose", ["ours", "theirs"])
NAMES = {"ours": OURS, "theirs": THEIRS}


class Tree(NamedTuple):
    """Authorities and the certificates of both ends."""

    root: Made
    below: Made
    leaves: dict[str, Made]

    @property
    def pki(self) -> Pki:
        credentials = {NAMES[who]: Credential(pem(made), private(made)) for who, made in self.leaves.items()}
        return Pki(pem(self.root), credentials, pem(self.below) if self.below is not self.root else b"")


def pem(made: Made) -> bytes:
    return made.certificate.public_bytes(Encoding.PEM)


def private(made: Made) -> bytes:
    return made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(made: Made) -> bytes:
    return made.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def tree(*, deep: bool = True) -> Tree:
    root = certificate("laboratory root", ca=True)
    below = certificate("laboratory below", root, ca=True) if deep else root
    return Tree(root, below, {who: certificate(NAMES[who], below) for who in NAMES})


TREE = tree()
FLAT = tree(deep=False)


@pytest.fixture
def pki(request: pytest.FixtureRequest) -> Pki:
    """A chain of three, and of two for tests that have `flat` in their name."""
    return (FLAT if "_flat_" in request.node.name else TREE).pki


def certs(started: Started, kind: type[sa.Received | sa.Transmit]) -> list[wire.CERT]:
    """The CERT payloads that came to us, or went from us."""
    found = []
    for event in started.ikeref.events:
        output = getattr(event, "transmit", event)
        message = output.message if isinstance(output, kind) else None
        found += [each for each in message.payloads if type(each) is wire.CERT] if message is not None else []
    return found


def refused(started: Started, initiator: str) -> str:
    """Connecting fails, and nothing is left; what our end was told."""
    with pytest.raises((LabError, ViciError)):
        started.scene.side(initiator).connect()
    started.scene.agree("after a refusal", ike_sas=0, children=0)
    return "\n".join(event.reason for event in started.ikeref.events if isinstance(event, sa.Audit | sa.Closed))


@pytest.mark.root
@ROLES
def test_s3_6_a_chain_over_an_intermediate_authority(initiator: str, start: Start) -> None:
    """7296-3.6-06, 7296-3.6-10: two certificates from either end."""
    started = start("ecdsa")
    scenarios.establish(started.scene, initiator)
    for kind in (sa.Received, sa.Transmit):
        encodings = [each.encoding for each in certs(started, kind)]
        assert encodings == [CertEncoding.X509_SIGNATURE] * 2
    assert journal.requests(started.scene.bridge.journal, initiator, journal.IKE_AUTH)


@pytest.mark.root
@ROLES
@WHOSE
def test_s3_6_a_revoked_certificate_gets_nobody_in(whose: str, initiator: str, start: Start) -> None:
    """`whose` certificate is revoked; the other end has the CRLs and insists on them."""
    crls = {"below.crl": crl(TREE.below, TREE.leaves[whose]), "root.crl": crl(TREE.root)}
    started = start("ecdsa", **checking("theirs" if whose == "ours" else "ours", crls))
    told = refused(started, initiator)
    if whose == "theirs":
        assert "the peer's certificate is revoked" in told
        assert f"CN={THEIRS}: revoked, by a CRL" in told
    else:
        assert "AUTHENTICATION_FAILED" in told
        assert "revoked" in started.strongswan.log()


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("checks", ["ours", "theirs"])
def test_s3_6_crls_that_revoke_nobody_let_everybody_in(checks: str, initiator: str, start: Start) -> None:
    """The twin of the above."""
    crls = {"below.crl": crl(TREE.below), "root.crl": crl(TREE.root)}
    scenarios.establish(start("ecdsa", **checking(checks, crls)).scene, initiator)


def checking(who: str, crls: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """One end insists on CRLs, and has these."""
    if who == "ours":
        names = ", ".join(f'"{name}"' for name in crls)
        return {"ours": {"files": crls, "trust_toml": f', revocation = "require", crls = [{names}]'}}
    return {"theirs": {"files": {f"x509crl/{name}": each for name, each in crls.items()}, "trust": STRICT}}


STRICT = ("revocation = strict",)


@pytest.mark.root
@ROLES
def test_s3_6_an_intermediate_authority_is_revoked(initiator: str, start: Start) -> None:
    crls = {"below.crl": crl(TREE.below), "root.crl": crl(TREE.root, TREE.below)}
    started = start("ecdsa", **checking("ours", crls))
    assert "the certificate of an authority is revoked" in refused(started, initiator)


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("revoked", [False, True], ids=["good", "revoked"])
def test_rfc4806_flat_our_ocsp_response_is_believed(revoked: bool, initiator: str, start: Start) -> None:
    """strongSwan asks for it (RFC 4806 section 4.1) and insists on it."""
    stapled = {"own.ocsp": response(FLAT.leaves["ours"], FLAT.root, revoked=revoked)}
    ours = {"files": stapled, "own_toml": ', ocsp_responses = "own.ocsp"'}
    started = start("ecdsa", ours=ours, theirs={"settings": ("ocsp = request",), "trust": STRICT})
    if revoked:
        assert "AUTHENTICATION_FAILED" in refused(started, initiator)
        return
    scenarios.establish(started.scene, initiator)
    assert CertEncoding.OCSP_CONTENT in [each.encoding for each in certs(started, sa.Transmit)]


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("revoked", [False, True], ids=["good", "revoked"])
def test_rfc4806_flat_their_ocsp_response_is_checked(
    revoked: bool, initiator: str, start: Start, stack: ExitStack
) -> None:
    """strongSwan gets it from a responder of ours, and sends it because we ask."""
    leaf = FLAT.leaves["theirs"]

    def answer(request: bytes) -> bytes:
        assert ocsp.load_der_ocsp_request(request).serial_number == leaf.certificate.serial_number
        return response(leaf, FLAT.root, revoked=revoked)

    ours = {"trust_toml": ', revocation = "require", ocsp = true'}
    started = start("ecdsa", ours=ours, theirs={"settings": ("ocsp = reply",)})
    web = Web(started.scene.bridge.link.theirs.namespace, {}, answer)
    stack.callback(web.close)
    authority = f"authorities {{ lab {{ cacert = authority.pem\n ocsp_uris = http://{web.host}/ocsp }} }}"
    started.strongswan.load(again(started, settings=("ocsp = reply",), sections=authority), FLAT.pki)
    if revoked:
        assert "revoked" in refused(started, initiator)
        return
    scenarios.establish(started.scene, initiator)
    assert CertEncoding.OCSP_CONTENT in [each.encoding for each in certs(started, sa.Received)]


def again(started: Started, **changes: Any) -> Any:
    """strongSwan's connection, told otherwise."""
    _, theirs = connections(started.scene.bridge.link, "ecdsa")
    return theirs._replace(**changes)


def served(*made: Made) -> dict[str, bytes]:
    return {f"/certs/{hashlib.sha1(each.der, usedforsecurity=False).hexdigest()}": each.der for each in made}


@pytest.mark.root
@ROLES
def test_s3_6_their_certificates_by_hash_and_url(initiator: str, start: Start, stack: ExitStack) -> None:
    """7296-3.6-02, 7296-3.6-08, 7296-3.6-11: a server in our namespace, which strongSwan's URLs name."""
    objects = served(TREE.leaves["theirs"], TREE.below)
    lines = ("hash_and_url = yes",)
    port_of_web = 8980
    ours = {"trust_toml": f', lookup_hosts = "127.0.0.1:{port_of_web}"'}
    started = start("ecdsa", ours=ours, lines=lines)
    web = Web(started.scene.bridge.link.ours.namespace, objects, port=port_of_web)
    stack.callback(web.close)
    base = f"http://{web.host}/certs/"
    sections = (
        "authorities {\n"
        + "".join(
            f"  {name} {{\n    cacert = {name}.pem\n    cert_uri_base = {base}\n  }}\n"
            for name in ("authority", "intermediate")
        )
        + "}\n"
    )
    started.strongswan.load(again(started, sections=sections), TREE.pki)
    scenarios.establish(started.scene, initiator)
    assert CertEncoding.HASH_AND_URL_X509 in [each.encoding for each in certs(started, sa.Received)]
    assert web.asked
    assert set(web.asked) <= set(objects)


@pytest.mark.root
@ROLES
def test_s3_6_our_certificates_by_hash_and_url(initiator: str, start: Start, stack: ExitStack) -> None:
    """The server is in strongSwan's namespace, and strongSwan fetches from it."""
    port_of_web = 8981
    base = f"http://127.0.0.1:{port_of_web}"
    objects = served(TREE.leaves["ours"], TREE.below)
    urls = ", ".join(f'"{base}{path}"' for path in objects)
    started = start("ecdsa", ours={"own_toml": f", urls = [{urls}]"}, lines=("hash_and_url = yes",))
    web = Web(started.scene.bridge.link.theirs.namespace, objects, port=port_of_web)
    stack.callback(web.close)
    scenarios.establish(started.scene, initiator)
    assert [each.encoding for each in certs(started, sa.Transmit)] == [CertEncoding.HASH_AND_URL_X509] * 2
    assert web.asked[0] == next(iter(objects))


@pytest.mark.root
@ROLES
def test_rfc7670_raw_public_keys(initiator: str, start: Start) -> None:
    """RFC 7670: each end knows the other's key beforehand."""
    keys = {who: public(made) for who, made in TREE.leaves.items()}
    ours = {"files": {"peer.pub": keys["theirs"]}}
    theirs = {"files": {"pubkey/own.pub": keys["theirs"], "pubkey/peer.pub": keys["ours"]}}
    started = start("raw", ours=ours, theirs=theirs)
    scenarios.short_life(started.scene, initiator)


@pytest.mark.root
@ROLES
def test_rfc7670_another_key_is_refused(initiator: str, start: Start) -> None:
    keys = {who: public(made) for who, made in TREE.leaves.items()}
    theirs = {"files": {"pubkey/own.pub": keys["theirs"], "pubkey/peer.pub": keys["ours"]}}
    started = start("raw", ours={"files": {"peer.pub": public(TREE.root)}}, theirs=theirs)
    told = refused(started, initiator)
    assert "the signature is wrong" in told or "not the one configured" in told
