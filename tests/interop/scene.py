"""The scene of every scenario: who stands where, what they are told, and what each of them can be asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

import pytest

from tests.interop.lab import LabError, eventually
from tests.interop.link import Link
from tests.interop.listing import Listing, crossed, show
from tests.interop.relay import Bridge

OURS = "ours.ikeref.example"
THEIRS = "theirs.ikeref.example"
SECRET = "a shared key for the laboratory"
USER = "carol"
PASSWORD = "a password, with \u00e4"
"""Of EAP."""

OUR_NETWORKS = {"first": "10.1.1.0/24", "second": "10.1.2.0/24"}
THEIR_NETWORKS = {"first": "10.2.1.0/24", "second": "10.2.2.0/24"}


class Peer(NamedTuple):
    """One end of the connection that is to be configured."""

    address: str
    identity: str
    networks: Mapping[str, str]
    """For each Child SA's name the traffic selectors of this end."""
    public: str
    """The address under which the other end sees it."""


class Connection(NamedTuple):
    """What one end is told about the connection."""

    local: Peer
    remote: Peer
    auth: str = "psk"
    """`psk`; with certificates `ecdsa`, `rsa` or `ed25519`; `raw` for raw public keys; `eap-md5`, `eap-mschapv2` or
    `eap-tls`, with which the initiator proves itself, the responder by its certificate; `eap-only`: both by EAP-TLS."""
    client: bool = False
    """With EAP: whether this end initiates."""
    proposals: str = "aes256gcm16-prfsha256-x25519"
    starts: bool = True
    """Whether the Child SA `first` is to be created with the IKE SA."""
    child_proposals: str = "aes256gcm16-x25519"
    password: str = PASSWORD
    asks: bool = False
    """With EAP, as responder: whether to ask for the identity."""
    settings: tuple[str, ...] = ()
    """Further lines of strongSwan's section for the connection."""
    child_settings: tuple[str, ...] = ()
    """Further lines of strongSwan's sections for its Child SAs."""
    trust: tuple[str, ...] = ()
    """Further lines of strongSwan's section for its peer."""
    sections: str = ""
    """Further sections of swanctl.conf."""
    toml: tuple[str, ...] = ()
    """Further lines of ikeref's table for the connection."""
    child_toml: tuple[str, ...] = ()
    """Further lines of ikeref's tables for its Child SAs."""
    own_toml: str = ""
    """Further entries of ikeref's `local_auth`, with certificates."""
    trust_toml: str = ""
    """Further entries of ikeref's `remote_auth`, with certificates."""
    files: Mapping[str, bytes] = MappingProxyType({})
    """Further files, by their names in the folder of either configuration."""
    tables: str = ""
    """Further tables of ikeref's configuration."""


def connections(
    link: Link, auth: str = "psk", networks: tuple[Mapping[str, str], Mapping[str, str]] | None = None
) -> tuple[Connection, Connection]:
    """What our end is told, and what the other end is told; `networks` are those of our end and of theirs."""
    our_networks, their_networks = networks or (OUR_NETWORKS, THEIR_NETWORKS)
    ours = Peer(link.ours.address, OURS, our_networks, link.ours.public)
    theirs = Peer(link.theirs.address, THEIRS, their_networks, link.theirs.public)
    return Connection(ours, theirs, auth), Connection(theirs, ours, auth)


class Side(Protocol):
    """What an end can be asked to do. Everything but the rekeys returns when it is done."""

    def connect(self) -> None:
        """Create the IKE SA, with the Child SA `first`."""

    def create_child(self, child: str) -> None: ...

    def rekey_child(self, child: str) -> None: ...

    def rekey_ike(self) -> None: ...

    def delete_child(self, child: str) -> None: ...

    def delete_ike(self) -> None: ...

    def sas(self) -> Listing: ...

    def log(self, lines: int = 120) -> str: ...


class Scene:
    """Our side and theirs, and the bridge between them.

    `patience` in seconds bounds every wait, `every` is how long to wait before an end is asked again.
    """

    def __init__(self, bridge: Bridge, ours: Side, theirs: Side, patience: float = 10, every: float = 0.02) -> None:
        self.bridge = bridge
        self.ours = ours
        self.theirs = theirs
        self.patience = patience
        self._every = every

    def side(self, who: str) -> Side:
        return self.ours if who == "ours" else self.theirs

    def agree(self, step: str, *, ike_sas: int, children: int) -> Listing:
        """Both ends list the same SAs, this many; returns our listing."""

        def same() -> bool:
            mine = self.ours.sas()
            counts = len(mine), sum(len(each.children) for each in mine)
            return counts == (ike_sas, children) and crossed(mine) == self.theirs.sas()

        self._until(f"{step}: both ends list the same {ike_sas} IKE SAs with {children} Child SAs", same)
        return self.ours.sas()

    def becomes(self, step: str, holds: Callable[[Listing], bool]) -> None:
        """Our listing comes to satisfy something."""
        self._until(step, lambda: holds(self.ours.sas()))

    def _until(self, what: str, probe: Callable[[], bool]) -> None:
        try:
            eventually(what, probe, self.patience, self._every)
        except LabError as error:
            pytest.fail(
                f"{error}\n--- ours\n{show(self.ours.sas())}\n--- theirs\n{show(self.theirs.sas())}"
                f"\n--- our log\n{self.ours.log(60)}\n--- their log\n{self.theirs.log(60)}",
                pytrace=False,
            )
