"""The monitor on what ends an IKE SA besides a Delete, on EAP, lifetimes, and messages with the wrong flags."""

from ikeref_model.endpoint_state import LAST_MESSAGE_ID, ChildRecord, Endpoint, IkeRecord
from ikeref_model.events import (
    Alarm,
    Asked,
    Closed,
    Command,
    Direction,
    Established,
    Input,
    Installed,
    Kind,
    Outcome,
    Position,
    Removed,
    Repeated,
    Reply,
    Request,
    Response,
    Timer,
)
from ikeref_model.state import Child, Ike

from .test_monitor import OPEN, Run, both

GONE = (*both(Removed, "c"), Closed("i"))


def eap() -> Run:
    run = Run()
    run.ok(Command(Kind.IKE_SA_INIT), Asked(Kind.IKE_SA_INIT, message_id=0))
    run.ok(Response(Kind.IKE_SA_INIT, Outcome.OK), Asked(Kind.IKE_AUTH, message_id=1), without_auth=True)
    return run


def test_s2_16_an_initiator_goes_through_rounds_of_eap_and_sends_auth_last() -> None:
    run = eap()
    for number in range(2, 6):
        run.ok(Response(Kind.IKE_AUTH, Outcome.EAP, message_id=number - 1), Asked(Kind.IKE_AUTH, message_id=number))
    run.ok(Response(Kind.IKE_AUTH, Outcome.EAP_SUCCESS), Asked(Kind.IKE_AUTH, message_id=6))
    run.ok(Response(Kind.IKE_AUTH, Outcome.OK), changes=(*both(Installed, "c"), Established("i")), verifies=True)


def test_s2_16_nobody_is_established_before_eap_succeeded() -> None:
    run = eap()
    run.ok(Response(Kind.IKE_AUTH, Outcome.EAP), Asked(Kind.IKE_AUTH), verifies=True)
    run.no(Response(Kind.IKE_AUTH, Outcome.OK), changes=(*both(Installed, "c"), Established("i")), verifies=True)
    run.ok(Response(Kind.IKE_AUTH, Outcome.EAP_FAILURE))
    run.no(Timer(Alarm.RETRANSMIT), Repeated())


def test_s2_16_a_responder_says_success_before_it_accepts_auth() -> None:
    run = Run()
    run.ok(Request(Kind.IKE_SA_INIT), Reply(Outcome.OK))
    run.ok(Request(Kind.IKE_AUTH), Reply(Outcome.EAP), without_auth=True)
    run.no(Request(Kind.IKE_AUTH), Reply(Outcome.OK), changes=(*both(Installed, "c"), Established("i")), verifies=True)
    run.ok(Request(Kind.IKE_AUTH), Reply(Outcome.EAP_SUCCESS), without_auth=True)
    run.no(Request(Kind.IKE_AUTH), Reply(Outcome.EAP), without_auth=True)
    run.ok(Request(Kind.IKE_AUTH), Reply(Outcome.OK), changes=(*both(Installed, "c"), Established("i")), verifies=True)


def test_s2_21_2_the_report_of_a_failure_is_repeated_until_it_is_answered() -> None:
    run = Run()
    run.ok(Command(Kind.IKE_SA_INIT), Asked(Kind.IKE_SA_INIT))
    run.ok(Response(Kind.IKE_SA_INIT, Outcome.OK), Asked(Kind.IKE_AUTH))
    run.ok(Response(Kind.IKE_AUTH, Outcome.OK), Asked(Kind.LIVENESS, message_id=2), verifies=False)
    assert run.ok(Timer(Alarm.RETRANSMIT), Repeated()) == ["window.retransmit"]
    run.no(Request(Kind.CREATE_CHILD), Reply(Outcome.OK), changes=both(Installed, "c"))
    assert run.ok(Response(Kind.LIVENESS, Outcome.OK)) == ["auth.reported"]
    run.no(Timer(Alarm.RETRANSMIT), Repeated())


def test_s2_4_initial_contact_ends_what_is_between_the_same_identities_in_silence() -> None:
    run = Run(OPEN)
    run.no(Input.INITIAL_CONTACT, changes=GONE, verifies=True, same_identities=False)
    run.no(Input.INITIAL_CONTACT, changes=GONE, verifies=False, same_identities=True)
    run.no(Input.INITIAL_CONTACT, Asked(Kind.DELETE_IKE), changes=GONE, verifies=True, same_identities=True)
    assert run.ok(Input.INITIAL_CONTACT, changes=GONE, verifies=True, same_identities=True) == ["contact.initial"]


def test_s2_4_initial_contact_may_be_ignored() -> None:
    assert Run(OPEN).ok(Input.INITIAL_CONTACT, verifies=True, same_identities=True) == ["contact.initial.ignored"]


