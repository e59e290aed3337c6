"""Collisions around Child SAs, by name: what one end does while the other does something else (Sections 2.8, 2.25).

Every test runs with either end in each part, and where nonces decide, with each of the four the lowest in turn. Each
step is judged by the model and the invariants too, unless an end is made to forget or to misbehave.
"""

import pytest
from ikeref_properties.network import A, B

from ikeref import sa
from tests.unit.sa.scene import (
    INVALID_KE,
    NOT_FOUND,
    TEMPORARY,
    Scene,
    answered_spis,
    arrivals,
    check_child_collision,
    each_nonce,
    either,
    errors,
    first,
    other_groups,
)

# New Child SA


@either
def test_new_child_duplicate(one: str) -> None:
    """Section 2.8 allows parallel Child SAs with the same selectors."""
    scene = Scene(one)
    scene.pair.command(one, sa.CreateChild("net"))
    scene.settle()
    assert len(scene.pair.children(A)) == len(scene.pair.children(B)) == 2


@either
@first
def test_new_child_collision_ike_rekey(one: str, first: str) -> None:
    scene = Scene(one)
    scene.pair.command(scene.one, sa.CreateChild("web"))
    scene.pair.command(scene.other, sa.RekeyIke())
    for end in arrivals(scene, first):
        assert errors(scene.deliver(end)) == TEMPORARY
    scene.pair.deliver_all()
    assert scene.requests(scene.one) == ["CREATE_CHILD"]
    assert scene.requests(scene.other) == ["REKEY_IKE"]
    scene.settle()
    assert scene.ike_is_new()
    assert {child.name for child in scene.pair.children(one)} == {"net", "web"}


# Delete a Child SA


@either
def test_delete_child_regular(one: str) -> None:
    scene = Scene(one)
    scene.delete_child(one)
    assert answered_spis(scene.deliver(scene.other)) == (scene.old[scene.other],)
    scene.settle()
    assert not scene.pair.children(A) + scene.pair.children(B)


@either
@first
def test_delete_child_collision(one: str, first: str) -> None:
    scene = Scene(one)
    scene.delete_child(one)
    scene.delete_child(scene.other)
    for end in arrivals(scene, first):
        record = scene.deliver(end)
        assert answered_spis(record) == ()
        assert [output.inbound for output in record.outputs if type(output) is sa.Remove] == [False]
    scene.settle()
    assert not scene.pair.children(A) + scene.pair.children(B)


@either
def test_delete_child_collision_drop(one: str) -> None:
    scene = Scene(one)
    scene.delete_child(one)
    scene.delete_child(scene.other)
    delayed = scene.hold(one)
    assert answered_spis(scene.deliver(scene.other)) == ()
    scene.deliver(one)
    assert answered_spis(scene.late(delayed)) == ()
    scene.settle()
    assert not scene.pair.children(A) + scene.pair.children(B)


@either
@first
def test_delete_child_collision_ike_rekey(one: str, first: str) -> None:
    scene = Scene(one)
    scene.delete_child(one)
    scene.pair.command(scene.other, sa.RekeyIke())
    for end in arrivals(scene, first):
        record = scene.deliver(end)
        if end == one:
            assert errors(record) == TEMPORARY
        else:
            assert answered_spis(record) == (scene.old[scene.other],)
    scene.settle()
    assert scene.ike_is_new()
    assert not scene.pair.children(A) + scene.pair.children(B)


# Rekey a Child SA


@either
def test_rekey_child_regular(one: str) -> None:
    scene = Scene(one)
    scene.rekey_child(one)
    answered = scene.deliver(scene.other)
    assert [output.inbound for output in answered.outputs if type(output) is sa.Install] == [True]
    scene.deliver(one)
    closed = scene.deliver(scene.other)
    assert [output.inbound for output in closed.outputs if type(output) is sa.Install] == [False]
    scene.settle()
    assert scene.deleted(one) == [scene.old[one]]
    assert scene.deleted(scene.other) == []
    assert scene.child(one) != scene.old[one]


@either
def test_rekey_child_ke_invalid(one: str) -> None:
    scene = Scene(one, connections=other_groups(one))
    scene.rekey_child(one)
    assert errors(scene.deliver(scene.other)) == INVALID_KE
    scene.deliver(one)
    scene.settle()
    assert scene.requests(one) == ["REKEY_CHILD", "REKEY_CHILD", "DELETE_CHILD"]
    assert scene.child(one) != scene.old[one]


@either
def test_rekey_child_responder_lost_sa(one: str) -> None:
    scene = Scene(one, judged=False)
    (number, session), *_ = scene.pair.ends[scene.other].sessions.items()
    scene.pair.ends[scene.other].sessions[number] = session._replace(children=())
    scene.rekey_child(one)
    assert errors(scene.deliver(scene.other)) == NOT_FOUND
    scene.deliver(one)
    scene.settle()
    assert scene.requests(one) == ["REKEY_CHILD", "CREATE_CHILD"]
    assert scene.child(one) != scene.old[one]
    assert len(scene.pair.children(scene.other)) == 1


