"""Requests that cross, with each daemon (Sections 1.4.1, 2.8.1, 2.8.2, 2.25)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interop import collisions, scenarios
from tests.interop.ours import Ikeref
from tests.interop.scene import Scene
from tests.interop.started import GuestStart, Start
from tests.interop.test_openiked import SUITE

EVERY = (
    collisions.rekeys_of_the_child_sa,
    collisions.rekeys_of_the_ike_sa,
    collisions.deletes_of_the_child_sa,
    collisions.deletes_of_the_ike_sa,
)
ROLES = pytest.mark.parametrize("initiator", ["ours", "theirs"])
Collide = Callable[[Scene, Ikeref], None]


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("collide", EVERY, ids=lambda each: each.__name__)
def test_with_strongswan(collide: Collide, initiator: str, start: Start) -> None:
    scene, ikeref, _ = start()
    scenarios.establish(scene, initiator)
    collide(scene, ikeref)


@pytest.mark.root
@pytest.mark.whole
@ROLES
@pytest.mark.parametrize("collide", EVERY[3:], ids=lambda each: each.__name__)
def test_with_libreswan(collide: Collide, initiator: str, start_guest: GuestStart) -> None:
    """What else crosses: see test_departures.py."""
    scene, ikeref, _ = start_guest("libreswan")
    scenarios.establish(scene, initiator)
    scenarios.create_second_child(scene, initiator)
    collide(scene, ikeref)


@pytest.mark.root
@pytest.mark.whole
@ROLES
@pytest.mark.parametrize("collide", [EVERY[0], *EVERY[2:]], ids=lambda each: each.__name__)
def test_with_openiked(collide: Collide, initiator: str, start_guest: GuestStart) -> None:
    """It rekeys an IKE SA when it likes alone."""
    scene, ikeref, _ = start_guest("openiked", ours=SUITE, theirs=SUITE)
    scenarios.establish(scene, initiator)
    collide(scene, ikeref)
