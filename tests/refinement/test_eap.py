"""The model accepts what real ends do with EAP, round by round, and nothing else (Section 2.16)."""

from dataclasses import replace
from functools import cache

import pytest
from ikeref_model.eap import EAP
from ikeref_properties.machines import walk
from ikeref_properties.machines.schedule import Weights
from ikeref_properties.machines.walk import Judge
from ikeref_properties.network import ENDS, A, B, Flight, Pair, Record, connection
from ikeref_properties.refinement import Observer

from ikeref import sa
from ikeref.policy.connections import Settings
from ikeref.wire import AUTH
from ikeref.wire import EAP as EapPayload
from tests.unit.eap.scene import MD5, METHODS, MSCHAPV2, TLS, forge, is_up, pair, peer, run, server, until

OTHERWISE = {
    "eap.response.success.early": "a responder that sends EAP Success at once, or again",
    "eap.response.unasked": "a responder that sends EAP to an initiator that sent AUTH",
    "eap.response.early": "a responder that goes on without EAP",
    "eap.request.late": "an initiator that goes on with EAP after its end",
}
"""Rows about peers that break the rules in ways which these runs do not have; see tests/unit/sa/test_eap.py."""


def reported() -> Pair:
    """The responder's AUTH is wrong, and the initiator says so amid EAP."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    flight = until(ends, 2)
    assert flight.message is not None
    forge(ends, tuple(each for each in flight.message.payloads if type(each) is not AUTH))
    ends.deliver_all()
    return ends


def unfinished() -> Pair:
    """EAP Success comes amid the method."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    until(ends, 4)
    forge(ends, (EapPayload(bytes((3, 1, 0, 4))),))
    ends.settle()
    return ends


def nonsense() -> Pair:
    """The responder begins another method amid the first."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    until(ends, 4)
    forge(ends, (EapPayload(bytes((1, 9, 0, 6, TLS, 32))),))
    ends.settle()
    return ends


def early() -> Pair:
    """The initiator sends AUTH before EAP Success."""
    ends = pair(peer(MSCHAPV2), server(MSCHAPV2))
    until(ends, 3)
    forge(ends, (AUTH(2, bytes(32)),))
    ends.settle()
    return ends


@cache
def lives() -> tuple[tuple[Record, ...], ...]:
    """Each way that EAP goes, each from the first message on."""
    ends = [run(peer(method), server(method)) for method in METHODS]
    ends += [run(peer(method, password=b"wrong"), server(method)) for method in (MD5, MSCHAPV2)]
    ends.append(run(peer(TLS, only=True), server(TLS, only=True), alone=True))
    ends.append(run(peer(MD5), server(MSCHAPV2, MD5)))
    ends.append(run(peer(TLS), server(TLS), settings=Settings(eap_rounds=10)))
    ends.append(run(peer(MD5), server(MSCHAPV2)))
    ends += [reported(), unfinished(), nonsense(), early()]
    made = {A: replace(connection(A), local_auth=peer(MD5)), B: connection(B)}
    ends.append(Pair(5, connections=made).establish())
    impatient = pair(peer(TLS), server(TLS))
    impatient.ends[A].environment = impatient.ends[A].environment._replace(settings=Settings(eap_rounds=3))
    ends.append(impatient)
    for each in ends:
        each.settle()
    return tuple(tuple(each.records) for each in ends)


def rejected(records: tuple[Record, ...], *, verifies: bool | None = None) -> bool:
    observers = {end: Observer(end, verifies=verifies) for end in ENDS}
    return not all(observers[record.end].observe(record).ok for record in records)


def test_s2_16_the_model_accepts_eap_and_says_by_which_rows() -> None:
    seen = set()
    for records in lives():
        observers = {end: Observer(end) for end in ENDS}
        for record in records:
            verdict = observers[record.end].observe(record)
            assert verdict.ok, verdict.explanation
            seen |= {match.row.name for match in verdict.rows}
    assert {row.name for row in EAP} - seen <= set(OTHERWISE)


@pytest.mark.parametrize("life", range(3))
def test_s2_16_a_silent_responder_is_rejected_in_every_round(life: int) -> None:
    records = lives()[life]
    for index, record in enumerate(records):
        event = record.event
        if isinstance(event, Flight) and event.message is not None and not event.message.is_response:
            assert rejected((*records[:index], record._replace(outputs=()), *records[index + 1 :])), record


@pytest.mark.parametrize("life", range(3))
def test_s2_16_an_initiator_that_does_not_come_up_is_rejected(life: int) -> None:
    """If AUTH is right; amid the rounds an initiator may give up without a word."""
    records = lives()[life]
    last = max(index for index, each in enumerate(records) if each.end == A and isinstance(each.event, Flight))
    assert not rejected(records, verifies=True)
    assert rejected((*records[:last], records[last]._replace(outputs=())), verifies=True)


def test_s2_16_a_child_sa_amid_the_rounds_is_rejected() -> None:
    records = lives()[1]
    installs = [(r, o) for r in records for o in r.outputs if type(o) is sa.Install and r.end == B]
    early = next(i for i, r in enumerate(records) if r.end == B and i > 3)
    changed = records[early]._replace(outputs=(*records[early].outputs, installs[0][1]))
    assert rejected((*records[:early], changed))


def test_s2_16_random_walks_with_eap_follow_the_model() -> None:
    found = walk.walk(0, 150, Weights(), walk.by_eap)
    assert not found, str(found[0])


def test_s2_16_the_walks_come_up_by_eap() -> None:
    for seed in range(4):
        judge = Judge()
        ends = walk.by_eap(seed, judge)
        ends.settle()
        assert is_up(ends)
