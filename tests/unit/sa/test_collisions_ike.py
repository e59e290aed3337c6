"""Collisions around the IKE SA, by name: what one end does while the other does something else (Sections 2.8, 2.25).

Every test runs with either end in each part, and where nonces decide, with each of the four the lowest in turn. Each
step is judged by the model and the invariants too, unless an end is made to forget or to misbehave.
"""

import pytest
from ikeref_properties.network import A, B

from ikeref import sa
from tests.unit.sa.scene import (
    INVALID_KE,
    TEMPORARY,
    Scene,
    answered_spis,
    arrivals,
    check_ike_collision,
    each_nonce,
    either,
    errors,
    first,
    other_groups,
)

# Delete the IKE SA


@either
def test_delete_ike_regular(one: str) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.DeleteIke())
    assert answered_spis(scene.deliver(scene.other)) == ()
    scene.settle()
    assert not scene.pair.ikes(A) + scene.pair.ikes(B)


@either
@first
def test_delete_ike_collision(one: str, first: str) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.DeleteIke())
    scene.pair.command(scene.other, sa.DeleteIke())
    for end in arrivals(scene, first):
        record = scene.deliver(end)
        assert answered_spis(record) == ()
        assert any(type(output) is sa.Closed for output in record.outputs)
    scene.settle()
    assert not scene.pair.ikes(A) + scene.pair.ikes(B)


# Rekey the IKE SA


@either
def test_rekey_ike_regular(one: str) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.RekeyIke())
    scene.settle()
    assert scene.requests(one) == ["REKEY_IKE", "DELETE_IKE"]
    assert scene.ike_is_new()
    assert scene.child(one) == scene.old[one]
    moved = [o for r in scene.pair.records[scene.start :] for o in r.outputs if type(o) in (sa.Install, sa.Remove)]
    assert not moved


@either
def test_rekey_ike_ke_invalid(one: str) -> None:
    scene = Scene(one, connections=other_groups(one))
    scene.pair.command(one, sa.RekeyIke())
    assert errors(scene.deliver(scene.other)) == INVALID_KE
    scene.settle()
    assert scene.requests(one) == ["REKEY_IKE", "REKEY_IKE", "DELETE_IKE"]
    assert scene.ike_is_new()


@either
@first
@each_nonce
def test_rekey_ike_collision(one: str, first: str, nonce: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.RekeyIke())
    for end in arrivals(scene, first):
        assert not errors(scene.deliver(end))
    for end in arrivals(scene, first):
        scene.deliver(end)
    scene.settle()
    check_ike_collision(scene, ours_loses)


@either
@each_nonce
def test_rekey_ike_collision_ke_invalid(one: str, nonce: str) -> None:
    scene = Scene(one, connections=other_groups(one))
    ours_loses = scene.lowest(nonce, before=1)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.RekeyIke())
    assert errors(scene.deliver(scene.other)) == INVALID_KE
    assert errors(scene.deliver(one)) == INVALID_KE
    scene.settle()
    (survivor,) = scene.pair.ikes(scene.other if ours_loses else one)
    assert survivor.initiator
    assert scene.child(one) == scene.old[one]


@either
@each_nonce
def test_rekey_ike_collision_delayed_response(one: str, nonce: str) -> None:
    """The end that compares first waits for the other's retransmission; nothing is given up meanwhile."""
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.RekeyIke())
    scene.deliver(scene.other)
    scene.deliver(one)
    delayed = scene.hold(one)
    scene.pair.deliver_all()
    scene.late(delayed)
    scene.settle()
    check_ike_collision(scene, ours_loses)


@either
@each_nonce
def test_rekey_ike_collision_lost_response(one: str, nonce: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.RekeyIke())
    scene.deliver(scene.other)
    scene.deliver(one)
    scene.hold(one)
    scene.settle()
    check_ike_collision(scene, ours_loses)


@either
@pytest.mark.parametrize("arrives_late", [False, True])
def test_rekey_ike_collision_dropped_request(one: str, arrives_late: bool) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.RekeyIke())
    delayed = scene.hold(scene.other)
    scene.pair.command(scene.other, sa.RekeyIke())
    scene.pair.deliver_all()
    (survivor,) = scene.pair.ikes(scene.other)
    assert survivor.initiator
    if arrives_late:
        record = scene.late(delayed)
        assert not any(type(output) in (sa.Established, sa.Closed) for output in record.outputs)
    scene.settle()
    assert scene.requests(one) == ["REKEY_IKE"]
    assert scene.child(one) == scene.old[one]


@either
@first
def test_rekey_ike_collision_delete(one: str, first: str) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.DeleteIke())
    for end in arrivals(scene, first):
        record = scene.deliver(end)
        if end == one:
            assert answered_spis(record) == ()
        else:
            assert errors(record) == TEMPORARY
    scene.settle()
    assert scene.requests(one) == ["REKEY_IKE"]
    assert not scene.pair.ikes(A) + scene.pair.ikes(B)
