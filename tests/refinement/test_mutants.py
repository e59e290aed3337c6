"""Every seeded fault of the code is found by the model, an invariant, or what holds at rest."""

import pytest
from ikeref_properties.machines import walk
from ikeref_properties.machines.schedule import Weights
from ikeref_properties.mutants.code import MUTANTS, Mutant

KINDS = ("rekey child", "rekey IKE", "delete child", "create", "rekey child", "rekey IKE", "delete IKE")
REKEYS = Weights(acts=40, commands=6, kinds=KINDS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_mutant_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch.setattr)
    weights = REKEYS if mutant.pair is walk.established else Weights(commands=0)
    assert walk.walk(0, 1500, weights, mutant.pair, shorten=False), "it survives"


@pytest.mark.parametrize("make", [walk.established, walk.strangers, walk.cookies, walk.unanswered, walk.skipping])
def test_nothing_is_found_without_a_mutant(make: walk.MakePair) -> None:
    weights = REKEYS if make is walk.established else Weights(commands=0)
    assert not walk.walk(0, 20, weights, make)
