"""What has come to the end of its life is used no more, and an IKE SA that was not rekeyed in time is closed (2.8)."""

from random import Random

import pytest
from ikeref_properties.machines import walk
from ikeref_properties.machines.invariants import Violation
from ikeref_properties.machines.schedule import Weights, perform, random_schedule
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, PEER, A, B, Pair, Record
from ikeref_properties.refinement import Observer

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, NotifyType
from ikeref.sa import Phase, timers
from ikeref.sa.turn import Turn
from ikeref.wire import D, N
from tests.properties.forging import respond

LOSSY = Weights(acts=60, commands=4, losses=12, lose=20, advance=40, kinds=("rekey child", "rekey IKE", "create"))


def until(pair: Pair, seconds: float) -> None:
    """Time goes on with a perfect network."""
    while True:
        pair.deliver_all()
        due = [deadline for end in ENDS if (deadline := pair.ends[end].next_deadline()) is not None]
        if not due or min(due) > seconds:
            pair.now = max(pair.now, seconds)
            return
        pair.advance()


def outputs(pair: Pair, end: str) -> list[sa.Output]:
    return [output for record in pair.records if record.end == end for output in record.outputs]


@pytest.mark.parametrize("which", ["expire_child_seconds", "expire_ike_seconds"])
def test_s2_8_what_is_not_rekeyed_in_time_ends_with_its_ike_sa(which: str) -> None:
    pair = Pair(1, settings=Settings(**{which: 30})).establish()
    until(pair, 28.9)
    assert all(pair.children(end) and pair.ikes(end) for end in ENDS)
    until(pair, 30)
    assert not any(pair.children(end) or pair.ikes(end) for end in ENDS)
    deletes = [p for flight in pair.past if flight.message for p in flight.message.payloads if type(p) is D]
    assert any(delete.protocol_id == 1 for delete in deletes)


def test_s2_8_what_is_rekeyed_in_time_goes_on() -> None:
    judge = Judge()
    pair = Pair(
        2,
        settings=Settings(rekey_child_seconds=10, expire_child_seconds=15, rekey_ike_seconds=25, expire_ike_seconds=35),
        watch=judge,
    ).establish()
    until(pair, 400)
    assert all(len(pair.children(end)) == len(pair.ikes(end)) == 1 for end in ENDS)
    reasons = [output.reason for end in ENDS for output in outputs(pair, end) if type(output) is sa.Closed]
    assert not [reason for reason in reasons if "end of its life" in reason]


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_an_ike_sa_is_closed_when_its_rekey_is_refused_till_the_end(end: str) -> None:
    """7296-2.8-05: the peer refuses every rekey of the Child SA."""
    pair = Pair(3, settings=Settings(expire_child_seconds=30)).establish()
    for _ in range(3):
        pair.command(end, sa.RekeyChild(pair.children(end)[0].spi_in))
        asked = pair.flying.pop().message
        assert asked is not None
        answered = respond(
            pair, end, ExchangeType.CREATE_CHILD_SA, (N(NotifyType.NO_ADDITIONAL_SAS),), asked.message_id
        )
        assert sa.Closed not in answered.kinds()
        pair.now += 5
    until(pair, 30)
    assert not pair.children(end)
    assert not pair.ikes(end)
    # 7296-4-11: and can be made anew.
    pair.initiate(end)
    pair.deliver_all()
    assert len(pair.ikes(end)) == len(pair.children(end)) == 1


@pytest.mark.parametrize("end", ENDS)
def test_s2_8_who_owes_an_answer_is_not_waited_for(end: str) -> None:
    pair = Pair(4, settings=Settings(expire_ike_seconds=3)).establish()
    pair.now = 2.5
    pair.command(end, sa.CheckLiveness())
    pair.flying.clear()
    pair.now = 3
    pair.tick()
    assert not pair.ikes(end)
    assert not pair.children(end)
    assert not [flight for flight in pair.flying if flight.to == PEER[end]]
    pair.settle()
    assert not any(pair.ikes(each) for each in (A, B))


def test_s2_8_nothing_expired_is_used_whatever_happens() -> None:
    for seed in range(150):
        judge = Judge()
        pair = walk.aging(seed, judge)
        for act in random_schedule(Random(seed), LOSSY):
            perform(pair, act)
        if not seed % 3:
            until(pair, pair.now + 100)
            assert not pair.ikes(A) + pair.ikes(B)


def watched(**settings: float) -> tuple[Pair, set[str]]:
    """Two ends, established, and the rows about lifetimes that explain their steps; raises where none explains one."""
    observers, rows = {end: Observer(end) for end in ENDS}, set[str]()

    def watch(record: Record) -> None:
        verdict = observers[record.end].observe(record)
        assert verdict.ok, verdict.explanation
        rows.update(match.row.name for match in verdict.rows if match.row.name.startswith("lifetime."))

    return Pair(1, settings=Settings(**settings), watch=watch).establish(), rows  # type: ignore[arg-type]


