"""What a step tells its caller to do, or that happened (outputs are values; nothing in the core acts)."""

from typing import NamedTuple

from ikeref.crypto import IkeKeys, Suite
from ikeref.policy.attributes import Internal
from ikeref.policy.identities import Identity
from ikeref.sa.values import ChildSa, Path, Session
from ikeref.wire import Message


class Transmit(NamedTuple):
    """Send a datagram."""

    datagram: bytes
    """With its non-ESP marker where the path wants one; a NAT keepalive is the single octet 0xff (Section 2.23)."""
    path: Path
    message: Message | None
    """The same in clear; None for a keepalive, and for all fragments of a message but the first (RFC 7383)."""
    again: bool = False
    """A retransmission, or a response replayed: identical to what was sent before (Section 2.1)."""


class Received(NamedTuple):
    """A message was accepted for processing: new, and verified where it was protected."""

    message: Message
    path: Path


class Replayed(NamedTuple):
    """A request came again and its response was sent again (Section 2.1)."""

    message: Message


class NewKeys(NamedTuple):
    """An IKE SA has keys. For key logs only."""

    spi_i: bytes
    spi_r: bytes
    suite: Suite
    keys: IkeKeys


class Install(NamedTuple):
    """Open one direction of a Child SA: inbound before the peer can send, outbound once it can receive (2.8)."""

    inbound: bool
    child: ChildSa
    """With its keys."""
    path: Path


class Remove(NamedTuple):
    """Close one direction of a Child SA (Section 1.4.1)."""

    inbound: bool
    child: ChildSa


class Moved(NamedTuple):
    """A NAT gives the peer another address: ESP goes there too from now on (7296-2.23-30)."""

    path: Path
    children: tuple[ChildSa, ...]
    """Those with an outbound half."""


class Established(NamedTuple):
    """An IKE SA is up and the peer authenticated, or it succeeded another one."""

    spi_i: bytes
    spi_r: bytes
    peer: Identity
    succeeds: bytes = b""
    """Our SPI of the IKE SA that it replaces; empty for a first one."""


class Configured(NamedTuple):
    """A CFG_REPLY came or went: internal addresses and more, for this end or its peer (Sections 2.19, 3.15)."""

    internal: Internal


class Unconfigured(NamedTuple):
    """Internal addresses are given back: their IKE SA has ended (7296-2.19-02)."""

    internal: Internal


class Fetch(NamedTuple):
    """Fetch a certificate or a bundle by HTTP, and answer by the input `Fetched`, also where it fails (Section 3.6).

    The peer that asks for it is not authenticated: no redirects, nothing larger, and in a bounded time.
    """

    spi: bytes
    """Our SPI of the IKE SA that waits; for the answer."""
    url: str
    """Of scheme http, and of a host that policy names."""
    limit_octets: int
    peer: str = ""
    """The address of that peer, so that none of them can have all lookups for itself."""


class InitialContact(NamedTuple):
    """The peer, authenticated, says that it has no other IKE SA with us: what is left here is stale (7296-2.4-04)."""

    local: Identity
    peer: Identity


class Closed(NamedTuple):
    """An IKE SA is gone."""

    spi_i: bytes
    spi_r: bytes
    reason: str


class Failed(NamedTuple):
    """A command came to nothing, the IKE SA lives on."""

    what: str
    reason: str


class Audit(NamedTuple):
    """Something that an operator may want to know; it changed nothing."""

    reason: str
    spi: bytes = b""


Output = (
    Transmit
    | Received
    | Replayed
    | NewKeys
    | Install
    | Remove
    | Moved
    | Established
    | Configured
    | Unconfigured
    | InitialContact
    | Fetch
    | Closed
    | Failed
    | Audit
)


class Step(NamedTuple):
    """The result of a step: the session as it is now, None where nothing is left of it, and what to do."""

    session: Session | None
    outputs: tuple[Output, ...]
