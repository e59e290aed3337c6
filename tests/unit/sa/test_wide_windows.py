"""Runs with windows of 2 that once broke something, or in which code and rows said two things (Sections 2.3, 2.8)."""

from ikeref_properties.machines.walk import Judge, come_to_rest
from ikeref_properties.network import A, B, Flight, Pair, connection

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.registry import NotifyType
from ikeref.sa import ChildState
from ikeref.sa.values import ChildRequest
from ikeref.wire import N

NAMES = ("net", "web", "mail")


def wide() -> tuple[Pair, Judge]:
    judge = Judge()
    connections = {end: connection(end, children=NAMES) for end in (A, B)}
    return Pair(7, settings=Settings(window_size=2), connections=connections, watch=judge).establish(), judge


def flight(pair: Pair, to: str, *, response: bool, last: bool = False) -> Flight:
    """The first, or the last, request or response in flight to an end."""
    found = [each for each in pair.flying if each.to == to and each.message and each.message.is_response is response]
    return found[-1 if last else 0]


def newest(pair: Pair, end: str) -> sa.ChildSa:
    return pair.children(end)[-1]


def crossing() -> tuple[Pair, Judge]:
    """Both rekey `net`, B has what A's rekey made; B's nonce is not the lowest, so that will lose."""
    pair, judge = wide()
    pair.forced[A][32] = [bytes(32)]
    for end in (A, B):
        pair.command(end, sa.RekeyChild(pair.children(end)[0].spi_in))
    pair.deliver(flight(pair, B, response=False))
    return pair, judge


def test_s2_8_1_what_may_still_lose_is_not_rekeyed_before_nonces_are_compared() -> None:
    pair, judge = crossing()
    asked = len(pair.flying)
    made = newest(pair, B)
    pair.command(B, sa.RekeyChild(made.spi_in))
    assert len(pair.flying) == asked
    pair.deliver(flight(pair, A, response=False))
    pair.deliver(flight(pair, B, response=True))
    assert next(each for each in pair.children(B) if each.spi_in == made.spi_in).state is ChildState.REPLACED
    come_to_rest(pair, judge)
    assert len(pair.children(A)) == len(pair.children(B)) == 1


def test_s2_8_1_what_wins_is_rekeyed_then() -> None:
    pair, judge = wide()
    pair.forced[B][32] = [bytes(32)]
    for end in (A, B):
        pair.command(end, sa.RekeyChild(pair.children(end)[0].spi_in))
    pair.deliver(flight(pair, B, response=False))
    made = newest(pair, B)
    pair.command(B, sa.RekeyChild(made.spi_in))
    come_to_rest(pair, judge)
    assert made.spi_in not in [each.spi_in for each in pair.children(B)]
    assert len(pair.children(A)) == len(pair.children(B)) == 1


def test_s2_8_1_what_is_being_deleted_when_it_loses_stays_so() -> None:
    """The peer's Delete of it crosses: it is answered without a Delete payload (7296-1.4.1-10)."""
    pair, judge = crossing()
    made = newest(pair, B)
    pair.command(B, sa.DeleteChild(made.spi_in))
    pair.deliver(flight(pair, A, response=False))
    pair.deliver(flight(pair, B, response=True, last=True))
    assert next(each for each in pair.children(B) if each.spi_in == made.spi_in).state is ChildState.DELETING
    come_to_rest(pair, judge)


def condemned(*, rekey: bool = False) -> tuple[Pair, Judge]:
    """A has asked for two Child SAs; B has made the first, deleted it again, and been told that there is none."""
    pair, judge = wide()
    pair.command(A, sa.RekeyChild(newest(pair, A).spi_in) if rekey else sa.CreateChild("web"))
    pair.command(A, sa.CreateChild("mail"))
    first, second = pair.flying
    pair.deliver(first)
    pair.flying.remove(second)
    pair.flying.append(second)
    pair.command(B, sa.DeleteChild(newest(pair, B).spi_in))
    pair.deliver(flight(pair, A, response=False))
    return pair, judge


