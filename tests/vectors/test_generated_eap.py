"""Captured EAP of strongSwan: MSCHAPv2, its MSK and the last AUTH of both ends, recomputed (Section 2.16)."""

import json
import re

import pytest

from ikeref import eap, wire
from ikeref.crypto.auth import shared_key_auth, signed_octets
from ikeref.eap import mschap
from ikeref.policy.credentials import EapServer, Secret
from ikeref.registry import EapCode, EapType, ExchangeType
from tests.vectors.captured import GENERATED
from tests.vectors.life import REAL, Exchange, find, initial, life

PASSED, FAILED = ("eap-mschapv2", "eap-mschapv2-cp-esp"), "eap-mschapv2-badpw"


def packets(name: str) -> list[eap.Packet]:
    """The EAP messages of the first IKE SA, in order."""
    return [
        eap.parse(payload.data)
        for exchange in rounds(name)
        for message in (exchange.request, exchange.response)
        if (payload := find(message.payloads, wire.EAP)) is not None
    ]


def rounds(name: str) -> list[Exchange]:
    found = [each for each in life(name).exchanges if each.request.exchange_type == ExchangeType.IKE_AUTH]
    return [each for each in found if each.request.spi_i == found[0].request.spi_i]


def password(name: str) -> Secret:
    """Of the server."""
    told = json.loads((GENERATED / name / "scenario.json").read_text())["swanctl"]["B"]
    found = re.search(r"eap-x \{ id = carol\s+secret = \"([^\"]+)\"", told)
    assert found
    return Secret(found[1].encode())


def values(name: str) -> tuple[bytes, bytes, bytes, bytes]:
    """The server's challenge, the peer's, NT-Response and user."""
    method = [each for each in packets(name) if each.type == EapType.MSCHAPV2]
    body = method[1].data[5:]
    return method[0].data[5:21], body[:16], body[24:48], body[49:]


@pytest.mark.parametrize("name", PASSED)
def test_rfc2759_responses_are_recomputed(name: str) -> None:
    challenge, own, response, user = values(name)
    hashed = mschap.nt_password_hash(password(name).octets.decode())
    assert mschap.nt_response(challenge, own, user, hashed) == response
    proof = mschap.authenticator_response(hashed, response, own, challenge, user)
    (success,) = [
        each for each in packets(name) if each.type == EapType.MSCHAPV2 and each.data[0] == 3 and len(each.data) > 1
    ]
    assert success.data[4:46] == proof
    assert packets(name)[-1].code == EapCode.SUCCESS


@pytest.mark.parametrize("name", PASSED)
def test_s2_16_the_last_auths_are_by_the_msk(name: str) -> None:
    """7296-2.16-09, 7296-2.16-10, 7296-2.16-18."""
    _, _, response, _ = values(name)
    msk = mschap.msk(mschap.nt_password_hash(password(name).octets.decode()), response)
    first, sa = initial(name)[0]
    prf, steps = sa.suite.prf, rounds(name)
    ni, nr = (find(each.payloads, wire.Nonce).data for each in (first.request, first.response))
    idi, idr = find(steps[0].request.payloads, wire.IDi), find(steps[0].response.payloads, wire.IDr)
    proofs = [find(message.payloads, wire.AUTH).data for message in (steps[-1].request, steps[-1].response)]
    octets = (
        signed_octets(REAL, prf, first.request_octets, nr, sa.keys.sk_pi, wire.encode_id(idi)),
        signed_octets(REAL, prf, first.response_octets, ni, sa.keys.sk_pr, wire.encode_id(idr)),
    )
    assert [shared_key_auth(REAL, prf, msk, each) for each in octets] == proofs
    assert [shared_key_auth(REAL, prf, msk[:63] + b"\1", each) for each in octets] != proofs


@pytest.mark.parametrize("name", PASSED)
def test_s2_16_our_server_takes_the_captured_peer(name: str) -> None:
    """The server's random octets are those of the capture."""
    captured = [each for each in packets(name) if each.type == EapType.MSCHAPV2]
    challenge, *_ = values(name)
    drawn = iter((bytes((captured[0].identifier - 1 & 0xFF,)), challenge))
    tools = eap.Tools(lambda _: next(drawn), lambda: None)  # type: ignore[arg-type,return-value]
    users = EapServer((int(EapType.MSCHAPV2),), ((b"carol", password(name)),))
    move = eap.begin(eap.Server(users, b"carol", b"b.vec.test", None, users.methods), tools)
    response = captured[1]._replace(data=bytes((captured[1].data[0], move.message.data[1])) + captured[1].data[2:])
    move = eap.proceed(move.server, response._replace(identifier=move.message.identifier), tools)
    assert move.message.data[4:46] == captured[2].data[4:46]
    move = eap.proceed(move.server, captured[3]._replace(identifier=move.message.identifier), tools)
    assert move.done is not None


def test_rfc2759_6_a_wrong_password_is_seen_as_such() -> None:
    challenge, own, response, user = values(FAILED)
    hashed = mschap.nt_password_hash(password(FAILED).octets.decode())
    assert mschap.nt_response(challenge, own, user, hashed) != response
    assert any(each.type == EapType.MSCHAPV2 and each.data[0] == 4 for each in packets(FAILED))


def test_s2_16_eap_tls_alone_begins_without_auth() -> None:
    first = rounds("eap-only-tls")[0]
    assert find(first.response.payloads, wire.AUTH) is None
    assert {each.type for each in packets("eap-only-tls")} <= {0, EapType.IDENTITY, EapType.TLS}
