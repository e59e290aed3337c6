"""Certificates whose parts can't be read, of peers that have proved nothing: refused, and nothing is raised."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from ikeref_properties.mutants import seeded
from ikeref_properties.mutants.seeding import edit, mutant

from ikeref import eap
from ikeref.crypto.certificates import find_path
from ikeref.errors import AuthenticationFailed
from ikeref.policy import explain
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
