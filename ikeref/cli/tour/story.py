"""The trace in the order in which it is told: per stage, what each end did and which datagrams crossed.

Both pictures, on the terminal and in HTML, draw the same story.
"""

from typing import NamedTuple

from ikeref.cli import words
from ikeref.cli.tour.annotate import Annotation
from ikeref.cli.tour.life import Outcome, Stage
from ikeref.cli.tour.trace import Alarm, Arrival, Flight, Initiate, Moment, Side
from ikeref.registry import PayloadType
from ikeref.sa import Audit, Closed, Established, Failed, Install, Output, Remove, Replayed
from ikeref.wire import peek


class Note(NamedTuple):
    """Something at one end's lifeline."""

    side: Side
    kind: str
    """`command`, `timer`, `arrival`, `sa` (one came or went), `audit` or `failed`."""
    text: str
    output: Output | None = None
    """What it tells of, where that is an output."""


class Verdict(NamedTuple):
    """What the model says of the moment that ends here."""

    side: Side
    annotation: Annotation


class Arrow(NamedTuple):
    """A datagram, where it was sent."""

    number: int
    """Counts from 1 through the tour."""
    flight: Flight
    title: str
    """`IKE_AUTH request 1`, `INFORMATIONAL request 3 · deletes ESP 0063bd80`."""
    notation: str
    """Payloads as the RFC writes them."""

    @property
    def sender(self) -> Side:
        return self.flight.sender

    @property
    def fate(self) -> str:
        """What the network did to it, in a word; empty where it just passed."""
        fate = self.flight.fate
        words = ("lost" if fate.dropped else "", "duplicated" if fate.duplicated else "", "late" if fate.held else "")
        return " and ".join(word for word in words if word)


Item = Note | Verdict | Arrow


class Chapter(NamedTuple):
    """A stage, told."""

    number: int
    stage: Stage
    items: tuple[Item, ...]


def tell(outcome: Outcome, annotations: tuple[Annotation, ...]) -> tuple[Chapter, ...]:
    """The story of an outcome; `annotations` has one entry for each moment."""
    trace = outcome.trace
    chapters: list[list[Item]] = [[] for _ in outcome.stages]
    sent: dict[int, list[int]] = {}
    for index, flight in enumerate(trace.flights):
        sent.setdefault(flight.moment, []).append(index)
    arrived: set[int] = set()
    last_arrow = -1
    for index, moment in enumerate(trace.moments):
        items = chapters[moment.stage]
        items += _cause(moment, arrived, last_arrow)
        items += [note for output in moment.outputs if (note := _effect(moment.side, output)) is not None]
        items.append(Verdict(moment.side, annotations[index]))
        for number in sent.get(index, []):
            items.append(arrow(number, trace.flights[number]))
            last_arrow = number
    return tuple(
        Chapter(index + 1, stage, tuple(items))
        for index, (stage, items) in enumerate(zip(outcome.stages, chapters, strict=True))
        if items
    )


def arrow(index: int, flight: Flight) -> Arrow:
    """The arrow of the flight with that index."""
    if flight.message is None:
        return Arrow(index + 1, flight, "NAT keepalive", "one octet, 0xff")
    notation = words.notation(flight.message, protected=is_protected(flight))
    about = words.about(flight.message)
    title = words.exchange(flight.message) + (f" · {about}" if about else "")
    return Arrow(index + 1, flight, title, notation)


def is_protected(flight: Flight) -> bool:
    """Whether its payloads travel inside SK."""
    return flight.message is not None and peek(flight.octets).next_payload in (PayloadType.SK, PayloadType.SKF)


def _cause(moment: Moment, arrived: set[int], last_arrow: int) -> list[Item]:
    match moment.cause:
        case Initiate():
            return [Note(moment.side, "command", "command: initiate an IKE SA")]
        case Alarm():
            return [Note(moment.side, "timer", "timer")]
        case Arrival(flight=flight):
            again = flight in arrived
            arrived.add(flight)
            if flight < 0:
                return [Note(moment.side, "arrival", "octets arrive that nobody sent")]
            if again or flight != last_arrow:
                return [Note(moment.side, "arrival", f"#{flight + 1} arrives{' again' if again else ''}")]
            return []
        case command:
            return [Note(moment.side, "command", f"command: {words.command(command)}")]


def _effect(side: Side, output: Output) -> Note | None:
    text = words.effect(output)
    if not text:
        return None
    match output:
        case Install() | Remove() | Established() | Closed():
            kind = "sa"
        case Failed():
            kind = "failed"
        case Replayed() | Audit() | _:
            kind = "audit"
    return Note(side, kind, text, output)
