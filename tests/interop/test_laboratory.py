"""The laboratory itself holds: two daemons of the same kind agree in it, and lost datagrams are lost."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import lab, scenarios
from tests.interop.listing import crossed
from tests.interop.pki import Pki
from tests.interop.relay import Bridge, udp_payload
from tests.interop.scene import Connection, Scene, connections
from tests.interop.strongswan import StrongSwan

RETRANSMISSION = ("retransmit_timeout = 0.2", "retransmit_base = 1.3", "retransmit_tries = 9")


@pytest.mark.root
@pytest.mark.parametrize("auth", ["psk", "ecdsa"])
def test_two_strongswans_agree_all_their_life(auth: str, strongswan_root: Path, pki: Pki, stack: ExitStack) -> None:
    scene = _two_strongswans(strongswan_root, stack, auth, pki)
    scenarios.whole_life(scene, "ours")


@pytest.mark.root
def test_a_bridge_that_loses_everything_lets_nothing_through(strongswan_root: Path, pki: Pki, stack: ExitStack) -> None:
    scene = _two_strongswans(strongswan_root, stack, "psk", pki)
    scenarios.establish(scene, "ours")
    assert scene.bridge.lost("ours") == 0
    scene.bridge.loss = 1.0
    before = scene.theirs.sas()
    scene.ours.rekey_child("first")
    lab.eventually("three datagrams are lost", lambda: scene.bridge.lost("ours") >= 3)
    assert scene.theirs.sas() == before
    assert scene.theirs.sas() != crossed(scene.ours.sas())
    scene.bridge.loss = 0.2
    scene.agree("rekey after the loss", ike_sas=1, children=1)


def _two_strongswans(root: Path, stack: ExitStack, auth: str, pki: Pki) -> Scene:
    link = lab.Link()
    stack.callback(link.close)
    bridge = Bridge(link, seed=7)
    stack.callback(bridge.close)
    ours, theirs = connections(link, auth)

    def start(end: lab.End, connection: Connection) -> StrongSwan:
        daemon = StrongSwan(root, end.namespace, RETRANSMISSION)
        stack.callback(daemon.close)
        daemon.load(connection, pki)
        return daemon

    return Scene(bridge, start(link.ours, ours), start(link.theirs, theirs))


def test_the_payload_of_a_udp_datagram_is_found_in_its_frame() -> None:
    header = bytes.fromhex("45000020000000004011" + "0000" + "0a4d00010a4d0002")
    frame = bytes(12) + b"\x08\x00" + header + bytes.fromhex("01f401f4000c0000") + b"ikev" + bytes(14)
    assert udp_payload(frame) == b"ikev"
    assert udp_payload(frame[:12] + b"\x08\x06" + frame[14:]) is None
    assert udp_payload(frame[:20]) is None
