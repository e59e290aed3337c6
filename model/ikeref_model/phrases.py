"""The rows in words: states, events, guards, answers and updates as a person would say them.

"We" is the end whose row it is. Nothing here decides anything: the exact form of a guard is `terms.text`.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from ikeref_model.events import Kind, Outcome, Position
from ikeref_model.rows import LIVE, Answer, On, Row
from ikeref_model.state import NOTHING, ONE, Child, Ike
from ikeref_model.terms import TRUE, All, Is, Not, Pick, Set, Some, SomeChild, Term, Value, text

IKE_STATES: dict[Ike, str] = {
    Ike.IDLE: "There is no IKE SA yet.",
    Ike.INIT_SENT: "Initiator: IKE_SA_INIT is outstanding.",
    Ike.AUTH_SENT: "Initiator: IKE_AUTH is outstanding.",
    Ike.HALF_OPEN: "Responder: IKE_SA_INIT was answered, IKE_AUTH has not come yet.",
    Ike.EAP_ASKED: "Initiator: IKE_AUTH without AUTH is outstanding, which asks for EAP (Section 2.16).",
    Ike.EAP_SENT: "Initiator: the responder is authenticated and EAP goes on; IKE_AUTH is outstanding.",
    Ike.FINAL_SENT: "Initiator: EAP has succeeded; IKE_AUTH with AUTH is outstanding.",
    Ike.EAP_OPEN: "Responder: as HALF_OPEN, and EAP goes on.",
    Ike.EAP_PASSED: "Responder: as HALF_OPEN; EAP Success is sent, AUTH has not come yet.",
    Ike.ESTABLISHED: "Authenticated and in use.",
    Ike.REKEYING: "Our request to rekey it is outstanding.",
    Ike.CROSSED: "As REKEYING, and meanwhile we accepted the peer's rekey of it (Section 2.8.2).",
    Ike.REPLACED: "Another IKE SA has taken over; this one is to be deleted, by us if it is `due`.",
    Ike.DELETING: "Our Delete of it is outstanding.",
    Ike.REPORTING: "Initiator: the responder failed to authenticate; our request that tells it so is outstanding"
    " (Section 2.21.2).",
    Ike.CLOSED: "It is over.",
}
CHILD_STATES: dict[Child, str] = {
    Child.ABSENT: "There is no such Child SA, or none any more.",
    Child.CREATING: "Our request to create it is outstanding.",
    Child.OPEN: "In use.",
    Child.REKEYING: "Our request to rekey it is outstanding.",
    Child.CROSSED: "As REKEYING, and meanwhile we accepted the peer's rekey of it (Section 2.8.1).",
    Child.REKEYING_GONE: "As REKEYING, but the peer has deleted it meanwhile.",
    Child.CROSSED_GONE: "As CROSSED, but the peer has deleted it meanwhile.",
    Child.REPLACED: "Another Child SA takes its place; this one is to be deleted, by us if it is `due`.",
    Child.UNWANTED: "Only the peer has it: we do not accept its answer, and are to delete it (Section 1.3.1).",
    Child.DENIED: "The peer named it in a request before we knew of it, and was told that there is none; the answer"
    " that would create it creates nothing.",
    Child.DELETING: "Our Delete of it is outstanding.",
    Child.HALF_CLOSED: "As DELETING, and the peer's Delete has crossed ours: outgoing closed, incoming still open"
    " (Section 1.4.1).",
}
SUBJECTS = {
    "ike": "the IKE SA",
    "ike_mine": "our new IKE SA",
    "ike_theirs": "the peer's new IKE SA",
    "ike_before": "the IKE SA before it",
    "child": "the Child SA",
    "child_mine": "our new Child SA",
    "child_theirs": "the peer's new Child SA",
    "each": "every Child SA",
}
FACTS = {
    "verifies": ("AUTH verifies", "AUTH does not verify"),
    "without_auth": ("the IKE_AUTH request has no AUTH payload", "the IKE_AUTH request, if any, has an AUTH payload"),
    "malformed": ("the message is malformed", "the message is well-formed"),
    "critical": ("an unsupported critical payload is the reason", "no unsupported critical payload is the reason"),
    "forgotten": ("the response is forgotten by now", "the response is still kept"),
    "reports_failure": ("it reports a failed IKE_AUTH", "it reports no failed IKE_AUTH"),
    "larger": ("that is more than what is in effect", "that is no more than what is in effect"),
    "lowest_is_mine": ("the lowest nonce is in our exchange", "the lowest nonce is in the peer's exchange"),
    "group_offered": ("the group that it names was offered", "the group that it names was not offered"),
    "same_identities": ("it came between the same two identities", "it came between other identities"),
    "used_up": ("no Message ID is left", "a Message ID is left"),
}
"""For each fact, what is said when it holds and when not."""

TERMS = {
    "live": "authenticated and not closed: ESTABLISHED, REKEYING, CROSSED, REPLACED or DELETING",
    "EMPTY": "a response to a Delete, without a Delete payload",
    "REFUSED": "any error without a name of its own here: NO_PROPOSAL_CHOSEN, TS_UNACCEPTABLE and so on",
    "EAP": "a response in IKE_AUTH that goes on with EAP (Section 2.16); EAP_SUCCESS and EAP_FAILURE end it",
    "LIVENESS": "an INFORMATIONAL request that deletes nothing",
}
"""Words of the rows that the RFC does not have."""


def listed(words: Sequence[str], last: str = "or") -> str:
    """`A, B or C`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def members(chosen: Iterable[str], all_of_them: type[StrEnum]) -> str:
    """`A or B`; `any`, or `any but A`, where that is shorter."""
    found = frozenset(chosen)
    others = [each for each in all_of_them if each not in found]
    if not others:
        return "any"
    if len(others) < len(found) and len(others) <= 3:
        return f"any but {listed(others, 'and')}"
    return listed([each for each in all_of_them if each in found])


