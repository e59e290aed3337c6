"""Every step of the explored code is one that the rows allow; and what is wrong with either would be noticed."""

from collections.abc import Callable
from typing import Any

import pytest
from ikeref_model.endpoint_state import Endpoint
from ikeref_model.tables import ROWS
from ikeref_properties.explore import faults
from ikeref_properties.explore.fingerprint import Merging
from ikeref_properties.explore.kinds import Kinds
from ikeref_properties.explore.search import Result, Search
from ikeref_properties.explore.values import Bounds
from ikeref_properties.refinement import abstraction, step

from ikeref.sa import ChildState, IkeSa, Phase, Session
from ikeref.sa.values import CheckLiveness, ChildRequest, DeleteChild, Exchange, IkeRequest, Informational, RekeyChild

BOUNDS = Bounds(1, 0, 0)
DEEPER = Bounds(2, 0, 0, kinds=("rekey IKE", "delete IKE"))
"""Where an IKE SA waits with its Delete until the peer's redundant one is gone."""
WINDOWS = Bounds(2, 0, 0, window=2, kinds=("liveness",))
FULL = Bounds(2, 0, 0, window=2, kinds=("rekey child", "liveness"), every_nonce=False)
"""Where the window has no room for the Delete that a rekey calls for. Nothing deviates here within four steps."""


def rules(result: Result) -> str:
    return "" if result.counterexample is None else result.counterexample.deviation.rule


def test_every_step_is_one_that_the_rows_allow() -> None:
    result = Search(BOUNDS, merging=Merging(comparisons=False)).run()
    assert result.complete
    assert result.counterexample is None
    assert sum(result.seen.rows.values()) > 1_000
    assert len({row for row, _ in result.seen.rows}) > 50


def test_one_judgement_for_each_kind_of_step_sees_what_one_for_each_step_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = Search(BOUNDS).run()
    monkeypatch.setattr(Kinds, "of", lambda *_: (object(),))
    each = Search(BOUNDS).run()
    assert (kinds.states, kinds.edges, kinds.behaviours) == (each.states, each.edges, each.behaviours)
    assert kinds.seen.rows == each.seen.rows
    assert kinds.seen.made < each.seen.made


