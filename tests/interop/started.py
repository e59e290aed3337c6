"""A scene with ikeref and another daemon, started."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.interop.guest import Guest
from tests.interop.libreswan import Libreswan
from tests.interop.link import Link
from tests.interop.openiked import RETRANSMITS, OpenIked
from tests.interop.ours import Ikeref
from tests.interop.pki import Pki
from tests.interop.relay import Bridge
from tests.interop.scene import Scene, connections
from tests.interop.strongswan import StrongSwan

NOTHING: Mapping[str, Any] = MappingProxyType({})

INITIAL_SECONDS, BASE, TRIES = 0.2, 1.3, 9
"""How both ends retransmit: after 0.2 s, each wait 1.3 times the one before, 9 times; 8.5 s until they give up."""

EVERYTHING = bool(os.environ.get("IKEREF_INTEROP_ALL"))
"""Not the selection alone."""

SEED = int(os.environ.get("IKEREF_INTEROP_SEED", "7"))
"""Of what the network loses where `loss` of all datagrams, in each direction, get lost."""


class Started(NamedTuple):
    """A scene, and its ends by their own types."""

    scene: Scene
    ikeref: Ikeref
    strongswan: StrongSwan


class GuestStarted(NamedTuple):
    """The same with a daemon of the guest."""

    scene: Scene
    ikeref: Ikeref
    daemon: Libreswan | OpenIked


Start = Callable[..., Started]
GuestStart = Callable[..., GuestStarted]


RETRANSMISSION = {"retransmit_initial_seconds": INITIAL_SECONDS, "retransmit_base": BASE, "retransmit_tries": TRIES}


def guest_starter(guest: Guest, pki: Pki, stack: ExitStack) -> Callable[..., GuestStarted]:
    """Starts ikeref and a daemon of the guest, `libreswan` or `openiked`, with a bridge between them.

    `nat` and `family` are those of the link; the other words are as `starter` has them.
    """
    daemons: dict[str, type[Libreswan] | type[OpenIked]] = {"libreswan": Libreswan, "openiked": OpenIked}

    def run(
        name: str,
        auth: str = "psk",
        *,
        ours: Mapping[str, Any] = NOTHING,
        theirs: Mapping[str, Any] = NOTHING,
        settings: Mapping[str, float] = NOTHING,
        lines: tuple[str, ...] = (),
        loss: float = 0.0,
        nat: tuple[str, ...] = (),
        family: int = 4,
        certificates: Pki = pki,
        networks: tuple[Mapping[str, str], Mapping[str, str]] | None = None,
    ) -> GuestStarted:
        link = Link(nat=nat, family=family, guest=guest)
        stack.callback(link.close)
        bridge = Bridge(link, loss=loss, seed=SEED)
        stack.callback(bridge.close)
        our_connection, their_connection = connections(link, auth, networks)
        daemon = daemons[name](guest, lines)
        stack.callback(daemon.close)
        daemon.load(their_connection._replace(**theirs), certificates)
        ikeref = Ikeref(
            link.ours.namespace, our_connection._replace(**ours), {**RETRANSMISSION, **settings}, certificates
        )
        stack.callback(ikeref.close)
        patience = sum(RETRANSMITS) if loss and name == "openiked" else 60
        return GuestStarted(Scene(bridge, ikeref, daemon, patience=patience, every=0.2), ikeref, daemon)

    return run


def starter(strongswan_root: Path, pki: Pki, stack: ExitStack) -> Start:
    """Starts ikeref and strongSwan with a bridge between them.

    `ours` and `theirs` change what each is told of the connection, `settings` are further ones of ikeref's endpoint,
    `lines` further ones of strongswan.conf. With `secrets` strongSwan logs its keys. `networks` are the traffic
    selectors of our end and of theirs, for each Child SA; `remote` is what our end takes theirs for. `nat` and `family`
    are those of the link. `library` is
    loaded before strongSwan's own.
    """

    def run(
        auth: str = "psk",
        *,
        ours: Mapping[str, Any] = NOTHING,
        theirs: Mapping[str, Any] = NOTHING,
        settings: Mapping[str, float] = NOTHING,
        lines: tuple[str, ...] = (),
        tries: int = TRIES,
        loss: float = 0.0,
        secrets: bool = False,
        networks: tuple[Mapping[str, str], Mapping[str, str]] | None = None,
        remote: Mapping[str, str] | None = None,
        library: Path | None = None,
        nat: tuple[str, ...] = (),
        family: int = 4,
        certificates: Pki = pki,
    ) -> Started:
        link = Link(nat=nat, family=family)
        stack.callback(link.close)
        bridge = Bridge(link, loss=loss, seed=SEED)
        stack.callback(bridge.close)
        our_connection, their_connection = connections(link, auth, networks)
        if remote is not None:
            our_connection = our_connection._replace(remote=our_connection.remote._replace(networks=remote))
        strongswan = StrongSwan(
            strongswan_root,
            link.theirs.namespace,
            (
                f"retransmit_timeout = {INITIAL_SECONDS}",
                f"retransmit_base = {BASE}",
                f"retransmit_tries = {tries}",
                *lines,
            ),
            secrets=secrets,
            library=library,
        )
        stack.callback(strongswan.close)
        strongswan.load(their_connection._replace(**theirs), certificates)
        retransmission = {**RETRANSMISSION, "retransmit_tries": tries}
        ikeref = Ikeref(
            link.ours.namespace, our_connection._replace(**ours), {**retransmission, **settings}, certificates
        )
        stack.callback(ikeref.close)
        return Started(Scene(bridge, ikeref, strongswan, patience=30 if loss else 10), ikeref, strongswan)

    return run
