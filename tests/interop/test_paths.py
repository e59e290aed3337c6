"""ikeref with strongSwan over other paths: real NATs before either end, their rebinding, IPv6 (Sections 2.11, 2.23)."""

from __future__ import annotations

import pytest

from tests.interop import journal, scenarios
from tests.interop.lab import eventually
from tests.interop.started import Start
from tests.interop.test_strongswan import ROLES

NETWORKS = pytest.mark.parametrize("loss", [0.0, pytest.param(0.2, marks=pytest.mark.whole)], ids=["all", "lossy"])
NATS = pytest.mark.parametrize("nat", [("ours",), ("theirs",), ("ours", "theirs")], ids=["ours", "theirs", "both"])


@pytest.mark.root
@ROLES
@NATS
@NETWORKS
def test_s2_23_a_life_through_real_nats(loss: float, nat: tuple[str, ...], initiator: str, start: Start) -> None:
    scene = start(nat=nat, loss=loss).scene
    scenarios.short_life(scene, initiator)
    protected = [each for each in scene.bridge.journal if each.message and each.message[18] != journal.IKE_SA_INIT]
    assert protected
    assert all(each.octets.startswith(bytes(4)) for each in protected), "all goes by port 4500, with the marker"


@pytest.mark.root
@ROLES
def test_s2_23_a_nat_that_forgets_is_followed(initiator: str, start: Start) -> None:
    scene = start(nat=(initiator,)).scene
    scenarios.establish(scene, initiator)
    scenarios.rebound(scene, initiator)


@pytest.mark.root
@ROLES
@NETWORKS
@pytest.mark.parametrize("auth", ["psk", "ecdsa"])
def test_a_whole_life_over_ipv6(loss: float, auth: str, initiator: str, start: Start) -> None:
    scene = start(auth, family=6, loss=loss).scene
    scenarios.whole_life(scene, initiator)


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@NETWORKS
def test_rfc7427_other_signatures(
    loss: float, kind: str, initiator: str, start: Start, request: pytest.FixtureRequest
) -> None:
    scene = start(kind, certificates=request.getfixturevalue(f"{kind}_pki"), loss=loss).scene
    scenarios.short_life(scene, initiator)


@pytest.mark.root
@ROLES
@NETWORKS
def test_rfc6023_without_a_child_sa_at_first(loss: float, initiator: str, start: Start) -> None:
    """Both are told to; then Child SAs come and go, and the IKE SA is rekeyed with and without them."""
    ours = {"toml": ("childless = true",), "starts": False}
    scene, ikeref, strongswan = start(ours=ours, theirs={"settings": ("childless = force",)}, loss=loss)
    if initiator == "ours":
        ikeref.connect()
    else:
        strongswan.connect_childless()
    scene.agree("established without a Child SA", ike_sas=1, children=0)
    for who in scenarios.BOTH:
        scenarios.rekey_ike(scene, who, children=0)
        scene.side(who).create_child("first")
        scene.agree(f"{who} create a Child SA", ike_sas=1, children=1)
        scenarios.rekey_child(scene, who, "first")
        scene.side(who).delete_child("first")
        scene.agree(f"{who} delete it", ike_sas=1, children=0)


@pytest.mark.root
@pytest.mark.parametrize(("word", "left"), [("true", 1), ("false", 2)])
def test_s2_4_initial_contact_ends_what_was_before(word: str, left: int, start: Start) -> None:
    """strongSwan forgets the IKE SA that our end has lost, when it hears INITIAL_CONTACT; else it keeps both."""
    scene, ikeref, _ = start(ours={"toml": (f"initial_contact = {word}",)}, theirs={"settings": ("unique = no",)})
    scenarios.establish(scene, "ours")
    scene.bridge.loss = 1.0
    ikeref.crash()
    scene.bridge.loss = 0.0
    scene.ours.connect()
    eventually(f"strongSwan has {left} IKE SAs", lambda: len(scene.theirs.sas()) == left)
