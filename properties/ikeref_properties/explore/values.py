"""What an exploration consists of: bounds, actions, states and what is found (Sections 2.1 to 2.3, 2.8, 2.25).

A state is two real sessions and the datagrams between them. Sessions are values, so that a state forks for free.
"""

from typing import NamedTuple

from ikeref import sa
from ikeref.sa import Session
from ikeref_properties.explore.skeleton import EndSkeleton, MessageSkeleton

NAMES = ("A", "B")
KINDS = ("create child", "rekey child", "rekey IKE", "delete child", "delete IKE", "liveness")


class Bounds(NamedTuple):
    """How far an exploration goes."""

    commands: int = 2
    """At each end."""
    losses: int = 1
    duplicates: int = 1
    children: int = 1
    """Child SAs at the start."""
    give_up: bool = False
    """Whether an end may give up a peer that could still answer, and forget a closed IKE SA early (Section 2.4)."""
    early: bool = False
    """Whether a retry after TEMPORARY_FAILURE may come while something is in flight: two may then collide again."""
    kinds: tuple[str, ...] = KINDS
    """Which commands there are."""
    window: int = 1
    """How many requests each end takes at once (Section 2.3)."""
    groups: bool = False
    """Child SAs are rekeyed with KE, and the ends prefer different key exchange groups (Sections 1.2, 1.3)."""
    every_nonce: bool = True
    """Each order of the nonces that are compared; else only the one in which they are drawn."""
    steps: int = 0
    """From the start at most; 0: any number."""


class Deviation(NamedTuple):
    """A rule that does not hold."""

    rule: str
    why: str


class Flight(NamedTuple):
    """A datagram on its way."""

    to: int
    datagram: bytes
    skeleton: MessageSkeleton


Old = dict[tuple[bytes, bool], tuple[tuple[int, bytes], ...]]
"""By an IKE SA's SPI at this end, and whether responses are meant: Message ID and octets of what came last."""


class End:
    """One end: its session, and what its outputs so far say of its data plane. A value, for all its being a class."""

    __slots__ = ("closing", "deferred", "doomed", "drawn", "old", "plane", "roots", "session", "skeleton")

    def __init__(
        self,
        session: Session | None,
        drawn: int,
        plane: dict[tuple[bool, bytes], bytes],
        roots: dict[bytes, bytes],
        doomed: frozenset[bytes],
        closing: bool,
        skeleton: EndSkeleton,
        old: Old,
        deferred: frozenset[bytes] = frozenset(),
    ) -> None:
        self.session = session
        self.drawn = drawn
        """How often this end has asked for fresh octets."""
        self.plane = plane
        """Keys by direction (inbound or not) and SPI, as installed."""
        self.roots = roots
        """By inbound SPI: the Child SA that a Child SA descends from by rekeys, named by both its first SPIs."""
        self.doomed = doomed
        """Those that a command has deleted."""
        self.closing = closing
        """Whether the IKE SA may end: by command, or after persistent TEMPORARY_FAILURE (Section 2.25)."""
        self.skeleton = skeleton
        self.deferred = deferred
        """Child SAs, by inbound SPI, of which only the outbound direction is still to be opened (Section 2.8)."""
        self.old = old
        """By the IKE SA's SPI at this end: the response that came last, the two requests that came last."""


class Left(NamedTuple):
    """What may still happen within the bounds."""

    commands: tuple[int, int]
    losses: int
    duplicates: int


class State(NamedTuple):
    """Two ends and the network between them."""

    ends: tuple[End, End]
    flights: tuple[Flight, ...]
    left: Left


class Action(NamedTuple):
    """Something that may happen in a state."""

    what: str
    """deliver, duplicate (deliver, and it comes again), lose, command, retransmit, give up, retry, expire, forget."""
    end: int
    """At which end; for what the network does, the receiver."""
    flight: Flight | None = None
    command: sa.Command | None = None
    which: int = 0
    """The IKE SA of a timer, or the retry, by position."""
    branch: int = 0
    """Which of the possible orders of nonces."""

    @property
    def moves(self) -> bool:
        """Whether fair ends and a fair network do it without being told."""
        return self.what in ("deliver", "retransmit", "give up", "retry", "expire")

    def __str__(self) -> str:
        order = f", order of nonces {self.branch}" if self.branch else ""
        match self.what:
            case "deliver" | "duplicate" | "lose":
                assert self.flight is not None
                return f"{self.what} to {NAMES[self.end]}: {self.flight.skeleton.title}{order}"
            case "command":
                return f"{NAMES[self.end]}: {_command(self.command)}{order}"
            case _:
                return f"{NAMES[self.end]}: {self.what} {self.which}{order}"


def _command(command: sa.Command | None) -> str:
    match command:
        case sa.CreateChild(name=name):
            return f"create Child SA {name}"
        case sa.RekeyChild(spi_in=spi):
            return f"rekey Child SA {spi.hex()}"
        case sa.RekeyIke():
            return "rekey the IKE SA"
        case sa.DeleteChild(spi_in=spi):
            return f"delete Child SA {spi.hex()}"
        case sa.DeleteIke():
            return "delete the IKE SA"
        case _:
            return "check liveness"
