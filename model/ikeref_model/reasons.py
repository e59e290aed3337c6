"""Why a row does not explain what an endpoint was seen to do, in words; made only where nothing else explains it."""

from collections.abc import Iterable

from ikeref_model.endpoint_state import Endpoint, View
from ikeref_model.events import Asked, Change, Closed, Established, OneWay, Repeated, Reply, Sent, Superseded
from ikeref_model.rows import Row
from ikeref_model.terms import All, holds, text


def _names(changes: Iterable[Change]) -> str:
    words = []
    for each in changes:
        match each:
            case Established(sa) | Superseded(sa) | Closed(sa):
                words.append(f"{type(each).__name__} {sa or '(a new IKE SA)'}")
            case _:
                words.append(f"{type(each).__name__} {each.child or '(a new Child SA)'} {each.direction}")
    return ", ".join(words) or "nothing"


def _answers(row: Row) -> str:
    return " or ".join(sorted(each.text() for each in row.answers))


def _sent(sent: tuple[Sent, ...]) -> str:
    words = []
    for each in sent:
        match each:
            case Reply(outcome):
                words.append(f"reply {outcome}")
            case Asked(kind):
                words.append(f"ask {kind}")
            case Repeated():
                words.append("repeat")
            case OneWay():
                words.append("one-way")
    return ", ".join(words) or "nothing"


def changes(made: tuple[Change, ...], observed: tuple[Change, ...]) -> str:
    """The row opens and closes other SAs than were seen to be."""
    return f"it changes {_names(made)}, observed {_names(observed)}"


def not_next(message_id: int | None) -> str:
    """The request has the wrong number (Section 2.2)."""
    return f"Message ID {message_id} is not the next one"


def answered(row: Row, sent: tuple[Sent, ...]) -> str:
    """The row allows other answers."""
    return f"it allows {_answers(row)}, observed {_sent(sent)}"


def needs(row: Row, views: tuple[View, ...], state: Endpoint, sa: str, child: str) -> str:
    """What of the row's condition does not hold, in the world in which the least of it does not."""
    condition = row.condition()
    terms = condition.terms if isinstance(condition, All) else (condition,)
    unmet = [[term for term in terms if not holds(term, view.read, view.children())] for view in views]
    words = " and ".join(text(term) for term in min(unmet, key=len, default=[*terms]))
    return f"it needs {words}; {_situation(state, sa, child)}"


def _situation(state: Endpoint, sa: str, child: str) -> str:
    ike = state.ike(sa)
    own = ", ".join(f"{each.number} {each.kind}" for each in ike.outstanding) or "none"
    words = [f"IKE SA {sa} is {ike.state}, own requests {own}{', due' if ike.due else ''}"]
    if child:
        record = state.child(child)
        words.append(f"Child SA {child} is {record.state}{', due' if record.due else ''}")
    return "; ".join(words)
