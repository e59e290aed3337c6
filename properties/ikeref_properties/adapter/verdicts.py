"""What the rows say of a step, for people: the violation with the rows that came closest, or the departure."""

from ikeref_model import events
from ikeref_model.endpoint_state import Endpoint
from ikeref_model.events import Position, Sent
from ikeref_model.monitor import Match, Rejection
from ikeref_model.tables import BY_NAME

from ikeref_properties.adapter.messages import Violation
from ikeref_properties.capture.rules import Finding, Weight
from ikeref_properties.closest import closest, fitting


def rejected(result: Rejection, states: frozenset[Endpoint], number: int) -> Violation:
    """No row allows the step: as a violation, with the rows that fit the situation or came closest."""
    told = closest(result.candidates, fitting(states, result.observation))
    requirements = tuple(dict.fromkeys(each for row in told for each in BY_NAME[row.row].requirements))
    details = tuple(f"{each.row} (Section {each.section}): {each.why}" for each in told)
    event, sent = result.observation.event, result.observation.sent
    done = " and ".join(_word(each) for each in sent) or "sends nothing"
    text = f"no row allows it: {_event(event)}, and the implementation {done}"
    section = told[0].section if told else "2.1"
    finding = Finding(
        Weight.VIOLATION, number, text, section, requirements[:6], tuple(each.row for each in told), details
    )
    return Violation(f"rows: {type(event).__name__} {getattr(event, 'kind', '')} {done}", finding)


def _event(event: events.Event) -> str:
    match event:
        case events.Request(kind, position=position):
            return f"a {kind} request arrives" + ("" if position is Position.FRESH else f" ({position})")
        case events.Response(kind, outcome):
            return f"the response {outcome} to its {kind} arrives"
        case events.Input():
            return {"DROPPED": "a datagram that is not authentic arrives"}.get(
                event.value, f"an {event.value.lower()} message arrives"
            )
        case events.Command():
            return "nothing arrives"
        case events.Timer():
            return "time passes"


def _word(sent: Sent) -> str:
    match sent:
        case events.Reply(outcome):
            return f"answers {outcome}"
        case events.Asked(kind):
            return f"sends a {kind} request"
        case events.Repeated():
            return "sends again what it sent before"
        case events.OneWay():
            return "sends an unprotected notification"


def departure(matches: tuple[Match, ...], number: int) -> Finding:
    row = next(each.row for each in matches if each.row.variant)
    return Finding(Weight.WARNING, number, f"{row.name}: {row.variant}", row.section, row.requirements, (row.name,))
