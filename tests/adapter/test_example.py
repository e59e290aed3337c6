"""What a team writes to guard its own implementation: a campaign of some seconds in its own pytest run."""

from hypothesis.stateful import run_state_machine_as_test
from ikeref_properties.adapter import Implementation, conforms
from ikeref_properties.adapter.stateful import BOUNDED, machine_for

from tests.adapter.minimal import Minimal
from tests.adapter.plugged import Open


def ours(seed: int) -> Implementation:
    return Open(Minimal(seed))


def test_ours_conforms() -> None:
    conforms(ours, runs=100)


def test_ours_conforms_whatever_hypothesis_thinks_of() -> None:
    run_state_machine_as_test(machine_for(ours), settings=BOUNDED)
