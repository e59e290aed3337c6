"""ikeref with strongSwan: after each step both list the same SAs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.interop import lab, scenarios
from tests.interop.ours import Ikeref
from tests.interop.pki import Pki
from tests.interop.relay import Bridge
from tests.interop.scene import Scene, connections
from tests.interop.strongswan import StrongSwan

NOTHING: Mapping[str, Any] = MappingProxyType({})

INITIAL_SECONDS, BASE, TRIES = 0.2, 1.3, 9
"""How both ends retransmit: after 0.2 s, each wait 1.3 times the one before, 9 times; 8.5 s until they give up."""

WRONG_GROUP_FIRST = {"proposals": "aes256gcm16-prfsha256-x25519-ecp256", "child_proposals": "aes256gcm16-x25519-ecp256"}
RIGHT_GROUP_ONLY = {"proposals": "aes256gcm16-prfsha256-ecp256", "child_proposals": "aes256gcm16-ecp256"}

ROLES = pytest.mark.parametrize("initiator", ["ours", "theirs"])


class Started(NamedTuple):
    """A scene, and its ends by their own types."""

    scene: Scene
    ikeref: Ikeref
    strongswan: StrongSwan


Start = Callable[..., Started]


@pytest.fixture
def start(strongswan_root: Path, pki: Pki, stack: ExitStack) -> Start:
    """Starts ikeref and strongSwan with a bridge between them.

    `ours` and `theirs` change what each is told of the connection, `settings` are further ones of ikeref's endpoint,
    `lines` further ones of strongswan.conf.
    """

    def run(
        auth: str = "psk",
        *,
        ours: Mapping[str, Any] = NOTHING,
        theirs: Mapping[str, Any] = NOTHING,
        settings: Mapping[str, float] = NOTHING,
        lines: tuple[str, ...] = (),
        tries: int = TRIES,
        loss: float = 0.0,
        seed: int = 0,
        patience: float = 10,
    ) -> Started:
        link = lab.Link()
        stack.callback(link.close)
        bridge = Bridge(link, loss=loss, seed=seed)
        stack.callback(bridge.close)
        our_connection, their_connection = connections(link, auth)
        strongswan = StrongSwan(
            strongswan_root,
            link.theirs.namespace,
            (
                f"retransmit_timeout = {INITIAL_SECONDS}",
                f"retransmit_base = {BASE}",
                f"retransmit_tries = {tries}",
                *lines,
            ),
        )
        stack.callback(strongswan.close)
        strongswan.load(their_connection._replace(**theirs), pki)
        retransmission = {
            "retransmit_initial_seconds": INITIAL_SECONDS,
            "retransmit_base": BASE,
            "retransmit_tries": tries,
        }
        ikeref = Ikeref(link.ours.namespace, our_connection._replace(**ours), {**retransmission, **settings}, pki)
        stack.callback(ikeref.close)
        return Started(Scene(bridge, ikeref, strongswan, patience), ikeref, strongswan)

    return run


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("auth", ["psk", "ecdsa"])
def test_a_whole_life_from_both_ends(auth: str, initiator: str, start: Start) -> None:
    scenarios.whole_life(start(auth).scene, initiator)


@pytest.mark.root
@pytest.mark.slow
@ROLES
@pytest.mark.parametrize("auth", ["psk", "ecdsa"])
def test_a_whole_life_over_a_network_that_loses_a_fifth(auth: str, initiator: str, start: Start) -> None:
    scene = start(auth, loss=0.2, seed=4, patience=30).scene
    scenarios.whole_life(scene, initiator)
    assert scene.bridge.lost("ours") > 0
    assert scene.bridge.lost("theirs") > 0


@pytest.mark.root
@ROLES
def test_s2_6_a_cookie_is_demanded_and_returned(initiator: str, start: Start) -> None:
    scene = start(settings={"cookie_threshold": 1}, lines=("cookie_threshold = 1",)).scene
    scenarios.cookie_demanded(scene, initiator)


@pytest.mark.root
@ROLES
def test_s1_2_the_wrong_group_is_corrected(initiator: str, start: Start) -> None:
    ours, theirs = (
        (WRONG_GROUP_FIRST, RIGHT_GROUP_ONLY) if initiator == "ours" else (RIGHT_GROUP_ONLY, WRONG_GROUP_FIRST)
    )
    scenarios.group_corrected(start(ours=ours, theirs=theirs).scene, initiator, wrong=31, right=19)


@pytest.mark.root
@ROLES
def test_s2_6_1_a_cookie_and_the_wrong_group(initiator: str, start: Start) -> None:
    ours, theirs = (
        (WRONG_GROUP_FIRST, RIGHT_GROUP_ONLY) if initiator == "ours" else (RIGHT_GROUP_ONLY, WRONG_GROUP_FIRST)
    )
    started = start(ours=ours, theirs=theirs, settings={"cookie_threshold": 1}, lines=("cookie_threshold = 1",))
    ike = scenarios.cookie_demanded(started.scene, initiator)
    assert ike.suite.endswith("ECP_256")


@pytest.mark.root
def test_s2_4_both_are_asked_whether_they_live_and_silence_ends_all(start: Start) -> None:
    scene, ikeref, _ = start(theirs={"settings": ("dpd_delay = 1",)}, tries=3)
    scenarios.establish(scene, "ours")
    scenarios.asked_whether_alive(scene, "theirs")
    ikeref.liveness()
    scenarios.asked_whether_alive(scene, "ours")
    scene.bridge.loss = 1.0
    ikeref.liveness()
    scenarios.given_up(scene)
