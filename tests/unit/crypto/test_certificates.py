"""Certificates: which chains are valid, and which identities they bear (Sections 3.5 to 3.7, RFC 4945)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ikeref.crypto.auth import PrivateKey, sign, verify
from ikeref.crypto.certificates import (
    MAX_CERTIFICATES,
    authority_hash,
    load_certificates,
    load_private_key,
    load_public_key,
    matches,
    to_der,
    validate,
)
from ikeref.errors import AuthenticationFailed, LocalProtocolError
from ikeref.registry import HashAlgorithm, IdType
from tests.unit.certificates.making import key_usage

PKI = Path(__file__).parents[2] / "vectors" / "generated" / "pki"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
CERTIFICATES = {path.stem: load_certificates(path.read_bytes())[0] for path in PKI.glob("*.crt")}
ROOTS = ("rootrsa", "rootec", "rooted")
ISSUER = {"rsa": "rootrsa", "big": "rootrsa", "ec": "rootec", "ec384": "rootec", "ec521": "rootec", "ed": "rooted"}


class Identity(NamedTuple):
    id_type: int
    data: bytes


def anchors(*names: str) -> list[x509.Certificate]:
    return [CERTIFICATES[name] for name in names]


def chain(*names: str) -> tuple[bytes, ...]:
    return tuple(to_der(CERTIFICATES[name]) for name in names)


HOST = Identity(IdType.FQDN, b"a.vec.test")


@pytest.mark.parametrize("side", ["A", "B"])
@pytest.mark.parametrize("kind", list(ISSUER))
def test_s2_15_certificates_lead_to_their_own_root_only(kind: str, side: str) -> None:
    identity = Identity(IdType.FQDN, f"{side.lower()}.vec.test".encode())
    sent = chain(kind + side, "inter") if kind == "big" else chain(kind + side)
    key = validate(sent, anchors(*ROOTS), NOW, identity)
    private = load_private_key((PKI / f"{kind}{side}.key").read_bytes())
    every = frozenset(HashAlgorithm)
    verify(key, *sign(private, b"octets", every), b"octets")
    for root in ROOTS:
        if root == ISSUER[kind]:
            assert validate(sent, anchors(root), NOW, identity)
            continue
        with pytest.raises(AuthenticationFailed):
            validate(sent, anchors(root), NOW, identity)


def test_s2_15_a_missing_intermediate_fails() -> None:
    with pytest.raises(AuthenticationFailed):
        validate(chain("bigA"), anchors(*ROOTS), NOW, HOST)
    assert validate(chain("bigA", "ecB", "inter", "rootec"), anchors(*ROOTS), NOW, HOST)


def test_s2_15_another_ca_of_the_same_names_fails() -> None:
    with pytest.raises(AuthenticationFailed):
        validate(chain("evilA", "otherca"), anchors(*ROOTS), NOW, HOST)


@pytest.mark.parametrize("name", ["rsaA", "ecA", "edA"])
def test_s2_15_validity_and_identity_are_checked(name: str) -> None:
    good = validate(chain(name), anchors(*ROOTS), NOW, HOST)
    assert good.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for now in (datetime(2026, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)):
        with pytest.raises(AuthenticationFailed):
            validate(chain(name), anchors(*ROOTS), now, HOST)
    for wrong in (Identity(IdType.FQDN, b"b.vec.test"), Identity(IdType.KEY_ID, b"a.vec.test")):
        with pytest.raises(AuthenticationFailed, match="does not bear the identity"):
            validate(chain(name), anchors(*ROOTS), NOW, wrong)


def test_s2_15_nothing_validates_without_certificates_or_anchors() -> None:
    for certificates, roots in (((), anchors(*ROOTS)), (chain("rsaA"), [])):
        with pytest.raises(AuthenticationFailed):
            validate(certificates, roots, NOW, HOST)
    with pytest.raises(AuthenticationFailed, match="too many"):
        validate(chain("rsaA") * (MAX_CERTIFICATES + 1), anchors(*ROOTS), NOW, HOST)


def test_s2_15_a_certificate_may_be_its_own_anchor() -> None:
    for name in ("rsaA", "ecA", "edA"):
        assert validate(chain(name), anchors(name), NOW, HOST)


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


Change = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


class Made(NamedTuple):
    certificate: x509.Certificate
    key: PrivateKey


def make(
    subject: str,
    key: PrivateKey,
    issuer: Made | None = None,
    *,
    ca: bool = False,
    path: int | None = None,
    **extra: Any,
) -> Made:
    """A certificate; `extra` takes `usage`, `purposes`, `names`, `hash`, `critical`, `days` and `constraints`."""
    signer = issuer or Made(None, key)  # type: ignore[arg-type]  # self-signed
    start = NOW - timedelta(days=10)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(issuer.certificate.subject if issuer else name_of(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=extra.get("days", 100)))
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, path), True)
        builder = builder.add_extension(key_usage(extra.get("usage", "key_cert_sign")), True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    elif "usage" in extra:
        builder = builder.add_extension(key_usage(extra["usage"]), True)
    if "names" in extra:
        builder = builder.add_extension(x509.SubjectAlternativeName(extra["names"]), False)
    if "purposes" in extra:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extra["purposes"]), False)
    if "constraints" in extra:
        builder = builder.add_extension(extra["constraints"], True)
    if extra.get("critical"):
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0")
        builder = builder.add_extension(unknown, True)
    if issuer:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
        builder = builder.add_extension(authority, False)
    default = None if isinstance(signer.key, Ed25519PrivateKey) else hashes.SHA256()
    return Made(builder.sign(signer.key, extra.get("hash", default)), key)


NAMES = [x509.DNSName("a.vec.test")]
KINDS: dict[str, Callable[[], PrivateKey]] = {
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),  # the package's verifier
    "eddsa": Ed25519PrivateKey.generate,  # our own walk
}


@pytest.fixture(params=list(KINDS))
def fresh(request: pytest.FixtureRequest) -> Callable[[], PrivateKey]:
    return KINDS[request.param]


def valid(leaf: Made, *others: Made, root: Made, identity: Identity = HOST) -> bool:
    sent = tuple(to_der(made.certificate) for made in (leaf, *others))
    try:
        validate(sent, [root.certificate], NOW, identity)
    except AuthenticationFailed:
        return False
    return True


def test_rfc5280_paths(fresh: Callable[[], PrivateKey]) -> None:
    root = make("root", fresh(), ca=True)
    upper = make("upper", fresh(), root, ca=True)
    lower = make("lower", fresh(), upper, ca=True)
    leaf = make("leaf", fresh(), lower, names=NAMES)
    assert valid(leaf, upper, lower, root=root)
    assert valid(leaf, lower, upper, root=root)
    assert not valid(leaf, lower, root=root)
    assert not valid(leaf, upper, root=root)


def test_rfc5280_only_cas_issue(fresh: Callable[[], PrivateKey]) -> None:
    root = make("root", fresh(), ca=True)
    no_ca = make("no ca", fresh(), root, names=NAMES)
    assert valid(no_ca, root=root)
    assert not valid(make("leaf", fresh(), no_ca, names=NAMES), no_ca, root=root)
    no_sign = make("no sign", fresh(), root, ca=True, usage="crl_sign")
    assert not valid(make("leaf", fresh(), no_sign, names=NAMES), no_sign, root=root)


def test_rfc5280_path_length(fresh: Callable[[], PrivateKey]) -> None:
    for allowed in (0, 1, None):
        root = make("root", fresh(), ca=True, path=allowed)
        inter = make("inter", fresh(), root, ca=True)
        assert valid(make("leaf", fresh(), root, names=NAMES), root=root)
        assert valid(make("leaf", fresh(), inter, names=NAMES), inter, root=root) == (allowed != 0)


def test_rfc5280_signatures_of_another_key_fail(fresh: Callable[[], PrivateKey]) -> None:
    root = make("root", fresh(), ca=True)
    impostor = make("root", fresh(), ca=True)
    assert not valid(make("leaf", fresh(), impostor, names=NAMES), root=root)
    assert not valid(make("leaf", fresh(), impostor, names=NAMES), impostor, root=root)


def test_rfc5280_expired_or_unknown_critical(fresh: Callable[[], PrivateKey]) -> None:
    root = make("root", fresh(), ca=True)
    assert valid(make("leaf", fresh(), root, names=NAMES), root=root)
    assert not valid(make("leaf", fresh(), root, names=NAMES, days=9), root=root)
    assert not valid(make("leaf", fresh(), root, names=NAMES, critical=True), root=root)
    inter = make("inter", fresh(), root, ca=True, days=9)
    assert not valid(make("leaf", fresh(), inter, names=NAMES), inter, root=root)


def test_rfc5280_a_name_constraint_that_forbids_the_name_fails(fresh: Callable[[], PrivateKey]) -> None:
    root = make("root", fresh(), ca=True)
    constraint = x509.NameConstraints([x509.DNSName("elsewhere.test")], None)
    inter = make("inter", fresh(), root, ca=True, constraints=constraint)
    assert not valid(make("leaf", fresh(), inter, names=NAMES), inter, root=root)


def test_rfc4945_key_usage_and_extended_key_usage(fresh: Callable[[], PrivateKey]) -> None:
    root = make("root", fresh(), ca=True)
    for usage, good in (
        ("digital_signature", True),
        ("content_commitment", True),
        ("key_agreement", False),
        ("crl_sign", False),
    ):
        assert valid(make("leaf", fresh(), root, names=NAMES, usage=usage), root=root) == good, usage
    for purpose, good in (
        (ExtendedKeyUsageOID.IPSEC_IKE, True),
        (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, True),
        (ExtendedKeyUsageOID.SERVER_AUTH, True),
        (ExtendedKeyUsageOID.CLIENT_AUTH, True),
        (x509.ObjectIdentifier("1.3.6.1.5.5.8.2.2"), True),
        (ExtendedKeyUsageOID.CODE_SIGNING, False),
        (ExtendedKeyUsageOID.OCSP_SIGNING, False),
    ):
        assert valid(make("leaf", fresh(), root, names=NAMES, purposes=[purpose]), root=root) == good, purpose


def test_weak_links_in_an_eddsa_chain_fail() -> None:
    root = make("root", rsa.generate_private_key(65537, 2048), ca=True)
    leaf = make("leaf", Ed25519PrivateKey.generate(), root, names=NAMES)
    assert valid(leaf, root=root)
    short = make("root", rsa.generate_private_key(65537, 1024), ca=True)
    assert not valid(make("leaf", Ed25519PrivateKey.generate(), short, names=NAMES), root=short)


def test_a_crowd_of_certificates_of_one_name_is_walked_once() -> None:
    """All issue all: the number of paths is exponential, the work must not be."""
    key = Ed25519PrivateKey.generate()
    crowd = [make("same", key, Made(make("same", key, ca=True).certificate, key), ca=True) for _ in range(15)]
    leaf = make("leaf", Ed25519PrivateKey.generate(), crowd[0], names=NAMES)
    assert not valid(leaf, *crowd, root=make("root", Ed25519PrivateKey.generate(), ca=True))


BEARER = make(
    "Subject",
    ec.generate_private_key(ec.SECP256R1()),
    names=[
        x509.DNSName("Host.Example"),
        x509.DNSName("*.wild.example"),
        x509.RFC822Name("User@Mail.Example"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.IPAddress(ip_address("2001:db8::1")),
    ],
).certificate


@pytest.mark.parametrize(
    ("id_type", "data", "good"),
    [
        (IdType.FQDN, b"host.example", True),
        (IdType.FQDN, b"HOST.EXAMPLE", True),
        (IdType.FQDN, b"host.example\0", False),
        (IdType.FQDN, b"host.example.", False),
        (IdType.FQDN, b"x.wild.example", False),
        (IdType.FQDN, b"Subject", False),
        (IdType.FQDN, b"User@Mail.Example", False),
        (IdType.FQDN, b"", False),
        (IdType.FQDN, b"\xff\xfe", False),
        (IdType.RFC822_ADDR, b"User@mail.example", True),
        (IdType.RFC822_ADDR, b"user@mail.example", False),
        (IdType.RFC822_ADDR, b"host.example", False),
        (IdType.IPV4_ADDR, bytes([192, 0, 2, 1]), True),
        (IdType.IPV4_ADDR, bytes([192, 0, 2, 2]), False),
        (IdType.IPV4_ADDR, b"192.0.2.1", False),
        (IdType.IPV4_ADDR, b"", False),
        (IdType.IPV6_ADDR, ip_address("2001:db8::1").packed, True),
        (IdType.IPV6_ADDR, bytes([192, 0, 2, 1]), False),
        (IdType.DER_ASN1_DN, name_of("Subject").public_bytes(), True),
        (IdType.DER_ASN1_DN, name_of(" subject").public_bytes(), True),
        (IdType.DER_ASN1_DN, name_of("subjects").public_bytes(), False),
        (IdType.DER_ASN1_DN, b"", False),
        (IdType.KEY_ID, b"host.example", False),
        (IdType.NULL, b"", False),
        (IdType.DER_ASN1_GN, b"host.example", False),
        (250, b"host.example", False),
    ],
)
def test_s3_5_identities(id_type: int, data: bytes, good: bool) -> None:
    assert matches(Identity(id_type, data), BEARER) == good


def test_s3_5_without_subject_alternative_name_only_the_subject_counts() -> None:
    bare = make("host.example", ec.generate_private_key(ec.SECP256R1())).certificate
    assert not matches(Identity(IdType.FQDN, b"host.example"), bare)
    assert matches(Identity(IdType.DER_ASN1_DN, name_of("host.example").public_bytes()), bare)


def test_s3_7_the_authority_hash_is_sha1_of_the_public_key_info() -> None:
    info = CERTIFICATES["rootrsa"].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA1())
    digest.update(info)
    assert authority_hash(CERTIFICATES["rootrsa"]) == digest.finalize()


def test_mutated_certificates_only_ever_fail_authentication() -> None:
    random = Random(4945)
    for name in ("rsaA", "ecA", "edA"):
        der = chain(name)[0]
        for _ in range(300):
            mutated = bytearray(der)
            for _ in range(random.randint(1, 3)):
                mutated[random.randrange(len(mutated))] = random.randrange(256)
            if bytes(mutated) == der:
                continue
            sent = (bytes(mutated[: random.choice((len(der), random.randrange(len(der))))]), *chain("inter"))
            with pytest.raises(AuthenticationFailed):
                validate(sent, anchors(*ROOTS), NOW, HOST)


def test_keys_load_from_pem_and_der_and_tell_nothing_when_they_do_not() -> None:
    pem = (PKI / "ecA.key").read_bytes()
    key = load_private_key(pem)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert isinstance(load_private_key(der), ec.EllipticCurvePrivateKey)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert isinstance(load_public_key(public), ec.EllipticCurvePublicKey)
    for load in (load_private_key, load_public_key, load_certificates):
        for junk in (b"", b"junk-secret", pem[:40] + b"junk-secret\n", der[:-5]):
            with pytest.raises(LocalProtocolError) as caught:
                load(junk)
            assert "secret" not in str(caught.value)


def test_a_file_may_hold_several_certificates() -> None:
    both = (PKI / "inter.crt").read_bytes() + (PKI / "rootrsa.crt").read_bytes()
    assert load_certificates(both) == (CERTIFICATES["inter"], CERTIFICATES["rootrsa"])
