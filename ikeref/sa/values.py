"""The values of which a session consists: IKE SAs, Child SAs, exchanges and commands (Sections 1.1 to 1.4, 2.8, 2.9).

A `Session` is an IKE SA with its successors until the old one is gone, and the Child SAs that it controls. Who inherits
is decided across all of them (Section 2.8.2), so they are one value. Nothing here acts; `ikeref.sa.step` does.
"""

from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeVar

from ikeref.crypto import ChildKeys, ChildSuite, IkeKeys, Suite
from ikeref.crypto.envelope import Fragment
from ikeref.policy.attributes import Internal
from ikeref.policy.connections import ChildConfig, Connection
from ikeref.policy.identities import Identity
from ikeref.sa.certification import NOTHING_ASKED, Asked, Fetched
from ikeref.sa.conversation import Conversation
from ikeref.sa.options import NO_OPTIONS, Options
from ikeref.wire import CfgAttr, Message, Proposal, TrafficSelector
from ikeref.wire.header import new

Address = tuple[str, int]
"""Numeric IPv4 or IPv6 address and UDP port."""


class Path(NamedTuple):
    """Where datagrams of an IKE SA travel."""

    local: Address
    remote: Address
    encapsulated: bool = False
    """Whether a non-ESP marker of four zero octets precedes the IKE header (Section 2.23)."""

    def room(self, octets: int) -> int:
        """The longest IKE message whose IP datagram has at most so many octets (7383-2.5.1-01)."""
        ip = 40 if ":" in self.remote[0] else 20
        return octets - ip - 8 - (4 if self.encapsulated else 0)


class Phase(IntEnum):
    """How far an IKE SA has come."""

    INIT_SENT = 1
    """Initiator: IKE_SA_INIT request sent (Section 1.2)."""
    HALF_OPEN = 2
    """Responder: IKE_SA_INIT answered, the initiator unauthenticated (Section 2.6)."""
    AUTH_SENT = 3
    """Initiator: IKE_AUTH request sent."""
    CANDIDATE = 4
    """Made by the peer's rekey, which crossed ours; who inherits is decided when ours is answered (Section 2.8.2)."""
    ESTABLISHED = 5
    REKEYED = 6
    """A successor exists; only the Delete of this IKE SA is still to come (Section 2.8)."""
    DELETING = 7
    """Our request to delete it is unanswered (Section 1.4.1)."""
    CLOSED = 8
    """Gone but for its last response, which is replayed on request for a while (Section 2.1)."""


class ChildState(IntEnum):
    """What is under way for a Child SA at this end."""

    OPEN = 1
    REKEYING = 2
    """Our request to replace it is unanswered (Section 1.3.3)."""
    REPLACED = 3
    """A newer Child SA took its place; waiting for the Delete, ours or the peer's (Section 2.8)."""
    DELETING = 4
    """Our request to delete it is unanswered (Section 1.4.1)."""


class ChildSa(NamedTuple):
    """A pair of ESP or AH SAs as one end sees it; each direction is installed and removed by itself (Section 1.4.1)."""

    name: str
    """Of the ChildConfig that it was negotiated from."""
    spi_in: bytes
    """Chosen here; names the pair in our Delete payloads. 4 octets."""
    spi_out: bytes
    """Chosen by the peer. 4 octets."""
    suite: ChildSuite
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    initiator: bool
    """Whether this end initiated the exchange that made it: says which half of `keys` is whose (Section 2.17)."""
    keys: ChildKeys | None
    """Until both directions are installed; None afterwards."""
    transport: bool = False
    """Transport mode instead of tunnel mode (Section 1.3.1)."""
    inbound: bool = True
    outbound: bool = True
    state: ChildState = ChildState.OPEN
    replaces: bytes = b""
    """spi_in of the Child SA that this one was created to replace; empty where there is none."""
    redundant: bool = False
    """Lost the comparison of nonces; whoever created it deletes it (Section 2.8.1)."""
    rekey_at: float = 0.0
    """When its age asks for a successor (Section 2.8); 0: never."""
    options: Options = NO_OPTIONS
    original: tuple[bytes, ...] = ()
    """Transport mode through a NAT: the addresses of TSi and TSr as they were received (Section 2.23.1), with which
    checksums are mended. Empty where nothing was substituted."""
    ends_at: float = 0.0
    """When it must not be used any longer (Section 2.8); 0: never."""

    @property
    def protocol_id(self) -> int:
        return self.suite.protocol_id

    @property
    def half_closed(self) -> bool:
        """One direction is gone and the other is not: anomalous if it persists (Section 1.4.1)."""
        return self.inbound and not self.outbound and self.state is ChildState.DELETING


