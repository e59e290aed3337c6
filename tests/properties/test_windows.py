"""The ledger judges windows of any size (Section 2.3): what keeps to them passes, what does not is found."""

from functools import partial
from random import Random

import pytest
from ikeref_properties.machines import walk
from ikeref_properties.machines.invariants import Ledger, Violation
from ikeref_properties.machines.schedule import Weights, perform, random_schedule
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import A, B, Pair, connection

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.sa import window

NAMES = ("net", "web", "mail", "voice", "backup")
BUSY = Weights(acts=40, commands=8, kinds=("rekey child", "create", "rekey IKE", "delete child", "rekey child"))
RULE = "window (Section 2.3)"


def wide(size: int, watch: walk.Watch) -> Pair:
    connections = {end: connection(end, children=NAMES) for end in (A, B)}
    return Pair(3, settings=Settings(window_size=size), connections=connections, watch=watch).establish()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_s2_3_random_walks_stay_within_windows(size: int) -> None:
    for seed in range(12):
        judge = Judge()
        pair = wide(size, judge)
        for act in random_schedule(Random(seed), BUSY):
            perform(pair, act)
        walk.come_to_rest(pair, judge)


def test_s2_3_a_full_window_is_used_and_not_more() -> None:
    ledger = Ledger()
    pair = wide(4, ledger.note)
    for name in NAMES[1:]:
        pair.command(A, sa.CreateChild(name))
    assert len(pair.flying) == 4
    pair.command(A, sa.CheckLiveness())
    assert len(pair.flying) == 4


def test_s2_3_a_request_beyond_the_peer_s_window_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "has_room", lambda _next, outstanding, size: len(outstanding) <= size)
    ledger = Ledger()
    pair = wide(2, ledger.note)
    pair.command(A, sa.CreateChild("web"))
    pair.command(A, sa.CreateChild("mail"))
    with pytest.raises(Violation) as found:
        pair.command(A, sa.CheckLiveness())
    assert found.value.rule == RULE


def test_s2_3_a_window_counts_from_the_oldest_request_that_is_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another reading, that a window of 2 is any two requests at once, is found to be one (7296-2.3-09)."""
    monkeypatch.setattr(window, "has_room", lambda _next, outstanding, size: len(outstanding) < size)
    ledger = Ledger()
    pair = wide(2, ledger.note)
    pair.command(A, sa.CreateChild("web"))
    pair.command(A, sa.CreateChild("mail"))
    pair.deliver(pair.flying[1])
    pair.deliver(next(each for each in pair.flying if each.message is not None and each.message.is_response))
    with pytest.raises(Violation) as found:
        pair.command(A, sa.CheckLiveness())
    assert found.value.rule == RULE


def test_s2_3_a_request_that_is_taken_beyond_the_own_window_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "has_room", lambda *_: True)
    wider = partial(window.request_position, size=9)
    monkeypatch.setattr(window, "request_position", lambda n, low, _size, kept: wider(n, low, answered=kept))
    ledger = Ledger()
    pair = wide(2, lambda record: ledger.note(record) if record.end == B else None)
    for name in NAMES[1:4]:
        pair.command(A, sa.CreateChild(name))
    with pytest.raises(Violation) as found:
        pair.deliver(pair.flying[2])
    assert found.value.rule == RULE


def test_s2_3_a_window_that_was_never_announced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A size from another IKE SA: a rekeyed one begins with 1 (7296-2.3-14)."""
    widened = window.widened
    monkeypatch.setattr(window, "widened", lambda size, announced: widened(size, announced) + 1)
    ledger = Ledger()
    pair = wide(2, ledger.note)
    pair.command(A, sa.CreateChild("web"))
    pair.command(A, sa.CreateChild("mail"))
    with pytest.raises(Violation) as found:
        pair.command(A, sa.CreateChild("voice"))
    assert found.value.rule == RULE
