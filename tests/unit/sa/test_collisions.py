"""Collisions of exchanges, by name: what one end does while the other does something else (Sections 2.8, 2.25).

Every test runs with either end in each part, and where nonces decide, with each of the four the lowest in turn. Each
step
is judged by the model and the invariants as well; where an end is made to forget or to misbehave, by the test alone.
"""

from collections.abc import Iterator

import pytest
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, PEER, A, B, Flight, Pair, Record, connection
from ikeref_properties.refinement.words import deleted_spis, kind_of, rekeyed_spi

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.registry import ExchangeType, NotifyType
from ikeref.wire import Message, N

NONCES = ("our Ni", "their Ni", "their Nr", "our Nr")
"""Ours are those of the end that comes first; `their Nr` answers `our Ni`."""


class Scene:
    """Two ends with an IKE SA and a Child SA; `one` comes first in what happens."""

    def __init__(self, one: str, *, connections: dict[str, object] | None = None, judged: bool = True) -> None:
        self.one, self.other = one, PEER[one]
        self.judge = Judge() if judged else None
        self.pair = Pair(7, settings=Settings(), connections=connections, watch=self.judge).establish()  # type: ignore[arg-type]
        self.old = {end: self.pair.children(end)[0].spi_in for end in ENDS}
        self.ike = self.pair.ikes(A)[0].spi_i
        self.start = len(self.pair.records)

    def lowest(self, nonce: str, *, before: int = 0) -> bool:
        """Make that nonce the lowest, after so many others of each end; whether our exchange holds it, and so loses."""
        value = {name: bytes([16 if name == nonce else 32 + index] * 32) for index, name in enumerate(NONCES)}
        first = {end: [bytes([index, attempt] * 16) for attempt in range(before)] for index, end in enumerate(ENDS, 1)}
        self.pair.forced[self.one][32] = [*first[self.one], value["our Ni"], value["our Nr"]]
        self.pair.forced[self.other][32] = [*first[self.other], value["their Ni"], value["their Nr"]]
        return nonce in ("our Ni", "their Nr")

    def to(self, end: str) -> Flight:
        """The oldest datagram on its way to an end."""
        return next(flight for flight in self.pair.flying if flight.to == end)

    def hold(self, end: str) -> Flight:
        """Keep back the oldest datagram to an end."""
        flight = self.to(end)
        self.pair.lose(flight)
        return flight

    def late(self, flight: Flight) -> Record:
        """It arrives after all."""
        return self.pair.deliver(flight, keep=True)

    def deliver(self, end: str) -> Record:
        return self.pair.deliver(self.to(end))

    def rekey_child(self, end: str) -> None:
        self.pair.command(end, sa.RekeyChild(self.old[end]))

    def delete_child(self, end: str) -> None:
        self.pair.command(end, sa.DeleteChild(self.old[end]))

    def settle(self) -> None:
        self.pair.settle()
        if self.judge is not None:
            self.judge.ledger.at_rest(self.pair)

    def sent(self, end: str) -> Iterator[Message]:
        """What an end has sent, retransmissions left out."""
        for record in self.pair.records[self.start :]:
            for output in record.outputs:
                if (
                    record.end == end
                    and type(output) is sa.Transmit
                    and output.message is not None
                    and not output.again
                ):
                    yield output.message

    def requests(self, end: str) -> list[str]:
        return [str(kind_of(message)) for message in self.sent(end) if not message.is_response]

    def deleted(self, end: str) -> list[bytes]:
        """SPIs in the requests of an end to delete Child SAs."""
        return [spi for message in self.sent(end) if not message.is_response for spi in deleted_spis(message)]

    def child(self, end: str) -> bytes:
        """The only Child SA."""
        (child,) = self.pair.children(end)
        return child.spi_in

    def ike_is_new(self) -> bool:
        (ike,) = self.pair.ikes(A)
        return ike.spi_i != self.ike


def errors(record: Record) -> list[int]:
    """The error notifications that an end answers with."""
    return [
        payload.type
        for output in record.outputs
        if type(output) is sa.Transmit and output.message is not None and output.message.is_response
        for payload in output.message.payloads
        if type(payload) is N and payload.type < 16384
    ]


def answered_spis(record: Record) -> tuple[bytes, ...]:
    """The SPIs in the Delete payloads that an end answers with."""
    (message,) = (
        output.message
        for output in record.outputs
        if type(output) is sa.Transmit and output.message is not None and output.message.is_response
    )
    assert message.exchange_type == ExchangeType.INFORMATIONAL
    return deleted_spis(message)


TEMPORARY = [NotifyType.TEMPORARY_FAILURE]
NOT_FOUND = [NotifyType.CHILD_SA_NOT_FOUND]
INVALID_KE = [NotifyType.INVALID_KE_PAYLOAD]

either = pytest.mark.parametrize("one", ENDS)
each_nonce = pytest.mark.parametrize("nonce", NONCES)