# Events and answers


def event(on: On) -> str:
    """`request REKEY_CHILD arrives`, `response OK to our REKEY_IKE arrives`, `timer GIVE_UP fires`."""
    kinds = members(on.kinds, Kind) if on.kinds else ""
    asked = f"any request{kinds[3:]}" if kinds.startswith("any") else f"request {kinds}"
    match on.what:
        case "send":
            return f"we send {asked}"
        case "wait":
            return f"a command to send {asked} has to wait"
        case "timer":
            return f"timer {on.alarm} fires"
        case "input":
            return f"input {on.input} arrives"
        case "announce":
            return "we send SET_WINDOW_SIZE in a request or response"
        case "announced":
            return "SET_WINDOW_SIZE arrives in a request or response"
        case "response":
            ours = f"any request of ours{kinds[3:]}" if kinds.startswith("any") else f"our {kinds}"
            outcomes = members(on.outcomes, Outcome)
            said = f"any response{outcomes[3:]}" if outcomes.startswith("any") else f"response {outcomes}"
            return f"{said} to {ours} arrives"
        case _:
            where = {
                Position.REPLAY: " again",
                Position.BELOW: " again, from below the window",
                Position.OUTSIDE: " from beyond the window",
            }
            return f"{asked} arrives{where.get(on.position or Position.FRESH, '')}"


def brief(on: On) -> str:
    """The same for the arrow of a diagram: `send REKEY_CHILD`, `get OK to REKEY_CHILD`."""
    kinds = members(on.kinds, Kind) if on.kinds else ""
    match on.what:
        case "timer" | "input":
            return str(on.alarm or on.input)
        case "announce" | "announced":
            return on.what
        case "response":
            return f"get {members(on.outcomes, Outcome)} to {kinds}"
        case "request":
            return f"get {kinds}"
        case what:
            return f"{what} {kinds}"


def answer(each: Answer) -> str:
    """`response OK`, `request IKE_AUTH`, `nothing`."""
    match each.what:
        case "reply":
            return f"response {each.name}"
        case "ask":
            return f"request {each.name}"
        case "repeat":
            return "the same octets again"
        case "one-way":
            return "an unprotected notification"
        case _:
            return "nothing"


def answers(row: Row) -> str:
    """All that a row allows to be sent: `response OK or REFUSED, or nothing`."""
    parts = []
    for what, word in (("reply", "response"), ("ask", "request")):
        names = sorted(each.name for each in row.answers if each.what == what)
        if names:
            parts.append(f"{word} {listed(names)}")
    parts += sorted(answer(each) for each in row.answers if each.what not in ("reply", "ask", "nothing"))
    if any(each.what == "nothing" for each in row.answers):
        parts.append("nothing")
    return ", or ".join(parts)


# Guards


def guard(term: Term) -> str:
    """A guard in words; `always` if there is none."""
    return "always" if term == TRUE else _words(term, True)


def conjuncts(term: Term) -> tuple[str, ...]:
    """The same, one phrase for each condition; none if there is none."""
    terms = term.terms if isinstance(term, All) else (term,)
    return tuple(_words(each, True) for each in terms)


def _words(term: Term, positive: bool, each: str = "") -> str:
    match term:
        case Is(variable, values):
            return _literal(variable, values, positive, each)
        case Not(inner):
            return _words(inner, not positive, each)
        case All(terms) | Some(terms):
            parts = [
                f"({_words(inner, positive, each)})" if _mixed(term, inner) else _words(inner, positive, each)
                for inner in terms
            ]
            return (" and " if isinstance(term, All) is positive else " or ").join(parts)
        case SomeChild(Is() as inner):
            return _words(inner, True, "some Child SA" if positive else "no Child SA")
        case SomeChild():
            return text(term if positive else Not(term))


