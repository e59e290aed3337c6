"""Which rows exploration can't take, and why; which allowed answers the code never gives (docs/departures.md).

Exploration and random walks together take every other row, with every other answer: tests count.
"""

from ikeref_model.rows import Row

_HOW_IT_BEGINS = "exploration begins with an IKE SA that is up; random walks take it"
_WELL_BEHAVED = "neither end sends what is badly formed or out of place; tests of hostile input take it"
_NO_TIMER = "no timer runs where there is nothing to wait for"
_ANNOUNCED = "SET_WINDOW_SIZE is a part of messages that other rows explain"

_PREFIXES: tuple[tuple[str, str], ...] = (
    ("init.", _HOW_IT_BEGINS),
    ("auth.", _HOW_IT_BEGINS),
    ("half_open.expire.over", _NO_TIMER),
    ("half_open.", _HOW_IT_BEGINS),
    ("order.", _WELL_BEHAVED),
    ("error.", _WELL_BEHAVED),
    ("input.dropped", _WELL_BEHAVED),
    ("liveness.request.failure_report", _WELL_BEHAVED),
    ("window.request.outside", _WELL_BEHAVED),
    ("window.request.replay.init", _HOW_IT_BEGINS),
    ("window.request.replay.forgotten", "responses are kept as long as they may be asked for; none is too old"),
    ("window.request.below", "what is so old is tried in every state, and not put to the rows; random walks take it"),
    ("window.retransmit.nothing", _NO_TIMER),
    ("window.give_up.nothing", _NO_TIMER),
    ("window.announce", _ANNOUNCED),
    ("child.delete.response.failed", "neither end refuses a Delete"),
    ("child.rekey.response.not_found", "neither end loses a Child SA; the path rekey-child-not-found takes it"),
    ("child.rekey.response.won.gone", "who lost does not delete the old Child SA; with more commands its user may"),
    ("collision.rekey_child.unborn", "the other choice is made: TEMPORARY_FAILURE"),
    ("collision.create_child.known", "a Child SA that is new has a name that is new"),
    ("collision.rekey_child.replaced", "neither end rekeys a Child SA twice"),
    ("collision.rekey_ike.crossed", "neither end rekeys an IKE SA twice"),
)
_EXPLORED = ("collision.rekey_child.unborn.wait",)
"""Rows that exploration does take, for all that their names begin so."""


def reason(row: Row) -> str:
    """Why exploration can't take a row; empty if it can."""
    if row.name in _EXPLORED:
        return ""
    return next((why for prefix, why in _PREFIXES if row.name.startswith(prefix)), "")


_OTHER_ANSWER = "another of the answers that the RFC allows is given"
_POLICY = "no policy of the explored ends refuses so; tests of negotiation do"
NOT_MADE: dict[tuple[str, str], str] = {
    ("child.create.request.refuse", "reply REFUSED"): _POLICY,
    ("child.create.request.refuse", "reply TEMPORARY_FAILURE"): _OTHER_ANSWER,
    ("child.rekey.request.refuse", "reply NO_ADDITIONAL_SAS"): "a rekey adds no Child SA (Section 2.8)",
    ("child.rekey.request.refuse", "reply REFUSED"): _POLICY,
    ("ike.rekey.request.refuse", "reply NO_ADDITIONAL_SAS"): _OTHER_ANSWER,
    ("ike.rekey.request.refuse", "reply REFUSED"): _POLICY,
    ("collision.create_child.ike_ending", "reply NO_ADDITIONAL_SAS"): _OTHER_ANSWER,
    ("collision.create_child.ike_ending", "reply REFUSED"): _OTHER_ANSWER,
    ("collision.rekey_child.ike_ending", "reply NO_ADDITIONAL_SAS"): _OTHER_ANSWER,
    ("collision.rekey_child.ike_ending", "reply REFUSED"): _OTHER_ANSWER,
    ("liveness.request", "reply REFUSED"): "INFORMATIONAL is answered with what it asks for, or empty",
    ("window.request.replay.closed", "nothing"): "the last response is kept for a while",
}
"""Allowed answers, of rows that exploration takes, that the code never gives there."""
