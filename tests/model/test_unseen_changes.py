"""The monitor of an end whose SAs nobody sees, as with a capture: the names tell, the changes are not compared."""

from ikeref_model.events import Asked, Command, Installed, Kind, Observation, Outcome, Reply, Request, Response
from ikeref_model.events import Direction as Way
from ikeref_model.monitor import START, Accepted, Rejection, advance

BORN = (Installed("first", Way.IN),)


def initiator(*, visible: bool) -> Accepted | Rejection:
    states = START
    steps = (
        Observation("sa", Command(Kind.IKE_SA_INIT), (Asked(Kind.IKE_SA_INIT),), visible=visible),
        Observation("sa", Response(Kind.IKE_SA_INIT, Outcome.OK), (Asked(Kind.IKE_AUTH),), visible=visible),
        Observation("sa", Response(Kind.IKE_AUTH, Outcome.OK), (), BORN, (("verifies", True),), visible=visible),
    )
    result: Accepted | Rejection = Accepted(states, (), 0)
    for step in steps:
        result = advance(states, step)
        if isinstance(result, Rejection):
            return result
        states = result.states
    return result


def test_unseen_changes_are_not_compared() -> None:
    result = initiator(visible=False)
    assert isinstance(result, Accepted)
    assert {each.child("first").incoming for each in result.states} == {True}


def test_seen_changes_are_compared() -> None:
    assert isinstance(initiator(visible=True), Rejection)


def test_unseen_changes_excuse_no_answer() -> None:
    established = initiator(visible=False)
    assert isinstance(established, Accepted)
    request = Request(Kind.DELETE_CHILD, ("first",))
    right = Observation("sa", request, (Reply(Outcome.OK, ("first",)),), visible=False)
    wrong = Observation("sa", request, (Reply(Outcome.EMPTY),), visible=False)
    assert isinstance(advance(established.states, right), Accepted)
    assert isinstance(advance(established.states, wrong), Rejection)