class Crossing(NamedTuple):
    """The peer's rekey of what we are rekeying ourselves, which we answered (Sections 2.8.1, 2.8.2).

    Remembered with our own exchange, not looked up later: the SA that it made may be gone when nonces are compared.
    """

    nonces: tuple[bytes, bytes]
    """Ni and Nr of the peer's exchange."""
    spi: bytes
    """Our SPI of the SA that the peer's exchange made."""
    spis: tuple[bytes, bytes]
    """SPIs of that SA: its initiator's, its responder's; they decide where the nonces are all the same."""


# What a command asks for. They wait in the queue of an IKE SA until its window has room (Section 2.3).


class CreateChild(NamedTuple):
    """Create a further Child SA (Section 1.3.1)."""

    name: str
    attempt: int = 0
    group: int = 0
    """Key exchange group that the peer asked for by INVALID_KE_PAYLOAD; 0: our first choice."""
    packet: tuple[TrafficSelector, ...] = ()
    """Source and destination of the packet that asked for it, one address each (Section 2.9); empty: none did."""
    alone: bool = False
    """Ask for the traffic of the packet only: the peer wants a Child SA for each pair of addresses (Section 2.9)."""


class RekeyChild(NamedTuple):
    """Replace a Child SA (Section 1.3.3)."""

    spi_in: bytes
    attempt: int = 0
    group: int = 0


class RekeyIke(NamedTuple):
    """Replace the IKE SA; its Child SAs move (Section 1.3.2)."""

    attempt: int = 0
    group: int = 0


class DeleteChild(NamedTuple):
    """Close a Child SA (Section 1.4.1)."""

    spi_in: bytes
    protocol_id: int = 0
    """0, or the protocol of a Child SA that the peer alone has, because we don't accept its answer (Section 2.21)."""
    spi_out: bytes = b""
    """Of such a Child SA what the peer calls it, if its answer says."""
    due: bool = False
    """Whether a rekey of ours calls for it, of what it replaced or of what lost (Section 2.8)."""


class DeleteIke(NamedTuple):
    """Close the IKE SA and all its Child SAs (Section 1.4.1)."""


class CheckLiveness(NamedTuple):
    """Ask whether the peer is alive, by an empty INFORMATIONAL (Sections 1.4, 2.4)."""


class Report(NamedTuple):
    """Tell the peer, after a failed IKE_AUTH response, what was wrong with it (Section 2.21.2)."""

    notify: int


class AnnounceWindow(NamedTuple):
    """Tell the peer how many requests we take at once on this IKE SA (Section 2.3)."""


class TellInvalidSpi(NamedTuple):
    """Tell the peer the SPI of an ESP or AH packet of its for which there is no Child SA here (7296-1.5-02)."""

    spi: bytes


class AskConfiguration(NamedTuple):
    """Ask the peer, in an exchange of its own, for configuration (Sections 2.19, 2.20, 3.15.4)."""

    attributes: tuple[CfgAttr, ...] = ()
    """Empty: what the connection asks for in IKE_AUTH."""


Notice = DeleteChild | DeleteIke | CheckLiveness | Report | AnnounceWindow | TellInvalidSpi | AskConfiguration
"""What is done by INFORMATIONAL."""

Command = CreateChild | RekeyChild | RekeyIke | Notice


# What an unanswered request was sent for, with all that is needed to process its response.


class Initial(NamedTuple):
    """IKE_SA_INIT; what belongs to it is in the IKE SA's handshake."""


class Authentication(NamedTuple):
    """IKE_AUTH with, perhaps, the first Child SA."""

    child: ChildConfig | None
    spi_in: bytes
    proposals: tuple[Proposal, ...]


class ChildRequest(NamedTuple):
    """CREATE_CHILD_SA that creates or rekeys a Child SA."""

    command: CreateChild | RekeyChild
    config: ChildConfig
    spi_in: bytes
    nonce: bytes
    proposals: tuple[Proposal, ...]
    group: int
    private: Any
    """The provider's; None without KE."""
    tsi: tuple[TrafficSelector, ...]
    tsr: tuple[TrafficSelector, ...]
    transport: bool = False
    """Whether transport mode is asked for (Section 1.3.1)."""
    crossing: Crossing | None = None
    condemned: tuple[bytes, ...] = ()
    """SPIs that the peer deleted meanwhile and we don't know: one may be in the answer that is yet to come."""


