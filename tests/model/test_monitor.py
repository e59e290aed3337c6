"""The monitor accepts what the rows allow and nothing else."""

import pytest
from ikeref_model.endpoint_state import ChildRecord, Endpoint, IkeRecord, Outstanding
from ikeref_model.events import (
    Alarm,
    Asked,
    Change,
    Closed,
    Command,
    Direction,
    Established,
    Event,
    Input,
    Installed,
    Kind,
    Observation,
    OneWay,
    Outcome,
    Position,
    Removed,
    Repeated,
    Reply,
    Request,
    Response,
    Sent,
    Timer,
)
from ikeref_model.monitor import Accepted, Monitor, Rejection
from ikeref_model.state import Child, Ike
from ikeref_model.tables import ALLOWED

OPEN = Endpoint(
    (IkeRecord("i", state=Ike.ESTABLISHED, verified=True),),
    (ChildRecord("c", Child.OPEN, True, True, homes=frozenset(("i",))),),
)


def both(what: type[Installed] | type[Removed], child: str) -> tuple[Change, ...]:
    return what(child, Direction.IN), what(child, Direction.OUT)


class Run:
    def __init__(self, *states: Endpoint) -> None:
        self.monitor = Monitor(frozenset(states)) if states else Monitor()

    def ok(
        self, event: Event, *sent: Sent, changes: tuple[Change, ...] = (), sa: str = "i", **facts: bool
    ) -> list[str]:
        found = self.monitor.step(Observation(sa, event, sent, changes, tuple(facts.items())))
        assert isinstance(found, Accepted), str(found)
        return [match.row.name for match in found.matches]

    def no(
        self, event: Event, *sent: Sent, changes: tuple[Change, ...] = (), sa: str = "i", **facts: bool
    ) -> Rejection:
        found = self.monitor.step(Observation(sa, event, sent, changes, tuple(facts.items())))
        assert isinstance(found, Rejection), found
        assert found.candidates or found.reason
        return found


def test_s1_2_initial_exchanges_with_a_cookie_and_another_group() -> None:
    run = Run()
    run.ok(Command(Kind.IKE_SA_INIT), Asked(Kind.IKE_SA_INIT, message_id=0))
    run.ok(Response(Kind.IKE_SA_INIT, Outcome.COOKIE), Asked(Kind.IKE_SA_INIT, message_id=0))
    run.ok(Response(Kind.IKE_SA_INIT, Outcome.INVALID_KE_PAYLOAD), Asked(Kind.IKE_SA_INIT, message_id=0))
    run.ok(Timer(Alarm.RETRANSMIT), Repeated())
    run.ok(Response(Kind.IKE_SA_INIT, Outcome.OK), Asked(Kind.IKE_AUTH, message_id=1))
    changes = (*both(Installed, "c"), Established("i"))
    assert run.ok(Response(Kind.IKE_AUTH, Outcome.OK), changes=changes) == ["auth.response.ok"]


def test_s1_2_a_child_sa_without_a_verified_peer_is_refused() -> None:
    run = Run()
    run.ok(Request(Kind.IKE_SA_INIT), Reply(Outcome.OK))
    changes = (*both(Installed, "c"), Established("i"))
    run.no(Request(Kind.IKE_AUTH), Reply(Outcome.OK), changes=changes, verifies=False)
    run.no(Request(Kind.CREATE_CHILD), Reply(Outcome.OK), changes=both(Installed, "c"))
    run.ok(Request(Kind.IKE_AUTH), Reply(Outcome.AUTHENTICATION_FAILED), verifies=False)


def test_s2_6_a_cookie_leaves_no_state() -> None:
    run = Run()
    run.ok(Request(Kind.IKE_SA_INIT), Reply(Outcome.COOKIE))
    assert run.monitor.states == frozenset((Endpoint(),))


@pytest.mark.parametrize("kind", [Kind.LIVENESS, Kind.DELETE_IKE, Kind.REKEY_IKE, Kind.CREATE_CHILD])
def test_s1_silence_where_an_answer_is_due_is_refused(kind: Kind) -> None:
    rejection = Run(OPEN).no(Request(kind))
    assert any("observed nothing" in each.why for each in rejection.candidates)


