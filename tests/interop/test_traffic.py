"""Traffic selectors and transport mode with strongSwan (Sections 1.3.1, 2.9, 2.23.1)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ikeref import sa
from ikeref.policy import addresses
from tests.interop import lab, scenarios
from tests.interop.started import Start
from tests.interop.test_strongswan import NETWORKS, ROLES

MARKED = ("plugins { kernel-netlink { fwmark = !0x42 } socket-default { fwmark = 0x42 } }",)
"""So that routes into an SA between the very hosts don't take IKE's own datagrams."""
TRANSPORT: Mapping[str, Any] = {"child_toml": ('mode = "transport"',), "child_settings": ("mode = transport",)}

TRAFFIC = (
    ("10.1.0.0/16[tcp/4711]", "10.2.0.0/16[tcp]", "10.1.1.0/24[udp]", "10.2.1.0/24[udp/4712]"),
    ("2001:db8:1::/64", "2001:db8:2::/64[udp]", "10.1.0.0/16", "10.2.0.7"),
    ("10.1.0.1-10.1.0.9", "10.2.0.0/16", "10.1.2.0/24[icmp]", "10.2.2.0/24[icmp]"),
)
"""Of the first Child SA and of the second: our side and theirs."""


@pytest.fixture(scope="session")
def transport_mode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What makes strongSwan's ESP in user space take transport mode for tunnel mode."""
    if shutil.which("gcc") is None:
        reason = "needs gcc, to let strongSwan's user space ESP take transport mode"
        if os.environ.get("IKEREF_INTEROP") == "required":
            pytest.fail(f"IKEREF_INTEROP=required, but it {reason}")
        pytest.skip(f"interop: {reason}")
    made = tmp_path_factory.mktemp("library") / "transport_mode.so"
    source = Path(__file__).parent / "transport_mode.c"
    lab.run("gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(made), str(source), "-ldl")
    return made


@pytest.mark.root
@ROLES
@NETWORKS
def test_s2_23_1_transport_mode(loss: float, initiator: str, transport_mode: Path, start: Start) -> None:
    """Through the NAT that strongSwan's ESP in user space always claims; several Child SAs, a whole life."""
    networks = (
        {"first": "10.77.0.1[udp]", "second": "10.77.0.1[tcp/4711]"},
        {"first": "10.77.0.2[udp]", "second": "10.77.0.2[tcp]"},
    )
    both: dict[str, Any] = {"networks": networks, "library": transport_mode, "lines": MARKED}
    scene = start(ours=TRANSPORT, theirs=TRANSPORT, loss=loss, **both).scene
    ike = scenarios.establish(scene, initiator)
    (child,) = ike.children
    assert child.mode == "TRANSPORT"
    assert (*child.local_ts, *child.remote_ts) == ("10.77.0.1[udp]", "10.77.0.2[udp]")
    scenarios.create_second_child(scene, initiator)
    for who in scenarios.BOTH:
        scenarios.rekey_child(scene, who, "first")
        ike = scenarios.rekey_ike(scene, who, children=2)
        scenarios.rekey_child(scene, who, "second")
    assert {each.mode for each in ike.children} == {"TRANSPORT"}
    scenarios.delete_second_child(scene, initiator)
    scenarios.delete_ike(scene, initiator)


@pytest.mark.root
@ROLES
@NETWORKS
@pytest.mark.parametrize("traffic", TRAFFIC, ids=["ports", "IPv6", "ranges"])
def test_s2_9_protocols_ports_ranges_and_families(
    traffic: tuple[str, ...],
    loss: float,
    initiator: str,
    start: Start,
) -> None:
    ours = {"first": traffic[0], "second": traffic[2]}
    theirs = {"first": traffic[1], "second": traffic[3]}
    scene = start(networks=(ours, theirs), loss=loss).scene
    scenarios.establish(scene, initiator)
    scenarios.create_second_child(scene, initiator)
    for who in scenarios.BOTH:
        scenarios.rekey_child(scene, who, "first")
        scenarios.rekey_child(scene, who, "second")
    (ike,) = scene.ours.sas()
    found = {(*each.local_ts, *each.remote_ts) for each in ike.children}
    assert found == {traffic[:2], traffic[2:]}
    scenarios.delete_ike(scene, initiator)


@pytest.mark.root
@NETWORKS
def test_s2_9_a_packet_leads_to_its_policy(loss: float, start: Start) -> None:
    """We offer all, a packet's selectors first; strongSwan narrows to the policy that has them (7296-2.9-11)."""
    ours = {"first": "10.1.0.0/16", "second": "10.1.0.0/16"}
    all_of_theirs = {"first": "10.2.0.0/16", "second": "10.2.0.0/16"}
    theirs = {"first": "10.2.1.0/24", "second": "10.2.2.0/24"}
    scene, ikeref, _ = start(networks=(ours, theirs), remote=all_of_theirs, loss=loss)
    scenarios.establish(scene, "ours")
    packet = (addresses.from_text("10.1.7.7[tcp/1]"), addresses.from_text("10.2.2.9[tcp/2]"))
    ikeref.create_child_for("second", packet)
    (ike,) = scene.agree("a Child SA for a packet", ike_sas=1, children=2)
    assert {(*each.local_ts, *each.remote_ts) for each in ike.children} == {
        ("10.1.0.0/16", "10.2.1.0/24"),
        ("10.1.0.0/16", "10.2.2.0/24"),
    }
    assert len([event for event in ikeref.events if isinstance(event, sa.Install)]) == 4
