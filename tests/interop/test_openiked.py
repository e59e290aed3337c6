"""ikeref with OpenIKED: after each step both list the same SAs, and OpenIKED's kernel has ikeref's keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop import scenarios
from tests.interop.scene import Scene
from tests.interop.started import GuestStart, GuestStarted
from tests.interop.test_libreswan import WHOLE

SUITE = {"child_proposals": "aes256-sha1-x25519"}
"""On Linux it knows no other integrity algorithm for ESP, and no combined cipher (docs/findings.md)."""

LIVES = (
    ("psk", "theirs", 0.0),
    ("ecdsa", "ours", 0.0),
    pytest.param("psk", "ours", 0.0, marks=WHOLE),
    pytest.param("ecdsa", "theirs", 0.0, marks=WHOLE),
)


def start(start_guest: GuestStart, *words: str, **named: Any) -> GuestStarted:
    both = {who: {**SUITE, **named.pop(who, {})} for who in ("ours", "theirs")}
    return start_guest("openiked", *words, **both, **named)


def a_life(scene: Scene, initiator: str) -> None:
    """What can be asked of it: it has one Child SA, and rekeys its IKE SA when it likes."""
    scenarios.establish(scene, initiator)
    for who in scenarios.BOTH:
        scenarios.rekey_child(scene, who, "first")
        scenarios.rekey_ike(scene, "ours", children=1)
    for who in scenarios.BOTH:
        scenarios.delete_ike(scene, who)
        scenarios.establish(scene, initiator)
        scene.side(who).delete_child("first")
        scene.agree(f"{who} delete the Child SA", ike_sas=1, children=0)


@pytest.mark.root
@pytest.mark.parametrize(("auth", "initiator", "loss"), LIVES)
def test_a_life_from_both_ends(auth: str, initiator: str, loss: float, start_guest: GuestStart) -> None:
    scene, ikeref, openiked = start(start_guest, auth, loss=loss)
    a_life(scene, initiator)
    scenarios.same_keys(ikeref, openiked)