def _mixed(outer: Term, inner: Term) -> bool:
    """Whether one is a conjunction and the other a disjunction, once negations are pushed inwards."""
    conjunction = isinstance(outer, All)
    while isinstance(inner, Not):
        inner, conjunction = inner.term, not conjunction
    return isinstance(inner, Some if conjunction else All)


def _literal(variable: str, values: tuple[Value, ...], positive: bool, each: str) -> str:
    scope, _, name = variable.partition(".")
    truth = (values == (True,)) is positive
    subject = each or SUBJECTS.get(scope, scope)
    is_ = "is" if positive else "is not"
    if scope == "fact":
        return FACTS[name][0 if truth else 1]
    match name:
        case "state" if scope == "ike" and values == LIVE:
            return f"{subject} {is_} live"
        case "state":
            return f"{subject} {is_} {listed([str(value) for value in values])}"
        case "own" if values == (NOTHING,):
            return f"{'no' if positive else 'a'} request of ours is outstanding"
        case "own":
            return f"{'a' if positive else 'no'} {listed([str(value) for value in values])} of ours is outstanding"
        case "room":
            return f"the peer's window has {'' if truth else 'no '}room for another request"
        case "due":
            return f"{subject} is {'' if truth else 'not '}due for deletion by us"
        case "on_ike":
            return f"{subject} is {'' if truth else 'not '}controlled by this IKE SA"
        case "in" | "out":
            way = "incoming" if name == "in" else "outgoing"
            return f"the {way} SA of {subject} is {'' if truth else 'not '}installed"
        case _:
            return text(Is(variable, values) if positive else Not(Is(variable, values)))


# Updates


def updates(update: Iterable[Set]) -> tuple[str, ...]:
    """What a row changes, in words: one phrase for each SA, and for each condition on which it depends."""
    plain: dict[str, dict[str, Value]] = {}
    picked: dict[tuple[str, Term], tuple[dict[str, Value], dict[str, Value]]] = {}
    for variable, value in update:
        scope, _, name = variable.partition(".")
        if isinstance(value, Pick):
            then, otherwise = picked.setdefault((scope, value.condition), ({}, {}))
            if value.then is not None:
                then[name] = value.then
            if value.otherwise is not None:
                otherwise[name] = value.otherwise
        else:
            plain.setdefault(scope, {})[name] = value
    phrases = [_change(SUBJECTS[scope], values) for scope, values in plain.items()]
    for (scope, condition), (then, otherwise) in picked.items():
        subject = SUBJECTS[scope]
        if then:
            phrases.append(f"if {_words(condition, True)}: {_change(subject, then)}")
        if otherwise:
            phrases.append(f"{'else' if then else f'unless {_words(condition, True)}'}: {_change(subject, otherwise)}")
    return tuple(phrase for phrase in phrases if phrase)


def _change(subject: str, values: dict[str, Value]) -> str:
    parts = []
    if "state" in values:
        parts.append(f"becomes {values['state']}")
    directions = {name: values[name] for name in ("in", "out") if name in values}
    if len(directions) == 2 and directions["in"] == directions["out"]:
        parts.append("opens in both directions" if directions["in"] else "closes in both directions")
    else:
        ways = {"in": "incoming", "out": "outgoing"}
        parts += [f"{'opens' if value else 'closes'} its {ways[name]} SA" for name, value in directions.items()]
    if values.get("due"):
        parts.append("is due for deletion by us")
    if values.get("verified"):
        parts.append("has a verified peer")
    if "original" in values:
        parts.append(f"has {'us' if values['original'] else 'the peer'} for its original initiator")
    homes = {"on_ike": "this IKE SA", "on_mine": "our new IKE SA", "on_theirs": "the peer's new IKE SA"}
    gained = [home for name, home in homes.items() if values.get(name) is True]
    if gained:
        parts.append(f"belongs to {gained[0]}")
    elif values.get("on_ike") is False and "state" not in values:
        parts.append("leaves this IKE SA")
    own = values.get("own")
    outstanding = (
        "" if own is None else "what we asked is outstanding no more" if own == NOTHING else f"{own} is outstanding"
    )
    changed = f"{subject} {listed(parts, 'and')}" if parts else ""
    sizes = {"window": "our window", "peer_window": "the peer's window"}
    windows = [
        f"{whose} is {'1' if values[name] == ONE else 'as large as it says'}"
        + (f" on {subject}" if values[name] == ONE else "")
        for name, whose in sizes.items()
        if name in values
    ]
    return "; ".join(part for part in (changed, outstanding, *windows) if part)
