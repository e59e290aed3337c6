"""ikeref with libreswan: after each step both list the same SAs, and libreswan's kernel has ikeref's keys.

Without IKEREF_INTEROP_ALL a selection runs, in which each feature, each role and loss has its turn.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop import journal, scenarios
from tests.interop.started import GuestStart, GuestStarted

PATIENT = {"liveness_seconds": 3}
"""Of ours where datagrams get lost: it tells the peer's end once that it has deleted an IKE SA (docs/findings.md)."""


def whole(*values: object) -> Any:
    """Values of parameters that only IKEREF_INTEROP_ALL has."""
    return pytest.param(*values, marks=pytest.mark.whole)


LIVES = (
    ("psk", "ours"),
    ("ecdsa", "theirs"),
    whole("psk", "theirs"),
    whole("ecdsa", "ours"),
    whole("rsa", "ours"),
    whole("rsa", "theirs"),
)
LOSSY = (
    ("rsa", "theirs"),
    whole("psk", "ours"),
    whole("psk", "theirs"),
    whole("ecdsa", "ours"),
    whole("ecdsa", "theirs"),
    whole("rsa", "ours"),
)
NATS = (
    (("ours",), "ours", 0.0),
    whole(("ours",), "theirs", 0.0),
    whole(("theirs",), "ours", 0.0),
    whole(("theirs",), "theirs", 0.0),
    whole(("ours", "theirs"), "ours", 0.0),
    whole(("ours", "theirs"), "theirs", 0.0),
    whole(("ours",), "ours", 0.2),
    whole(("ours",), "theirs", 0.2),
    whole(("theirs",), "ours", 0.2),
    whole(("theirs",), "theirs", 0.2),
    whole(("ours", "theirs"), "ours", 0.2),
    whole(("ours", "theirs"), "theirs", 0.2),
)
FRAGMENTS = (("theirs", 0.0), whole("ours", 0.0), whole("ours", 0.2), whole("theirs", 0.2))


def start(start_guest: GuestStart, *words: str, **named: Any) -> GuestStarted:
    return start_guest("libreswan", *words, **named)


@pytest.mark.root
@pytest.mark.parametrize(("auth", "initiator"), LIVES)
def test_a_whole_life_from_both_ends(auth: str, initiator: str, start_guest: GuestStart, pki_of: Any) -> None:
    scene, ikeref, libreswan = start(start_guest, auth, certificates=pki_of(auth))
    scenarios.whole_life(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize(("auth", "initiator"), LOSSY)
def test_a_short_life_where_datagrams_get_lost(auth: str, initiator: str, start_guest: GuestStart, pki_of: Any) -> None:
    scene, ikeref, libreswan = start(start_guest, auth, loss=0.2, certificates=pki_of(auth), settings=PATIENT)
    scenarios.short_life(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)
    assert scene.bridge.lost("ours") > 0
    assert scene.bridge.lost("theirs") > 0


@pytest.mark.root
@pytest.mark.parametrize(("nat", "initiator", "loss"), NATS)
def test_s2_23_a_short_life_through_real_nats(
    nat: tuple[str, ...], initiator: str, loss: float, start_guest: GuestStart
) -> None:
    scene, ikeref, libreswan = start(start_guest, nat=nat, loss=loss, settings=PATIENT if loss else {})
    scenarios.short_life(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)
    assert all(half.encapsulated for half in libreswan.keys.values())


@pytest.mark.root
@pytest.mark.parametrize("initiator", [whole("theirs")])
def test_s2_23_a_nat_that_forgets_is_followed(initiator: str, start_guest: GuestStart) -> None:
    """By our end. libreswan follows none: see test_departures.py."""
    scene, ikeref, libreswan = start(start_guest, nat=(initiator,))
    scenarios.establish(scene, initiator)
    scenarios.rebound(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)


@pytest.mark.root
@pytest.mark.parametrize("initiator", ["ours", whole("theirs")])
@pytest.mark.parametrize("who", ["theirs", whole("ours")])
def test_s2_23_either_end_forces_encapsulation(who: str, initiator: str, start_guest: GuestStart) -> None:
    ours = {"toml": ("force_encapsulation = true",)} if who == "ours" else {}
    scene, ikeref, libreswan = start(start_guest, ours=ours, lines=("encapsulation=yes",) if who == "theirs" else ())
    scenarios.establish(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)
    assert all(half.encapsulated for half in libreswan.keys.values())


@pytest.mark.root
@pytest.mark.parametrize(("initiator", "loss"), FRAGMENTS)
def test_s7383_a_short_life_with_long_chains(
    initiator: str, loss: float, start_guest: GuestStart, request: pytest.FixtureRequest
) -> None:
    settings = {"fragment_octets": 576, **(PATIENT if loss else {})}
    scene, ikeref, libreswan = start(
        start_guest, "rsa", loss=loss, settings=settings, certificates=request.getfixturevalue("long_pki")
    )
    scenarios.short_life(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)
    for who in scenarios.BOTH:
        assert len(journal.fragments(scene.bridge.journal, who)) > 5, f"{who} sent no fragments"


@pytest.mark.root
@pytest.mark.parametrize("initiator", [whole("ours"), whole("theirs")])
def test_a_whole_life_over_ipv6(initiator: str, start_guest: GuestStart) -> None:
    scene, ikeref, libreswan = start(start_guest, family=6)
    scenarios.whole_life(scene, initiator)
    scenarios.same_keys(ikeref, libreswan)