@either
@pytest.mark.parametrize("delete_arrives_late", [False, True])
def test_rekey_child_responder_handle_hard_expire(one: str, delete_arrives_late: bool) -> None:
    """The responder gets rid of the old Child SA before the initiator's Delete has come.

    An SA of ours has no hard lifetime: whoever wants it gone deletes it. The new Child SA is used from then on.
    """
    scene = Scene(one)
    scene.rekey_child(one)
    scene.deliver(scene.other)
    scene.deliver(one)
    deletion = scene.hold(scene.other)
    scene.delete_child(scene.other)
    assert answered_spis(scene.deliver(one)) == ()
    opened = [] if delete_arrives_late else [scene.late(deletion)]
    answered = scene.deliver(scene.other)
    opened.append(answered)
    if delete_arrives_late:
        opened.append(scene.late(deletion))
        assert answered_spis(opened[-1]) == ()
    installed = [o.inbound for record in opened for o in record.outputs if type(o) is sa.Install]
    assert installed == [False]
    scene.settle()
    assert scene.child(one) != scene.old[one]


@either
def test_rekey_child_responder_incorrect_delete(one: str) -> None:
    """The responder deletes the old Child SA, which is the initiator's part, and its response comes later still."""
    scene = Scene(one)
    scene.rekey_child(one)
    scene.deliver(scene.other)
    delayed = scene.hold(one)
    scene.delete_child(scene.other)
    assert answered_spis(scene.deliver(one)) == (scene.old[one],)
    scene.deliver(scene.other)
    scene.late(delayed)
    scene.settle()
    assert scene.child(one) != scene.old[one]


# Rekey a Child SA, collisions


@either
@first
@each_nonce
def test_rekey_child_collision(one: str, first: str, nonce: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    scene.rekey_child(one)
    scene.rekey_child(scene.other)
    for end in arrivals(scene, first):
        assert not errors(scene.deliver(end))
    for end in arrivals(scene, first):
        scene.deliver(end)
    scene.settle()
    check_child_collision(scene, ours_loses)


@either
@each_nonce
def test_rekey_child_collision_delayed_response(one: str, nonce: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    scene.rekey_child(one)
    scene.rekey_child(scene.other)
    scene.deliver(scene.other)
    scene.deliver(one)
    delayed = scene.hold(one)
    scene.deliver(scene.other)  # The other end compares nonces, and deletes.
    scene.deliver(one)
    scene.deliver(scene.other)
    scene.late(delayed)
    scene.settle()
    check_child_collision(scene, ours_loses)


@either
@each_nonce
@pytest.mark.parametrize("failure_first", [False, True])
def test_rekey_child_collision_delayed_request(one: str, nonce: str, failure_first: bool) -> None:
    scene = Scene(one)
    scene.lowest(nonce)
    scene.rekey_child(one)
    delayed = scene.hold(scene.other)
    scene.rekey_child(scene.other)
    scene.deliver(one)
    scene.deliver(scene.other)
    deletion = scene.hold(one)
    assert errors(scene.late(delayed)) == TEMPORARY
    failure = scene.hold(one)
    for flight in (failure, deletion) if failure_first else (deletion, failure):
        scene.late(flight)
    scene.settle()
    assert scene.requests(one) == ["REKEY_CHILD"]
    assert scene.deleted(scene.other) == [scene.old[scene.other]]
    (survivor,) = scene.pair.children(scene.other)
    assert survivor.initiator


@either
def test_rekey_child_collision_delayed_request_more(one: str) -> None:
    scene = Scene(one)
    scene.rekey_child(one)
    delayed = scene.hold(scene.other)
    scene.rekey_child(scene.other)
    scene.pair.deliver_all()
    assert errors(scene.late(delayed)) == NOT_FOUND
    scene.settle()
    assert scene.requests(one) == ["REKEY_CHILD"]
    (survivor,) = scene.pair.children(scene.other)
    assert survivor.initiator


@either
@each_nonce
def test_rekey_child_collision_ke_invalid(one: str, nonce: str) -> None:
    """The nonces of the first try must not matter."""
    scene = Scene(one, connections=other_groups(one))
    ours_loses = scene.lowest(nonce, before=1)
    scene.rekey_child(one)
    scene.rekey_child(scene.other)
    assert errors(scene.deliver(scene.other)) == INVALID_KE
    assert errors(scene.deliver(one)) == INVALID_KE
    scene.settle()
    check_child_collision(scene, ours_loses)


@either
@first
def test_rekey_child_collision_delete(one: str, first: str) -> None:
    scene = Scene(one)
    scene.rekey_child(one)
    scene.delete_child(scene.other)
    for end in arrivals(scene, first):
        record = scene.deliver(end)
        if end == one:
            assert answered_spis(record) == (scene.old[one],)
        else:
            assert errors(record) == TEMPORARY
    scene.settle()
    assert scene.requests(one) == ["REKEY_CHILD"]
    assert not scene.pair.children(A) + scene.pair.children(B)


@either
def test_rekey_child_collision_delete_drop_rekey(one: str) -> None:
    scene = Scene(one)
    scene.rekey_child(one)
    delayed = scene.hold(scene.other)
    scene.delete_child(scene.other)
    scene.pair.deliver_all()
    assert errors(scene.late(delayed)) == NOT_FOUND
    scene.settle()
    assert scene.requests(one) == ["REKEY_CHILD"]
    assert not scene.pair.children(A) + scene.pair.children(B)


@either
@first
def test_rekey_child_collision_ike_rekey(one: str, first: str) -> None:
    scene = Scene(one)
    scene.rekey_child(one)
    scene.pair.command(scene.other, sa.RekeyIke())
    for end in arrivals(scene, first):
        assert errors(scene.deliver(end)) == TEMPORARY
    scene.pair.deliver_all()
    assert scene.requests(one) == ["REKEY_CHILD"]
    assert scene.requests(scene.other) == ["REKEY_IKE"]
    scene.settle()
    assert scene.ike_is_new()
    assert scene.child(one) != scene.old[one]
