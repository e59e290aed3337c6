"""Certificates, revocation, lookups and raw public keys in a configuration (Sections 3.6 and 3.7, RFC 7670)."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ikeref.policy import identities
from ikeref.policy.config import ConfigError, load
from ikeref.policy.connections import Connection
from ikeref.policy.credentials import PrivateKey, RawKeys, TrustAnchors
from tests.unit.certificates.making import Key, Made, certificate, crl, new_key, response

ROOT = certificate("root", ca=True)
LEAF = certificate("moon.example.org", ROOT)
OTHER = certificate("moon.example.org", certificate("another root", ca=True))
KEY = new_key()
STATEMENTS = {"root.crl": crl(ROOT), "leaf.ocsp": response(LEAF, ROOT)}


def pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made: dict[str, Made] = {"ca": ROOT, "moon": LEAF, "other": OTHER}
    for name, each in made.items():
        (tmp_path / f"{name}.pem").write_bytes(each.certificate.public_bytes(Encoding.PEM))
        (tmp_path / f"{name}.key").write_bytes(pem(each.key))
    (tmp_path / "raw.key").write_bytes(pem(KEY))
    public = KEY.public_key()
    (tmp_path / "raw.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for name, octets in STATEMENTS.items():
        (tmp_path / name).write_bytes(octets)
    return tmp_path


def written(local: str, remote: str, remote_id: str = "sun.example.org") -> str:
    return f"""
        [connections.home]
        remote_address = "192.0.2.1"
        local_id = "moon.example.org"
        remote_id = "{remote_id}"
        local_auth = {{ {local} }}
        remote_auth = {{ {remote} }}
        [connections.home.children.net]
    """


MOON = "key = 'moon.key', certificates = 'moon.pem'"


def loaded(folder: Path, local: str = MOON, remote: str = "authorities = 'ca.pem'", **more: str) -> Connection:
    (connection,) = load(written(local, remote, **more), base=folder).connections
    return connection


def test_all_that_can_be_said_of_certificates(folder: Path) -> None:
    urls = "urls = 'http://certs.example/moon.der', bundle_url = 'http://certs.example/moon.bundle'"
    more = "crls = 'root.crl', ocsp_responses = ['leaf.ocsp']"
    others = "others = [{ key = 'other.key', certificates = 'other.pem' }, { key = 'raw.key' }]"
    remote = "authorities = 'ca.pem', revocation = 'require', crls = ['root.crl'], ocsp = true, "
    remote += "ocsp_responders = 'other.pem', lookup_hosts = ['Certs.Example', 'b.example:8080'], wildcards = true"
    connection = loaded(folder, f"{MOON}, {urls}, {more}, {others}", remote)
    own = connection.local_auth
    assert isinstance(own, PrivateKey)
    assert own.urls == ("http://certs.example/moon.der",)
    assert own.bundle_url == "http://certs.example/moon.bundle"
    assert (own.crls, own.responses) == ((STATEMENTS["root.crl"],), (STATEMENTS["leaf.ocsp"],))
    assert [each.chain for each in own.others] == [(OTHER.der,), ()]
    hosts = ("certs.example:80", "b.example:8080")
    wanted = TrustAnchors((ROOT.der,), "require", own.crls, True, (OTHER.der,), hosts, True)
    assert connection.remote_auth == wanted


@pytest.mark.parametrize(
    ("said", "strictness"),
    [("", "off"), (", crls = 'root.crl'", "if-available"), (", ocsp = true", "if-available")],
)
def test_revocation_is_asked_for_where_there_is_something_to_ask(folder: Path, said: str, strictness: str) -> None:
    trusted = loaded(folder, remote=f"authorities = 'ca.pem'{said}").remote_auth
    assert isinstance(trusted, TrustAnchors)
    assert trusted.revocation == strictness
    assert trusted.lookup_hosts == ()
    assert not trusted.wildcards


def test_rfc7670_raw_public_keys_of_the_peer_or_of_several(folder: Path) -> None:
    info = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert loaded(folder, "key = 'raw.key'", "public_keys = 'raw.pub'").remote_auth == RawKeys(((None, info),))
    named = loaded(folder, "key = 'raw.key'", "public_keys = { '@a.example' = 'raw.pub' }", remote_id="any")
    assert named.remote_auth == RawKeys(((identities.parse("@a.example"), info),))


@pytest.mark.parametrize(
    ("local", "remote", "where", "reason"),
    [
        (f"{MOON}, urls = ['http://a/', 'http://b/']", "", "local_auth.urls", "more than the 1 certificates"),
        (f"{MOON}, urls = 'https://a/'", "", "local_auth.urls", "is not http"),
        (f"{MOON}, bundle_url = 'moon.bundle'", "", "local_auth.bundle_url", "is not http"),
        (f"{MOON}, crls = 'moon.pem'", "", "local_auth.crls", "holds no CRL"),
        (f"{MOON}, ocsp_responses = 'root.crl'", "", "local_auth.ocsp_responses", "no successful OCSP response"),
        (f"{MOON}, others = 'x'", "", "local_auth.others", "must be an array of tables"),
        (f"{MOON}, others = [{{}}]", "", "local_auth.others[0].key", "is missing"),
        (f"{MOON}, others = [{{ key = 'raw.key', x = 1 }}]", "", "local_auth.others[0].x", "is not known"),
        ("key = 'raw.key', urls = 'http://a/'", "", "local_auth.urls", "needs certificates"),
        ("", "authorities = []", "remote_auth.authorities", "must name a file"),
        ("", "authorities = 'ca.pem', revocation = 'strict'", "remote_auth.revocation", "must be one of off, if-av"),
        ("", "authorities = 'ca.pem', revocation = 'off', ocsp = true", "remote_auth.revocation", "there are crls"),
        ("", "authorities = 'ca.pem', ocsp_responders = 'ca.pem'", "remote_auth.ocsp_responders", "needs ocsp"),
        ("", "authorities = 'ca.pem', lookup_hosts = 'http://a/'", "remote_auth.lookup_hosts", "is no host"),
        ("", "authorities = 'ca.pem', wildcards = 1", "remote_auth.wildcards", "true or false"),
        ("", "public_keys = 'ca.pem'", "remote_auth.public_keys", "holds no RSA, ECDSA"),
        ("", "public_keys = { '' = 'raw.pub' }", "remote_auth.public_keys.", "."),
        ("", "public_keys = 'raw.pub', authorities = 'ca.pem'", "remote_auth.authorities", "stands beside public_keys"),
        ("", "public_keys = 'raw.pub', psk = 'x'", "remote_auth.psk", "stands beside public_keys"),
    ],
)
def test_errors_say_where_and_what(folder: Path, local: str, remote: str, where: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        loaded(folder, local or MOON, remote or "authorities = 'ca.pem'")
    assert caught.value.where.startswith(f"connections.home.{where}".rstrip("."))


def test_rfc7670_a_key_for_anybody_would_prove_any_identity(folder: Path) -> None:
    with pytest.raises(ConfigError, match="must say whose each is"):
        loaded(folder, "key = 'raw.key'", "public_keys = 'raw.pub'", remote_id="any")