def remembered(pair: Pair) -> list[int]:
    (ike,) = pair.ikes(A)
    return [len(each.intent.condemned) for each in ike.outstanding if isinstance(each.intent, ChildRequest)]


def test_s1_4_1_a_child_sa_that_was_deleted_before_it_came_is_forgotten_when_it_has_come() -> None:
    pair, judge = condemned()
    assert remembered(pair) == [1, 1]
    pair.deliver(flight(pair, A, response=True))
    assert remembered(pair) == [0]
    come_to_rest(pair, judge)
    assert [child.name for child in pair.children(A)] == ["net", "mail"]


def test_s1_4_1_the_peer_may_give_the_spi_of_what_it_has_deleted_to_the_next() -> None:
    pair, judge = condemned()
    gone = newest(pair, B).spi_in
    pair.deliver(flight(pair, A, response=True))
    pair.deliver(flight(pair, B, response=True))
    judge.ledger.spent.discard((B, gone))
    pair.forced[B][4] = [gone]
    judge.observers.clear()  # To them a name is given once.
    come_to_rest(pair, judge)
    assert [(child.name, child.spi_out == gone) for child in pair.children(A)] == [("net", False), ("mail", True)]


def test_s1_4_1_it_is_forgotten_with_the_answer_to_a_rekey_too() -> None:
    pair, judge = condemned(rekey=True)
    assert remembered(pair) == [1, 1]
    pair.deliver(flight(pair, A, response=True))
    assert remembered(pair) == [0]
    come_to_rest(pair, judge)
    assert [child.name for child in pair.children(A)] == ["mail"]


def test_s2_8_a_delete_that_waits_is_due_though_the_peer_deletes_the_successor() -> None:
    pair, judge = wide()
    (old,) = pair.children(A)
    pair.command(A, sa.CreateChild("web"))
    pair.command(A, sa.RekeyChild(old.spi_in))
    pair.deliver(flight(pair, B, response=False, last=True))
    pair.deliver(flight(pair, A, response=True))
    pair.command(B, sa.DeleteChild(newest(pair, B).spi_in))
    pair.deliver(flight(pair, A, response=False))
    (ike,) = pair.ikes(A)
    assert ike.queue == (sa.DeleteChild(old.spi_in, due=True),)
    come_to_rest(pair, judge)
    assert [child.name for child in pair.children(A)] == ["web"]


def test_s2_8_who_asks_to_rekey_a_child_sa_has_it() -> None:
    """A's Delete of the first is late: B sends on the second when A asks to rekey it, and traffic goes on."""
    pair, judge = wide()
    pair.command(A, sa.RekeyChild(pair.children(A)[0].spi_in))
    pair.deliver(flight(pair, B, response=False))
    pair.deliver(flight(pair, A, response=True))
    late = flight(pair, B, response=False)
    second = newest(pair, B)
    assert not second.outbound
    pair.command(A, sa.RekeyChild(newest(pair, A).spi_in))
    pair.deliver(flight(pair, B, response=False, last=True))
    assert next(each for each in pair.children(B) if each.spi_in == second.spi_in).outbound
    pair.deliver(late)
    come_to_rest(pair, judge)


def test_s2_25_1_a_delete_that_waits_for_the_window_puts_a_rekey_of_the_ike_sa_off() -> None:
    """7296-2.25.1-08: A's liveness check is unanswered, so the Delete that ends its rekey has no room."""
    pair, judge = wide()
    pair.command(A, sa.CheckLiveness())
    late = flight(pair, B, response=False)
    pair.command(A, sa.RekeyChild(pair.children(A)[0].spi_in))
    pair.deliver(flight(pair, B, response=False, last=True))
    pair.deliver(flight(pair, A, response=True))
    pair.command(B, sa.RekeyIke())
    record = pair.deliver(flight(pair, A, response=False))
    (answer,) = [output.message for output in record.outputs if type(output) is sa.Transmit]
    assert answer is not None
    assert [each.type for each in answer.payloads if type(each) is N] == [NotifyType.TEMPORARY_FAILURE]
    pair.deliver(late)
    come_to_rest(pair, judge)