ENDINGS: dict[str, tuple[str, tuple[sa.Command, ...]]] = {
    "lifetime.ike": ("expire_ike_seconds", (sa.CheckLiveness(),)),
    "lifetime.child": ("expire_child_seconds", (sa.CheckLiveness(),)),
    "lifetime.child.delete": ("expire_child_seconds", ()),
    "lifetime.child.later": ("expire_child_seconds", (sa.DeleteIke(),)),
}
"""How an SA ends while requests of this end are unanswered."""


@pytest.mark.parametrize("row", ENDINGS)
def test_s2_8_each_way_to_end_is_taken_and_explained(row: str) -> None:
    which, commands = ENDINGS[row]
    pair, taken = watched(**{which: 3})
    pair.now = 2.5
    for command in commands:
        pair.command(A, command)
    pair.flying.clear()
    pair.now = 3
    pair.tick()
    assert row in taken
    assert not pair.children(A)


def crossed(**settings: float) -> tuple[Pair, set[str]]:
    """Both ends rekey the IKE SA, and no answer arrives."""
    pair, taken = watched(**settings)
    pair.now = 2
    for end in ENDS:
        pair.command(end, sa.RekeyIke())
    for flight in list(pair.flying):
        pair.deliver(flight)
    pair.flying.clear()
    return pair, taken


def test_s2_8_2_the_successor_inherits_when_the_old_ike_sa_comes_to_its_end() -> None:
    pair, taken = crossed(expire_ike_seconds=2.5)
    assert [ike.phase for ike in pair.ikes(A)] == [Phase.ESTABLISHED, Phase.CANDIDATE]
    pair.now = 2.5
    pair.tick()
    assert "lifetime.ike.crossed" in taken
    assert [ike.phase for ike in pair.ikes(A)] == [Phase.ESTABLISHED]
    assert pair.children(A)


def test_s2_8_the_successor_closes_with_the_ike_sa_of_an_expired_child_sa() -> None:
    pair, taken = crossed(expire_child_seconds=2.5)
    pair.now = 2.5
    pair.tick()
    assert "lifetime.child" in taken
    assert not pair.ikes(A) + pair.children(A)


@pytest.mark.parametrize("what", ["ike", "child"])
def test_an_end_that_does_not_end_is_rejected_by_the_rows(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def go_on(turn: Turn) -> None:
        turn.ikes = tuple(ike._replace(ends_at=0.0) for ike in turn.ikes)
        turn.children = tuple(child._replace(ends_at=0.0) for child in turn.children)

    monkeypatch.setattr(timers, "_end", go_on)
    judge = Judge()
    judge.ledger.note = lambda record: None  # type: ignore[method-assign]  # noqa: ARG005  # the rows alone
    settings = Settings(**{f"expire_{what}_seconds": 3})
    pair = Pair(1, settings=settings, watch=judge).establish()
    pair.command(A, sa.CheckLiveness())
    pair.flying.clear()
    pair.now = 3.1
    with pytest.raises(Violation, match="EXPIRY"):
        pair.tick()


def test_an_end_that_keeps_half_of_an_expired_child_sa_is_rejected_by_the_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def keep(turn: Turn, child: sa.ChildSa) -> None:
        turn.outputs.append(sa.Remove(False, child))
        turn.put_child(child._replace(outbound=False, ends_at=0.0))

    monkeypatch.setattr(Turn, "shut", keep)
    judge = Judge()
    judge.ledger.note = lambda record: None  # type: ignore[method-assign]  # noqa: ARG005  # the rows alone
    pair = Pair(1, settings=Settings(expire_child_seconds=3), watch=judge).establish()
    pair.now = 3
    with pytest.raises(Violation, match="CHILD_EXPIRY"):
        pair.tick()


def test_what_is_used_for_too_long_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "_end", lambda _turn: None)
    judge = Judge(model=False)
    pair = walk.aging(0, judge)
    number = next(iter(pair.ends[A].sessions))
    pair.now = 21
    with pytest.raises(Violation, match="expired"):
        pair.command(A, sa.CheckLiveness(), number)


def test_s2_8_an_ike_sa_whose_delete_never_comes_is_deleted_by_the_other_end() -> None:
    """The end that rekeyed it owes the Delete (7296-2.8-10); all of them are lost, until it gives up."""
    pair = Pair(5).establish()
    old = pair.ikes(A)[0].spi_i
    pair.command(A, sa.RekeyIke())
    pair.deliver(pair.flying[0])
    pair.deliver(pair.flying[0])
    for _ in range(60):
        for flight in list(pair.flying):
            mine = flight.message is not None and flight.message.spi_i == old and flight.to == B
            pair.lose(flight) if mine else pair.deliver(flight)
        pair.advance()
    pair.settle()
    assert [ike.spi_i for ike in pair.ikes(A)] == [ike.spi_i for ike in pair.ikes(B)] != [old]
    assert len(pair.children(A)) == len(pair.children(B)) == 1
