"""Two real ends under a hostile network: the model allows every step, and at rest both ends agree.

IKEREF_PROFILE=nightly searches for hours instead of seconds.
"""

from random import Random

import pytest
from hypothesis.stateful import run_state_machine_as_test
from ikeref_properties.machines import walk
from ikeref_properties.machines.schedule import Weights, perform, random_schedule
from ikeref_properties.machines.stateful import Adapter, machine, profile
from ikeref_properties.machines.walk import Judge, MakePair

REKEYS = Weights(acts=40, commands=6, kinds=("rekey child", "rekey IKE", "delete child", "create", "rekey child"))


@pytest.mark.parametrize("make", [walk.established, walk.other_groups], ids=lambda make: make.__name__)
def test_two_ends_follow_the_model_and_agree_at_rest(make: MakePair) -> None:
    run_state_machine_as_test(machine(Adapter(make)), settings=profile())


def test_two_ends_that_begin_at_once_agree_at_rest() -> None:
    run_state_machine_as_test(machine(Adapter(walk.both_starting)), settings=profile())


def test_ends_that_lose_each_other_are_in_order_each() -> None:
    weights = Weights(acts=60, commands=8, losses=40, replays=5, lose=60, advance=60, command=40)
    for seed in range(150):
        judge = Judge()
        pair = walk.established(seed, judge)
        for act in random_schedule(Random(seed), weights):
            perform(pair, act)
        pair.settle()
        judge.ledger.each_at_rest(pair)


@pytest.mark.parametrize(
    "make",
    [
        walk.established,
        walk.other_groups,
        walk.starting,
        walk.cookies,
        walk.both_starting,
        walk.limited,
        walk.strangers,
        walk.unanswered,
        walk.skipping,
    ],
    ids=lambda make: make.__name__,
)
def test_random_walks_follow_the_model_and_agree_at_rest(make: MakePair) -> None:
    once = make in (walk.strangers, walk.unanswered, walk.skipping)
    weights = Weights() if make in (walk.cookies, walk.both_starting, walk.starting) else REKEYS
    found = walk.walk(0, 20 if once else 150, Weights(commands=0) if once else weights, make)
    assert not found, str(found[0])