def test_s2_2_no_request_is_numbered_beyond_32_bits() -> None:
    child = ChildRecord("c", Child.OPEN, True, True, homes=frozenset(("i",)))
    last = Endpoint((IkeRecord("i", state=Ike.ESTABLISHED, verified=True, sent=LAST_MESSAGE_ID),), (child,))
    Run(last).ok(Command(Kind.LIVENESS), Asked(Kind.LIVENESS, message_id=LAST_MESSAGE_ID))
    used = Endpoint((IkeRecord("i", state=Ike.ESTABLISHED, verified=True, sent=LAST_MESSAGE_ID + 1),), (child,))
    run = Run(used)
    run.no(Command(Kind.LIVENESS), Asked(Kind.LIVENESS, message_id=LAST_MESSAGE_ID + 1))
    run.no(Command(Kind.LIVENESS), Asked(Kind.LIVENESS, message_id=0))
    assert run.ok(Timer(Alarm.USED_UP), changes=GONE) == ["window.used_up"]


def test_s2_1_a_closed_ike_sa_repeats_its_response_as_long_as_it_remembers() -> None:
    run = Run(OPEN)
    run.ok(Request(Kind.DELETE_IKE), Reply(Outcome.EMPTY), changes=GONE)
    again = Request(Kind.DELETE_IKE, position=Position.REPLAY)
    run.no(again)
    assert run.ok(again, Repeated()) == ["closed.request.delete_again"]
    run.no(again, Repeated(), forgotten=True)
    run.ok(again, forgotten=True)
    run.no(Request(Kind.LIVENESS), Reply(Outcome.OK))


def test_s3_1_a_message_with_the_flag_of_this_end_is_taken_by_nobody() -> None:
    original = Endpoint((IkeRecord("i", state=Ike.ESTABLISHED, verified=True, original=True),))
    run = Run(original)
    run.no(Request(Kind.LIVENESS, initiator=True), Reply(Outcome.OK))
    assert run.ok(Input.MISDIRECTED) == ["input.misdirected"]
    run.ok(Request(Kind.LIVENESS, initiator=False), Reply(Outcome.OK))


def test_s2_2_the_flag_follows_who_began_the_rekey() -> None:
    original = Endpoint((IkeRecord("i", state=Ike.ESTABLISHED, verified=True, original=True),))
    run = Run(original)
    run.ok(Request(Kind.REKEY_IKE, initiator=False), Reply(Outcome.OK), changes=(Established("j"),))
    run.no(Request(Kind.LIVENESS, initiator=False), Reply(Outcome.OK), sa="j")
    run.ok(Request(Kind.LIVENESS, initiator=True), Reply(Outcome.OK), sa="j")


def test_s2_8_what_has_expired_is_not_used() -> None:
    Run(OPEN).no(Timer(Alarm.EXPIRY))
    assert Run(OPEN).ok(Timer(Alarm.EXPIRY), changes=GONE) == ["lifetime.ike"]
    Run(OPEN).no(Timer(Alarm.CHILD_EXPIRY, "c"))
    Run(OPEN).no(Timer(Alarm.CHILD_EXPIRY, "c"), changes=(Removed("c", Direction.OUT),))
    assert Run(OPEN).ok(Timer(Alarm.CHILD_EXPIRY, "c"), changes=GONE) == ["lifetime.child"]
    run = Run(OPEN)
    taken = run.ok(Timer(Alarm.CHILD_EXPIRY, "c"), Asked(Kind.DELETE_IKE), changes=both(Removed, "c"))
    assert taken[0].startswith("lifetime.child")
    run.ok(Response(Kind.DELETE_IKE, Outcome.EMPTY), changes=(Closed("i"),))


def test_s2_8_a_responder_may_send_on_what_replaces_a_child_sa_once_the_old_one_goes() -> None:
    run = Run(OPEN)
    request = Request(Kind.REKEY_CHILD, ("c",))
    run.ok(request, Reply(Outcome.OK), changes=(Installed("d", Direction.IN),))
    delete, reply = Request(Kind.DELETE_CHILD, ("c",)), Reply(Outcome.OK, ("c",))
    run.no(delete, reply, changes=both(Removed, "c"))
    run.ok(delete, reply, changes=(*both(Removed, "c"), Installed("d", Direction.OUT)))


def test_s2_8_a_responder_may_send_on_it_once_traffic_comes() -> None:
    run = Run(OPEN)
    run.ok(Request(Kind.REKEY_CHILD, ("c",)), Reply(Outcome.OK), changes=(Installed("d", Direction.IN),))
    assert run.ok(Timer(Alarm.READY, "d"), changes=(Installed("d", Direction.OUT),)) == ["child.ready"]
    run.ok(Request(Kind.DELETE_CHILD, ("c",)), Reply(Outcome.OK, ("c",)), changes=both(Removed, "c"))