def test_kinds_that_forget_what_came_in_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram that is due an answer is taken for a command, which is due none."""
    search = Search(Bounds(1, 0, 0, kinds=("liveness",)))
    monkeypatch.setattr(Kinds, "of", lambda _, who, *__: (who,))
    with faults.seeded("silent"):
        assert rules(search.run()) != "the rows"


def test_a_silent_end_does_not_pass() -> None:
    search = Search(Bounds(1, 0, 0, kinds=("liveness",)))
    with faults.seeded("silent"):
        assert rules(search.run()) == "the rows"


@pytest.mark.nightly
def test_without_a_row_some_step_is_not_allowed() -> None:
    taken = {row for row, _ in Search(BOUNDS).run().seen.rows} - {"window.retry"}
    missed = [name for name in taken if rules(without(name)) != "the rows"]
    assert not missed


def without(name: str) -> Result:
    """Explore with all rows but one."""
    return Search(BOUNDS, rows=tuple(row for row in ROWS if row.name != name)).run()


# Scrambled fields


Scramble = Callable[[Session], Session]


def ikes(change: Callable[[IkeSa], IkeSa]) -> Scramble:
    return lambda session: session._replace(ikes=tuple(change(ike) for ike in session.ikes))


def children(**fields: Any) -> Scramble:
    return lambda session: session._replace(children=tuple(child._replace(**fields) for child in session.children))


def requests(change: Callable[[Exchange], Exchange]) -> Scramble:
    return ikes(lambda ike: ike._replace(outstanding=tuple(change(each) for each in ike.outstanding)))


def intents(change: Callable[[Any], Any]) -> Scramble:
    """Change what outstanding requests are about."""
    return requests(lambda exchange: exchange._replace(intent=change(exchange.intent)))


def uncrossed(intent: Any) -> Any:
    return intent._replace(crossing=None) if isinstance(intent, ChildRequest | IkeRequest) else intent


def of_another(intent: Any) -> Any:
    if isinstance(intent, ChildRequest) and isinstance(intent.command, RekeyChild):
        return intent._replace(command=RekeyChild(bytes(4)))
    return intent


def forgiven(intent: Any) -> Any:
    return intent._replace(condemned=()) if isinstance(intent, ChildRequest) else intent


def deleting_another(intent: Any) -> Any:
    if isinstance(intent, Informational) and isinstance(intent.command, DeleteChild):
        return Informational(intent.command._replace(spi_in=bytes(4)))
    return intent


def uncalled_for(command: Any) -> Any:
    return command._replace(due=False) if isinstance(command, DeleteChild) else command


SCRAMBLES: dict[str, Scramble] = {
    "Session.ikes": lambda session: session._replace(ikes=session.ikes[:1]),
    "Session.children": lambda session: session._replace(children=session.children[:1]),
    "Session.peer": lambda session: session._replace(peer=None),
    "IkeSa.phase": ikes(lambda ike: ike._replace(phase=Phase.ESTABLISHED)),
    "IkeSa.initiator": ikes(lambda ike: ike._replace(initiator=True)),
    "IkeSa.spi_i": ikes(lambda ike: ike._replace(spi_i=bytes(8))),
    "IkeSa.spi_r": ikes(lambda ike: ike._replace(spi_r=bytes(8))),
    "IkeSa.next_request": ikes(lambda ike: ike._replace(next_request=7)),
    "IkeSa.expected": ikes(lambda ike: ike._replace(expected=7)),
    "IkeSa.outstanding": ikes(lambda ike: ike._replace(outstanding=())),
    "IkeSa.queue": ikes(lambda ike: ike._replace(queue=())),
    "IkeSa.redundant": ikes(lambda ike: ike._replace(redundant=False)),
    "IkeSa.succeeded": ikes(lambda ike: ike._replace(succeeded=False)),
    "ChildSa.spi_in": children(spi_in=bytes(4)),
    "ChildSa.inbound": children(inbound=False),
    "ChildSa.outbound": children(outbound=False),
    "ChildSa.state": children(state=ChildState.OPEN),
    "IkeSa.answers": ikes(lambda ike: ike._replace(answers=())),
    "IkeSa.window": ikes(lambda ike: ike._replace(window=1)),
    "IkeSa.peer_window": ikes(lambda ike: ike._replace(peer_window=1)),
    "Exchange.message_id": requests(lambda exchange: exchange._replace(message_id=7)),
    "Exchange.intent": intents(lambda _: Informational(CheckLiveness())),
    "ChildRequest.command": intents(of_another),
    "ChildRequest.crossing": intents(lambda intent: uncrossed(intent) if isinstance(intent, ChildRequest) else intent),
    "ChildRequest.condemned": intents(forgiven),
    "DeleteChild.spi_in": intents(deleting_another),
    "DeleteChild.due": ikes(lambda ike: ike._replace(queue=tuple(map(uncalled_for, ike.queue)))),
    "IkeRequest.crossing": intents(lambda intent: uncrossed(intent) if isinstance(intent, IkeRequest) else intent),
}


def test_every_field_that_is_read_is_scrambled() -> None:
    assert set(SCRAMBLES) == {
        f"{kind.__name__}.{field}" for kind, words in abstraction.READ.items() for field in words.split()
    }


@pytest.mark.parametrize("field", SCRAMBLES)
def test_a_scrambled_field_is_noticed(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scramble = SCRAMBLES[field]

    def scrambled(session: Session | None, deferred: frozenset[bytes]) -> Endpoint:
        return abstraction.endpoint(scramble(session) if session is not None else None, deferred)

    monkeypatch.setattr(step, "endpoint", scrambled)
    if field == "DeleteChild.due":
        found = Search(FULL).run().counterexample
        assert found is not None
        assert (found.deviation.rule, len(found.schedule)) == ("the rows", 4)
    else:
        assert any(rules(Search(bounds).run()) == "the rows" for bounds in (WINDOWS, BOUNDS, DEEPER))
