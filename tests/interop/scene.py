"""The scene of every scenario: who stands where, and which networks lie behind them."""

from __future__ import annotations

from tests.interop.lab import Link
from tests.interop.strongswan import Connection, Peer

OURS = "ours.ikeref.example"
THEIRS = "theirs.ikeref.example"

OUR_NETWORKS = {"first": "10.1.1.0/24", "second": "10.1.2.0/24"}
THEIR_NETWORKS = {"first": "10.2.1.0/24", "second": "10.2.2.0/24"}


def peers(link: Link) -> tuple[Peer, Peer]:
    """Our end and the other end of the link."""
    return Peer(link.ours.address, OURS, OUR_NETWORKS), Peer(link.theirs.address, THEIRS, THEIR_NETWORKS)


def their_connection(link: Link, auth: str = "psk") -> Connection:
    """What the daemon at the other end is told."""
    ours, theirs = peers(link)
    return Connection(local=theirs, remote=ours, auth=auth)


def our_connection(link: Link, auth: str = "psk") -> Connection:
    """What a strongSwan at our own end would be told."""
    ours, theirs = peers(link)
    return Connection(local=ours, remote=theirs, auth=auth)
