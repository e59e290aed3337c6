"""Both ends of a Child SA use transport mode, or both tunnel mode (Section 1.3.1)."""

from dataclasses import replace

import pytest
from hypothesis.stateful import run_state_machine_as_test
from ikeref_properties.machines import walk
from ikeref_properties.machines.invariants import Violation
from ikeref_properties.machines.schedule import Weights
from ikeref_properties.machines.stateful import Adapter, machine, profile
from ikeref_properties.network import ENDS, A, B, Pair, connection

from ikeref import sa
from ikeref.sa import child

KINDS = ("rekey child", "create", "rekey IKE", "delete child", "rekey child")


def pair(**modes: str) -> Pair:
    connections = {}
    for end in ENDS:
        policy = connection(end)
        children = tuple(replace(each, mode=modes[end]) for each in policy.children)  # type: ignore[arg-type]
        connections[end] = replace(policy, children=children)
    return Pair(1, connections=connections).establish()


def test_s1_3_1_both_ends_agree_on_the_mode_whatever_happens() -> None:
    run_state_machine_as_test(machine(Adapter(walk.modes)), settings=profile())


def test_s1_3_1_random_walks_agree_on_the_mode() -> None:
    found = walk.walk(0, 200, Weights(acts=40, commands=6, kinds=KINDS), walk.modes)
    assert not found, str(found[0])


@pytest.mark.parametrize(
    ("a", "b", "agreed"),
    [
        ("transport", "transport", True),
        ("tunnel", "tunnel", False),
        ("tunnel", "transport", False),
    ],
)
def test_s1_3_1_transport_mode_is_agreed_where_asked_for_and_granted(a: str, b: str, agreed: bool) -> None:
    network = pair(A=a, B=b)
    for end in ENDS:
        assert [each.transport for each in network.children(end)] == [agreed]


def test_s1_3_1_an_initiator_that_wants_transport_mode_deletes_what_has_tunnel_mode() -> None:
    network = pair(A="transport", B="tunnel")
    assert not network.children(A) + network.children(B)
    assert len(network.ikes(A)) == len(network.ikes(B)) == 1


def test_s2_8_a_rekey_keeps_the_mode_that_is_in_use() -> None:
    """B's policy says transport mode, but A asked for tunnel mode and got it: B's rekey asks for what there is."""
    network = pair(A="tunnel", B="transport")
    (before,) = network.children(B)
    network.command(B, sa.RekeyChild(before.spi_in))
    network.settle()
    for end in ENDS:
        assert [each.transport for each in network.children(end)] == [False]
        assert before.spi_in not in [each.spi_in for each in network.children(end)]


def test_ends_that_disagree_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = child._made

    def mutant(*args: object) -> sa.ChildSa:
        sa_made: sa.ChildSa = made(*args)  # type: ignore[arg-type]
        return sa_made._replace(transport=sa_made.initiator)

    monkeypatch.setattr(child, "_made", mutant)
    (found,) = walk.walk(0, 20, None, walk.established, model=False, shorten=False)
    assert isinstance(found.error, Violation)
    assert found.error.rule == "same mode (Section 1.3.1)"