@pytest.mark.parametrize("kind", [Kind.DELETE_CHILD, Kind.REKEY_CHILD])
def test_s1_silence_to_a_request_about_a_child_sa_is_refused(kind: Kind) -> None:
    Run(OPEN).no(Request(kind, ("c",)))


def test_s1_4_1_a_delete_has_to_remove_both_directions() -> None:
    event, reply = Request(Kind.DELETE_CHILD, ("c",)), Reply(Outcome.OK, ("c",))
    Run(OPEN).no(event, reply)
    Run(OPEN).no(event, reply, changes=(Removed("c", Direction.IN),))
    Run(OPEN).no(event, reply, changes=both(Installed, "c"))
    Run(OPEN).ok(event, reply, changes=both(Removed, "c"))


def test_s1_4_1_crossing_deletes_close_one_direction_at_a_time() -> None:
    run = Run(OPEN)
    run.ok(Command(Kind.DELETE_CHILD, "c"), Asked(Kind.DELETE_CHILD, ("c",)))
    run.no(Request(Kind.DELETE_CHILD, ("c",)), Reply(Outcome.OK, ("c",)), changes=both(Removed, "c"))
    run.no(Request(Kind.DELETE_CHILD, ("c",)), Reply(Outcome.EMPTY), changes=both(Removed, "c"))
    rows = run.ok(Request(Kind.DELETE_CHILD, ("c",)), Reply(Outcome.EMPTY), changes=(Removed("c", Direction.OUT),))
    assert rows == ["collision.delete_child.closing"]
    run.ok(Response(Kind.DELETE_CHILD, Outcome.EMPTY), changes=(Removed("c", Direction.IN),))


def test_s1_4_1_several_child_sas_in_one_delete() -> None:
    two = OPEN.with_child(ChildRecord("d", Child.OPEN, True, True, homes=frozenset(("i",))))
    run = Run(two)
    gone = (*both(Removed, "c"), *both(Removed, "d"))
    run.no(Request(Kind.DELETE_CHILD, ("c", "d", "x")), Reply(Outcome.OK, ("c", "d", "x")), changes=gone)
    run.ok(Request(Kind.DELETE_CHILD, ("c", "d", "x")), Reply(Outcome.OK, ("c", "d")), changes=gone)


def test_s2_1_a_replay_gets_the_same_response_again() -> None:
    Run(OPEN).ok(Request(Kind.LIVENESS, position=Position.REPLAY), Repeated())
    Run(OPEN).no(Request(Kind.LIVENESS, position=Position.REPLAY), Reply(Outcome.OK))
    Run(OPEN).no(Request(Kind.LIVENESS, position=Position.REPLAY))
    Run(OPEN).ok(Request(Kind.LIVENESS, position=Position.REPLAY), forgotten=True)


def test_s2_2_message_ids_rise_by_one() -> None:
    run = Run(OPEN)
    run.no(Command(Kind.LIVENESS), Asked(Kind.LIVENESS, message_id=1))
    run.ok(Command(Kind.LIVENESS), Asked(Kind.LIVENESS, message_id=0))
    run.no(Response(Kind.LIVENESS, Outcome.OK, message_id=1))
    run.ok(Response(Kind.LIVENESS, Outcome.OK, message_id=0))
    run.no(Request(Kind.LIVENESS, message_id=3), Reply(Outcome.OK))
    run.ok(Request(Kind.LIVENESS, position=Position.OUTSIDE, message_id=3))
    run.ok(Request(Kind.LIVENESS, message_id=0), Reply(Outcome.OK))


def test_s2_3_a_second_request_waits_for_the_response() -> None:
    run = Run(OPEN)
    run.ok(Command(Kind.LIVENESS), Asked(Kind.LIVENESS))
    run.no(Command(Kind.REKEY_IKE), Asked(Kind.REKEY_IKE))
    run.ok(Command(Kind.REKEY_IKE))
    rows = run.ok(Response(Kind.LIVENESS, Outcome.OK), Asked(Kind.REKEY_IKE))
    assert rows == ["liveness.response", "ike.rekey.send"]


