"""ikeref's configuration and SAs in the terms of these tests: TOML from a connection, a listing from sessions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Container, Iterable
from pathlib import Path

from ikeref.crypto import ChildSuite, Suite
from ikeref.policy import config, selectors
from ikeref.registry import Encr, Integ, KeGroup, Prf, name
from ikeref.sa.values import ChildSa, ChildState, IkeSa, Phase, Session
from tests.interop.listing import ChildListing, IkeListing, Listing
from tests.interop.pki import Pki
from tests.interop.scene import SECRET, USER, Connection

_UNLISTED = (Phase.INIT_SENT, Phase.HALF_OPEN, Phase.AUTH_SENT, Phase.CLOSED)
"""What does not exist for the protocol yet, or no longer."""

_STATES = {Phase.ESTABLISHED: "ESTABLISHED", ChildState.OPEN: "INSTALLED"}
"""strongSwan's words for states in which nothing is under way; others keep the names that ikeref gives them."""

_WORDS: dict[tuple[type, int], str] = {
    (Encr, Encr.TRIPLE_DES): "3DES_CBC",
    (KeGroup, KeGroup.CURVE25519): "CURVE_25519",
    (KeGroup, KeGroup.CURVE448): "CURVE_448",
    (KeGroup, KeGroup.BRAINPOOL_P256R1): "ECP_256_BP",
    (KeGroup, KeGroup.BRAINPOOL_P384R1): "ECP_384_BP",
    (KeGroup, KeGroup.BRAINPOOL_P512R1): "ECP_512_BP",
}
"""strongSwan's words where they are not the registry's."""


def configuration(connection: Connection, settings: dict[str, float], pki: Pki | None = None) -> config.Configuration:
    """The connection as ikeref reads it from TOML."""
    folder = Path(tempfile.mkdtemp(prefix="ikeref-lab-"))
    try:
        if pki is not None:
            credential = pki.credentials[connection.local.identity]
            (folder / "authority.pem").write_bytes(pki.authority)
            (folder / "own.pem").write_bytes(credential.certificate + pki.intermediate)
            (folder / "own.key").write_bytes(credential.private_key)
        for name, octets in connection.files.items():
            (folder / name).write_bytes(octets)
        (folder / "ikeref.toml").write_text(render(connection, settings))
        return config.load(folder / "ikeref.toml")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def render(connection: Connection, settings: dict[str, float]) -> str:
    """The connection and the settings of the endpoint as TOML."""
    own, others = 'key = "own.key", certificates = "own.pem"', 'authorities = "authority.pem"'
    match connection.auth, connection.client:
        case "psk", _:
            auth = f'psk = "{SECRET}"'
        case "ecdsa" | "rsa" | "ed25519", _:
            own, others = f"{own}{connection.own_toml}", f"{others}{connection.trust_toml}"
            auth = f"local_auth = {{ {own} }}\nremote_auth = {{ {others} }}"
        case "raw", _:
            auth = 'local_auth = { key = "own.key" }\nremote_auth = { public_keys = "peer.pub" }'
        case "eap-only", True:
            auth = f'local_auth = {{ eap = "tls", {own}, {others}, eap_only = true }}'
        case "eap-only", False:
            auth = f'remote_auth = {{ eap = "tls", {own}, {others}, eap_only = true }}'
        case "eap-tls", True:
            auth = f'local_auth = {{ eap = "tls", {own}, {others} }}\nremote_auth = {{ {others} }}'
        case "eap-tls", False:
            auth = f'local_auth = {{ {own} }}\nremote_auth = {{ eap = "tls", {own}, {others} }}'
        case method, True:
            user = f'identity = "{USER}", password = "{connection.password}"'
            auth = f'local_auth = {{ eap = "{method[4:]}", {user} }}\nremote_auth = {{ {others} }}'
        case method, False:
            name = USER if connection.asks else f'"{connection.remote.identity}"'
            users = f'users = {{ {name} = "{connection.password}" }}, ask_identity = {str(connection.asks).lower()}'
            auth = f'local_auth = {{ {own} }}\nremote_auth = {{ eap = ["{method[4:]}"], {users} }}'
        case _:
            raise AssertionError(connection.auth)
    lines = "\n".join(connection.toml)
    child_lines = "\n".join(connection.child_toml)
    children = "\n".join(
        f"""
[connections.ike.children.{name}]
local_ts = "{connection.local.networks[name]}"
remote_ts = "{connection.remote.networks[name]}"
esp_proposals = "{connection.child_proposals}"
start = {"true" if name == "first" and connection.starts else "false"}
{child_lines}
"""
        for name in connection.local.networks
    )
    return f"""
[settings]
{chr(10).join(f"{key} = {value}" for key, value in settings.items())}

{connection.tables}
[connections.ike]
local_address = "{connection.local.address}"
remote_address = "{connection.remote.public}"
local_id = "{connection.local.identity}"
remote_id = "{connection.remote.identity}"
ike_proposals = "{connection.proposals}"
{auth}
{lines}
{children}
"""


Pairs = Container[tuple[bytes, bytes]]
"""Inbound and outbound SPI of the Child SAs that a data plane has both directions of."""


def listing(sessions: Iterable[Session], installed: Pairs = ()) -> Listing:
    """Every IKE SA from its establishment to its deletion, with the Child SAs that it controls."""
    return frozenset(
        _ike_listing(ike, session.children if ike is session.current else (), installed)
        for session in sessions
        for ike in session.ikes
        if ike.phase not in _UNLISTED
    )


def _ike_listing(ike: IkeSa, children: tuple[ChildSa, ...], installed: Pairs) -> IkeListing:
    return IkeListing(
        spi_i=ike.spi_i.hex(),
        spi_r=ike.spi_r.hex(),
        initiator=ike.initiator,
        suite=_suite(ike.suite),
        children=frozenset(_child_listing(child, installed) for child in children),
        state=_STATES.get(ike.phase, ike.phase.name),
    )


def _child_listing(child: ChildSa, installed: Pairs) -> ChildListing:
    whole = (child.spi_in, child.spi_out) in installed and child.inbound and child.outbound
    return ChildListing(
        spi_in=child.spi_in.hex(),
        spi_out=child.spi_out.hex(),
        mode="TRANSPORT" if child.transport else "TUNNEL",
        local_ts=frozenset(selectors.to_text(each) for each in child.local_ts),
        remote_ts=frozenset(selectors.to_text(each) for each in child.remote_ts),
        suite=_suite(child.suite),
        state=_STATES.get(child.state, child.state.name) if whole else f"{child.state.name}, one direction",
    )


def _suite(suite: Suite | ChildSuite | None) -> str:
    """The transforms in strongSwan's words."""
    if suite is None:
        return ""
    encr = _WORDS.get((Encr, suite.encr)) or name(Encr, suite.encr)
    parts = [encr + (f"-{suite.key_bits}" if suite.key_bits else "")]
    if suite.integ:
        parts.append(name(Integ, suite.integ))
    if isinstance(suite, Suite):
        parts.append(f"PRF_{name(Prf, suite.prf)}")
    if suite.group:
        parts.append(_WORDS.get((KeGroup, suite.group)) or name(KeGroup, suite.group))
    return "/".join(parts)
