"""IKE_SA_INIT and IKE_AUTH that go wrong (Sections 1.2, 2.3, 2.5, 2.6, 2.21.1, 2.21.2)."""

from dataclasses import replace

from ikeref_model.events import Alarm, Kind, Request, Timer

from ikeref.policy.connections import Connection, Settings
from ikeref.policy.credentials import Secret
from ikeref.registry import ExchangeType, KeGroup, NotifyType
from ikeref.sa import CheckLiveness
from ikeref.wire import AUTH, SA, Message, N, Payload
from ikeref_properties.episodes.stage import BAD, CRITICAL, MALFORMED, UNSUPPORTED, Stage
from ikeref_properties.network import ENDS, A, B, connection

TWO_GROUPS = "aes256gcm16-prfsha256-x25519-ecp256"
SILENT = Settings(unprotected_answers_per_second=0)
"""No unprotected notification is sent (Section 2.21.4)."""


def _said(stage: Stage, end: str) -> Message:
    message = stage.to(end).message
    assert message is not None
    return message


def _without(stage: Stage, end: str, *kinds: type) -> tuple[Payload, ...]:
    return tuple(each for each in _said(stage, end).payloads if type(each) not in kinds)


def _refuse_init(stage: Stage, *said: Payload) -> Stage:
    """The answer to IKE_SA_INIT is no more than this."""
    return stage.forge(A, *said)


# IKE_SA_INIT


def cookies_without_end() -> Stage:
    """The responder demands another cookie each time, until the initiator has had enough."""
    stage = Stage(settings=Settings(cookie_threshold=0)).begin()
    for secret in range(6):
        stage.deliver(B)
        _refuse_init(stage, N(NotifyType.COOKIE, bytes([secret] * 8)))
        stage.settings(B, Settings(cookie_threshold=0, initial_rounds=secret))
    return stage


def groups_without_end() -> Stage:
    """The responder wants the other group each time."""
    policies = {A: connection(A, ike=TWO_GROUPS), B: connection(B, ike="aes256gcm16-prfsha256-ecp384")}
    stage = Stage(connections=policies).begin()
    for turn in range(6):
        stage.deliver(B)
        group = (KeGroup.ECP_256, KeGroup.CURVE25519)[turn % 2]
        stage.forge(A, N(NotifyType.INVALID_KE_PAYLOAD, int(group).to_bytes(2, "big")))
    return stage


def no_proposal_in_common() -> Stage:
    """The responder refuses, nobody proved that it was the responder: the initiator waits, then gives up."""
    policies = {A: connection(A), B: connection(B, ike="aes128-sha256-ecp256")}
    return Stage(connections=policies).begin().quiet().settle()


def no_answer_for_want_of_room() -> Stage:
    """The responder has as many half-open IKE SAs as it takes."""
    return Stage(settings=Settings(half_open_limit=0)).begin().deliver(B)


def another_suite_than_offered() -> Stage:
    """The answer chooses what was not offered: it is not looked at any more (Section 3.3.6)."""
    stage = Stage().begin().deliver(B)
    (chosen,) = [each.proposals[0] for each in _said(stage, A).payloads if type(each) is SA]
    other = chosen._replace(transforms=chosen.transforms[:-1])
    return stage.forge(A, SA((other,)), *_without(stage, A, SA)).settle()


def nothing_left_to_ask_for() -> Stage:
    """There is a NAT, and policy has nothing for the two addresses in transport mode (Section 2.23.1)."""
    made = {end: replace(connection(end), force_encapsulation=True) for end in ENDS}
    for end, policy in made.items():
        children = tuple(replace(child, mode="transport") for child in policy.children)
        made[end] = replace(policy, children=children)
    return Stage(connections=made).begin().quiet().telling(Timer(Alarm.RETRANSMIT)).wake(A, 60.0)


def malformed_first_request() -> Stage:
    """A nonce that is too short; nobody is told, for nothing is protected (Section 3.10.1)."""
    stage = Stage().begin()
    return stage.forge(B, *_without(stage, B)[:2], BAD, facts=MALFORMED)


def critical_first_request() -> Stage:
    """A critical payload that nobody knows."""
    stage = Stage().begin()
    return stage.forge(B, *_without(stage, B), CRITICAL, facts=UNSUPPORTED)


