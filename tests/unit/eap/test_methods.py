"""The methods by themselves: what each end says, and what it refuses (Section 3.16, RFC 3748, RFC 2759)."""

from datetime import UTC, datetime
from itertools import count

import pytest

from ikeref import eap
from ikeref.eap import Packet
from ikeref.eap.md5 import _digest
from ikeref.errors import AuthenticationFailed, InvalidSyntax, LocalProtocolError, RemoteProtocolError
from ikeref.policy import identities
from ikeref.policy.credentials import EapPeer, EapServer, Secret
from ikeref.registry import EapCode, EapType
from tests.unit.eap import scene
from tests.unit.eap.scene import MD5, METHODS, MSCHAPV2, TLS, authorities, key, peer, server

_COUNT = count()
TOOLS = eap.Tools(lambda octets: (next(_COUNT) % 256).to_bytes(1, "big") * octets, lambda: datetime.now(UTC))
HOST = identities.parse("b.example")


def begin(theirs: EapServer, identity: bytes = b"carol") -> eap.Move:
    return eap.begin(eap.Server(theirs, identity, b"b.example", None, theirs.methods), TOOLS)


def talk(own: EapPeer, theirs: EapServer, *, only: bool = False) -> tuple[eap.Peer, eap.Move, int]:
    """Both ends until Success or Failure, and the number of requests."""
    client, move = eap.Peer(own, HOST, only), begin(theirs)
    for number in range(1, 60):
        if move.message.code in (EapCode.SUCCESS, EapCode.FAILURE):
            return client, move, number - 1
        client, response = eap.answer(client, move.message, TOOLS)
        assert response.identifier == move.message.identifier  # 7296-3.16-03
        assert response.type in (move.message.type, EapType.NAK)  # 7296-3.16-07
        move = eap.proceed(move.server, response, TOOLS)
    raise AssertionError("no end")


@pytest.mark.parametrize("method", METHODS)
def test_s2_16_each_method_authenticates(method: int) -> None:
    client, move, _ = talk(peer(method, identity=b"carol"), server(method))
    assert move.done is not None
    assert move.message.code == EapCode.SUCCESS
    mine = eap.conclude(client)
    assert mine.msk == move.done.msk
    assert (mine.msk is None) == (method == MD5)
    assert mine.msk is None or len(mine.msk.octets) == 64


@pytest.mark.parametrize("method", [MD5, MSCHAPV2])
@pytest.mark.parametrize(("own", "why"), [({"password": b"wrong"}, "password of"), ({"identity": b"eve"}, "no user")])
def test_s2_16_a_wrong_password_fails(method: int, own: dict[str, bytes], why: str) -> None:
    client, move, _ = talk(peer(method, **own), server(method))
    assert move.message.code == EapCode.FAILURE
    assert why in move.reason
    if method == MSCHAPV2:
        with pytest.raises(AuthenticationFailed):
            eap.conclude(client)


def test_rfc2759_a_domain_is_not_hashed() -> None:
    _, move, _ = talk(peer(MSCHAPV2, identity=b"OFFICE\\carol"), server(MSCHAPV2))
    assert move.done is not None


def test_rfc2759_5_a_server_that_does_not_know_the_password_is_refused() -> None:
    client, move = eap.Peer(peer(MSCHAPV2), HOST), begin(server(MSCHAPV2))
    client, response = eap.answer(client, move.message, TOOLS)
    forged = b"S=" + b"0" * 40
    body = bytes((3, move.message.identifier)) + (4 + len(forged)).to_bytes(2, "big") + forged
    with pytest.raises(AuthenticationFailed, match="does not know our password"):
        eap.answer(client, Packet(EapCode.REQUEST, 9, MSCHAPV2, body), TOOLS)
    assert response.type == MSCHAPV2


def test_rfc3748_4_2_an_early_success_is_none() -> None:
    client, move = eap.Peer(peer(MSCHAPV2), HOST), begin(server(MSCHAPV2))
    with pytest.raises(AuthenticationFailed, match="before the method had ended"):
        eap.conclude(client)
    client, _ = eap.answer(client, move.message, TOOLS)
    with pytest.raises(AuthenticationFailed, match="before the method had ended"):
        eap.conclude(client)


def test_rfc3748_4_1_each_request_has_an_identifier_of_its_own() -> None:
    client, move = eap.Peer(peer(MSCHAPV2), HOST), begin(server(MSCHAPV2))
    first = move.message.identifier
    client, response = eap.answer(client, move.message, TOOLS)
    move = eap.proceed(move.server, response, TOOLS)
    assert move.message.identifier == (first + 1) % 256


