"""IKE_AUTH with EAP, and what may go wrong amid the rounds (Sections 2.16, 2.21.2)."""

from dataclasses import replace

from ikeref_model.events import Alarm, Timer

from ikeref.policy.connections import Settings
from ikeref.policy.credentials import EapPeer, EapServer, Secret
from ikeref.registry import EapCode, EapType
from ikeref.wire import AUTH, EAP, IDi, IDr, Payload
from ikeref_properties.episodes.stage import Stage
from ikeref_properties.network import A, B, connection

USER, PASSWORD = b"carol", Secret(b"a password")
MD5, MSCHAPV2 = int(EapType.MD5_CHALLENGE), int(EapType.MSCHAPV2)
SUCCESS = EAP(bytes((EapCode.SUCCESS, 9, 0, 4)))
OTHER_METHOD = EAP(bytes((EapCode.REQUEST, 9, 0, 6, EapType.TLS, 32)))
SOME_AUTH = AUTH(2, bytes(32))


def _begun(method: int = MSCHAPV2, *, password: Secret = PASSWORD, by_eap: bool = True) -> Stage:
    """A has begun, and will prove itself by EAP; B expects that, or not."""
    expected = {"remote_auth": EapServer((method,), ((USER, PASSWORD),))} if by_eap else {}
    policies = {
        A: replace(connection(A), local_auth=EapPeer((method,), USER, password)),
        B: replace(connection(B), **expected),  # type: ignore[arg-type]  # one field, or none
    }
    return Stage(connections=policies, verifies={A: True}).begin()


def _payloads(stage: Stage, end: str, *left_out: type) -> tuple[Payload, ...]:
    message = stage.to(end).message
    assert message is not None
    return tuple(each for each in message.payloads if type(each) not in left_out)


def _over(stage: Stage, end: str) -> Stage:
    """Nothing is repeated: the IKE SA is gone."""
    return stage.telling(Timer(Alarm.RETRANSMIT)).wake(end, 100.0)


def eap_succeeds() -> Stage:
    """The rounds, Success, and AUTH at last."""
    return _begun().quiet()


def eap_with_a_wrong_password() -> Stage:
    """It ends in EAP Failure."""
    return _begun(MD5, password=Secret(b"another")).quiet()


def eap_where_nobody_expects_it() -> Stage:
    """The responder has a shared key for that identity."""
    return _begun(by_eap=False).quiet()


def eap_of_nobody() -> Stage:
    """A request without AUTH that does not say whose it is."""
    stage = _begun().deliver(B, A)
    return stage.forge(B, *_payloads(stage, B, IDi), facts=(("without_auth", True),)).quiet()


def responder_of_eap_unverified() -> Stage:
    """AUTH is missing from the first answer: the initiator says so amid EAP (Section 2.21.2)."""
    stage = _begun().deliver(B, A, B)
    return stage.forge(A, *_payloads(stage, A, AUTH)).quiet()


def eap_that_does_not_end() -> Stage:
    """The initiator takes one round and no more."""
    stage = _begun().deliver(B, A, B)
    stage.settings(A, Settings(eap_rounds=2))
    return _over(stage.quiet(), A)


def eap_of_another_method_amid_the_first() -> Stage:
    """Another EAP request than may come: the initiator reports it."""
    stage = _begun().deliver(B, A, B, A, B)
    return stage.forge(A, OTHER_METHOD).quiet()


def success_amid_the_method() -> Stage:
    """EAP Success before the method is at its end."""
    return _over(_begun().deliver(B, A, B, A, B).forge(A, SUCCESS), A)


def success_at_once() -> Stage:
    """EAP Success in the place of the first EAP request."""
    stage = _begun().deliver(B, A, B)
    return stage.forge(A, *_payloads(stage, A, EAP), SUCCESS)


def no_eap_at_all() -> Stage:
    """The responder proves itself, and does not begin EAP."""
    stage = _begun().deliver(B, A, B)
    return stage.forge(A, *_payloads(stage, A, EAP))


def eap_unasked() -> Stage:
    """The responder begins EAP though the initiator has sent AUTH."""
    stage = Stage(verifies={A: True}).begin().deliver(B, A, B)
    kept = [each for each in _payloads(stage, A) if type(each) in (IDr, AUTH)]
    return stage.forge(A, *kept, OTHER_METHOD)


def failure_without_eap() -> Stage:
    """EAP Failure though the initiator has sent AUTH."""
    stage = Stage().begin().deliver(B, A, B)
    return stage.forge(A, EAP(bytes((EapCode.FAILURE, 9, 0, 4))))


def auth_before_success() -> Stage:
    """The initiator sends AUTH amid the rounds."""
    return _begun().deliver(B, A, B, A).forge(B, SOME_AUTH).quiet()


def two_auth_before_success() -> Stage:
    """And even two."""
    return _begun().deliver(B, A, B, A).forge(B, SOME_AUTH, SOME_AUTH).quiet()


def _passed() -> Stage:
    """EAP Success has come, the initiator sends AUTH."""
    stage = _begun()
    while [type(each) for each in _payloads(stage, stage.next)] != [AUTH]:
        stage.deliver(stage.next)
    return stage


def eap_after_success() -> Stage:
    """The initiator goes on with EAP when it is over."""
    return _passed().forge(B, EAP(bytes((EapCode.RESPONSE, 9, 0, 5, EapType.IDENTITY)))).quiet()
