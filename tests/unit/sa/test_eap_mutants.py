"""Faults in EAP that somebody could make, each with a test that finds it (Section 2.16, RFC 5998)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from ikeref import eap, sa
from ikeref.eap import Done, mschap, mschapv2, peer, server, tls
from ikeref.eap.tlsengine import Engine
from ikeref.policy.credentials import Secret
from ikeref.policy.identities import Identity
from ikeref.registry import EapCode, EapType, IdType, NotifyType
from ikeref.sa import authentication, rounds
from ikeref.sa.authentication import Reply
from ikeref.wire import AUTH, N
from tests.unit.eap import test_methods as methods
from tests.unit.eap.scene import MD5, MSCHAPV2, key
from tests.unit.sa import test_eap as exchanges

Patch = pytest.MonkeyPatch


class Fault(NamedTuple):
    name: str
    make: Callable[[Patch], None]
    found_by: Callable[[], Any]


def _success_is_success(patch: Patch) -> None:
    patch.setattr(eap, "conclude", lambda _: Done(Secret(bytes(64))))


def _any_last_auth(patch: Patch) -> None:
    patch.setattr(rounds, "_verify", lambda *_: None)


def _sk_p_always(patch: Patch) -> None:
    def mutant(ike: sa.IkeSa, _done: Done, *, initiator: bool) -> bytes:
        assert ike.keys is not None
        return ike.keys.sk_pi if initiator else ike.keys.sk_pr

    patch.setattr(rounds, "_secret", mutant)


def _one_key_for_both(patch: Patch) -> None:
    right = rounds._secret
    patch.setattr(rounds, "_secret", lambda ike, done, **_: right(ike, done, initiator=True))


def _servers_proof_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(mschap, "is_authenticator_response", lambda *_: True)


def _any_password(patch: Patch) -> None:
    patch.setattr(mschap, "nt_password_hash", lambda _: bytes(16))


def _idi_decides(patch: Patch) -> None:
    patch.setattr(mschapv2, "as_identity", lambda _: Identity(IdType.FQDN, b"a.example"))


def _rounds_prolong_the_half_open(patch: Patch) -> None:
    right = rounds._respond_round

    def mutant(turn: Any, ike: sa.IkeSa, handshake: Any, state: Any, payloads: Any) -> Reply:
        return right(turn, ike, handshake._replace(expires=turn.now + 1000), state, payloads)

    patch.setattr(rounds, "_respond_round", mutant)


def _auth_is_enough(patch: Patch) -> None:
    right = rounds._respond_round

    def mutant(turn: Any, ike: sa.IkeSa, handshake: Any, state: Any, payloads: Any) -> Reply:
        if any(type(each) is AUTH for each in payloads):
            return authentication.accept(turn, ike, Identity(IdType.FQDN, b"x"), state.first, (), 2)
        return right(turn, ike, handshake, state, payloads)

    patch.setattr(rounds, "_respond_round", mutant)


def _failure_is_notified(patch: Patch) -> None:
    right = rounds._reply

    def mutant(turn: Any, move: eap.Move) -> Reply:
        reply = right(turn, move)
        failed = move.message.code == EapCode.FAILURE
        return reply._replace(payloads=(*reply.payloads, N(NotifyType.AUTHENTICATION_FAILED))) if failed else reply

    patch.setattr(rounds, "_reply", mutant)


def _every_method_stands_alone(patch: Patch) -> None:
    patch.setattr(peer, "SAFE_EAP", tuple(EapType))


def _every_method_is_offered_alone(patch: Patch) -> None:
    patch.setattr(rounds, "SAFE_EAP", tuple(EapType))


def _the_report_has_message_id_2(patch: Patch) -> None:
    right = authentication.established
    patch.setattr(
        authentication, "established", lambda turn, ike, who, _number, **more: right(turn, ike, who, 1, **more)
    )


def _every_certificate(patch: Patch) -> None:
    patch.setattr(Engine, "judge", lambda *_: True)


def _rounds_without_end(patch: Patch) -> None:
    patch.setattr(server, "_request", _ask_again)


def _ask_again(state: server.Server, data: bytes) -> server.Move:
    return server.Move(state, eap.Packet(EapCode.REQUEST, state.identifier, state.methods[0], data))


def _fragments_without_end(patch: Patch) -> None:
    patch.setattr(tls, "MESSAGE_OCTETS", 1 << 32)


def _user_is_told_why(patch: Patch) -> None:
    patch.setattr(eap, "why_failed", lambda _: "the password of 'carol' is wrong")


def _secrets(method: int) -> None:
    with Patch.context() as patch:
        exchanges.test_s2_16_the_last_auth_is_by_the_msk_or_else_by_sk_p(method, patch)


FAULTS = (
    Fault(
        "EAP Success before its time",
        _success_is_success,
        lambda: exchanges.test_s2_16_success_before_the_end_of_the_method_is_none(MSCHAPV2),
    ),
    Fault(
        "the initiator's last AUTH is not verified",
        _any_last_auth,
        lambda: exchanges.test_s2_16_a_wrong_last_auth_is_refused(MSCHAPV2, -2),
    ),
    Fault(
        "the responder's last AUTH is not verified",
        _any_last_auth,
        lambda: exchanges.test_s2_16_a_wrong_last_auth_is_refused(MD5, -1),
    ),
    Fault(
        "SK_pi and SK_pr in spite of an MSK",
        _sk_p_always,
        lambda: _secrets(MSCHAPV2),
    ),
    Fault(
        "SK_pi for both ends",
        _one_key_for_both,
        lambda: _secrets(MD5),
    ),
    Fault(
        "the server's proof is not looked at",
        _servers_proof_is_not_looked_at,
        methods.test_rfc2759_5_a_server_that_does_not_know_the_password_is_refused,
    ),
    Fault(
        "every password has one hash",
        _any_password,
        lambda: exchanges.test_s2_16_a_wrong_password_ends_the_ike_sa(MSCHAPV2),
    ),
    Fault("IDi decides who it is", _idi_decides, exchanges.test_s2_16_who_the_initiator_is_is_said_by_eap_not_by_idi),
    Fault(
        "every round prolongs the half-open IKE SA",
        _rounds_prolong_the_half_open,
        lambda: exchanges.test_s2_4_a_peer_that_stops_amid_the_rounds_costs_nothing(5),
    ),
    Fault(
        "AUTH before EAP Success",
        _auth_is_enough,
        lambda: exchanges.test_s2_16_auth_before_success_is_refused(MSCHAPV2),
    ),
    Fault(
        "AUTHENTICATION_FAILED beside EAP Failure",
        _failure_is_notified,
        lambda: exchanges.test_s2_16_a_wrong_password_ends_the_ike_sa(MD5),
    ),
    Fault(
        "the initiator lets every method stand alone",
        _every_method_stands_alone,
        exchanges.test_rfc5998_3_the_initiator_refuses_a_method_that_may_not_stand_alone,
    ),
    Fault(
        "the responder lets every method stand alone",
        _every_method_is_offered_alone,
        lambda: exchanges.test_rfc5998_3_the_responder_offers_safe_methods_alone(MSCHAPV2),
    ),
    Fault(
        "the report of a failed IKE_AUTH has message ID 2",
        _the_report_has_message_id_2,
        exchanges.test_s2_21_2_the_report_after_the_last_round_ends_the_ike_sa,
    ),
    Fault(
        "every certificate is accepted",
        _every_certificate,
        lambda: methods.test_rfc5216_5_2_certificates_are_judged({}, {"key": key("mallory.example")}, "is not for", ""),
    ),
    Fault(
        "the identifier stays the same",
        _rounds_without_end,
        methods.test_rfc3748_4_1_each_request_has_an_identifier_of_its_own,
    ),
    Fault("fragments of any length", _fragments_without_end, methods.test_rfc5216_fragments_are_bounded),
    Fault(
        "who fails is told why",
        _user_is_told_why,
        lambda: exchanges.test_s2_16_a_wrong_password_ends_the_ike_sa(MSCHAPV2),
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_is_found(fault: Fault, monkeypatch: Patch) -> None:
    fault.make(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        fault.found_by()
    monkeypatch.undo()
    fault.found_by()
