"""Identities (Section 3.5)."""

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ikeref.crypto.names import decode_dn
from ikeref.policy.identities import Identity, dn_to_text, matches, parse, to_text
from ikeref.registry import IdType


@pytest.mark.parametrize(
    ("text", "kind", "data"),
    [
        ("10.0.0.1", IdType.IPV4_ADDR, bytes([10, 0, 0, 1])),
        ("2001:db8::1", IdType.IPV6_ADDR, ipaddress.ip_address("2001:db8::1").packed),
        ("@moon.example.org", IdType.FQDN, b"moon.example.org"),
        ("moon.example.org", IdType.FQDN, b"moon.example.org"),
        ("fqdn:10.0.0.1", IdType.FQDN, b"10.0.0.1"),
        ("carol@example.org", IdType.RFC822_ADDR, b"carol@example.org"),
        ("email:carol", IdType.RFC822_ADDR, b"carol"),
        ("keyid:moon", IdType.KEY_ID, b"moon"),
        ("keyid:0x00ff", IdType.KEY_ID, b"\x00\xff"),
        ("dn:0x3000", IdType.DER_ASN1_DN, b"\x30\x00"),
        ("C=CH, CN=moon", IdType.DER_ASN1_DN,
         bytes.fromhex("301c310b3009060355040613024348310d300b06035504030c046d6f6f6e")),
    ],
)  # fmt: skip
def test_s3_5_texts_and_what_they_stand_for(text: str, kind: int, data: bytes) -> None:
    assert parse(text) == (kind, data)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no name"),
        ("two words", "no name"),
        ("ipv4:moon", "moon"),
        ("10.0.0.1:500", "known prefix"),
        ("X=1", "'X' is no attribute of distinguished names known here"),
        ("CN=", "NAME=VALUE"),
        ("CN=moon, sun", "NAME=VALUE"),
        ("CN=moon\\", "backslash"),
        ("keyid:", "empty"),
        ("@", "no name"),
        ("müller.example", "ASCII"),
        ("moon.\r\nexample", "no name"),
        ("carol@\nexample", "no name"),
    ],
)
def test_a_text_that_is_no_identity_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)


def test_s3_5_names_compare_without_case_and_the_rest_octet_by_octet() -> None:
    assert matches(None, parse("anybody"))
    assert matches(parse("Moon.Example.ORG"), parse("moon.example.org"))
    assert matches(parse("carol@Example.org"), parse("carol@example.org"))
    assert not matches(parse("Carol@example.org"), parse("carol@example.org"))
    assert not matches(parse("keyid:moon"), parse("keyid:MOON"))
    assert not matches(parse("moon"), parse("keyid:moon"))
    assert not matches(parse("10.0.0.1"), parse("10.0.0.2"))


def name(*attributes: x509.NameAttribute[str]) -> Identity:
    return Identity(IdType.DER_ASN1_DN, x509.Name(attributes).public_bytes())


def test_s3_5_distinguished_names_compare_by_value_and_not_by_string_type() -> None:
    utf8 = name(
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, "Moon")
    )
    printable = name(
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example", x509.name._ASN1Type.PrintableString),
        x509.NameAttribute(NameOID.COMMON_NAME, "moon ", x509.name._ASN1Type.PrintableString),
    )
    assert utf8.data != printable.data
    assert matches(utf8, printable)
    assert not matches(utf8, parse("CN=Moon, O=Example"))
    assert not matches(utf8, parse("O=Example"))
    assert not matches(utf8, parse("O=Example, CN=sun"))


def test_s3_5_attributes_of_one_relative_name_are_not_two_relative_names() -> None:
    together = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.SERIAL_NUMBER, "1")]
            )
        ]
    )
    apart = Identity(IdType.DER_ASN1_DN, parse("CN=a, SN=1").data)
    assert not matches(Identity(IdType.DER_ASN1_DN, together.public_bytes()), apart)


def test_distinguished_names_are_readable() -> None:
    text = "C=CH, O=Example\\, Inc., OU=a\\\\b, 1.2.3.4=x, CN=moon"
    assert dn_to_text(parse(text).data) == text
    assert decode_dn(parse("2.999.5=x").data)[0].oid == "2.999.5"


@pytest.mark.parametrize("damage", range(1, 28))
def test_a_truncated_distinguished_name_is_shown_in_hexadecimal_and_matches_only_itself(damage: int) -> None:
    whole = parse("C=CH, CN=moon")
    cut = Identity(IdType.DER_ASN1_DN, whole.data[:-damage])
    assert to_text(cut) == f"dn:0x{cut.data.hex()}"
    assert matches(cut, cut)
    assert not matches(whole, cut)


identities = st.one_of(
    st.builds(Identity, st.sampled_from([*IdType, 200]), st.binary(max_size=20)),
    st.builds(Identity, st.sampled_from([*IdType]), st.text(alphabet="aB.@:=,-0x1 ", max_size=12).map(str.encode)),
    st.text(alphabet="aB.@:=,-0x1 CN\\", max_size=12)
    .map(lambda text: "CN=" + text)
    .flatmap(lambda text: st.just(_or_none(text)).filter(lambda identity: identity is not None)),
)


def _or_none(text: str) -> Identity | None:
    try:
        return parse(text)
    except ValueError:
        return None


@given(identities)
def test_any_identity_has_a_text_that_parses_back_or_is_plain_hexadecimal(identity: Identity) -> None:
    text = to_text(identity)
    assert text.isprintable()
    if _or_none(text) != identity:
        assert text.endswith(f":0x{identity.data.hex()}")


@given(st.binary(max_size=60))
def test_any_octets_are_a_distinguished_name_or_a_value_error(octets: bytes) -> None:
    try:
        names = decode_dn(octets)
    except ValueError:
        return
    assert all(part.oid for part in names)
