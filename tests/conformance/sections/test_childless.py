"""An IKE SA without Child SA (RFC 6023)."""

from dataclasses import replace

import pytest
from ikeref_properties.network import ENDS, A, B, Pair, connection

from ikeref.policy.connections import Connection
from ikeref.registry import NotifyType
from ikeref.sa import Phase
from ikeref.wire import SA, Message, N, TSi, TSr
from tests.unit.eap.scene import forge

SUPPORTED = NotifyType.CHILDLESS_IKEV2_SUPPORTED


def policy(end: str, childless: bool) -> Connection:
    return replace(connection(end), childless=childless)


def pair(asks: bool, allows: bool) -> Pair:
    """A begins, whose policy is to do without a first Child SA or not, as B's is to allow it."""
    ends = Pair(1, connections={A: policy(A, asks), B: policy(B, allows)})
    ends.initiate(A)
    return ends


def messages(ends: Pair, exchange: int) -> list[Message]:
    return [each.message for each in ends.past if each.message is not None and each.message.exchange_type == exchange]


def is_childless(message: Message) -> bool:
    return not any(type(payload) in (SA, TSi, TSr) for payload in message.payloads)


def errors(message: Message) -> list[int]:
    return [payload.type for payload in message.payloads if type(payload) is N and payload.type < 16384]


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("allows", [False, True])
def test_who_does_without_a_child_sa(asks: bool, allows: bool) -> None:
    """6023-3-01, 6023-3-02, 6023-3-03, 6023-3-04, 6023-3-05, 6023-3-06, 6023-3-08: both ends together, or neither."""
    ends = pair(asks, allows)
    ends.deliver_all()
    (_, answer) = messages(ends, 34)
    assert any(type(payload) is N and payload.type == SUPPORTED for payload in answer.payloads) is allows
    childless = asks and allows
    assert [is_childless(each) for each in messages(ends, 35)] == [childless, childless]
    assert [ike.phase for end in ENDS for ike in ends.ikes(end)] == [Phase.ESTABLISHED] * 2
    assert len(ends.children(A)) == len(ends.children(B)) == 1  # afterwards, if not before


@pytest.mark.parametrize("allows", [False, True])
def test_a_childless_request_is_malformed_where_it_is_not_allowed(allows: bool) -> None:
    """6023-3-07, 6023-3-09: the request of an initiator that was told nothing is altered, its Child SA taken out."""
    ends = pair(False, allows)
    ends.deliver(ends.flying[0])
    ends.deliver(ends.flying[0])
    request = ends.flying[0].message
    assert request is not None
    forge(ends, tuple(each for each in request.payloads if type(each) not in (SA, TSi, TSr)))
    ends.deliver(ends.flying[0])
    answer = messages(ends, 35)[-1]
    assert answer.is_response
    assert errors(answer) == ([] if allows else [NotifyType.INVALID_SYNTAX])
    assert [ike.phase for ike in ends.ikes(B)] == ([Phase.ESTABLISHED] if allows else [])
