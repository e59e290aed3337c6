"""What the model says of each moment of a trace.

`ikeref_properties.refinement` turns a step of a real end into the model's words and has a monitor judge it by the rows;
here moments become its records, and its verdicts something to print.
"""

from dataclasses import fields
from typing import NamedTuple

from ikeref_model.endpoint_state import Endpoint
from ikeref_model.events import Change, Command, Input, Observation, Request, Response, Sent, Timer
from ikeref_model.rows import Row
from ikeref_properties import network
from ikeref_properties.closest import fitting
from ikeref_properties.refinement import Observer, Verdict

from ikeref import sa
from ikeref.cli.tour.trace import Alarm, Arrival, Initiate, Moment, Side, Trace

ENDS = {Side.ALICE: network.A, Side.BOB: network.B}


class RowText(NamedTuple):
    """A row that explains a step."""

    name: str
    section: str
    level: str


class Annotation(NamedTuple):
    """The monitor's verdict on one moment."""

    accepted: bool
    event: str
    """What the step is to the model: `request REKEY_CHILD`."""
    rows: tuple[RowText, ...]
    """The rows of one explanation; where the step is rejected, those that explain its beginning."""
    reason: str = ""
    """Why it is rejected."""
    details: tuple[str, ...] = ()
    """Why each of the rows that come closest does not fit, the closest first."""
    judged: bool = True
    """False behind a rejected step of the same end: what state that end is in, nobody can say then."""


LOST = Annotation(False, "", (), "not judged: the model could not follow this end so far", (), judged=False)


def annotate(trace: Trace, rows: tuple[Row, ...] | None = None) -> tuple[Annotation, ...]:
    """The verdict on each moment, in order. `rows` replaces the model's tables, for seeded faults.

    A step that the observer can't even put into the model's words is rejected, never passed over.
    """
    observers = {side: Observer(end, rows=rows) for side, end in ENDS.items()}
    found: list[Annotation] = []
    lost: set[Side] = set()
    for index, moment in enumerate(trace.moments):
        if moment.side in lost:
            found.append(LOST)
            continue
        found.append(_judge(observers[moment.side], index, moment, trace))
        if not found[-1].accepted:
            lost.add(moment.side)
    return tuple(found)


def _judge(observer: Observer, index: int, moment: Moment, trace: Trace) -> Annotation:
    states = observer.monitor.states
    try:
        return _annotation(observer.observe(record(index, moment, trace)), states)
    except (AssertionError, KeyError, LookupError, ValueError) as error:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        return Annotation(False, "", (), "The step can't be put into the model's words", (what,))


def record(index: int, moment: Moment, trace: Trace) -> network.Record:
    """A moment as the refinement reads it."""
    return network.Record(
        index, ENDS[moment.side], moment.time, _event(moment, trace), moment.before, moment.outputs, moment.after
    )


def _event(moment: Moment, trace: Trace) -> network.Event:
    match moment.cause:
        case Initiate():
            return network.Initiate()
        case Alarm():
            return sa.Tick()
        case Arrival(datagram=datagram, path=path, flight=number):
            sent = trace.flights[number].transmit if number >= 0 else None
            sender_path = sa.Path(path.remote, path.local, path.encapsulated)
            message = sent.message if sent is not None else None
            again = sent.again if sent is not None else False
            return network.Flight(number + 1, ENDS[moment.side], datagram, sender_path, message, again)
        case command:
            return command


def _annotation(verdict: Verdict, states: frozenset[Endpoint]) -> Annotation:
    rows: list[RowText] = []
    for match in verdict.rows:
        row = RowText(match.row.name, match.row.section, match.row.level)
        if row not in rows:
            rows.append(row)
    event = "; ".join(_text(observation) for observation in verdict.observations)
    if verdict.ok:
        return Annotation(True, event, tuple(rows))
    _, *candidates = verdict.explanation.splitlines()
    reason = f"No row allows this step: {event}" + _doing(verdict.observations)
    # A row whose situation is the one at hand is closer than one whose is not.
    fits = frozenset[str]().union(*(fitting(states, each) for each in verdict.observations))
    details = sorted(
        (line.strip() for line in candidates),
        key=lambda line: (line.partition(" ")[0] not in fits, ": it needs " in line),
    )
    return Annotation(False, event, tuple(rows), reason, tuple(details))


def _text(observation: Observation) -> str:
    match observation.event:
        case Command(kind=kind):
            return f"command {kind}"
        case Request(kind=kind, position=position):
            return f"request {kind}" + ("" if position == "FRESH" else f" ({position})")
        case Response(kind=kind, outcome=outcome):
            return f"response {kind}: {outcome}"
        case Timer(alarm=alarm):
            return f"timer {alarm}"
        case Input() as what:
            return f"input {what}"


def _doing(observations: tuple[Observation, ...]) -> str:
    """What the end did in answer, as the model sees it."""
    sent = [each for observation in observations for each in observation.sent]
    changes = [each for observation in observations for each in observation.changes]
    words = [_plain(each) for each in sent] + [_plain(each) for each in changes]
    return f", answered by {', '.join(words)}" if words else ", answered by nothing"


def _plain(change: Sent | Change) -> str:
    """`reply OK`, `removed Child SA 1 OUT`."""
    values = [getattr(change, field.name) for field in fields(change)]
    parts = [str(each) for each in values if isinstance(each, str) and each]
    parts += [name for each in values if isinstance(each, tuple) for name in each]
    return " ".join([type(change).__name__.lower(), *parts])
