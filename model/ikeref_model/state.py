"""The variables of one endpoint: what a row may read and write.

An endpoint has IKE SAs and Child SAs; each is a record of the variables below. A row speaks of them by *scope*:

* `ike`: the IKE SA over which the message goes; `ike_mine` and `ike_theirs`: its successors, created by this end's
  exchange and by the peer's (Section 2.8.2);
* `ike_before`: the IKE SA that `ike` is to replace, if that still exists;
* `child`: the Child SA in question; `child_mine` and `child_theirs`: its replacements likewise (Section 2.8.1);
* `each`: every Child SA of `ike`;
* `fact`: what the outside world decides, such as whether AUTH verifies or whose nonce is lowest.
"""

from enum import StrEnum
from typing import NamedTuple

from ikeref_model.events import Kind
from ikeref_model.terms import Value


class Ike(StrEnum):
    """The states of an IKE SA at one end."""

    IDLE = "IDLE"
    """There is none (yet)."""
    INIT_SENT = "INIT_SENT"
    """Initiator: IKE_SA_INIT is outstanding."""
    AUTH_SENT = "AUTH_SENT"
    """Initiator: IKE_AUTH is outstanding."""
    HALF_OPEN = "HALF_OPEN"
    """Responder: IKE_SA_INIT answered, no IKE_AUTH yet."""
    EAP_ASKED = "EAP_ASKED"
    """Initiator: IKE_AUTH without AUTH is outstanding, which asks for EAP (Section 2.16)."""
    EAP_SENT = "EAP_SENT"
    """Initiator: the responder is authenticated, EAP goes on; IKE_AUTH is outstanding."""
    FINAL_SENT = "FINAL_SENT"
    """Initiator: EAP has succeeded; IKE_AUTH with AUTH is outstanding."""
    EAP_OPEN = "EAP_OPEN"
    """Responder: as HALF_OPEN, and EAP goes on."""
    EAP_PASSED = "EAP_PASSED"
    """Responder: as HALF_OPEN; EAP Success is sent, AUTH has not come yet."""
    ESTABLISHED = "ESTABLISHED"
    REKEYING = "REKEYING"
    """This end's request to rekey it is outstanding."""
    CROSSED = "CROSSED"
    """As REKEYING, and the peer's own rekey has been accepted meanwhile (Section 2.8.2)."""
    REPLACED = "REPLACED"
    """Another IKE SA has taken over; a Delete is due, from this end if `due`."""
    DELETING = "DELETING"
    """This end's Delete of it is outstanding."""
    REPORTING = "REPORTING"
    """Initiator: the responder failed to authenticate; the request that tells it so is outstanding (Section 2.21.2)."""
    CLOSED = "CLOSED"


AUTHENTICATING = (Ike.AUTH_SENT, Ike.EAP_ASKED, Ike.EAP_SENT, Ike.FINAL_SENT)
"""An initiator's IKE_AUTH is outstanding."""
HALF_OPEN = (Ike.HALF_OPEN, Ike.EAP_OPEN, Ike.EAP_PASSED)
"""A responder waits for IKE_AUTH."""
UNBORN = (Ike.IDLE, Ike.INIT_SENT, *AUTHENTICATING, *HALF_OPEN, Ike.REPORTING)
"""There is no IKE SA with an authenticated peer, and there was none."""


class Child(StrEnum):
    """The states of a Child SA at one end. Which directions are installed is told by `in` and `out`."""

    ABSENT = "ABSENT"
    """There is none (any more)."""
    CREATING = "CREATING"
    """This end's request to create it is outstanding."""
    OPEN = "OPEN"
    REKEYING = "REKEYING"
    """This end's request to rekey it is outstanding."""
    CROSSED = "CROSSED"
    """As REKEYING, and the peer's own rekey of it has been accepted meanwhile (Section 2.8.1)."""
    REKEYING_GONE = "REKEYING_GONE"
    """As REKEYING, but the peer has deleted it meanwhile."""
    CROSSED_GONE = "CROSSED_GONE"
    """As CROSSED, but the peer has deleted it meanwhile."""
    REPLACED = "REPLACED"
    """Another Child SA takes its place; a Delete is due, from this end if `due`."""
    UNWANTED = "UNWANTED"
    """Only the peer has it: its answer is not acceptable to this end, from which a Delete is due (Section 1.3.1)."""
    DENIED = "DENIED"
    """The peer has named it in a Delete or a rekey before this end got to know it, and was told that there is none; it
    will not be installed when the answer to this end's own request comes."""
    DELETING = "DELETING"
    """This end's Delete of it is outstanding."""
    HALF_CLOSED = "HALF_CLOSED"
    """As DELETING, and the peer's Delete has crossed: outgoing closed, incoming open until the response (Section
    1.4.1)."""