def test_rfc3748_5_3_1_nak_leads_to_a_method_of_both() -> None:
    client, move, requests = talk(peer(MD5), server(MSCHAPV2, MD5))
    assert move.done is not None
    assert client.method == MD5
    assert requests == 2


def test_rfc3748_5_3_1_no_method_of_both_fails() -> None:
    client, move, _ = talk(peer(MD5), server(MSCHAPV2))
    assert "the peer wants MD5_CHALLENGE" in move.reason
    assert eap.why_failed(client) == "no EAP method suits both ends"


def test_rfc3748_5_3_1_nak_comes_too_late_amid_a_method() -> None:
    client, move = eap.Peer(peer(MSCHAPV2), HOST), begin(server(MSCHAPV2, MD5))
    _, response = eap.answer(client, move.message, TOOLS)
    move = eap.proceed(move.server, response, TOOLS)
    late = Packet(EapCode.RESPONSE, move.message.identifier, EapType.NAK, bytes((MD5,)))
    assert eap.proceed(move.server, late, TOOLS).message.code == EapCode.FAILURE


def test_s3_16_identity_is_answered_and_asked_for_only_on_demand() -> None:
    """7296-3.16-08, 7296-3.16-09, 7296-3.16-10, 7296-3.16-11."""
    assert begin(server(MD5)).message.type == MD5
    asking = server(MD5, ask_identity=True)
    assert begin(asking, b"somebody").message.type == EapType.IDENTITY
    client, move, requests = talk(peer(MD5), asking)
    assert move.done is not None
    assert requests == 2
    with pytest.raises(InvalidSyntax):
        eap.answer(client, Packet(EapCode.REQUEST, 1, EapType.IDENTITY), TOOLS)


def test_rfc3748_5_2_notification_is_acknowledged() -> None:
    client = eap.Peer(peer(MD5), HOST)
    client, response = eap.answer(client, Packet(EapCode.REQUEST, 7, EapType.NOTIFICATION, b"hello"), TOOLS)
    assert (response.type, response.data, client.notice) == (EapType.NOTIFICATION, b"", "hello")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "change", [{"identifier": 99}, {"code": 1}, {"type": 43}, {"data": b""}, {"data": b"\xff" * 9}]
)
def test_s3_16_a_response_that_does_not_fit_fails(method: int, change: dict[str, int]) -> None:
    client, move = eap.Peer(peer(method), HOST), begin(server(method))
    _, response = eap.answer(client, move.message, TOOLS)
    assert response.identifier != 99
    ended = eap.proceed(move.server, response._replace(**change), TOOLS)  # type: ignore[arg-type]
    assert ended.message == Packet(EapCode.FAILURE, move.message.identifier)
    assert ended.reason


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff", b"\x10short", b"\xff" * 60, bytes((1, 0, 0, 200)) + b"x" * 9])
def test_s3_16_a_request_that_does_not_fit_ends_it(method: int, data: bytes) -> None:
    if method == MD5 and data[:2] == b"\x01\x00":
        pytest.skip("a challenge of one octet, and a name")
    with pytest.raises(RemoteProtocolError):
        eap.answer(eap.Peer(peer(method), HOST), Packet(EapCode.REQUEST, 1, method, data), TOOLS)


def test_rfc3748_2_1_methods_are_not_mixed() -> None:
    client, move = eap.Peer(peer(MSCHAPV2, MD5), HOST), begin(server(MSCHAPV2))
    client, _ = eap.answer(client, move.message, TOOLS)
    with pytest.raises(InvalidSyntax, match="amid"):
        eap.answer(client, begin(server(MD5)).message, TOOLS)


def test_rfc5998_3_only_safe_methods_stand_alone() -> None:
    """And MD5-Challenge, which makes no key, is none of them (7296-5-11)."""
    for method in (MSCHAPV2, MD5):
        challenge = begin(server(method)).message
        assert eap.answer(eap.Peer(peer(MSCHAPV2, MD5), HOST), challenge, TOOLS)
        with pytest.raises(AuthenticationFailed, match="may not stand alone"):
            eap.answer(eap.Peer(peer(MSCHAPV2, MD5), HOST, only=True), challenge, TOOLS)


@pytest.mark.parametrize(
    ("octets", "packet"),
    [
        (bytes((3, 7, 0, 4)), Packet(3, 7)),
        (bytes((4, 7, 0, 4)), Packet(4, 7)),
        (bytes((1, 7, 0, 5, 1)), Packet(1, 7, 1)),
        (bytes((2, 7, 0, 7, 3, 4, 26)), Packet(2, 7, 3, b"\x04\x1a")),
    ],
)
def test_s3_16_packets(octets: bytes, packet: Packet) -> None:
    """7296-3.16-01, 7296-3.16-02, 7296-3.16-04, 7296-3.16-05, 7296-3.16-06."""
    assert eap.parse(octets) == packet
    assert eap.build(packet) == octets