def test_s2_8_1_the_loser_deletes_its_own_and_the_winner_the_old_one() -> None:
    for mine_is_lowest, deleted in ((True, "m"), (False, "c")):
        run = Run(OPEN)
        run.ok(Command(Kind.REKEY_CHILD, "c"), Asked(Kind.REKEY_CHILD, ("c",)))
        run.ok(Request(Kind.REKEY_CHILD, ("c",)), Reply(Outcome.OK), changes=both(Installed, "t"))
        response = Response(Kind.REKEY_CHILD, Outcome.OK)
        run.ok(response, changes=both(Installed, "m"), lowest_is_mine=mine_is_lowest)
        other = {"m": "c", "c": "m"}[deleted]
        rows = run.ok(Timer(Alarm.RETRY), Asked(Kind.DELETE_CHILD, (deleted,)))
        assert rows == ["window.retry", "child.delete.send.due"]
        assert run.monitor.states
        run.no(Timer(Alarm.RETRY), Asked(Kind.DELETE_CHILD, (other,)))


def test_s2_8_2_a_delete_during_ones_own_rekey_hands_over_the_child_sas() -> None:
    run = Run(OPEN)
    run.ok(Command(Kind.REKEY_IKE), Asked(Kind.REKEY_IKE))
    run.ok(Request(Kind.REKEY_IKE), Reply(Outcome.OK), changes=(Established("j"),))
    lost = (Closed("i"), *both(Removed, "c"))
    run.no(Request(Kind.DELETE_IKE), Reply(Outcome.EMPTY), changes=lost)
    run.ok(Request(Kind.DELETE_IKE), Reply(Outcome.EMPTY), changes=(Closed("i"),))
    run.ok(Request(Kind.DELETE_CHILD, ("c",)), Reply(Outcome.OK, ("c",)), changes=both(Removed, "c"), sa="j")


def test_s2_21_3_invalid_syntax_ends_the_ike_sa() -> None:
    everything = (Closed("i"), *both(Removed, "c"))
    Run(OPEN).ok(Request(Kind.LIVENESS), Reply(Outcome.INVALID_SYNTAX), changes=everything, malformed=True)
    Run(OPEN).no(Request(Kind.LIVENESS), Reply(Outcome.INVALID_SYNTAX), changes=everything)


def test_s2_21_4_unprotected_input_changes_nothing() -> None:
    Run(OPEN).ok(Input.UNPROTECTED)
    Run(OPEN).ok(Input.UNPROTECTED, OneWay())
    Run(OPEN).no(Input.UNPROTECTED, changes=(Closed("i"),))


def test_a_child_sa_that_was_denied_is_not_installed() -> None:
    run = Run(OPEN)
    run.ok(Command(Kind.CREATE_CHILD), Asked(Kind.CREATE_CHILD))
    run.ok(Request(Kind.DELETE_CHILD, ("n",)), Reply(Outcome.EMPTY))
    run.no(Response(Kind.CREATE_CHILD, Outcome.OK), changes=both(Installed, "n"))
    run.ok(Response(Kind.CREATE_CHILD, Outcome.OK))


def test_a_foreign_end_may_ignore_a_should() -> None:
    busy = OPEN.with_ike(IkeRecord("i", Ike.REKEYING, (Outstanding(0, Kind.REKEY_IKE),), verified=True, sent=1))
    seen = Observation("i", Request(Kind.CREATE_CHILD), (Reply(Outcome.NO_ADDITIONAL_SAS),))
    assert isinstance(Monitor(frozenset((busy,))).step(seen), Rejection)
    found = Monitor(frozenset((busy,)), ALLOWED).step(seen)
    assert isinstance(found, Accepted)
    assert found.matches[0].row.variant


def test_unknown_facts_leave_several_states() -> None:
    run = Run(OPEN)
    run.ok(Command(Kind.REKEY_CHILD, "c"), Asked(Kind.REKEY_CHILD, ("c",)))
    run.ok(Request(Kind.REKEY_CHILD, ("c",)), Reply(Outcome.OK), changes=both(Installed, "t"))
    run.ok(Response(Kind.REKEY_CHILD, Outcome.OK), changes=both(Installed, "m"))
    assert len(run.monitor.states) == 2
    run.ok(Timer(Alarm.RETRY), Asked(Kind.DELETE_CHILD, ("m",)))
    assert len(run.monitor.states) == 2