def other_groups(one: str) -> dict[str, object]:
    """Each end prefers another key exchange group, for Child SAs and IKE SAs."""
    return {
        one: connection(one, ike="aes256gcm16-prfsha256-x25519-ecp256", esp="aes256gcm16-x25519-ecp256"),
        PEER[one]: connection(PEER[one], ike="aes256gcm16-prfsha256-ecp256-x25519", esp="aes256gcm16-ecp256-x25519"),
    }


# New Child SA


@either
def test_new_child_duplicate(one: str) -> None:
    """Section 2.8 allows parallel Child SAs with the same selectors."""
    scene = Scene(one)
    scene.pair.command(one, sa.CreateChild("net"))
    scene.settle()
    assert len(scene.pair.children(A)) == len(scene.pair.children(B)) == 2


@either
def test_new_child_collision_ike_rekey(one: str) -> None:
    scene = Scene(one)
    scene.pair.command(scene.one, sa.CreateChild("web"))
    scene.pair.command(scene.other, sa.RekeyIke())
    assert errors(scene.deliver(scene.other)) == TEMPORARY
    assert errors(scene.deliver(scene.one)) == TEMPORARY
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
def test_delete_child_collision(one: str) -> None:
    scene = Scene(one)
    scene.delete_child(one)
    scene.delete_child(scene.other)
    for end in (scene.other, scene.one):
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
def test_delete_child_collision_ike_rekey(one: str) -> None:
    scene = Scene(one)
    scene.delete_child(one)
    scene.pair.command(scene.other, sa.RekeyIke())
    assert answered_spis(scene.deliver(scene.other)) == (scene.old[scene.other],)
    assert errors(scene.deliver(one)) == TEMPORARY
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


def check_child_collision(scene: Scene, ours_loses: bool) -> None:
    """Exactly one new Child SA is left; the loser has deleted its own, the winner the old one (Section 2.8.1)."""
    loser, winner = (scene.one, scene.other) if ours_loses else (scene.other, scene.one)
    assert scene.deleted(winner) == [scene.old[winner]]
    (redundant,) = scene.deleted(loser)
    assert redundant not in (scene.old[loser], scene.child(loser))
    (survivor,) = scene.pair.children(winner)
    assert survivor.initiator


@either
@each_nonce
def test_rekey_child_collision(one: str, nonce: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    scene.rekey_child(one)
    scene.rekey_child(scene.other)
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
def test_rekey_child_collision_delete(one: str) -> None:
    scene = Scene(one)
    scene.rekey_child(one)
    scene.delete_child(scene.other)
    assert errors(scene.deliver(scene.other)) == TEMPORARY
    assert answered_spis(scene.deliver(one)) == (scene.old[one],)
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
def test_rekey_child_collision_ike_rekey(one: str) -> None:
    scene = Scene(one)
    scene.rekey_child(one)
    scene.pair.command(scene.other, sa.RekeyIke())
    assert errors(scene.deliver(scene.other)) == TEMPORARY
    assert errors(scene.deliver(one)) == TEMPORARY
    scene.pair.deliver_all()
    assert scene.requests(one) == ["REKEY_CHILD"]
    assert scene.requests(scene.other) == ["REKEY_IKE"]
    scene.settle()
    assert scene.ike_is_new()
    assert scene.child(one) != scene.old[one]


# Delete the IKE SA


@either
def test_delete_ike_regular(one: str) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.DeleteIke())
    assert answered_spis(scene.deliver(scene.other)) == ()
    scene.settle()
    assert not scene.pair.ikes(A) + scene.pair.ikes(B)


@either
def test_delete_ike_collision(one: str) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.DeleteIke())
    scene.pair.command(scene.other, sa.DeleteIke())
    for end in (scene.other, scene.one):
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


def check_ike_collision(scene: Scene, ours_loses: bool) -> None:
    """One new IKE SA is left, the winner's, with the Child SA (Section 2.8.2)."""
    winner = scene.other if ours_loses else scene.one
    assert scene.requests(A) == scene.requests(B) == ["REKEY_IKE", "DELETE_IKE"]
    (survivor,) = scene.pair.ikes(winner)
    assert survivor.initiator
    assert scene.ike_is_new()
    assert scene.child(scene.one) == scene.old[scene.one]


@either
@each_nonce
def test_rekey_ike_collision(one: str, nonce: str) -> None:
    scene = Scene(one)
    ours_loses = scene.lowest(nonce)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.RekeyIke())
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
def test_rekey_ike_collision_delete(one: str) -> None:
    scene = Scene(one)
    scene.pair.command(one, sa.RekeyIke())
    scene.pair.command(scene.other, sa.DeleteIke())
    assert errors(scene.deliver(scene.other)) == TEMPORARY
    assert answered_spis(scene.deliver(one)) == ()
    scene.settle()
    assert scene.requests(one) == ["REKEY_IKE"]
    assert not scene.pair.ikes(A) + scene.pair.ikes(B)


# What no list has


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
    ends.sessions[number] = session._replace(ikes=(ike._replace(outstanding=None),), children=(child,))
    scene.rekey_child(one)
    assert errors(scene.deliver(scene.other)) == TEMPORARY
    assert [rekeyed_spi(message) for message in scene.sent(one)] == [scene.old[one]] * 2
