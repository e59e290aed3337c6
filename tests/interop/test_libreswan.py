"""ikeref with libreswan: after each step both list the same SAs, and libreswan's kernel has ikeref's keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop import scenarios
from tests.interop.started import GuestStart, GuestStarted

WHOLE = pytest.mark.whole
LIVES = (
    ("psk", "ours", 0.0),
    ("ecdsa", "theirs", 0.0),
    pytest.param("psk", "theirs", 0.0, marks=WHOLE),
    pytest.param("ecdsa", "ours", 0.0, marks=WHOLE),
)


def start(start_guest: GuestStart, *words: str, **named: Any) -> GuestStarted:
    return start_guest("libreswan", *words, **named)


@pytest.mark.root
@pytest.mark.parametrize(("auth", "initiator", "loss"), LIVES)
def test_a_whole_life_from_both_ends(auth: str, initiator: str, loss: float, start_guest: GuestStart) -> None:
    scene, ikeref, libreswan = start(start_guest, auth, loss=loss)
    scenarios.whole_life(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)