NOTHING = "NOTHING"
"""No request of this end is outstanding."""
ONE = "ONE"
"""The window size with which every IKE SA begins (Section 2.3)."""
ANNOUNCED = "ANNOUNCED"
"""The window size that the last SET_WINDOW_SIZE raised it to."""


class Variable(NamedTuple):
    """A variable: its name within the record, its values, the value at the start."""

    name: str
    domain: tuple[Value, ...]
    initial: Value
    meaning: str


BOOL: tuple[Value, ...] = (False, True)

IKE: tuple[Variable, ...] = (
    Variable("state", tuple(Ike), Ike.IDLE, "where the IKE SA stands"),
    Variable("own", (NOTHING, *Kind), NOTHING, "the requests of this end that are outstanding"),
    Variable("due", BOOL, False, "this end has to delete the IKE SA"),
    Variable(
        "verified", BOOL, False, "the peer's AUTH was verified, here or on the IKE SA that this one descends from"
    ),
)
WINDOW: tuple[Variable, ...] = (
    Variable("room", BOOL, True, "the peer's window has room for another request of this end; no row writes it"),
    Variable("window", (ONE, ANNOUNCED), ONE, "how many requests of the peer this end takes at once"),
    Variable("peer_window", (ONE, ANNOUNCED), ONE, "how many requests of this end the peer takes at once"),
    Variable("original", BOOL, False, "this end is the original initiator of the IKE SA (Sections 2.2, 3.1)"),
)
"""Of an IKE SA too. No guard reads the last: it tells which messages are misdirected. Where the window is 1 the others
say nothing: there is room while nothing is outstanding."""
CHILD: tuple[Variable, ...] = (
    Variable("state", tuple(Child), Child.ABSENT, "where the Child SA stands"),
    Variable("in", BOOL, False, "the incoming SA is installed"),
    Variable("out", BOOL, False, "the outgoing SA is installed"),
    Variable("due", BOOL, False, "this end has to delete the Child SA"),
    Variable("on_any", BOOL, False, "some IKE SA controls it; only ever set to False, which clears all of these"),
    Variable("on_ike", BOOL, False, "the IKE SA in question controls it"),
    Variable("on_mine", BOOL, False, "this end's successor of that IKE SA controls it"),
    Variable("on_theirs", BOOL, False, "the peer's successor of that IKE SA controls it"),
)
FACTS: tuple[Variable, ...] = (
    Variable("verifies", BOOL, True, "the AUTH payload of the message verifies (Section 2.15)"),
    Variable("without_auth", BOOL, False, "the IKE_AUTH request has no AUTH payload: EAP is wanted (Section 2.16)"),
    Variable(
        "malformed", BOOL, False, "the message is badly formed or has an unsupported critical payload (Section 2.21.3)"
    ),
    Variable("critical", BOOL, False, "what is wrong with it is an unsupported critical payload (Section 2.5)"),
    Variable("forgotten", BOOL, False, "the response was forgotten after several minutes (Section 2.1)"),
    Variable("reports_failure", BOOL, False, "the INFORMATIONAL request reports a failed IKE_AUTH (Section 2.21.2)"),
    Variable("lowest_is_mine", BOOL, False, "the lowest of the four nonces is in this end's exchange (Section 2.8.1)"),
    Variable("larger", BOOL, True, "SET_WINDOW_SIZE says more than what is in effect (Section 2.3)"),
    Variable("group_offered", BOOL, True, "the group that INVALID_KE_PAYLOAD names was offered (Section 1.2)"),
    Variable("same_identities", BOOL, False, "INITIAL_CONTACT came between the same two identities (Section 2.4)"),
    Variable("used_up", BOOL, False, "no Message ID is left for another request (Section 2.2)"),
)
ASSUMED = frozenset(("malformed", "critical", "forgotten", "reports_failure", "used_up", "without_auth"))
"""Facts that are taken to be False unless the observer tells; the others may be either."""

SCOPES: dict[str, tuple[Variable, ...]] = {
    "ike": IKE + WINDOW,
    "ike_mine": IKE + WINDOW,
    "ike_theirs": IKE + WINDOW,
    "ike_before": IKE + WINDOW,
    "child": CHILD,
    "child_mine": CHILD,
    "child_theirs": CHILD,
    "each": CHILD,
    "fact": FACTS,
}


def variable(name: str) -> Variable:
    """The variable that a row calls `name`, as in `child.in`; KeyError if there is none."""
    scope, _, short = name.partition(".")
    for each in SCOPES[scope]:
        if each.name == short:
            return each
    raise KeyError(name)
