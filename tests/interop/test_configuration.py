"""Configuration payloads with strongSwan (Sections 2.19, 3.15): who gives, and what the Child SAs are then for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ikeref import sa
from ikeref.policy import attributes
from tests.interop import scenarios
from tests.interop.listing import IkeListing
from tests.interop.started import Start
from tests.interop.test_strongswan import NETWORKS, ROLES

POOL = """
[pools.lab]
addresses = ["10.9.0.0/28", "2001:db8:9::/124"]
dns = ["10.2.0.53", "2001:db8::53"]
subnets = "10.1.0.0/16"
"""
THEIR_POOL = """
pools {
  four {
    addrs = 10.9.0.0/28
    dns = 10.2.0.53
  }
  six {
    addrs = 2001:db8:9::/124
    dns = 2001:db8::53
  }
}
"""
FOUR, SIX = "10.9.0.1", "2001:db8:9::1"
DYNAMIC = {"first": "dynamic", "second": "dynamic"}
BEHIND_US = {"first": "10.1.1.0/24", "second": "10.1.2.0/24"}
BEHIND_THEM = {"first": "10.2.1.0/24", "second": "10.2.2.0/24"}


def told(initiator: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What ours and theirs are told, so that the initiator gets its addresses from the responder."""
    if initiator == "ours":
        ours = {"toml": ('request = ["ipv4", "ipv6", "dns"]',)}
        return ours, {"settings": ("pools = four, six",), "sections": THEIR_POOL}
    theirs = {"settings": ("vips = 0.0.0.0, ::",)}
    return {"toml": ('pools = "lab"', "configuration_required = true"), "tables": POOL}, theirs


def begin(start: Start, initiator: str, auth: str, loss: float) -> Any:
    ours, theirs = told(initiator)
    if auth != "psk":
        ours, theirs = {**ours, "client": initiator == "ours"}, {**theirs, "client": initiator == "theirs"}
    networks = (DYNAMIC, BEHIND_THEM) if initiator == "ours" else (BEHIND_US, DYNAMIC)
    return start(auth, ours=ours, theirs=theirs, networks=networks, loss=loss)


@pytest.mark.root
@ROLES
@NETWORKS
@pytest.mark.parametrize("auth", ["psk", "eap-mschapv2"])
def test_s2_19_addresses_are_given_and_last_through_rekeys(
    auth: str, loss: float, initiator: str, start: Start
) -> None:
    scene, ikeref, strongswan = begin(start, initiator, auth, loss)
    for _ in range(2):  # who comes back gets the same
        ike = scenarios.establish(scene, initiator)
        assert traffic(ike, initiator) == {frozenset((FOUR, SIX))}
        assert strongswan.addresses() == ((set(), {FOUR, SIX}) if initiator == "ours" else ({FOUR, SIX}, set()))
        scene.side(initiator).create_child("second")
        (ike,) = scene.agree(f"{initiator} create a Child SA", ike_sas=1, children=2)
        for who in scenarios.BOTH:
            scenarios.rekey_child(scene, who, "second")
            ike = scenarios.rekey_ike(scene, who, children=2)
            scenarios.rekey_child(scene, who, "first")
        assert traffic(ike, initiator) == {frozenset((FOUR, SIX))}
        scenarios.delete_ike(scene, initiator)
    given = [event for event in ikeref.events if isinstance(event, sa.Configured)]
    assert [event.internal.ours for event in given] == [initiator == "ours"] * 2
    words = {attributes.to_text(each) for each in given[0].internal.attributes}
    assert "INTERNAL_IP4_ADDRESS 10.9.0.1" in words
    if initiator == "ours":  # strongSwan asks for no name servers without its plugin that uses them
        assert words >= {"INTERNAL_IP4_DNS 10.2.0.53", "INTERNAL_IP6_DNS 2001:db8::53"}
    ended = [event for event in ikeref.events if isinstance(event, sa.Unconfigured)]
    assert [event.internal for event in ended] == [event.internal for event in given]


@pytest.mark.root
def test_s2_19_who_asks_for_nothing_gets_no_child_sa(start: Start) -> None:
    """FAILED_CP_REQUIRED, and the IKE SA lives on (7296-2.19-11, 7296-2.19-12)."""
    ours, _ = told("theirs")
    scene, ikeref, strongswan = start(ours=ours, networks=(BEHIND_US, DYNAMIC), theirs={"settings": ("vips =",)})
    with pytest.raises(Exception, match=r"establishing CHILD_SA|initiate"):
        strongswan.connect()
    scene.becomes("there is an IKE SA without Child SA", lambda sas: [len(each.children) for each in sas] == [0])
    assert "FAILED_CP_REQUIRED" in strongswan.log() or "(37)" in strongswan.log()
    assert not [event for event in ikeref.events if isinstance(event, sa.Configured)]


@pytest.mark.root
def test_s3_15_4_an_empty_pool_of_theirs_refuses_the_child_sa_only(start: Start) -> None:
    ours, _ = told("ours")
    scene, ikeref, _ = start(ours=ours, networks=(DYNAMIC, BEHIND_THEM), theirs={"settings": ("pools =",)})
    ikeref.connect()
    scene.becomes("an IKE SA without Child SA", lambda sas: [len(each.children) for each in sas] == [0])
    assert [event.reason for event in ikeref.events if isinstance(event, sa.Failed)] == ["INTERNAL_ADDRESS_FAILURE"]


def traffic(ike: IkeListing, initiator: str) -> set[frozenset[str]]:
    """The selectors of the initiator's side."""
    return {each.local_ts if initiator == "ours" else each.remote_ts for each in ike.children}
