"""Which rows come closest to a step that no row allows (for the adapter, captures and the tour alike).

Close is a row whose situation is the one at hand and whose answer or effect is not; if there is none, a row that is
about such an event at all. Among several, those that the RFC calls MUST come first.
"""

from collections.abc import Iterable
from typing import Final

from ikeref_model import events
from ikeref_model.endpoint_state import Endpoint, scopes
from ikeref_model.events import Observation
from ikeref_model.monitor import Candidate
from ikeref_model.rows import Row
from ikeref_model.state import FACTS
from ikeref_model.tables import BY_NAME, ROWS
from ikeref_model.terms import holds

LEVELS: Final = ("MUST", "implied", "SHOULD", "MAY", "silent")


def fitting(states: Iterable[Endpoint], observation: Observation) -> frozenset[str]:
    """The rows for a request or a response in the situation in which it came, by name."""
    event = observation.event
    if not isinstance(event, events.Request | events.Response):
        return frozenset()
    facts = {each.name: bool(each.initial) for each in FACTS} | dict(observation.facts)
    child = event.children[0] if event.children else ""
    found = set()
    for state in states:
        subjects: tuple[str, ...] = ()
        if isinstance(event, events.Response):
            own = state.ike(observation.sa).answered_by(event.kind, event.message_id)
            subjects = own.subjects if own is not None else ()
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


def closest(candidates: Iterable[Candidate], names: frozenset[str], limit: int = 4) -> tuple[Candidate, ...]:
    """Those of `names`, whose situation fits, else all; rows that the RFC calls MUST first."""
    tried = tuple(candidates)
    told = [each for each in tried if each.row in names] or tried
    return tuple(sorted(told, key=lambda each: LEVELS.index(BY_NAME[each.row].level))[:limit])
