"""Exchanges that cross, as Sections 1.4.1, 2.8.1, 2.8.2 and 2.25 tell of them, and what they leave open."""

from typing import Any

from ikeref.registry import ExchangeType, NotifyType
from ikeref.sa import CheckLiveness, CreateChild, DeleteChild, DeleteIke, RekeyChild, RekeyIke
from ikeref.wire import D, N
from ikeref_properties.episodes.stage import Stage
from ikeref_properties.network import ENDS, A, B, connection

TEMPORARY = N(NotifyType.TEMPORARY_FAILURE)


def _up(**arranged: Any) -> Stage:
    return Stage(**arranged).establish()


def _rekey(stage: Stage, end: str, place: int = 0) -> Stage:
    return stage.command(end, RekeyChild(stage.child(end, place)))


def _delete(stage: Stage, end: str, place: int = 0) -> Stage:
    return stage.command(end, DeleteChild(stage.child(end, place)))


def _crossed(lowest: str = "") -> Stage:
    """Both rekey the Child SA, and have each other's request; the lowest nonce is of that end's exchange."""
    stage = _up()
    for end in ENDS:
        stage.pair.forced[end][32] = [bytes([1 if end == lowest else 8]) * 32, bytes([9]) * 32]
    _rekey(_rekey(stage, A), B)
    return stage.deliver(A, B)


def all_goes_well() -> Stage:
    """One exchange of each kind, and nothing crosses."""
    stage = _up().command(A, CreateChild("web")).quiet()
    _rekey(stage, A).quiet()
    stage.command(B, RekeyIke()).quiet().command(A, CheckLiveness()).quiet()
    return _delete(stage, B).quiet().command(B, DeleteIke()).quiet()


# The first exchanges


def first_child_refused() -> Stage:
    """No proposal for the Child SA suits; the IKE SA is up all the same (Section 1.2)."""
    return _up(connections={A: connection(A), B: connection(B, esp="aes128-sha256")})


def group_that_was_not_offered() -> Stage:
    """INVALID_KE_PAYLOAD names a group of its own (Section 2.21.1)."""
    stage = Stage().begin().deliver(B)
    return stage.forge(A, N(NotifyType.INVALID_KE_PAYLOAD, (99).to_bytes(2, "big"))).settle()


def first_request_again_when_up() -> Stage:
    """IKE_SA_INIT comes again, and nobody needs its response any more (Section 2.1)."""
    stage = Stage().begin()
    first = stage.to(B)
    return stage.quiet().again(first)


# Child SAs


def deletes_cross() -> Stage:
    """Both delete the Child SA (Section 1.4.1)."""
    stage = _up()
    return _delete(_delete(stage, A), B).quiet()


def delete_answered_empty() -> Stage:
    """The answer has no Delete payload, though nothing crossed."""
    return _delete(_up(), A).deliver(B).forge(A)


def delete_of_nothing() -> Stage:
    """The peer deletes a Child SA that this end does not have (Section 2.25.1)."""
    return _up().request(B, ExchangeType.INFORMATIONAL, D(3, 4, (b"none",)))


def rekey_of_nothing() -> Stage:
    """The peer rekeys one."""
    stage = _rekey(_up(), A)
    message = stage.to(B).message
    assert message is not None
    unknown = N(NotifyType.REKEY_SA, b"", 3, b"none")
    return stage.forge(B, unknown, *message.payloads[1:])


def delete_overtakes_the_answer_to_a_rekey() -> Stage:
    """The peer has answered our rekey, then deletes the old Child SA; the Delete arrives first."""
    stage = _rekey(_up(), A).deliver(B)
    answer = stage.lose(A)
    return _delete(stage, B).deliver(A).again(answer)


def rekey_and_delete_cross() -> Stage:
    """One end rekeys what the other deletes."""
    stage = _up()
    return _delete(_rekey(stage, A), B).deliver(A, B, A)


def rekeys_cross_and_one_fails() -> Stage:
    """The peer's rekey was accepted, ours is refused."""
    return _crossed().forge(A, TEMPORARY)


def delete_overtakes_where_rekeys_cross_and_we_lose() -> Stage:
    """The winner deletes the old Child SA before the loser knows that it has lost."""
    stage = _crossed(lowest=A)
    answer = stage.lose(A)
    return stage.deliver(B, A).again(answer)


def delete_overtakes_where_rekeys_cross_and_we_win() -> Stage:
    """The peer has lost and is told to delete the old Child SA all the same, before we have its answer."""
    stage = _crossed(lowest=B)
    answer = stage.lose(A)
    _delete(stage.deliver(B), B)
    return stage.deliver(A, B, A).again(answer)


def delete_of_a_child_that_is_not_known_yet() -> Stage:
    """The peer rekeys, and deletes, what it has just created; its answer is still on the way (Section 2.25)."""
    stage = _up().command(A, CreateChild("web")).deliver(B)
    answer = stage.lose(A)
    _rekey(stage, B, 1).deliver(A, B)
    return _delete(stage, B, 1).deliver(A).again(answer)


# IKE SAs


def ike_rekeys_cross() -> Stage:
    """One inherits (Section 2.8.2)."""
    return _up().command(A, RekeyIke()).command(B, RekeyIke()).deliver(A, B).settle()


def ike_rekeys_cross_and_one_fails() -> Stage:
    """The peer's successor inherits."""
    return _up().command(A, RekeyIke()).command(B, RekeyIke()).deliver(A, B).forge(A, TEMPORARY)


def ike_rekeyed_while_a_child_is_created() -> Stage:
    """TEMPORARY_FAILURE, to both (Section 2.25)."""
    return _up().command(A, RekeyIke()).command(B, CreateChild("web")).deliver(A, B, A, B)


def children_rekeyed_and_deleted_while_the_ike_sa_is_rekeyed() -> Stage:
    """The first is refused, the second done (Section 2.25.2)."""
    stage = _up().command(A, RekeyIke())
    stage.lose(B)
    _rekey(stage, B).deliver(A, B)
    return _delete(stage, B).deliver(A)


def ike_rekeyed_while_it_is_deleted() -> Stage:
    """A rekey here, a Delete there."""
    return _up().command(A, RekeyIke()).command(B, DeleteIke()).deliver(B, A)


def ike_deleted_where_its_rekeys_cross() -> Stage:
    """The peer has the answer to its rekey, and deletes the old IKE SA; our rekey is unanswered."""
    stage = _up().command(A, RekeyIke()).command(B, RekeyIke()).deliver(B)
    ours = stage.lose(A)
    stage.deliver(A, B)
    return stage.again(ours)


def ike_deletes_cross() -> Stage:
    """Both delete the IKE SA."""
    return _up().command(A, DeleteIke()).command(B, DeleteIke()).quiet()


def command_that_waits() -> Stage:
    """The window has no room (Section 2.3)."""
    stage = _up().command(A, CheckLiveness())
    return _rekey(stage, A)