class IkeRequest(NamedTuple):
    """CREATE_CHILD_SA that rekeys the IKE SA."""

    command: RekeyIke
    spi: bytes
    nonce: bytes
    proposals: tuple[Proposal, ...]
    group: int
    private: Any
    crossing: Crossing | None = None


class Informational(NamedTuple):
    """INFORMATIONAL: a Delete, a liveness check, a report, the size of our window or a question."""

    command: Notice


Intent = Initial | Authentication | ChildRequest | IkeRequest | Informational


class Exchange(NamedTuple):
    """A request of ours without a response yet (Section 2.1)."""

    message_id: int
    message: Message
    """In clear, for those who watch."""
    datagrams: tuple[bytes, ...]
    """As sent, without non-ESP marker: one, or its fragments (RFC 7383). A retransmission is identical to the octet."""
    intent: Intent
    deadline: float
    """When to send it again, or to give up."""
    transmissions: int = 1


class Answer(NamedTuple):
    """The response that is kept for retransmissions of its request (Section 2.1)."""

    message: Message
    datagrams: tuple[bytes, ...]


class Partial(NamedTuple):
    """A message of the peer of which some fragments have come (RFC 7383 section 2.6)."""

    message_id: int
    response: bool
    total: int
    """How many fragments it has."""
    expires: float
    """When it is forgotten."""
    parts: tuple[Fragment, ...]


class Held(NamedTuple):
    """A message that waits until certificates are fetched by hash and URL (Section 3.6)."""

    message: Message
    path: Path
    urls: tuple[str, ...]


class Handshake(NamedTuple):
    """What an IKE SA needs until both ends are authenticated, and no longer (Sections 2.6, 2.7, 2.15)."""

    ni: bytes
    nr: bytes = b""
    init_request: bytes = b""
    """The last IKE_SA_INIT request, from the first octet of the header; AUTH covers it."""
    init_response: bytes = b""
    hashes: frozenset[int] = frozenset()
    """Hash algorithms that the peer announced for signatures (RFC 7427 section 4)."""
    group: int = 0
    private: Any = None
    cookie: bytes = b""
    rounds: int = 0
    """IKE_SA_INIT requests sent so far, retransmissions not counted."""
    hint: str = ""
    """What an unauthenticated error notification said; nothing acts on it but the final report (Section 2.21.1)."""
    childless: bool = False
    """The peer supports an IKE SA without Child SA (RFC 6023)."""
    expires: float = 0.0
    """Responder: when the half-open IKE SA is discarded, whatever came in until then (Section 2.4)."""
    packet: tuple[TrafficSelector, ...] = ()
    """Initiator: source and destination of the packet that asked for the first Child SA (Section 2.9)."""
    eap: Conversation | None = None
    """How far authentication by EAP has come; None without it (Section 2.16)."""
    asked: Asked = NOTHING_ASKED
    """Which certificates of ours the peer would like to see (Section 3.7)."""
    held: Held | None = None
    fetched: tuple[Fetched, ...] = ()
    """What lookups came to, also those that failed (Section 3.6)."""


