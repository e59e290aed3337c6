"""Which IKE SA, exchange and Child SA a message belongs to (Sections 1.3.2, 2.1, 2.2 and 2.8).

IKE SAs that descend from one another by rekeying make a `Family`; it has two ends, and each is judged by itself. What
an exchange is about is known from all of its messages, wherever they stand in the capture.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ikeref_model.events import Kind, Outcome

from ikeref import wire
from ikeref.registry import ExchangeType
from ikeref_properties.capture import meaning
from ikeref_properties.capture.opening import Seen, State


class Side(StrEnum):
    """The ends of a family: who began its first IKE SA, and who answered."""

    INITIATOR = "initiator"
    RESPONDER = "responder"

    @property
    def other(self) -> "Side":
        return Side.RESPONDER if self is Side.INITIATOR else Side.INITIATOR


@dataclass(slots=True)
class Sa:
    """An IKE SA."""

    name: str
    """SPIi in hexadecimal."""
    spi_i: bytes
    spi_r: bytes
    initiator: Side
    """Which end is its original initiator: who began the rekey that made it."""
    family: str
    """The name of the family's first IKE SA."""
    begun: bool = True
    """Its beginning is in the capture; else it starts in the middle."""
    authenticating: bool = False
    """It starts in the middle, but with IKE_AUTH."""
    keyless: int = 0
    """Protected messages that could not be opened for want of keys."""
    forged: int = 0
    """Messages whose ICV was wrong."""
    opened: int = 0


@dataclass(slots=True)
class Item:
    """A message in its place."""

    index: int
    """Its place among all datagrams."""
    seen: Seen
    sa: Sa
    side: Side
    """Who sent it."""
    message: wire.Message
    exchange: "Exchange"

    @property
    def is_response(self) -> bool:
        return self.message.is_response


@dataclass(slots=True)
class Exchange:
    """A request and its response, the first copies of both."""

    sa: Sa
    requester: Side
    message_id: int
    round: int = 0
    """Of IKE_SA_INIT, where every try has Message ID 0."""
    earlier: "Exchange | None" = None
    """The try before."""
    request: Item | None = None
    response: Item | None = None
    copies: int = 0
    """How many times the request was seen."""
    kind: Kind | None = None
    """None: the capture lacks the request, or the rows lack the exchange."""
    subjects: tuple[str, ...] = ()
    """The Child SAs that the request names."""
    born: str = ""
    """The Child SA that it would bring into being."""
    heir: str = ""
    """The IKE SA that it would bring into being."""
    final: bool = True
    """Not a round of IKE_AUTH after which others follow, nor IKE_INTERMEDIATE."""
    abandoned: bool = False
    """A round after which the initiator reported failure instead of going on (Section 2.21.2)."""
    abandoned_by: Kind | None = None
    """What it sent instead."""
    by_round: bool = False
    """A round of EAP that the rows judge by itself, since the capture has all of them."""
    extensions: tuple[str, ...] = ()
    outcome: Outcome | None = None
    """None: no response is in the capture."""
    answered: tuple[str, ...] = ()
    """The Child SAs that the response deletes."""

    @property
    def key(self) -> tuple[str, str, int, int]:
        return (self.sa.name, self.requester, self.message_id, self.round)


class Other(NamedTuple):
    """A datagram that tells nothing about an IKE SA."""

    place: int
    seen: Seen
    why: str


@dataclass(slots=True)
class Sessions:
    """All that a capture holds, in order and by exchange."""

    items: list[Item] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    sas: dict[str, Sa] = field(default_factory=dict)
    exchanges: dict[tuple[str, str, int, int], Exchange] = field(default_factory=dict)

    def queue(self, sa: Sa, requester: Side) -> list[Exchange]:
        """The exchanges that one end began on an IKE SA, by Message ID."""
        found = [each for each in self.exchanges.values() if each.sa is sa and each.requester is requester]
        return sorted(found, key=lambda each: (each.message_id, each.round))


def sessions(seen: list[Seen]) -> Sessions:
    """Sort what was seen into IKE SAs and exchanges."""
    sorter = _Sorter(seen)
    for index, each in enumerate(seen):
        sorter.place(index, each)
    return sorter.found


