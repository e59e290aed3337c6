"""ikeref with strongSwan in fragments: chains of 4096-bit certificates over datagrams of 576 octets (RFC 7383)."""

from __future__ import annotations

import pytest

from tests.interop import journal, scenarios
from tests.interop.pki import Pki
from tests.interop.started import Start

DATAGRAM = 576
"""Octets: the longest IP datagram that either end sends whole."""
_SKF = 53
_IP_AND_UDP = 20 + 8
ROLES = pytest.mark.parametrize("initiator", ["ours", "theirs"])
NETWORKS = pytest.mark.parametrize("loss", [0.0, pytest.param(0.2, marks=pytest.mark.slow)], ids=["all", "lossy"])


@pytest.fixture(scope="module")
def pki(long_pki: Pki) -> Pki:
    return long_pki


@pytest.mark.root
@ROLES
@NETWORKS
def test_s7383_a_short_life_with_long_chains(loss: float, initiator: str, start: Start) -> None:
    scene = start(
        "ecdsa", loss=loss, settings={"fragment_octets": DATAGRAM}, lines=(f"fragment_size = {DATAGRAM}",)
    ).scene
    scenarios.short_life(scene, initiator)
    for who in scenarios.BOTH:
        sent = [each for each in scene.bridge.journal if each.direction == who and each.message]
        fragments = [each for each in sent if each.message[16] == _SKF]
        assert len(fragments) > 5, f"{who} sent no fragments"
        assert all(len(each.octets) + _IP_AND_UDP <= DATAGRAM for each in fragments)


@pytest.mark.root
@ROLES
def test_s7383_2_4_without_the_peer_s_word_nothing_is_fragmented(initiator: str, start: Start) -> None:
    """7383-2.4-01: one end does not announce it, and both send whole messages."""
    scene = start("ecdsa", settings={"fragment_octets": DATAGRAM}, theirs={"settings": ("fragmentation = no",)}).scene
    scenarios.establish(scene, initiator)
    assert journal.requests(scene.bridge.journal, initiator, journal.IKE_AUTH)
    assert not [each for each in scene.bridge.journal if each.message and each.message[16] == _SKF]