class IkeSa(NamedTuple):
    """An IKE SA as one end sees it."""

    phase: Phase
    initiator: bool
    """Whether this end is the original initiator: it sent IKE_SA_INIT, or the request of the rekey (Section 1.3.2)."""
    spi_i: bytes
    spi_r: bytes
    path: Path
    suite: Suite | None = None
    keys: IkeKeys | None = None
    next_request: int = 0
    """Message ID of our next request (Section 2.2)."""
    expected: int = 0
    """The lowest message ID of the peer's requests that is unanswered (Section 2.2)."""
    sealed: int = 0
    """Messages protected so far with our keys; the IV of a counter-mode cipher (RFC 5282 section 3.1)."""
    outstanding: tuple[Exchange, ...] = ()
    """Oldest first."""
    answers: tuple[Answer, ...] = ()
    """Those that the peer may still ask for again, latest last."""
    window: int = 1
    """How many requests we take at once, as announced (Section 2.3)."""
    peer_window: int = 1
    """How many requests the peer takes at once."""
    handshake: Handshake | None = None
    queue: tuple[Command, ...] = ()
    fragmentation: bool = False
    """Both ends take messages in fragments (RFC 7383)."""
    partial: tuple[Partial, ...] = ()
    nat_local: bool = False
    """A NAT changes our address (Section 2.23)."""
    nat_remote: bool = False
    authenticated_by: int = 0
    """Message ID of the IKE_AUTH exchange that authenticated both ends, the last (Section 2.16); 0: made by a rekey."""
    redundant: bool = False
    """Lost the comparison of nonces; whoever created it deletes it (Section 2.8.2)."""
    succeeded: bool = False
    """Another IKE SA has inherited its Child SAs (Section 2.8)."""
    rekey_at: float = 0.0
    """When its age asks for a successor (Section 2.8); 0: never."""
    ends_at: float = 0.0
    """When it must not be used any longer (Section 2.8); 0: never."""
    heard: float = 0.0
    """When a valid message last came from the peer."""
    sent: float = 0.0
    """When something last went out on the path."""
    expires: float = 0.0
    """When a closed IKE SA is forgotten, or a redundant one no longer waited for; 0: never."""

    @property
    def spi(self) -> bytes:
        """Our own SPI, by which the peer's datagrams find us. 8 octets."""
        return self.spi_i if self.initiator else self.spi_r

    @property
    def peer_spi(self) -> bytes:
        return self.spi_r if self.initiator else self.spi_i

    @property
    def waiting(self) -> tuple[int, ...]:
        """The message IDs of our requests without a response."""
        return tuple([exchange.message_id for exchange in self.outstanding])

    @property
    def answered(self) -> tuple[int, ...]:
        """The message IDs of the peer's requests whose responses are kept."""
        return tuple([answer.message.message_id for answer in self.answers])

    @property
    def rekey(self) -> Exchange | None:
        """Our request to rekey this IKE SA, while it is unanswered."""
        for exchange in self.outstanding:
            if isinstance(exchange.intent, IkeRequest):
                return exchange
        return None

    def rekey_of(self, spi_in: bytes) -> Exchange | None:
        """Our request to rekey the Child SA with that inbound SPI, while it is unanswered."""
        for exchange in self.outstanding:
            match exchange.intent:
                case ChildRequest(command=RekeyChild(spi_in=spi)) if spi == spi_in:
                    return exchange
                case _:
                    pass
        return None

    def may_lose(self, spi_in: bytes) -> bool:
        """Whether the answer to our rekey decides if that Child SA, which the peer's rekey has made, stays (2.8.1)."""
        for exchange in self.outstanding:
            match exchange.intent:
                case ChildRequest(crossing=Crossing(spi=spi)) if spi == spi_in:
                    return True
                case _:
                    pass
        return False

    @property
    def owner(self) -> bool:
        """Whether the Child SAs are its own, even while it is being deleted (Sections 1.4.1, 2.8)."""
        return not self.redundant and not self.succeeded and self.phase not in (Phase.CANDIDATE, Phase.CLOSED)


_PLACES: Final = {
    kind: {name: place for place, name in enumerate(kind._fields)} for kind in (IkeSa, ChildSa, Handshake)
}
W = TypeVar("W", IkeSa, ChildSa, Handshake)


def changed(value: W, **changes: Any) -> W:
    """`value._replace(**changes)` in half the time: each message changes values that have many fields."""
    kind = type(value)
    places, fields = _PLACES[kind], [*value]
    for name, field in changes.items():
        fields[places[name]] = field
    return new(kind, fields)


class Retry(NamedTuple):
    """A command to be tried again after TEMPORARY_FAILURE, not at once (Section 2.25)."""

    due: float
    command: Command


class Session(NamedTuple):
    """An IKE SA, its successors until it is gone, and the Child SAs that they control in turn."""

    connection: Connection
    ikes: tuple[IkeSa, ...]
    """Oldest first."""
    children: tuple[ChildSa, ...] = ()
    """They belong to `current`; an IKE SA rekey therefore moves all of them and each once (Section 2.8)."""
    peer: Identity | None = None
    """What the peer proved to be; None before it did."""
    retries: tuple[Retry, ...] = ()
    internal: Internal | None = None
    """Internal addresses, ours or the peer's; they outlive a rekey of the IKE SA (7296-3.15.1-12)."""

    @property
    def current(self) -> IkeSa | None:
        """The IKE SA that controls the Child SAs and takes commands; None where none is left that could."""
        for ike in self.ikes[::-1]:
            if ike.phase <= Phase.ESTABLISHED and ike.phase is not Phase.CANDIDATE and not ike.redundant:
                return ike
        return None

    @property
    def spis(self) -> tuple[bytes, ...]:
        """SPIs of ours that must not be given out again: of all SAs, half-closed ones too, and of pending requests."""
        taken = [child.spi_in for child in self.children]
        for ike in self.ikes:
            taken.append(ike.spi)
            for exchange in ike.outstanding:
                intent = exchange.intent
                if isinstance(intent, (Authentication, ChildRequest)):
                    taken.append(intent.spi_in)
                elif isinstance(intent, IkeRequest):
                    taken.append(intent.spi)
        return tuple(taken)
