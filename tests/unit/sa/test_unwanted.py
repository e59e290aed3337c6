"""What an initiator does not accept it deletes; until then only the peer has it (Sections 1.3.1, 2.21, 2.25.1)."""

from dataclasses import replace

import pytest
from ikeref_properties.machines.invariants import Violation
from ikeref_properties.machines.walk import Judge, come_to_rest
from ikeref_properties.network import ENDS, A, B, Flight, Pair, connection

from ikeref import sa
from ikeref.registry import NotifyType
from ikeref.sa import child
from ikeref.wire import D, N


def answered() -> tuple[Pair, Judge]:
    """A wants transport mode for `web`, B grants tunnel mode, and B's answer is in flight."""
    connections = {end: connection(end) for end in ENDS}
    children = tuple(
        replace(each, mode="transport") if each.name == "web" else each for each in connections[A].children
    )
    connections[A] = replace(connections[A], children=children)
    judge = Judge()
    pair = Pair(3, connections=connections, watch=judge).establish()
    pair.command(A, sa.CreateChild("web"))
    pair.deliver(pair.flying[0])
    return pair, judge


def answer(pair: Pair, flight: Flight) -> tuple[object, ...]:
    """The payloads with which a request is answered."""
    outputs = pair.deliver(flight).outputs
    return next(o.message.payloads for o in outputs if type(o) is sa.Transmit and o.message and o.message.is_response)


def test_s1_3_1_it_is_deleted_at_once() -> None:
    pair, judge = answered()
    pair.deliver(pair.flying[0])
    (delete,) = pair.flying
    assert delete.message is not None
    assert any(type(each) is D for each in delete.message.payloads)
    come_to_rest(pair, judge)
    assert [each.name for each in (*pair.children(A), *pair.children(B))] == ["net", "net"]


def test_s2_25_1_the_peer_s_rekey_of_it_gets_temporary_failure_and_its_delete_nothing() -> None:
    for command, wanted in ((sa.RekeyChild, NotifyType.TEMPORARY_FAILURE), (sa.DeleteChild, None)):
        pair, judge = answered()
        pair.command(B, command(pair.children(B)[-1].spi_in))
        response, request = pair.flying
        pair.deliver(response)
        payloads = answer(pair, request)
        assert [each.type for each in payloads if type(each) is N] == ([wanted] if wanted else [])
        assert not [each for each in payloads if type(each) is D]
        come_to_rest(pair, judge)
        assert [each.name for each in (*pair.children(A), *pair.children(B))] == ["net", "net"]


def test_s1_4_1_what_the_peer_has_deleted_before_is_not_deleted_again() -> None:
    pair, judge = answered()
    pair.command(B, sa.DeleteChild(pair.children(B)[-1].spi_in))
    response, request = pair.flying
    pair.deliver(request)
    pair.deliver(response)
    assert all(each.to == B for each in pair.flying)
    assert not [each for each in pair.flying if each.message is not None and not each.message.is_response]
    come_to_rest(pair, judge)


def test_an_initiator_that_leaves_it_to_the_peer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_refuse_answer", lambda *_: None)
    pair, judge = answered()
    with pytest.raises(Violation) as found:
        come_to_rest(pair, judge)
    assert found.value.rule == "paired Child SAs (Section 1.4.1)"
