"""Two real ends under a hostile network: the model allows every step, and at rest both ends agree.

IKEREF_PROFILE=nightly searches for hours instead of seconds.
"""

import pytest
from hypothesis.stateful import run_state_machine_as_test
from ikeref_properties.machines import walk
from ikeref_properties.machines.schedule import Weights
from ikeref_properties.machines.stateful import Adapter, machine, profile
from ikeref_properties.machines.walk import MakePair

REKEYS = Weights(acts=40, commands=6, kinds=("rekey child", "rekey IKE", "delete child", "create", "rekey child"))


@pytest.mark.parametrize("make", [walk.established, walk.other_groups], ids=lambda make: make.__name__)
def test_two_ends_follow_the_model_and_agree_at_rest(make: MakePair) -> None:
    run_state_machine_as_test(machine(Adapter(make)), settings=profile())


@pytest.mark.parametrize(
    "make",
    [walk.established, walk.other_groups, walk.starting, walk.cookies, walk.both_starting, walk.limited],
    ids=lambda make: make.__name__,
)
def test_random_walks_follow_the_model_and_agree_at_rest(make: MakePair) -> None:
    weights = Weights() if make in (walk.cookies, walk.both_starting, walk.starting) else REKEYS
    found = walk.walk(0, 150, weights, make)
    assert not found, str(found[0])
