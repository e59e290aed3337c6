"""The model accepts what real ends do, and nothing else: silence, and any output left out or altered, is rejected."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from ikeref_properties.network import ENDS, A, B, Flight, Pair, Record, connection
from ikeref_properties.refinement import Observer, Verdict

from ikeref import sa
from ikeref.crypto import Provider
from ikeref.crypto.free import FreeCrypto
from ikeref.crypto.real import RealCrypto
from ikeref.endpoint import Endpoint
from ikeref.policy.connections import Connection
from ikeref.policy.credentials import Secret
from ikeref.policy.identities import parse
from ikeref.registry import NotifyType
from ikeref.wire import FLAG_INITIATOR, FLAG_RESPONSE, D, N


@cache
def life() -> tuple[Record, ...]:
    """Everything that the first storey of the model knows: created, rekeyed, collided, deleted, lost, repeated."""
    pair = Pair(3).establish()
    pair.command(A, sa.CreateChild("web"))
    pair.settle()
    for end in ENDS:
        pair.command(end, sa.RekeyChild(pair.children(end)[0].spi_in))
        pair.settle()
    pair.command(B, sa.RekeyIke())
    pair.settle()
    for end in ENDS:
        pair.command(end, sa.RekeyChild(pair.children(end)[0].spi_in))
    pair.settle()
    for end in ENDS:
        pair.command(end, sa.RekeyIke())
    pair.settle()
    for end in ENDS:
        pair.command(end, sa.DeleteChild(pair.children(end)[0].spi_in))
    pair.settle()
    pair.command(A, sa.CheckLiveness())
    pair.lose(pair.flying[0])
    pair.advance()
    pair.deliver(pair.flying[0], keep=True)
    pair.settle()
    pair.command(A, sa.DeleteIke())
    pair.settle()
    return tuple(pair.records)


def rejected(records: tuple[Record, ...]) -> bool:
    observers = {end: Observer(end) for end in ENDS}
    return not all(observers[record.end].observe(record).ok for record in records)


def altered(index: int, outputs: tuple[sa.Output, ...]) -> tuple[Record, ...]:
    records = life()
    return (*records[:index], records[index]._replace(outputs=outputs), *records[index + 1 :])


def test_the_model_accepts_a_whole_life_and_says_by_which_rows() -> None:
    observers = {end: Observer(end) for end in ENDS}
    rows = set()
    for record in life():
        verdict = observers[record.end].observe(record)
        assert verdict.ok, verdict.explanation
        rows |= {match.row.name for match in verdict.rows}
    assert {"child.rekey.response.won", "child.rekey.response.lost", "ike.rekey.response.won"} <= rows
    assert {"collision.delete_child.closing", "window.retransmit", "window.request.replay"} <= rows


def test_a_silent_end_is_rejected_whatever_it_should_have_said() -> None:
    requests = [
        index
        for index, record in enumerate(life())
        if isinstance(record.event, Flight) and record.event.message and not record.event.message.is_response
    ]
    assert len(requests) > 20
    for index in requests:
        assert rejected(altered(index, ())), life()[index]


VISIBLE = (sa.Transmit, sa.Install, sa.Remove, sa.Closed)


def places(*kinds: type) -> Iterator[tuple[int, int]]:
    for index, record in enumerate(life()):
        for place, output in enumerate(record.outputs):
            if type(output) in kinds:
                yield index, place


def test_an_output_left_out_is_rejected() -> None:
    for index, place in places(*VISIBLE):
        outputs = life()[index].outputs
        output = outputs[place]
        if isinstance(life()[index].event, sa.Tick):
            continue  # That a lost request is repeated shows at rest.
        shorter = (*outputs[:place], *outputs[place + 1 :])
        assert rejected(altered(index, shorter)), (index, output)


def test_an_output_twice_is_rejected() -> None:
    for index, place in places(sa.Transmit):
        outputs = life()[index].outputs
        if not isinstance(life()[index].event, sa.Tick):
            assert rejected(altered(index, (*outputs, outputs[place]))), (index, outputs[place])


def other_id(transmit: sa.Transmit) -> sa.Transmit:
    assert transmit.message is not None
    message = transmit.message._replace(message_id=transmit.message.message_id + 1)
    return transmit._replace(message=message)


def response_for_request(transmit: sa.Transmit) -> sa.Transmit:
    assert transmit.message is not None
    return transmit._replace(message=transmit.message._replace(flags=transmit.message.flags ^ FLAG_RESPONSE))


def failure(transmit: sa.Transmit) -> sa.Transmit:
    assert transmit.message is not None
    return transmit._replace(message=transmit.message._replace(payloads=(N(NotifyType.CHILD_SA_NOT_FOUND),)))


def other_delete(transmit: sa.Transmit) -> sa.Transmit:
    assert transmit.message is not None
    payloads = tuple(
        payload._replace(spis=(b"\xee" * 4,)) if type(payload) is D and payload.spis else payload
        for payload in transmit.message.payloads
    )
    return transmit._replace(message=transmit.message._replace(payloads=payloads))


@pytest.mark.parametrize(
    ("scramble", "of_requests", "of_responses"),
    [
        (other_id, True, False),  # The ID of a response is the ledger's business.
        (response_for_request, True, True),
        (failure, False, True),
        (other_delete, True, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_scrambled_message_is_rejected(
    scramble: Callable[[sa.Transmit], sa.Transmit], of_requests: bool, of_responses: bool
) -> None:
    tried = 0
    for index, place in places(sa.Transmit):
        outputs = life()[index].outputs
        transmit = outputs[place]
        assert isinstance(transmit, sa.Transmit)
        assert transmit.message is not None
        scrambled = scramble(transmit)
        wanted = of_responses if transmit.message.is_response else of_requests
        if scrambled == transmit or transmit.again or not wanted:
            continue
        tried += 1
        assert rejected(altered(index, (*outputs[:place], scrambled, *outputs[place + 1 :]))), (index, scrambled)
    assert tried


def test_a_direction_of_the_wrong_child_sa_is_rejected() -> None:
    for index, place in places(sa.Remove):
        outputs = life()[index].outputs
        remove = outputs[place]
        assert isinstance(remove, sa.Remove)
        wrong = remove._replace(child=remove.child._replace(spi_in=b"\xee" * 4))
        assert rejected(altered(index, (*outputs[:place], wrong, *outputs[place + 1 :]))), (index, wrong)


STRANGERS = {A: connection(A, secret=b"one secret"), B: connection(B, secret=b"another secret")}


def judged_strangers(connections: dict[str, Connection]) -> list[bool]:
    """The verdicts on ends that are known not to prove who they are."""
    observers = {end: Observer(end, verifies=False) for end in ENDS}
    pair = Pair(5, connections=connections).establish()
    pair.settle()
    return [observers[record.end].observe(record).ok for record in pair.records]


def test_authentication_that_fails_is_seen_to_fail_in_the_right_way() -> None:
    assert all(judged_strangers(STRANGERS))


def test_authentication_that_ought_to_fail_and_does_not_is_rejected() -> None:
    assert not all(judged_strangers({end: connection(end) for end in ENDS}))


def test_a_responder_that_fails_to_authenticate_is_told_and_left() -> None:
    """The initiator finds fault with the responder's AUTH: it reports that, and both ends forget (Section 2.21.2)."""
    wrong = replace(STRANGERS[B], remote_auth=Secret(b"one secret"))
    observers = {A: Observer(A, verifies=False), B: Observer(B, verifies=True)}
    pair = Pair(6, connections={**STRANGERS, B: wrong}).establish()
    pair.settle()
    verdicts = [observers[record.end].observe(record) for record in pair.records]
    assert [verdict.explanation for verdict in verdicts if not verdict.ok] == []
    assert not pair.ikes(A) + pair.ikes(B)


