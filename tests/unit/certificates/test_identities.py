"""Every type of identity against certificates (Section 3.5, RFC 4945 section 3.1)."""

from ipaddress import ip_address
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from ikeref_properties.network import A, B

from ikeref.crypto import der
from ikeref.crypto.names import matches, same_dn
from ikeref.policy import identities
from ikeref.policy.identities import Identity
from ikeref.registry import IdType
from tests.unit.certificates import scene
from tests.unit.certificates.making import certificate, name_of
from tests.unit.certificates.scene import BELOW, own, trust

OTHER = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x03upn")
BEARER = certificate(
    "Subject",
    names=[
        x509.DNSName("Host.Example"),
        x509.DNSName("*.wild.example"),
        x509.DNSName("*.com"),
        x509.DNSName("w*.part.example"),
        x509.RFC822Name("User@Mail.Example"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.IPAddress(ip_address("2001:db8::1")),
        x509.DirectoryName(name_of("Other Name")),
        x509.UniformResourceIdentifier("urn:a:b"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        OTHER,
    ],
).certificate


def general(tag: int, content: bytes) -> Identity:
    return Identity(IdType.DER_ASN1_GN, der.encode(tag, content))


class Case(NamedTuple):
    identity: Identity
    borne: bool


CASES = [
    Case(general(0x82, b"host.example"), True),
    Case(general(0x82, b"other.example"), False),
    Case(general(0x82, b""), False),
    Case(general(0x82, b"*.wild.example"), False),
    Case(general(0x82, b"x.wild.example"), False),
    Case(general(0x81, b"User@MAIL.example"), True),
    Case(general(0x81, b"user@mail.example"), False),
    Case(general(0x81, b"host.example"), False),
    Case(general(0x87, bytes([192, 0, 2, 1])), True),
    Case(general(0x87, ip_address("2001:db8::1").packed), True),
    Case(general(0x87, bytes([192, 0, 2, 1, 255, 255, 255, 255])), False),
    Case(general(0xA4, name_of("Other Name").public_bytes()), True),
    Case(general(0xA4, name_of("other  name").public_bytes()), True),
    Case(general(0xA4, name_of("Subject").public_bytes()), True),
    Case(general(0xA4, name_of("Nobody").public_bytes()), False),
    Case(general(0xA4, x509.Name([]).public_bytes()), False),
    Case(general(0xA4, b"junk"), False),
    Case(general(0x86, b"urn:a:b"), True),
    Case(general(0x86, b"urn:a:B"), False),
    Case(general(0x88, b"\x2a\x03"), True),
    Case(general(0x88, b"\x2a\x04"), False),
    Case(Identity(IdType.DER_ASN1_GN, der.encode(0x82, b"host.example") + b"\0"), False),
    Case(Identity(IdType.DER_ASN1_GN, b"\x82\x40host.example"), False),
    Case(Identity(IdType.DER_ASN1_GN, b"\x9f\x82\x01\x00"), False),
    Case(Identity(IdType.DER_ASN1_GN, b""), False),
    Case(Identity(IdType.FQDN, b"*.wild.example"), False),
    Case(Identity(IdType.FQDN, b"host.example\0.evil.example"), False),
    Case(Identity(IdType.RFC822_ADDR, b"User@MAIL.example"), True),
    Case(Identity(IdType.RFC822_ADDR, b"User@Mail.Example\0"), False),
    Case(Identity(IdType.IPV4_ADDR, bytes([192, 0, 2, 1])), True),
    Case(Identity(IdType.IPV6_ADDR, ip_address("2001:db8::1").packed), True),
    Case(Identity(IdType.IPV6_ADDR, ip_address("::ffff:192.0.2.1").packed), False),
    Case(Identity(IdType.DER_ASN1_DN, name_of("SUBJECT").public_bytes()), True),
    Case(Identity(IdType.DER_ASN1_DN, name_of("Other Name").public_bytes()), False),
    Case(Identity(IdType.KEY_ID, b"Subject"), False),
    Case(Identity(IdType.KEY_ID, b""), False),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{index} {case.identity}"[:40] for index, case in enumerate(CASES)])
def test_s3_5_each_type_is_compared_as_what_it_is(case: Case) -> None:
    """7296-3.5-07: the identities that a certificate bears, and those that only look like it."""
    assert matches(case.identity, BEARER) == case.borne


WILD = [
    (b"x.wild.example", True),
    (b"X.Wild.Example", True),
    (b"wild.example", False),
    (b"x.y.wild.example", False),
    (b".wild.example", False),
    (b"*.wild.example", False),
    (b"evil.com", False),
    (b"web.part.example", False),
]


@pytest.mark.parametrize(("host", "borne"), WILD)
def test_rfc4945_wildcards_count_only_where_policy_says_so(host: bytes, borne: bool) -> None:
    """One label, the first, the whole of it; and never for a top-level domain."""
    for identity in (Identity(IdType.FQDN, host), general(0x82, host)):
        assert not matches(identity, BEARER)
        assert matches(identity, BEARER, wildcards=True) == borne


def name(*relative: list[tuple[x509.ObjectIdentifier, str, _ASN1Type]]) -> bytes:
    rdns = [x509.RelativeDistinguishedName([x509.NameAttribute(*each) for each in one]) for one in relative]
    return x509.Name(rdns).public_bytes()


UTF8, PRINTABLE = _ASN1Type.UTF8String, _ASN1Type.PrintableString
CN, ORG = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME


def test_rfc5280_7_1_distinguished_names_compare_by_what_they_say() -> None:
    one = name([(ORG, "Big  Corp", UTF8)], [(CN, "Moon", PRINTABLE)])
    assert same_dn(one, name([(ORG, "big corp ", PRINTABLE)], [(CN, "MOON", UTF8)]))
    assert not same_dn(one, name([(CN, "Moon", UTF8)], [(ORG, "Big Corp", UTF8)]))
    assert not same_dn(one, name([(ORG, "Big Corp", UTF8), (CN, "Moon", UTF8)]))
    assert not same_dn(one, name([(ORG, "BigCorp", UTF8)], [(CN, "Moon", UTF8)]))
    assert not same_dn(one, name([(ORG, "Big Corp", UTF8)]))
    assert same_dn(name([(ORG, "a", UTF8), (CN, "b", UTF8)]), name([(CN, "B", UTF8), (ORG, "A", UTF8)]))
    assert not same_dn(name(), name())
    assert not same_dn(b"", b"")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x81\x05",
        b"\x30\x05\x31\x03\x30\x01\x06",
        b"\0" * 50,
    ]
    + [name_of("Subject").public_bytes()[:end] for end in range(1, 18)],
)
def test_cve_2013_6075_a_malformed_name_matches_nothing(octets: bytes) -> None:
    """CVE-2013-6075: lengths in ID_DER_ASN1_DN that lie."""
    for kind in IdType:
        assert not matches(Identity(kind, octets), BEARER)
    assert not identities.matches(identities.parse("CN=Subject"), Identity(IdType.DER_ASN1_DN, octets))


TYPES: dict[str, tuple[str, list[x509.GeneralName]]] = {
    "fqdn": ("@a.example", [x509.DNSName("a.example")]),
    "email": ("a@example.org", [x509.RFC822Name("a@example.org")]),
    "ipv4": ("192.0.2.7", [x509.IPAddress(ip_address("192.0.2.7"))]),
    "ipv6": ("2001:db8::7", [x509.IPAddress(ip_address("2001:db8::7"))]),
    "dn": ("CN=a", []),
}


@pytest.mark.parametrize("kind", TYPES)
def test_s3_5_each_type_proves_an_initiator_by_certificate(kind: str) -> None:
    """7296-3.5-12, 7296-3.5-13, 7296-3.5-14, 7296-3.5-15: and the addresses are none of its packets (7296-3.5-01)."""
    text, names = TYPES[kind]
    made = certificate("a", BELOW, names=names)
    wanted = identities.parse(text)
    changes = {"a_local_auth": own(made, BELOW), "a_local_id": wanted, "b_remote_id": wanted}
    ends = scene.run(**changes)
    assert scene.is_up(ends)
    assert [session.peer for session in ends.ends[B].sessions.values()] == [wanted]
    other = certificate("b", BELOW, names=[x509.DNSName("b.example")])
    assert not scene.is_up(scene.run(**{**changes, "a_local_auth": own(other, BELOW)}))


def test_s3_5_a_key_id_is_never_proved_by_a_certificate() -> None:
    wanted = identities.parse("keyid:a.example")
    ends = scene.run(a_local_id=wanted, b_remote_id=wanted)
    assert not scene.is_up(ends)
    assert "does not bear the identity" in scene.said(ends, B)


def test_rfc4945_policy_may_allow_wildcards_between_two_ends() -> None:
    made = certificate("*.example")
    wild = certificate("wild", BELOW, names=[x509.DNSName("*.sub.example")])
    changes = {"a_local_auth": own(wild, BELOW), "a_local_id": identities.parse("@a.sub.example"), "b_remote_id": None}
    assert made
    assert not scene.is_up(scene.run(**changes))
    assert scene.is_up(scene.run(**changes, b_remote_auth=trust(scene.ROOT, wildcards=True)))


def test_s3_5_octets_that_are_no_text_are_no_name() -> None:
    for data in (b"\xff\xfe", b"a.example\n", b""):
        ends = scene.run(a_local_id=Identity(IdType.FQDN, data), b_remote_id=None)
        assert not scene.is_up(ends)
        assert A not in scene.said(ends, B).split()
