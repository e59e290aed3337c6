"""Collisions that are seldom thought of: what one end does while the other does something else (Sections 2.8, 2.25).

Every test runs with either end in each part, and where nonces decide, with each of the four the lowest in turn. Each
step is judged by the model and the invariants too, unless an end is made to forget or to misbehave.
"""

import dataclasses

import pytest
from ikeref_properties.network import ENDS, A, connection
from ikeref_properties.refinement.words import rekeyed_spi

from ikeref import sa
from ikeref.endpoint import Endpoint
from tests.unit.sa.scene import (
    NONCES,
    NOT_FOUND,
    TEMPORARY,
    Scene,
    check_child_collision,
    check_ike_collision,
    each_nonce,
    either,
    errors,
)


def rekey(scene: Scene, what: str, *ends: str) -> None:
    for end in ends:
        scene.pair.command(end, sa.RekeyChild(scene.old[end]) if what == "child" else sa.RekeyIke())


def force(scene: Scene, nonces: dict[str, bytes]) -> None:
    """The nonces that both ends draw, by the names of `NONCES`."""
    scene.pair.forced[scene.one][32] = [nonces["our Ni"], nonces["our Nr"]]
    scene.pair.forced[scene.other][32] = [nonces["their Ni"], nonces["their Nr"]]


child_or_ike = pytest.mark.parametrize("what", ["child", "IKE"])


@either
@each_nonce
@child_or_ike
def test_rekey_collision_prefix_nonce(one: str, nonce: str, what: str) -> None:
    """A nonce that is the beginning of another is the lower one (Section 2.8.1)."""
    scene = Scene(one)
    long = {name: bytes(range(16)) + bytes([1 + index] * 2) for index, name in enumerate(NONCES)}
    value = {**long, nonce: bytes(range(16)) + b"\x01"}
    force(scene, value)
    rekey(scene, what, one, scene.other)
    scene.settle()
    lowest = min(value, key=lambda name: value[name])
    check = check_child_collision if what == "child" else check_ike_collision
    check(scene, lowest in ("our Ni", "their Nr"))


TIES = {
    "the initiators'": {"our Ni": 16, "their Ni": 16, "their Nr": 32, "our Nr": 33},
    "the responders'": {"our Ni": 32, "their Ni": 33, "their Nr": 16, "our Nr": 16},
    "both pairs": {"our Ni": 16, "their Ni": 16, "their Nr": 32, "our Nr": 32},
    "all": {"our Ni": 16, "their Ni": 16, "their Nr": 16, "our Nr": 16},
}


@either
@child_or_ike
@pytest.mark.parametrize("tie", TIES)
def test_rekey_collision_equal_nonces(one: str, what: str, tie: str) -> None:
    """The lowest is in both exchanges: not both may lose, and not both win (Section 2.8.1 is silent)."""
    scene = Scene(one, judged=False)
    force(scene, {name: bytes([value] * 32) for name, value in TIES[tie].items()})
    rekey(scene, what, one, scene.other)
    scene.settle()
    mine, theirs = scene.pair.children(one), scene.pair.children(scene.other)
    assert [child.spi_in for child in mine] == [child.spi_out for child in theirs]
    assert len(mine) == len(scene.pair.ikes(one)) == len(scene.pair.ikes(scene.other)) == 1
    assert (mine[0].spi_in != scene.old[one]) is (what == "child")
    assert scene.ike_is_new() is (what == "IKE")


@either
@each_nonce
@child_or_ike
def test_rekey_collision_every_datagram_twice(one: str, nonce: str, what: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    rekey(scene, what, one, scene.other)
    while scene.pair.flying:
        flight = scene.pair.flying[0]
        scene.pair.deliver(flight, keep=True)
        scene.pair.deliver(flight)
    scene.settle()
    (check_child_collision if what == "child" else check_ike_collision)(scene, ours_loses)


@either
@each_nonce
@child_or_ike
@pytest.mark.parametrize("late", range(6))
def test_rekey_collision_one_datagram_once_more_and_late(one: str, nonce: str, what: str, late: int) -> None:
    """Each of the first datagrams in turn arrives a second time, when all is over."""
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    rekey(scene, what, one, scene.other)
    kept = []
    for number in range(6):
        flight = scene.pair.flying[0]
        scene.pair.deliver(flight)
        if number == late:
            kept.append(flight)
    scene.pair.deliver_all()
    for flight in kept:
        scene.late(flight)
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
@each_nonce
@child_or_ike
def test_restart_during_a_collision_with_initial_contact(one: str, nonce: str, what: str) -> None:
    """An end forgets everything while rekeys cross; its new IKE SA says INITIAL_CONTACT, and nothing old is left."""
    connections = {end: dataclasses.replace(connection(end), initial_contact=True) for end in ENDS}
    scene = Scene(one, connections=connections, judged=False)
    scene.lowest(nonce)
    rekey(scene, what, one, scene.other)
    scene.deliver(scene.other)
    scene.deliver(one)
    late = list(scene.pair.flying)
    scene.pair.flying.clear()
    old = scene.pair.ends[one].environment
    scene.pair.ends[one] = Endpoint(old.connections, old.crypto, old.random, old.settings)
    scene.pair.initiate(one)
    scene.pair.deliver_all()
    for flight in late:
        scene.late(flight)
    scene.settle()
    for end in ENDS:
        assert len(scene.pair.ikes(end)) == len(scene.pair.children(end)) == 1
    assert scene.pair.ikes(one)[0].initiator
    assert scene.pair.ikes(one)[0].spi_i == scene.pair.ikes(scene.other)[0].spi_i
    assert scene.child(one) not in scene.old.values()


@either
def test_a_child_sa_that_was_rekeyed_is_rekeyed_again_later(one: str) -> None:
    """A peer that has lost track asks again when the old SA is gone: CHILD_SA_NOT_FOUND (2.25.1)."""
    scene = Scene(one, judged=False)
    (before,) = scene.pair.sessions(one)
    scene.rekey_child(one)
    scene.settle()
    ((number, session),) = scene.pair.ends[one].sessions.items()
    scene.pair.ends[one].sessions[number] = session._replace(children=(*session.children, before.children[0]))
    scene.rekey_child(one)
    assert errors(scene.deliver(scene.other)) == NOT_FOUND
    scene.settle()
    assert len(scene.pair.children(scene.other)) == len(scene.pair.children(one)) == 2  # The peer asks for a new one.


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