@pytest.mark.parametrize("make", [RealCrypto, FreeCrypto])
def test_either_provider_leads_the_same_life(make: Callable[[], Provider]) -> None:
    observers = {end: Observer(end) for end in ENDS}
    pair = Pair(8, crypto=make).establish()
    for command in (sa.CreateChild("web"), sa.RekeyIke(), sa.RekeyChild(pair.children(A)[0].spi_in), sa.DeleteIke()):
        pair.command(A, command)
        pair.settle()
    assert len(pair.records) > 20
    for record in pair.records:
        assert observers[record.end].observe(record).ok


def restarted(**other: Any) -> tuple[Pair, list[Verdict]]:
    """A restarts, and tells B so by INITIAL_CONTACT; what the model says of B."""
    own = {end: replace(connection(end), initial_contact=True, **other) for end in ENDS}
    pair = Pair(7, connections=own).establish()
    old = pair.ends[A].environment
    pair.ends[A] = Endpoint(old.connections, old.crypto, old.random, old.settings)
    pair.initiate(A)
    pair.deliver_all()
    observer = Observer(B)
    return pair, [observer.observe(record) for record in pair.records if record.end == B]


def test_s2_4_initial_contact_ends_the_stale_ike_sa_by_a_row_of_its_own() -> None:
    _, verdicts = restarted()
    assert [verdict.explanation for verdict in verdicts if not verdict.ok] == []
    assert "contact.initial" in {match.row.name for verdict in verdicts for match in verdict.rows}


def test_s2_4_an_end_that_forgets_an_ike_sa_of_somebody_else_is_rejected() -> None:
    pair, _ = restarted()
    observer = Observer(B)
    stranger = parse("c.example")
    records = [
        record._replace(
            outputs=tuple(
                output._replace(peer=stranger) if type(output) is sa.Established and index < 8 else output
                for output in record.outputs
            )
        )
        for index, record in enumerate(pair.records)
        if record.end == B
    ]
    assert not all(observer.observe(record).ok for record in records)


def test_s3_1_a_message_with_the_flag_of_the_other_end_is_seen_as_such() -> None:
    pair = Pair(9).establish()
    pair.command(A, sa.CheckLiveness())
    flight = pair.flying[0]
    octets = bytearray(flight.datagram)
    octets[19] ^= FLAG_INITIATOR
    assert flight.message is not None
    turned = flight._replace(
        datagram=bytes(octets), message=flight.message._replace(flags=flight.message.flags ^ FLAG_INITIATOR)
    )
    observer = Observer(B)
    assert all(observer.observe(record).ok for record in pair.records if record.end == B)
    outputs = pair.ends[B].receive(turned.datagram, pair.records[0].outputs[0].path, 1.0)  # type: ignore[union-attr]
    record = pair.records[-1]._replace(end=B, event=turned, outputs=outputs)
    verdict = observer.observe(record)
    assert verdict.ok, verdict.explanation
    assert {match.row.name for match in verdict.rows} == {"input.misdirected"}
