"""Certificates whose parts can't be read, of peers that have proved nothing: refused, and nothing is raised."""

from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import pytest
from cryptography import x509
from ikeref_properties.mutants import seeded
from ikeref_properties.mutants.seeding import edit, mutant

from ikeref import eap
from ikeref.crypto.certificates import find_path, key_for
from ikeref.errors import AuthenticationFailed
from ikeref.policy import explain, identities
from ikeref.policy.credentials import PrivateKey
from ikeref.registry import EapCode
from tests.unit.certificates.making import certificate, new_key
from tests.unit.eap.scene import TLS, authorities, peer, server
from tests.unit.eap.test_methods import talk

NOW = datetime.now(UTC)
KEY = new_key()


def odd() -> bytes:
    """A certificate whose common name is a BIT STRING: the package reads it only when it is asked for."""
    plain = certificate("\0odd", key=KEY).der
    assert b"\x0c\x04\0odd" in plain
    altered = plain.replace(b"\x0c\x04\0odd", b"\x03\x04\0odd")
    with pytest.raises(TypeError):
        _ = x509.load_der_x509_certificate(altered).subject
    return altered


def test_s3_6_a_certificate_with_an_odd_name_is_refused_and_explained() -> None:
    anchor = certificate("anchor", ca=True).certificate
    for chain in ((odd(),), (certificate("leaf").der, odd())):
        with pytest.raises(AuthenticationFailed):
            find_path(chain, [anchor], NOW)
    assert "no certificate" in explain.certificates_shown([odd()], [anchor], [])


def test_rfc5216_5_3_a_peer_with_an_odd_name_fails_in_tls() -> None:
    """Found by fuzzing the like of it outside of TLS: the exception would have come before any authentication."""
    odd_peer = peer(TLS, key=PrivateKey(KEY, (odd(),)))
    client, move, _ = talk(odd_peer, server(TLS, anchors=authorities()))
    assert move.message.code == EapCode.FAILURE
    assert "cannot be read" in move.reason
    with pytest.raises(AuthenticationFailed):
        eap.conclude(client)


OCTETS = (0, 1, 3, 4, 5, 6, 12, 19, 20, 22, 23, 30, 48, 49, 130, 160, 255)
"""Tags of ASN.1, and numbers that are often wrong."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_damaged_certificates_raise_nothing_anywhere() -> None:
    """What is made of a certificate, and said of it, where an octet or two are others."""
    authority = certificate("authority", ca=True)
    leaf = certificate("a.example", authority, names=[x509.DNSName("a.example"), x509.RFC822Name("x@a.example")])
    wanted = [identities.parse(text) for text in ("a.example", "x@a.example", "CN=a.example", "10.0.0.1")]
    rng, loaded = Random(3), 0
    for _ in range(1500):
        octets = bytearray(leaf.der)
        for _ in range(rng.choice((1, 2))):
            octets[rng.randrange(len(octets))] = rng.choice(OCTETS)
        for chain in ((bytes(octets),), (leaf.der, bytes(octets))):
            with suppress(AuthenticationFailed):
                find_path(chain, [authority.certificate], NOW)
        explain.certificates_shown([bytes(octets)], [authority.certificate], [])
        with suppress(ValueError, x509.InvalidVersion):
            found = x509.load_der_x509_certificate(bytes(octets))
            loaded += 1
            for each in wanted:
                with suppress(AuthenticationFailed):
                    key_for(found, each)
    assert loaded > 300


def test_an_exception_that_is_let_through_would_be_found() -> None:
    fault = mutant(
        "read names carelessly",
        "3.6",
        edit(
            "policy.explain",
            '    except (ValueError, TypeError, InvalidVersion):\n        return f"{len(der)} octets',
            '    except InvalidVersion:\n        return f"{len(der)} octets',
        ),
    )
    with seeded(fault), pytest.raises(TypeError):
        test_s3_6_a_certificate_with_an_odd_name_is_refused_and_explained()