class _Sorter:
    """Finds the IKE SA and the exchange of each message."""

    def __init__(self, seen: list[Seen]) -> None:
        self.found = Sessions()
        self.heirs = _heirs(seen)

    def place(self, index: int, seen: Seen) -> None:
        message = seen.message
        if message is None:
            self._other(index, seen, f"undecodable: {seen.problem}")
        elif seen.state is State.PIECE:
            self._other(index, seen, f"{seen.problem}, not complete yet")
        elif message.version >> 4 != 2:
            self._other(index, seen, f"IKE version {message.version >> 4}")
        elif seen.state is State.CLEAR and meaning.one_way(message):
            self._other(index, seen, "a notification outside of any IKE SA (Section 1.5)")
        elif message.exchange_type == ExchangeType.IKE_SA_INIT:
            self._initial(index, seen, message)
        elif seen.state is State.CLEAR:
            self._other(index, seen, "not protected, so anybody may have sent it")
        else:
            self._protected(index, seen, message)

    def _other(self, index: int, seen: Seen, why: str) -> None:
        self.found.others.append(Other(index, seen, why))

    def _initial(self, index: int, seen: Seen, message: wire.Message) -> None:
        """IKE_SA_INIT: rounds that differ bear one Message ID (Section 2.6)."""
        name = message.spi_i.hex()
        if message.is_response == message.is_initiator or message.message_id:
            self._other(index, seen, "IKE_SA_INIT with flags or a Message ID that it can't have")
            return
        sa = self.found.sas.setdefault(name, Sa(name, message.spi_i, wire.NO_SPI, Side.INITIATOR, name))
        sa.begun = True
        rounds = [each for each in self.found.queue(sa, Side.INITIATOR) if each.message_id == 0]
        same = next((each for each in rounds if _same(each, seen, message)), None)
        if same is None and rounds and message.is_response and not _next_round(rounds[-1], message):
            same = rounds[-1]
        request = not message.is_response
        if same is None and request and rounds and rounds[-1].request is None and sa.spi_r != wire.NO_SPI:
            same = rounds[-1]
        if same is None:
            same = Exchange(sa, Side.INITIATOR, 0, len(rounds), rounds[-1] if rounds else None)
            self.found.exchanges[same.key] = same
        if message.is_response and meaning.offer(message) is not None and sa.spi_r == wire.NO_SPI:
            sa.spi_r = message.spi_r
        self._add(index, seen, sa, Side.RESPONDER if message.is_response else Side.INITIATOR, message, same)

    def _protected(self, index: int, seen: Seen, message: wire.Message) -> None:
        sa = self._sa_of(message)
        if seen.state is State.NO_KEYS:
            sa.keyless += 1
            self._other(index, seen, f"not opened: {seen.problem}")
            return
        if seen.state is State.FORGED:
            sa.forged += 1
            self._other(index, seen, "its ICV is wrong: damaged or forged, to be ignored")
            return
        sa.opened += 1
        side = sa.initiator if message.is_initiator else sa.initiator.other
        requester = side.other if message.is_response else side
        key = (sa.name, str(requester), message.message_id, 0)
        exchange = self.found.exchanges.get(key)
        if exchange is None:
            exchange = self.found.exchanges[key] = Exchange(sa, requester, message.message_id)
        self._add(index, seen, sa, side, message, exchange)

    def _sa_of(self, message: wire.Message) -> Sa:
        name = message.spi_i.hex()
        sa = self.found.sas.get(name)
        if sa is None:
            parent, requester = self.heirs.get(message.spi_i, (b"", True))
            origin = self.found.sas.get(parent.hex())
            if origin is not None:
                side = origin.initiator if requester else origin.initiator.other
                sa = Sa(name, message.spi_i, message.spi_r, side, origin.family)
            else:
                sa = Sa(name, message.spi_i, message.spi_r, Side.INITIATOR, name, begun=False)
            self.found.sas[name] = sa
        return sa

    def _add(self, index: int, seen: Seen, sa: Sa, side: Side, message: wire.Message, exchange: Exchange) -> None:
        item = Item(index, seen, sa, side, message, exchange)
        self.found.items.append(item)
        if message.is_response:
            exchange.response = exchange.response or item
        else:
            exchange.request = exchange.request or item
            exchange.copies += 1


def _same(exchange: Exchange, seen: Seen, message: wire.Message) -> bool:
    first = exchange.response if message.is_response else exchange.request
    return first is not None and first.seen.octets == seen.octets


def _next_round(last: Exchange, response: wire.Message) -> bool:
    """Whether a response to IKE_SA_INIT shows a round whose request the capture lacks."""
    if last.response is None or meaning.offer(last.response.message) is not None:
        return False
    before, now = (meaning.outcome_of(Kind.IKE_SA_INIT, each) for each in (last.response.message, response))
    return before is not now


def _heirs(seen: list[Seen]) -> dict[bytes, tuple[bytes, bool]]:
    """By the SPIi of an IKE SA that a rekey makes: SPIi of the old one, and whether its initiator began the rekey."""
    found: dict[bytes, tuple[bytes, bool]] = {}
    for each in seen:
        message = each.message
        if message is None or message.is_response or message.exchange_type != ExchangeType.CREATE_CHILD_SA:
            continue
        wanted = meaning.offer(message)
        if wanted is not None and meaning.kind_of(message) is Kind.REKEY_IKE:
            for spi in wanted.spis:
                found.setdefault(spi, (message.spi_i, message.is_initiator))
    return found
