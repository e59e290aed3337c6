"""What libreswan and OpenIKED do against the RFC, each shown; docs/findings.md says more.

When a daemon no longer departs its test fails, and becomes a scenario like the others.
"""

from __future__ import annotations

import time

import pytest

from ikeref import sa, wire
from ikeref.registry import ExchangeType, NotifyType
from tests.interop import collisions, journal, scenarios
from tests.interop.lab import LabError
from tests.interop.started import TRIES, GuestStart
from tests.interop.test_openiked import SUITE

pytestmark = [pytest.mark.root, pytest.mark.whole]


@pytest.mark.parametrize("daemon", ["libreswan", "openiked"])
def test_s2_1_the_delete_of_a_rekeyed_ike_sa_is_sent_once(daemon: str, start_guest: GuestStart) -> None:
    """It is a request, to be sent again until it is answered. Lost, it leaves the old IKE SA at our end."""
    settings = ("ikelifetime 15",) if daemon == "openiked" else ()
    suite = SUITE if daemon == "openiked" else {}
    scene, ikeref, _ = start_guest(daemon, ours=suite, theirs={**suite, "settings": settings})
    scenarios.establish(scene, "theirs")
    since = len(scene.bridge.journal)
    scene.bridge.lose_next = "theirs", ExchangeType.INFORMATIONAL
    scene.theirs.rekey_ike()
    scene.becomes("there is a second IKE SA at our end", lambda sas: len(sas) == 2)
    time.sleep(5)
    deletes = journal.requests(scene.bridge.journal[since:], "theirs", journal.INFORMATIONAL)
    assert len(deletes) == 1
    assert [each.message for each in scene.bridge.journal[since:]].count(deletes[0]) == 1
    assert (len(scene.ours.sas()), len(scene.theirs.sas())) == (2, 1)
    ikeref.crash()  # so that nothing of it stays


def test_s1_2_openiked_closes_the_ike_sa_for_want_of_a_child_sa(start_guest: GuestStart) -> None:
    """NO_PROPOSAL_CHOSEN for the Child SA in IKE_AUTH, without IDr and AUTH, and there is no IKE SA."""
    other = {"child_proposals": "aes128-sha1-x25519"}
    scene, ikeref, _ = start_guest("openiked", ours=other, theirs=SUITE)
    with pytest.raises(LabError, match="NO_PROPOSAL_CHOSEN"):
        scene.ours.connect()
    assert scene.theirs.sas() == frozenset()
    (answer,) = {
        event.message.payloads
        for event in ikeref.events
        if isinstance(event, sa.Received) and event.message.exchange_type == ExchangeType.IKE_AUTH
    }
    assert [each.type for each in answer if isinstance(each, wire.N)] == [NotifyType.NO_PROPOSAL_CHOSEN]
    assert len(answer) == 1


def test_s1_4_1_openiked_says_nothing_when_its_kernel_refuses(start_guest: GuestStart) -> None:
    """It answers IKE_AUTH, then cannot install the Child SA, and forgets the IKE SA without a Delete."""
    refused = {"child_proposals": "aes256-sha256-x25519"}
    scene, ikeref, openiked = start_guest("openiked", ours=refused, theirs=refused)
    scene.ours.connect()
    time.sleep(3)
    assert "unsupported integrity algorithm HMAC_SHA2_256_128" in openiked.log()
    assert (len(scene.ours.sas()), len(scene.theirs.sas())) == (1, 0)
    assert not journal.requests(scene.bridge.journal, "theirs", journal.INFORMATIONAL)
    ikeref.crash()


def test_s2_9_openiked_answers_with_traffic_that_was_not_offered(start_guest: GuestStart) -> None:
    """We ask for a second Child SA between other networks; the answer has the networks of the first."""
    scene, ikeref, _ = start_guest("openiked", ours=SUITE, theirs=SUITE)
    scenarios.establish(scene, "ours")
    with pytest.raises(LabError):
        scene.ours.create_child("second")
    reasons = [event.reason for event in ikeref.events if isinstance(event, sa.Failed)]
    assert reasons == ["the answer has traffic that was not offered"]