def critical_first_request_unanswered() -> Stage:
    """The same, after too many answers to messages without protection."""
    stage = Stage(settings=SILENT).begin()
    return stage.forge(B, *_without(stage, B), CRITICAL, facts=UNSUPPORTED)


def window_announced_before_authentication() -> Stage:
    """SET_WINDOW_SIZE in IKE_SA_INIT counts for nothing (Section 2.3)."""
    stage = Stage().begin()
    size = N(NotifyType.SET_WINDOW_SIZE, (4).to_bytes(4, "big"))
    return stage.forge(B, *_without(stage, B), size)


# IKE_AUTH


def _strangers(**wrong: bytes) -> dict[str, Connection]:
    """Policies of which some expect another key of the peer."""
    made = {end: connection(end) for end in ENDS}
    return {
        end: replace(policy, remote_auth=Secret(wrong[end])) if end in wrong else policy for end, policy in made.items()
    }


def responder_unverified() -> Stage:
    """The responder's AUTH is wrong: it is told, and forgets the IKE SA (Section 2.21.2)."""
    stage = Stage(connections=_strangers(A=b"another"), verifies={A: False, B: True})
    return stage.establish()


def refused_without_proof() -> Stage:
    """An error notification and no AUTH: nobody knows who said it."""
    stage = Stage(verifies={A: False}).begin().deliver(B, A, B)
    return stage.forge(A, N(NotifyType.NO_PROPOSAL_CHOSEN))


def malformed_auth_request() -> Stage:
    """It is authentic, and badly formed."""
    stage = Stage().begin().deliver(B, A)
    return stage.forge(B, BAD, facts=MALFORMED).quiet()


def critical_auth_request() -> Stage:
    """It has a critical payload that nobody knows."""
    stage = Stage().begin().deliver(B, A)
    return stage.forge(B, *_without(stage, B), CRITICAL, facts=UNSUPPORTED).quiet()


def child_answer_unacceptable() -> Stage:
    """AUTH is right, the Child SA is not what was asked for: the initiator deletes it (Section 1.3.1)."""
    made = {end: connection(end) for end in ENDS}
    children = tuple(replace(child, mode="transport") for child in made[A].children)
    made[A] = replace(made[A], children=children)
    return Stage(connections=made).establish()


def request_before_authentication() -> Stage:
    """INFORMATIONAL and CREATE_CHILD_SA before IKE_AUTH are dropped (Section 1)."""
    stage = Stage().begin().deliver(B, A)
    return stage.request(B, ExchangeType.INFORMATIONAL).quiet()


def first_request_on_a_half_open_ike_sa() -> Stage:
    """IKE_SA_INIT under the SPIs of an IKE SA that has no use for it."""
    stage = Stage().begin().deliver(B, A)
    stage.telling(Request(Kind.IKE_SA_INIT))
    return stage.request(B, ExchangeType.IKE_SA_INIT, ike=stage.ike(A)).quiet()


def authentication_again() -> Stage:
    """IKE_AUTH on an IKE SA that is up is out of place, and that is fatal (Section 2.21.3)."""
    return Stage().establish().request(B, ExchangeType.IKE_AUTH, AUTH(2, bytes(32))).quiet()


def first_request_again() -> Stage:
    """IKE_SA_INIT on an IKE SA that is up."""
    stage = Stage().establish()
    stage.telling(Request(Kind.IKE_SA_INIT))
    return stage.request(B, ExchangeType.IKE_SA_INIT, ike=stage.ike(A)).quiet()


def half_open_and_given_up() -> Stage:
    """The initiator does not go on."""
    stage = Stage().begin().deliver(B)
    return stage.silence(12)


def half_open_no_more() -> Stage:
    """When a half-open IKE SA would have ended, this one is up."""
    return Stage().establish().telling(Timer(Alarm.HALF_OPEN_EXPIRY)).wake(B, 31.0)


def retransmission_not_needed() -> Stage:
    """When a request would have been repeated, it has its response; and when the peer would have been given up."""
    stage = Stage().establish().command(A, CheckLiveness()).quiet()
    stage.telling(Timer(Alarm.RETRANSMIT)).wake(A, 1.0)
    return stage.telling(Timer(Alarm.GIVE_UP)).wake(A, 60.0)
