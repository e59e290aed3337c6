"""The laboratory itself holds: two daemons of the same kind agree in it, and lost datagrams are lost."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import lab
from tests.interop.listing import crossed, show
from tests.interop.pki import Pki
from tests.interop.relay import LossyBridge, checksum_in_software, udp_payload
from tests.interop.scene import our_connection, their_connection
from tests.interop.strongswan import StrongSwan

RETRANSMISSION = ("retransmit_timeout = 0.3", "retransmit_base = 1.2", "retransmit_tries = 12")


def _agree(one: StrongSwan, other: StrongSwan, ike_sas: int, children: int) -> None:
    """Both list the same SAs, this many."""

    def same() -> bool:
        mine = one.sas()
        counts = len(mine), sum(len(each.children) for each in mine)
        return counts == (ike_sas, children) and crossed(mine) == other.sas()

    try:
        lab.eventually("both ends list the same SAs", same)
    except lab.LabError:
        pytest.fail(f"{show(one.sas())}\n--- against ---\n{show(other.sas())}\n{one.log(40)}")


@pytest.mark.root
@pytest.mark.parametrize("auth", ["psk", "ecdsa"])
def test_two_strongswans_live_through_the_life_of_an_ike_sa(
    auth: str, strongswan_root: Path, pki: Pki, stack: ExitStack
) -> None:
    link = lab.Link("pair")
    stack.callback(link.close)
    one = StrongSwan(strongswan_root, link.ours.namespace)
    stack.callback(one.close)
    other = StrongSwan(strongswan_root, link.theirs.namespace)
    stack.callback(other.close)
    one.load(our_connection(link, auth), pki)
    other.load(their_connection(link, auth), pki)

    one.initiate("first")
    _agree(one, other, 1, 1)
    one.initiate("second")
    _agree(one, other, 1, 2)
    before = one.sas()
    other.rekey_child("second")
    lab.eventually("the Child SA is rekeyed", lambda: one.sas() != before)
    _agree(one, other, 1, 2)
    before = one.sas()
    one.rekey_ike()
    lab.eventually("the IKE SA is rekeyed", lambda: one.sas() != before)
    _agree(one, other, 1, 2)
    other.terminate_child("second")
    _agree(one, other, 1, 1)
    one.terminate_ike()
    _agree(one, other, 0, 0)


@pytest.mark.root
def test_a_bridge_that_loses_everything_lets_nothing_through(strongswan_root: Path, stack: ExitStack) -> None:
    link = lab.Link("lossy", between=True)
    stack.callback(link.close)
    for end in (link.ours, link.theirs):
        checksum_in_software(end.namespace, end.interface)
    bridge = LossyBridge(link.middle, loss=0.0, seed=7)
    stack.callback(bridge.close)
    one = StrongSwan(strongswan_root, link.ours.namespace, RETRANSMISSION)
    stack.callback(one.close)
    other = StrongSwan(strongswan_root, link.theirs.namespace, RETRANSMISSION)
    stack.callback(other.close)
    one.load(our_connection(link))
    other.load(their_connection(link))

    one.initiate("first")
    _agree(one, other, 1, 1)
    assert bridge.lost("ours") == 0
    bridge.loss = 1.0
    one.rekey_child("first")
    lab.eventually("three datagrams are lost", lambda: bridge.lost("ours") >= 3)
    assert other.sas() != crossed(one.sas())
    bridge.loss = 0.2
    _agree(one, other, 1, 1)


def test_the_payload_of_a_udp_datagram_is_found_in_its_frame() -> None:
    header = bytes.fromhex("4500002000000000401100000a4d00010a4d0002")
    frame = bytes(12) + b"\x08\x00" + header + bytes.fromhex("01f401f4000c0000") + b"ikev" + bytes(14)
    assert udp_payload(frame) == b"ikev"
    assert udp_payload(frame[:12] + b"\x08\x06" + frame[14:]) is None
    assert udp_payload(frame[:20]) is None
