"""Collisions that are seldom thought of: what one end does while the other does something else (Sections 2.8, 2.25).

Every test runs with either end in each part, and where nonces decide, with each of the four the lowest in turn. Each
step is judged by the model and the invariants too, unless an end is made to forget or to misbehave.
"""

import pytest
from ikeref_properties.network import ENDS, A
from ikeref_properties.refinement.words import rekeyed_spi

from ikeref import sa
from tests.unit.sa.scene import (
    NONCES,
    TEMPORARY,
    Scene,
    check_child_collision,
    check_ike_collision,
    each_nonce,
    either,
    errors,
)


@either
@each_nonce
def test_rekey_child_collision_prefix_nonce(one: str, nonce: str) -> None:
    """A nonce that is the beginning of another is the lower one (Section 2.8.1)."""
    scene = Scene(one)
    long = {name: bytes(range(16)) + bytes([1 + index] * 2) for index, name in enumerate(NONCES)}
    value = {**long, nonce: bytes(range(16)) + b"\x01"}
    scene.pair.forced[one][32] = [value["our Ni"], value["our Nr"]]
    scene.pair.forced[scene.other][32] = [value["their Ni"], value["their Nr"]]
    scene.rekey_child(one)
    scene.rekey_child(scene.other)
    scene.settle()
    lowest = min(value, key=lambda name: value[name])
    check_child_collision(scene, lowest in ("our Ni", "their Nr"))


@either
@pytest.mark.parametrize("what", ["child", "IKE"])
def test_rekey_collision_equal_nonces(one: str, what: str) -> None:
    """The lowest is in both exchanges: not both may lose, whatever else (Section 2.8.1 is silent)."""
    scene = Scene(one, judged=False)
    for end in ENDS:
        scene.pair.forced[end][32] = [b"\x10" * 32, b"\x10" * 32]
        scene.pair.command(end, sa.RekeyChild(scene.old[end]) if what == "child" else sa.RekeyIke())
    scene.settle()
    for end in ENDS:
        scene.child(end)
        assert len(scene.pair.ikes(end)) == 1


@either
@each_nonce
@pytest.mark.parametrize("what", ["child", "IKE"])
def test_rekey_collision_every_datagram_twice(one: str, nonce: str, what: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    for end in (one, scene.other):
        scene.pair.command(end, sa.RekeyChild(scene.old[end]) if what == "child" else sa.RekeyIke())
    while scene.pair.flying:
        flight = scene.pair.flying[0]
        scene.pair.deliver(flight, keep=True)
        scene.pair.deliver(flight)
    scene.settle()
    (check_child_collision if what == "child" else check_ike_collision)(scene, ours_loses)


@either
def test_three_exchanges_cross(one: str) -> None:
    """A new Child SA and a rekey of another cross, and the IKE SA is rekeyed as soon as there is room."""
    scene = Scene(one)
    scene.pair.command(one, sa.CreateChild("web"))
    scene.pair.command(one, sa.RekeyIke())
    scene.rekey_child(scene.other)
    scene.settle()
    assert scene.ike_is_new()
    assert {child.name for child in scene.pair.children(one)} == {"net", "web"}
    assert scene.old[A] not in [child.spi_in for child in scene.pair.children(A)]


@either
def test_the_same_child_sa_is_rekeyed_twice(one: str) -> None:
    """A confused peer rekeys what it has just rekeyed: TEMPORARY_FAILURE while that is being closed (2.25.1)."""
    scene = Scene(one, judged=False)
    scene.rekey_child(one)
    scene.deliver(scene.other)
    scene.hold(one)
    ends = scene.pair.ends[one]
    (number, session), *_ = ends.sessions.items()
    ike = session.ikes[0]
    child = session.children[0]._replace(state=sa.ChildState.OPEN)
    ends.sessions[number] = session._replace(ikes=(ike._replace(outstanding=()),), children=(child,))
    scene.rekey_child(one)
    assert errors(scene.deliver(scene.other)) == TEMPORARY
    assert [rekeyed_spi(message) for message in scene.sent(one)] == [scene.old[one]] * 2
