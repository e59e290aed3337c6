"""What an implementation of IKEv2 has to offer to be tested: octets in and out, and a clock (Sections 1.2 to 1.4, 2.1).

Whoever writes an adapter implements `Implementation`. Three of its methods are needed; commands, keys and the view of
SAs are there for those that have them, and `Implementation` itself says that there are none.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple, Protocol

from ikeref_properties.capture.keys import Keys

Address = tuple[str, int]
"""Numeric IPv4 or IPv6 address and UDP port."""


class Unsupported(Exception):
    """The implementation has no such command; it is not asked again in that run."""


class Ask(StrEnum):
    """What an implementation may be told to do, on its newest IKE SA."""

    INITIATE = "initiate"
    """Begin an IKE SA with the peer (Section 1.2)."""
    CREATE_CHILD = "create"
    """Create a further Child SA (Section 1.3.1)."""
    REKEY_CHILD = "rekey child"
    """Replace a Child SA (Section 1.3.3)."""
    REKEY_IKE = "rekey IKE"
    """Replace the IKE SA (Section 1.3.2)."""
    DELETE_CHILD = "delete child"
    """Close a Child SA (Section 1.4.1)."""
    DELETE_IKE = "delete IKE"
    """Close the IKE SA (Section 1.4.1)."""
    LIVENESS = "liveness"
    """Send an INFORMATIONAL request without payloads (Section 1.4)."""


class Command(NamedTuple):
    """A command."""

    ask: Ask
    spi: bytes = b""
    """REKEY_CHILD, DELETE_CHILD: the SPI with which the implementation receives on that Child SA, 4 octets."""


class ChildView(NamedTuple):
    """A Child SA, both of its directions open, as the implementation sees it."""

    spi_in: bytes
    """Chosen by the implementation, 4 octets."""
    spi_out: bytes
    """Chosen by the peer, 4 octets."""
    key_in: bytes = b""
    """Encryption key, salt included, then integrity key, of the inbound direction; empty if it doesn't tell."""
    key_out: bytes = b""


class View(NamedTuple):
    """What an implementation has."""

    ikes: frozenset[tuple[bytes, bytes]]
    """SPIi and SPIr of every IKE SA whose peer is authenticated and that isn't closed."""
    children: frozenset[ChildView]


class Implementation(Protocol):
    """One end, fresh and without SAs, that has one peer. Times are seconds of a clock that the campaign keeps.

    Datagrams are IKE messages, without a non-ESP marker; all that are returned go to the peer, in order.
    """

    def receive(self, datagram: bytes, source: Address, destination: Address, now: float) -> Iterable[bytes]:
        """Process a datagram; what is sent because of it."""
        ...

    def tick(self, now: float) -> Iterable[bytes]:
        """Do what is due by now; what is sent because of it."""
        ...

    def next_deadline(self) -> float | None:
        """When `tick` wants to be called next; None if never, or if nobody knows."""
        ...

    def command(self, command: Command, now: float) -> Iterable[bytes]:
        """Do what an operator asks for; nothing is sent where it can't be done now. Raises Unsupported."""
        raise Unsupported(f"{command.ask} at {now}")

    def keys(self) -> Iterable[Keys]:
        """Keys of IKE SAs; ikeref's own suffice as a rule."""
        return ()

    def sas(self) -> View | None:
        """The SAs that it has; None if it doesn't tell."""
        return None

    def close(self) -> None:
        """The run is over."""
        return None  # noqa: RET501 (an empty body would make it abstract)


Factory = Callable[[int], Implementation]
"""Makes a fresh implementation. The number is a seed: one whose nonces and SPIs follow from it has runs that repeat."""
