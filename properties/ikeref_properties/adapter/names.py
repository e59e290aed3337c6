"""Names for the SAs of the watched end, by the SPIs in messages (Sections 1.3.2, 1.3.3, 1.4.1, 2.6).

A Child SA has two SPIs, one of either end: a Delete and REKEY_SA bear that of their sender. Both come to one name.
"""

from dataclasses import dataclass, field

from ikeref_model import events
from ikeref_model.events import Change, Direction, Kind, Outcome

from ikeref.registry import ExchangeType
from ikeref.wire import Message
from ikeref_properties.adapter.messages import spis_of, violation
from ikeref_properties.refinement import words


@dataclass(slots=True)
class Asked:
    """A request of the watched end that is unanswered."""

    message: Message
    kind: Kind
    subjects: tuple[str, ...]
    """The Child SAs that it names."""
    made: tuple[Change, ...]
    """The SAs that it would bring into being."""
    crossing: tuple[bytes, bytes] | None = None
    """Ni and Nr of the peer's rekey of the same SA, answered meanwhile (Sections 2.8.1, 2.8.2)."""


@dataclass(slots=True)
class Sa:
    """An IKE SA of the watched end."""

    name: str
    next_own: int = 0
    """Message ID of its next request."""
    seen: int = 0
    """The lowest Message ID of a request of the peer that was not answered yet."""
    ahead: tuple[int, ...] = ()
    """Those above it that were."""
    window: int = 1
    """How many requests the watched end takes at once, as it has announced (Section 2.3)."""
    peer_window: int = 1
    """How many the peer takes, as it has announced."""
    asked: dict[int, Asked] = field(default_factory=dict)
    """Its requests without a response, by Message ID."""

    def beyond(self, message_id: int) -> bool:
        """Whether a request of the watched end would lie beyond the peer's window."""
        return bool(self.asked) and message_id >= min(self.asked) + self.peer_window


class Names:
    """What is called how. Mutable: it grows with every request and response that names something new."""

    def __init__(self) -> None:
        self.sas: dict[bytes, Sa] = {}
        """IKE SAs by the watched end's SPI."""
        self._children: dict[tuple[bool, bytes], str] = {}
        """By whether the SPI is that of the watched end, and the SPI."""
        self._heirs: dict[bytes, str] = {}
        """IKE SAs that a rekey is to make, by the SPI of either end."""
        self._made: dict[tuple[bytes, int], tuple[Change, ...]] = {}
        """What the watched end's requests are to make, by its SPI of the IKE SA and Message ID."""

    def carrier(self, message: Message, number: int) -> Sa:
        """The IKE SA over which the watched end sends. Raises Violation if it has none with its SPI."""
        spi = message.spi_i if message.is_initiator else message.spi_r
        if spi not in self.sas:
            if message.exchange_type != ExchangeType.IKE_SA_INIT or message.is_response:
                text = f"SPI {spi.hex()} is of no IKE SA of its sender, or the Initiator flag is wrong"
                raise violation("Initiator flag", number, text, "3.1", "7296-3.1-28", "7296-3.1-29")
            self.sas[spi] = Sa(f"IKE SA {len(self.sas) + 1}")
        return self.sas[spi]

    def receiver(self, message: Message) -> Sa | None:
        """The IKE SA of the watched end that a message of the peer is for."""
        return self.sas.get(message.spi_r if message.is_initiator else message.spi_i)

    def half_open(self, reply: Message | None, number: int) -> Sa:
        """The IKE SA that an IKE_SA_INIT has made, if it has. Raises Violation for an SPI in use."""
        if reply is None or words.outcome_of(Kind.IKE_SA_INIT, reply) is not Outcome.OK:
            return Sa("", seen=1)
        if reply.spi_r in self.sas:
            text = f"SPIr {reply.spi_r.hex()} is that of another IKE SA"
            raise violation("SPIs", number, text, "2.6", "7296-2.6-01")
        self.sas[reply.spi_r] = Sa(f"IKE SA {len(self.sas) + 1}", seen=1)
        return self.sas[reply.spi_r]

    def subjects(self, kind: Kind, message: Message, *, own: bool) -> tuple[str, ...]:
        """The Child SAs that a request names; `own`: the watched end has sent it."""
        if kind is Kind.DELETE_CHILD:
            return self.of(words.deleted_spis(message), own=own)
        if kind is Kind.REKEY_CHILD:
            return self.of((words.rekeyed_spi(message) or b"",), own=own)
        return ()

    def of(self, spis: tuple[bytes, ...], *, own: bool) -> tuple[str, ...]:
        """The Child SAs with these SPIs; `own`: it is the watched end that receives on them."""
        return tuple(self._children.get((own, spi), f"unknown {spi.hex()}") for spi in spis)

    def to_make(self, kind: Kind, message: Message, *, own: bool) -> tuple[Change, ...]:
        """The SAs that a request is to bring into being, named; `own`: the watched end has sent it."""
        spis = tuple(spis_of(message))
        made: tuple[Change, ...] = ()
        if spis and kind is Kind.REKEY_IKE:
            made = (events.Established(self._heirs.get(spis[0]) or f"IKE SA by {spis[0].hex()}"),)
            self._give(spis, made, own=own)
        elif spis and kind in (Kind.IKE_AUTH, Kind.CREATE_CHILD, Kind.REKEY_CHILD):
            name = self._children.get((own, spis[0])) or f"Child SA {len(set(self._children.values())) + 1}"
            made = events.Installed(name, Direction.IN), events.Installed(name, Direction.OUT)
            self._give(spis, made, own=own)
        if own:
            spi = message.spi_i if message.is_initiator else message.spi_r
            self._made[spi, message.message_id] = made
        return made

    def answered(self, reply: Message, made: tuple[Change, ...]) -> None:
        """The watched end has answered: the SPIs that it has chosen."""
        self._give(tuple(spis_of(reply)), made, own=True)

    def learn(self, response: Message) -> None:
        """The peer has answered: the SPIs that it has chosen."""
        spi = response.spi_r if response.is_initiator else response.spi_i
        made = self._made.get((spi, response.message_id), ())
        self._give(tuple(spis_of(response)), made, own=False)

    def _give(self, spis: tuple[bytes, ...], made: tuple[Change, ...], *, own: bool) -> None:
        for spi in spis:
            match made[:1]:
                case (events.Established(name),):
                    self._heirs[spi] = name
                    if own:
                        self.sas.setdefault(spi, Sa(name))
                case (events.Installed(name),):
                    self._children[own, spi] = name
                case _:
                    pass
