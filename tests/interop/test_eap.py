"""EAP in IKE_AUTH with strongSwan, which takes either part (Section 2.16, RFC 5998)."""

from __future__ import annotations

import pytest

from ikeref import sa
from ikeref.policy import identities
from tests.interop import scenarios
from tests.interop.lab import LabError
from tests.interop.scene import THEIRS, USER
from tests.interop.started import Start
from tests.interop.vici import ViciError

ROLES = pytest.mark.parametrize("initiator", ["ours", "theirs"])
METHODS = pytest.mark.parametrize("method", ["eap-md5", "eap-mschapv2", "eap-tls", "eap-only"])
NETWORKS = pytest.mark.parametrize("loss", [0.0, pytest.param(0.2, marks=pytest.mark.slow)], ids=["all", "lossy"])


def ends(initiator: str, **changes: object) -> dict[str, dict[str, object]]:
    """What each end is told besides."""
    return {who: {"client": who == initiator, **changes} for who in ("ours", "theirs")}


@pytest.mark.root
@ROLES
@METHODS
@NETWORKS
def test_s2_16_each_method_in_both_roles(loss: float, method: str, initiator: str, start: Start) -> None:
    scene, ikeref, _ = start(method, loss=loss, **ends(initiator))
    scenarios.short_life(scene, initiator)
    first = next(event for event in ikeref.events if isinstance(event, sa.Established))
    assert first.peer == identities.parse(THEIRS)


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("method", ["eap-md5", "eap-mschapv2"])
def test_s3_16_the_responder_may_ask_for_the_identity(method: str, initiator: str, start: Start) -> None:
    """7296-3.16-09: strongSwan asks, or is asked."""
    scene, ikeref, _ = start(method, **ends(initiator, asks=True))
    scenarios.establish(scene, initiator)
    first = next(event for event in ikeref.events if isinstance(event, sa.Established))
    assert first.peer == identities.parse(USER if initiator == "theirs" else THEIRS)


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("method", ["eap-md5", "eap-mschapv2"])
def test_s2_16_a_wrong_password_leaves_nothing(method: str, initiator: str, start: Start) -> None:
    told = ends(initiator)
    told[initiator]["password"] = "wrong"
    scene, ikeref, strongswan = start(method, **told)
    with pytest.raises((LabError, ViciError)):
        scene.side(initiator).connect()
    scene.agree("after EAP Failure", ike_sas=0, children=0)
    assert "EAP" in strongswan.log()
    closed = [event.reason for event in ikeref.events if isinstance(event, sa.Closed)]
    assert closed
    assert all(reason.startswith(("EAP failed", "the initiator says AUTHENTICATION_FAILED")) for reason in closed)


@pytest.mark.root
@ROLES
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_rfc9190_either_version_of_tls(version: str, initiator: str, start: Start) -> None:
    lines = (f"tls {{\n    version_min = {version}\n    version_max = {version}\n  }}",)
    scene = start("eap-tls", lines=lines, **ends(initiator)).scene
    scenarios.establish(scene, initiator)
