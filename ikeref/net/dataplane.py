"""What Child SAs are installed into (Sections 1.4.1 and 2.8: each direction by itself).

The protocol says when a direction opens and closes; what then carries packets is a `DataPlane`. `RecordingDataPlane`,
the default, carries none and remembers all.
"""

from typing import NamedTuple, Protocol

from ikeref.sa.outputs import Install, Moved, Remove
from ikeref.sa.values import Path


class NotInstalled(Exception):
    """A data plane can't open a direction, and says why: the Child SA is deleted then (Section 1.4.1)."""


class DataPlane(Protocol):
    """Opens and closes one direction of a Child SA, and takes packets; no method but `install` may raise."""

    def install(self, install: Install) -> None:
        """Open a direction; for inbound traffic it is there before the peer can send. Raises NotInstalled."""
        ...

    def remove(self, remove: Remove) -> None:
        """Close a direction and forget its keys; also one that it refused to open."""
        ...

    def moved(self, moved: Moved) -> None:
        """Send on another path from now on (Section 2.23)."""
        ...

    def arrived(self, packet: bytes, path: Path, ecn: int) -> None:
        """An ESP packet came in UDP; `ecn` is the ECN field of the IP header around it (Sections 2.23, 2.24)."""
        ...


class Direction(NamedTuple):
    """One direction of a Child SA, as the receiver names it."""

    inbound: bool
    protocol_id: int
    spi: bytes
    """4 octets, chosen by the end that receives."""


class RecordingDataPlane:
    """Carries nothing: keeps what is open, with its keys, and without them all that ever happened."""

    def __init__(self) -> None:
        self.open: dict[Direction, Install] = {}
        self.history: list[tuple[str, Direction]] = []
        """("install" | "remove", direction), in order."""
        self.faults: list[str] = []
        """What a real data plane could not have done: opening what is open, closing what is not."""

    def install(self, install: Install) -> None:
        """Open a direction."""
        direction = _direction(install)
        if direction in self.open:
            self.faults.append(f"{_text(direction)} is installed twice")
        self.open[direction] = install
        self.history.append(("install", direction))

    def remove(self, remove: Remove) -> None:
        """Close a direction."""
        direction = _direction(remove)
        if self.open.pop(direction, None) is None:
            self.faults.append(f"{_text(direction)} is removed and was not installed")
        self.history.append(("remove", direction))

    def moved(self, moved: Moved) -> None:
        """Note the other path."""
        for child in moved.children:
            direction = Direction(False, child.protocol_id, child.spi_out)
            if direction in self.open:
                self.open[direction] = self.open[direction]._replace(path=moved.path)

    def arrived(self, packet: bytes, path: Path, ecn: int) -> None:
        """Let a packet fall."""

    def pairs(self) -> tuple[tuple[bytes, bytes], ...]:
        """Inbound and outbound SPI of each Child SA of which both directions are open, in the order of opening."""
        found: list[tuple[bytes, bytes]] = []
        for direction, install in self.open.items():
            child = install.child
            if direction.inbound and Direction(False, child.protocol_id, child.spi_out) in self.open:
                found.append((child.spi_in, child.spi_out))
        return tuple(found)


def _direction(output: Install | Remove) -> Direction:
    child = output.child
    return Direction(output.inbound, child.protocol_id, child.spi_in if output.inbound else child.spi_out)


def _text(direction: Direction) -> str:
    return f"{'inbound' if direction.inbound else 'outbound'} SPI {direction.spi.hex()}"
