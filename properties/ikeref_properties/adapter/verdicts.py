"""What the rows say of a step, for people: the violation with the rows that came closest, or the departure."""

from ikeref_model import events
from ikeref_model.endpoint_state import Endpoint, scopes
from ikeref_model.events import Observation, Position, Sent
from ikeref_model.monitor import Candidate, Match, Rejection
from ikeref_model.rows import Row
from ikeref_model.state import FACTS
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_model.terms import holds

from ikeref_properties.adapter.messages import Violation
from ikeref_properties.capture.rules import Finding, Weight


def rejected(result: Rejection, states: frozenset[Endpoint], number: int) -> Violation:
    """No row allows the step: as a violation, with the rows that fit the situation or came closest."""
    closest = _closest(result.candidates, _fitting(states, result.observation))
    requirements = tuple(dict.fromkeys(each for row in closest for each in BY_NAME[row.row].requirements))
    details = tuple(f"{each.row} (Section {each.section}): {each.why}" for each in closest)
    event, sent = result.observation.event, result.observation.sent
    done = " and ".join(_word(each) for each in sent) or "sends nothing"
    text = f"no row allows it: {_event(event)}, and the implementation {done}"
    section = closest[0].section if closest else "2.1"
    finding = Finding(
        Weight.VIOLATION, number, text, section, requirements[:6], tuple(each.row for each in closest), details
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


def _fitting(states: frozenset[Endpoint], observation: Observation) -> frozenset[str]:
    """The rows for a request or a response in the situation in which it came, by name."""
    event = observation.event
    if not isinstance(event, events.Request | events.Response):
        return frozenset()
    facts = {each.name: bool(each.initial) for each in FACTS} | dict(observation.facts)
    child = event.children[0] if event.children else ""
    found = set()
    for state in states:
        subjects = state.ike(observation.sa).subjects
        view = scopes(state, observation.sa, child or (subjects[0] if subjects else ""), facts)
        found |= {
            row.name for row in ROWS if _is_for(row, event) and holds(row.condition(), view.read, view.children())
        }
    return frozenset(found)


def _is_for(row: Row, event: events.Request | events.Response) -> bool:
    if event.kind not in row.on.kinds:
        return False
    if isinstance(event, events.Request):
        return row.on.what == "request" and row.on.position is event.position
    return row.on.what == "response" and event.outcome in row.on.outcomes


def _closest(candidates: tuple[Candidate, ...], fitting: frozenset[str]) -> tuple[Candidate, ...]:
    """Those whose situation fits and whose answer does not, else all; rows that the RFC calls MUST first."""
    told = [each for each in candidates if each.row in fitting] or candidates
    levels = ("MUST", "implied", "SHOULD", "MAY", "silent")
    return tuple(sorted(told, key=lambda each: levels.index(BY_NAME[each.row].level))[:4])


def departure(matches: tuple[Match, ...], number: int) -> Finding:
    row = next(each.row for each in matches if each.row.variant)
    return Finding(Weight.WARNING, number, f"{row.name}: {row.variant}", row.section, row.requirements, (row.name,))
