"""The laboratory itself holds: two daemons of the same kind agree in it, and lost datagrams are lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.interop import lab, scenarios
from tests.interop.link import Link
from tests.interop.listing import crossed
from tests.interop.pki import Pki
from tests.interop.relay import Bridge, udp_payload
from tests.interop.scene import Scene, connections
from tests.interop.strongswan import StrongSwan

RETRANSMISSION = ("retransmit_timeout = 0.2", "retransmit_base = 1.3", "retransmit_tries = 9")


Start = Callable[..., Scene]


@pytest.fixture
def start(strongswan_root: Path, pki: Pki, stack: ExitStack) -> Start:
    """Starts two daemons with a bridge between them; keywords change what ours and theirs are told."""

    def two_daemons(
        auth: str = "psk",
        ours: Mapping[str, Any] = MappingProxyType({}),
        theirs: Mapping[str, Any] = MappingProxyType({}),
        settings: tuple[str, ...] = (),
    ) -> Scene:
        link = Link()
        stack.callback(link.close)
        bridge = Bridge(link, seed=7)
        stack.callback(bridge.close)
        daemons = []
        changes = (ours, theirs)
        for end, connection, change in zip((link.ours, link.theirs), connections(link, auth), changes, strict=True):
            daemon = StrongSwan(strongswan_root, end.namespace, (*RETRANSMISSION, *settings))
            stack.callback(daemon.close)
            daemon.load(connection._replace(**change), pki)
            daemons.append(daemon)
        one, other = daemons
        return Scene(bridge, one, other)

    return two_daemons


@pytest.mark.root
@pytest.mark.parametrize("auth", ["psk", "ecdsa"])
def test_two_strongswans_agree_all_their_life(auth: str, start: Start) -> None:
    scenarios.whole_life(start(auth), "ours")


@pytest.mark.root
def test_two_strongswans_and_a_cookie(start: Start) -> None:
    scenarios.cookie_demanded(start(settings=("cookie_threshold = 1",)), "theirs")


@pytest.mark.root
def test_two_strongswans_and_a_wrong_group(start: Start) -> None:
    both = {"proposals": "aes256gcm16-prfsha256-x25519-ecp256", "child_proposals": "aes256gcm16-x25519-ecp256"}
    one = {"proposals": "aes256gcm16-prfsha256-ecp256", "child_proposals": "aes256gcm16-ecp256"}
    scenarios.group_corrected(start(ours=one, theirs=both), "theirs", wrong=31, right=19)


@pytest.mark.root
def test_two_strongswans_and_another_prf(start: Start) -> None:
    prfs = ("aes256gcm16-prfsha256-x25519", "aes256gcm16-prfsha384-x25519")
    scene = start(ours={"proposals": ", ".join(prfs)}, theirs={"proposals": ", ".join(reversed(prfs))})
    scenarios.suite_changed_by_rekeys(scene)


@pytest.mark.root
def test_two_strongswans_ask_whether_the_other_lives(start: Start) -> None:
    asking = {"settings": ("dpd_delay = 1",)}
    scene = start(ours=asking, theirs=asking, settings=("retransmit_tries = 3",))
    scenarios.establish(scene, "ours")
    scenarios.asked_whether_alive(scene, "theirs")
    scene.bridge.loss = 1.0
    scenarios.given_up(scene)


@pytest.mark.root
def test_a_bridge_that_loses_everything_lets_nothing_through(start: Start) -> None:
    scene = start()
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


def test_the_payload_of_a_udp_datagram_is_found_in_its_frame() -> None:
    header = bytes.fromhex("45000020000000004011" + "0000" + "0a4d00010a4d0002")
    frame = bytes(12) + b"\x08\x00" + header + bytes.fromhex("01f401f4000c0000") + b"ikev" + bytes(14)
    assert udp_payload(frame) == b"ikev"
    assert udp_payload(frame[:12] + b"\x08\x06" + frame[14:]) is None
    assert udp_payload(frame[:20]) is None