def test_s2_8_1_libreswan_after_rekeys_of_the_child_sa_that_cross(start_guest: GuestStart) -> None:
    """When libreswan's request has the lowest nonce, it should close what it made: it does not.

    When ours has it, we close what we made; libreswan then has the other one, at times without a policy that leads into
    it, as the datagrams fall.
    """
    scene, ikeref, _ = start_guest("libreswan")
    scenarios.establish(scene, "ours")
    crossing = collisions.cross(
        scene, ikeref, ExchangeType.CREATE_CHILD_SA, lambda who: scene.side(who).rekey_child("first")
    )
    time.sleep(8)
    (ike,) = scene.theirs.sas()
    stays = scenarios.BOTH if crossing.loser() == "theirs" else ("theirs",)
    assert {child.spi_out for child in ike.children} == {crossing.our_spi(who) for who in stays}
    if crossing.loser() == "ours":
        (child,) = ike.children
        assert len(child.local_ts | child.remote_ts) in (0, 2)
    ikeref.crash()


@pytest.mark.parametrize("initiator", ["ours", "theirs"])
def test_s1_4_1_libreswan_after_deletes_of_a_child_sa_that_cross(initiator: str, start_guest: GuestStart) -> None:
    """Both ends have closed it then; but libreswan's answer to our Delete has a Delete too. Ours to its own has none.

    There are two Child SAs, for with its last one libreswan closes the IKE SA.
    """
    scene, ikeref, _ = start_guest("libreswan")
    scenarios.establish(scene, initiator)
    scenarios.create_second_child(scene, initiator)
    crossing = collisions.cross(
        scene, ikeref, ExchangeType.INFORMATIONAL, lambda who: scene.side(who).delete_child("second")
    )
    scene.agree("after crossing Deletes of the Child SA", ike_sas=1, children=1)
    assert collisions.deletes(crossing.ours[1])
    assert not collisions.deletes(crossing.theirs[1])


def test_s2_8_2_libreswan_after_rekeys_of_the_ike_sa_that_cross(start_guest: GuestStart) -> None:
    """Once it has answered our request, it makes nothing of our answer to its own.

    When its request has the lowest nonce, what ours has made stays, and our end closes the other in the end. When ours
    has it, we close what we made, and libreswan has no IKE SA any more.
    """
    scene, ikeref, libreswan = start_guest("libreswan")
    scenarios.establish(scene, "ours")
    crossing = collisions.cross(
        scene, ikeref, ExchangeType.CREATE_CHILD_SA, lambda who: scene.side(who).rekey_ike(), first="ours"
    )
    scene.becomes("one IKE SA is left at our end", lambda sas: len(sas) == 1)
    assert "EXPECTATION FAILED" in libreswan.log()
    if crossing.loser() == "theirs":
        (ike,) = scene.agree("after crossing rekeys of the IKE SA", ike_sas=1, children=1)
        assert ike.initiator
    else:
        scene.becomes("libreswan has none", lambda _: not scene.theirs.sas())
        ikeref.crash()


def test_s2_11_libreswan_answers_where_a_nat_no_longer_listens(start_guest: GuestStart) -> None:
    """Our NAT takes a new port. The answers go to the old one, and so does all that libreswan begins."""
    scene, ikeref, libreswan = start_guest("libreswan", nat=("ours",))
    scenarios.establish(scene, "ours")
    since = len(scene.bridge.journal)
    scene.bridge.link.rebind("ours")
    ikeref.liveness()
    scene.becomes("our end gives it up", lambda sas: not sas)
    seen = [each for each in scene.bridge.journal[since:] if each.message]
    assert {each.ports[0] // 10000 for each in seen if each.direction == "ours"} == {3}
    assert {each.ports[1] // 10000 for each in seen if each.direction == "theirs"} == {2}
    assert "ignoring peer endpoint change" in libreswan.log()


def test_s2_1_openiked_never_answers_what_came_before_its_ike_sa(start_guest: GuestStart) -> None:
    """Our answer to its IKE_AUTH is lost, and our next request is there before it asks again.

    It takes that for the first request, does nothing with it, and finds no answer to repeat when it comes again, also
    when the IKE SA is established. So our end has to give it up.
    """
    settings = {"liveness_seconds": 1}
    scene, _, _ = start_guest("openiked", ours=SUITE, theirs=SUITE, settings=settings)
    scene.bridge.lose_next = "ours", ExchangeType.IKE_AUTH
    scene.theirs.connect()
    scene.becomes("our end gives it up", lambda sas: not sas)
    assert len(scene.theirs.sas()) == 1
    sent = [each for each in scene.bridge.journal if each.direction == "ours" and each.message]
    assert [each.message[18] for each in sent].count(ExchangeType.INFORMATIONAL) == 1 + TRIES
    assert len(journal.requests(scene.bridge.journal, "ours", journal.INFORMATIONAL)) == 1
    assert not journal.responses(scene.bridge.journal, "theirs", journal.INFORMATIONAL)
