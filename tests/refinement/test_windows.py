"""Real ends with windows above 1 are followed step by step: several requests at once, answered in any order (Section
2.3). And what they must not do is rejected."""

from collections import Counter
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from ikeref_model.events import Asked, Kind, Observation, Reply, Request, Response
from ikeref_model.monitor import Accepted, Monitor
from ikeref_properties.machines.schedule import Weights, perform, random_schedule
from ikeref_properties.network import ENDS, A, B, Pair, Record, connection
from ikeref_properties.refinement import Observer

from ikeref import sa
from ikeref.policy.connections import Settings

NAMES = ("net", "web", "mail", "voice", "backup")
Seen = dict[str, tuple[Observation, ...]]


class Followed:
    """Two ends, and what the model says of each step."""

    def __init__(self, window: int) -> None:
        self.observers = {end: Observer(end) for end in ENDS}
        self.rows: Counter[str] = Counter()
        self.seen: dict[str, list[Observation]] = {end: [] for end in ENDS}
        self.pair = Pair(
            settings=Settings(window_size=window),
            connections={end: connection(end, children=NAMES) for end in ENDS},
            watch=self.watch,
        )

    def watch(self, record: Record) -> None:
        verdict = self.observers[record.end].observe(record)
        assert verdict.ok, f"step {record.number} of {record.end}: {verdict.explanation}"
        self.rows.update(match.row.name for match in verdict.rows)
        self.seen[record.end] += verdict.observations


def busy(window: int, order: int) -> Followed:
    """A asks for several Child SAs at once, the messages arrive in some order, some twice; then rekeys and Deletes."""
    chance = Random(order)
    followed = Followed(window)
    pair = followed.pair.establish()

    def settle() -> None:
        while pair.flying:
            pair.deliver(chance.choice(pair.flying), keep=chance.random() < 0.1)

    for name in NAMES[1:]:
        pair.command(A, sa.CreateChild(name))
    pair.command(B, sa.CheckLiveness())
    settle()
    for number, child in enumerate(pair.children(A)):
        pair.command((A, B)[number % 2], sa.RekeyChild(child.spi_in if number % 2 == 0 else child.spi_out))
    settle()
    pair.command(B, sa.RekeyIke())
    settle()
    for child in pair.children(B):
        pair.command(B, sa.DeleteChild(child.spi_in))
    settle()
    pair.command(A, sa.DeleteIke())
    settle()
    return followed


@cache
def seen(window: int) -> Seen:
    return {end: tuple(each) for end, each in busy(window, 1).seen.items()}


@pytest.mark.parametrize("window", [1, 2, 4])
@pytest.mark.parametrize("order", range(4))
def test_s2_3_every_step_is_one_that_the_rows_allow(window: int, order: int) -> None:
    followed = busy(window, order)
    assert {"child.create.response.ok", "ike.rekey.request.accept", "child.delete.response.ok"} <= set(followed.rows)
    for end in ENDS:
        real = sorted(each.waiting for each in followed.pair.ikes(end) if each.waiting)
        for state in followed.observers[end].monitor.states:
            kept = (tuple(each.number for each in ike.outstanding) for ike in state.ikes)
            assert sorted(each for each in kept if each) == real


@pytest.mark.parametrize("window", [2, 4])
def test_s2_3_several_requests_are_outstanding_and_answered_out_of_order(window: int) -> None:
    answered = [each.event.message_id for each in seen(window)[B] if isinstance(each.event, Request)]
    fresh = list(dict.fromkeys(each for each in answered if each is not None))
    assert fresh != sorted(fresh)
    outstanding = most = 0
    for each in seen(window)[A]:
        outstanding += sum(isinstance(sent, Asked) for sent in each.sent) - isinstance(each.event, Response)
        most = max(most, outstanding)
    assert most == window


def rejected(observations: tuple[Observation, ...]) -> bool:
    monitor = Monitor()
    return not all(isinstance(monitor.step(each), Accepted) for each in observations)


def test_s2_3_what_was_not_announced_may_not_be_used() -> None:
    assert not rejected(seen(4)[A])
    deaf = tuple(
        replace(each, event=replace(each.event, window=0)) if isinstance(each.event, Request | Response) else each
        for each in seen(4)[A]
    )
    assert rejected(deaf)


def test_s2_3_what_was_announced_has_to_be_taken() -> None:
    """An end that does not remember what it has said takes its peer's requests for ones beyond the window."""
    assert not rejected(seen(4)[B])
    silent = tuple(
        replace(
            each,
            sent=tuple(replace(sent, window=0) if isinstance(sent, Asked | Reply) else sent for sent in each.sent),
        )
        for each in seen(4)[B]
    )
    assert rejected(silent)


def test_s2_3_a_smaller_window_is_rejected() -> None:
    """With 4 announced and used, 2 would not do."""
    smaller = tuple(
        replace(each, event=replace(each.event, window=min(each.event.window, 2)))
        if isinstance(each.event, Request | Response)
        else each
        for each in seen(4)[A]
    )
    assert rejected(smaller)


def test_s2_3_a_rekeyed_ike_sa_begins_with_a_window_of_one() -> None:
    """Without the announcement on the new IKE SA the requests on it are too many."""
    observations = seen(4)[B]
    rekeyed = next(
        number
        for number, each in enumerate(observations)
        if isinstance(each.event, Response) and each.event.kind is Kind.REKEY_IKE
    )
    later = tuple(
        replace(
            each,
            event=replace(each.event, window=0) if isinstance(each.event, Request | Response) else each.event,
        )
        for each in observations[rekeyed:]
    )
    assert rejected(observations[:rekeyed] + later)


@pytest.mark.parametrize("seed", range(6))
def test_random_walks_with_a_window_of_four_follow_the_model(seed: int) -> None:
    followed = Followed(4)
    followed.pair.establish()
    for act in random_schedule(Random(seed), Weights()):
        perform(followed.pair, act)
    followed.pair.settle()
    assert followed.rows["window.announced"]