@pytest.mark.parametrize(
    "octets", [bytes((0, 7, 0, 4)), bytes((5, 7, 0, 5, 1)), bytes((1, 7, 0, 4)), bytes((2, 7, 0, 4))]
)
def test_s3_16_what_is_no_packet(octets: bytes) -> None:
    with pytest.raises(InvalidSyntax):
        eap.parse(octets)


def test_rfc1994_md5_is_over_identifier_secret_and_challenge() -> None:
    assert _digest(1, Secret(b"secret"), b"challenge").hex() == "46e47770030e2b4e26a0db72a7efec00"


def test_secrets_are_not_shown() -> None:
    client, move = eap.Peer(peer(MSCHAPV2), HOST), begin(server(MSCHAPV2))
    client, response = eap.answer(client, move.message, TOOLS)
    shown = repr((client, eap.proceed(move.server, response, TOOLS)))
    assert "Ar3etTnp" not in shown
    assert "octets)" in shown


# EAP-TLS


def test_rfc5216_fragments_are_bounded() -> None:
    client, move = eap.Peer(peer(TLS), HOST), begin(server(TLS))
    client, response = eap.answer(client, move.message, TOOLS)
    move = eap.proceed(move.server, response, TOOLS)
    for data in (
        b"\xc0\x00\x01\x00\x01x",
        b"\x40x",
        b"\xc0\x00\x00\x00\x01xy",
        b"\x80\x00\x00\x00\x05x",
        b"\xa0\x00",
        b"\x40",
    ):
        ended = eap.proceed(
            begin(server(TLS)).server._replace(identifier=3), Packet(EapCode.RESPONSE, 3, TLS, data), TOOLS
        )
        assert ended.message.code == EapCode.FAILURE, data


def to_the_servers_first_message() -> tuple[eap.Server, Packet, eap.Move]:
    """The server before the end of ClientHello, that end, and the first fragment of what it answers."""
    client, move = eap.Peer(peer(TLS), HOST), begin(server(TLS))
    while move.message.data[0] & 0xC0 != 0xC0:
        before = move.server
        client, response = eap.answer(client, move.message, TOOLS)
        move = eap.proceed(before, response, TOOLS)
    return before, response, move


def test_rfc5216_2_1_5_a_fragment_amid_ours_fails() -> None:
    _, _, move = to_the_servers_first_message()
    other = Packet(EapCode.RESPONSE, move.message.identifier, TLS, b"\0x")
    assert "acknowledged" in eap.proceed(move.server, other, TOOLS).reason


def test_a_tls_conversation_is_not_gone_through_twice() -> None:
    before, response, _ = to_the_servers_first_message()
    with pytest.raises(LocalProtocolError):
        eap.proceed(before, response, TOOLS)


@pytest.mark.parametrize(
    ("own", "theirs", "at_peer", "at_server"),
    [
        ({}, {"key": key("mallory.example")}, "is not for b.example", ""),
        ({}, {"key": key("b.example", scene.STRANGERS)}, "not accepted", ""),
        ({"key": key("a.example", scene.STRANGERS)}, {}, "", "not accepted"),
        ({"anchors": authorities(scene.STRANGERS)}, {}, "not accepted", ""),
    ],
)
def test_rfc5216_5_2_certificates_are_judged(
    own: dict[str, object], theirs: dict[str, object], at_peer: str, at_server: str
) -> None:
    client, move, _ = talk(peer(TLS, **own), server(TLS, **theirs))  # type: ignore[arg-type]
    assert move.message.code == EapCode.FAILURE
    assert at_server in move.reason
    assert at_peer in eap.why_failed(client)
    with pytest.raises(AuthenticationFailed):
        eap.conclude(client)


def test_rfc5216_5_2_the_peer_must_be_whom_policy_expects() -> None:
    for name, expected in (("a.example", True), ("mallory.example", False)):
        theirs = server(TLS)
        move = eap.begin(eap.Server(theirs, b"x", b"b", identities.parse("a.example"), theirs.methods), TOOLS)
        client = eap.Peer(peer(TLS, key=key(name)), HOST)
        while move.message.code == EapCode.REQUEST:
            client, response = eap.answer(client, move.message, TOOLS)
            move = eap.proceed(move.server, response, TOOLS)
        assert (move.done is not None) is expected
