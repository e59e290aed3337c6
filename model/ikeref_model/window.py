"""What holds for every exchange: message IDs, retransmission, the response cache, liveness, errors (Sections 1.4,
2.1 to 2.4 and 2.21).

`ike.own` says which requests of one's own are outstanding, `ike.room` whether the peer's window has room for another
one; both are told by Message IDs, and so is it whether a request is fresh, a replay, or lies below or outside the
window (`window_size`). Every IKE SA begins with windows of 1, where there is room while nothing is outstanding; for
these `lemma_message_ids` in the proofs shows what the rows may conclude.
"""

from ikeref_model.child import ANSWERED
from ikeref_model.events import Alarm, Input, Kind, Outcome, Position
from ikeref_model.rows import (
    LIVE,
    NOTHING_SENT,
    ONE_WAY,
    REPEAT,
    On,
    Row,
    arrives,
    ask,
    dissolved,
    reply,
    request,
    response,
    row,
    send,
    timer,
)
from ikeref_model.state import ANNOUNCED, NOTHING, Ike
from ikeref_model.terms import all_of, is_, isnt

EVERY = tuple(Ike)
INITIAL = (Kind.IKE_SA_INIT, Kind.IKE_AUTH)
LATER = tuple(kind for kind in Kind if kind not in INITIAL)
UNFINISHED = (Ike.INIT_SENT, Ike.AUTH_SENT, Ike.HALF_OPEN)
PROTECTED = (Ike.AUTH_SENT, Ike.HALF_OPEN, *LIVE)
"""From IKE_AUTH on messages are protected, and may announce a window size."""
UNPROTECTED = tuple(state for state in Ike if state not in PROTECTED)

EXCHANGE_ORDER: tuple[Row, ...] = (
    row(
        "order.request.early",
        UNFINISHED,
        request(*LATER),
        answers=reply(Outcome.INVALID_SYNTAX, Outcome.REFUSED) | NOTHING_SENT,
        section="1",
        level="MUST",
        ids=("7296-1-01", "7296-1-02", "7296-1.4-01"),
    ),
    row(
        "order.request.again",
        (*LIVE, Ike.INIT_SENT, Ike.AUTH_SENT),
        request(*INITIAL),
        answers=reply(Outcome.INVALID_SYNTAX, Outcome.REFUSED) | NOTHING_SENT,
        section="1",
        level="silent",
        ids=("7296-1-02", "7296-2.1-13"),
    ),
    row(
        "order.request.half_open",
        Ike.HALF_OPEN,
        request(Kind.IKE_SA_INIT),
        answers=NOTHING_SENT,
        section="2.1",
        level="implied",
        ids=("7296-2.1-12", "7296-2.1-14"),
    ),
    row(
        "order.request.unknown",
        (Ike.IDLE, Ike.CLOSED),
        request(*LATER, Kind.IKE_AUTH),
        answers=ONE_WAY | NOTHING_SENT,
        section="2.21.4",
        level="MAY",
        ids=("7296-2.21.4-03", "7296-2.21.4-05", "7296-2.21.4-06"),
    ),
    row(
        "order.request.closed",
        Ike.CLOSED,
        request(Kind.IKE_SA_INIT),
        answers=NOTHING_SENT,
        section="2.1",
        level="implied",
        ids=("7296-2.1-13", "7296-2.1-14"),
    ),
)

MESSAGE_IDS: tuple[Row, ...] = (
    row(
        "window.request.replay",
        (Ike.HALF_OPEN, *LIVE),
        request(*Kind, position=Position.REPLAY),
        guard=isnt("fact.forgotten"),
        answers=REPEAT,
        choice="duplicate of IKE_SA_INIT",
        section="2.1",
        level="MUST",
        ids=("7296-2.1-04", "7296-2.1-03", "7296-2.1-06", "7296-2.3-11", "7296-2.1-12"),
    ),
    row(
        "window.request.replay.init",
        LIVE,
        request(Kind.IKE_SA_INIT, position=Position.REPLAY),
        guard=isnt("fact.forgotten"),
        choice="duplicate of IKE_SA_INIT",
        section="2.1",
        level="implied",
        ids=("7296-2.1-13",),
    ),
    row(
        "window.request.replay.forgotten",
        (Ike.HALF_OPEN, *LIVE),
        request(*Kind, position=Position.REPLAY),
        guard=is_("fact.forgotten"),
        section="2.1",
        level="MUST",
        ids=("7296-2.1-08", "7296-2.1-07"),
    ),
    row(
        "window.request.replay.closed",
        (Ike.IDLE, Ike.INIT_SENT, Ike.AUTH_SENT, Ike.CLOSED),
        request(*Kind, position=Position.REPLAY),
        answers=REPEAT | NOTHING_SENT,
        section="2.1",
        level="implied",
        ids=("7296-2.1-07", "7296-2.1-08"),
    ),
    row(
        "window.request.below",
        EVERY,
        request(*Kind, position=Position.BELOW),
        answers=REPEAT | NOTHING_SENT,
        section="2.1",
        level="MUST",
        ids=("7296-2.1-06", "7296-2.1-08"),
    ),
    row(
        "window.request.outside",
        EVERY,
        request(*Kind, position=Position.OUTSIDE),
        choice="report",
        section="2.3",
        level="MUST",
        ids=("7296-2.3-15", "7296-2.3-16", "7296-2.3-18"),
    ),
    row(
        "window.request.outside.report",
        Ike.ESTABLISHED,
        request(*Kind, position=Position.OUTSIDE),
        guard=is_("ike.room"),
        set={"ike.own": Kind.LIVENESS},
        answers=ask(Kind.LIVENESS),
        choice="report",
        section="2.3",
        level="implied",
        ids=("7296-2.3-17", "7296-2.3-18", "7296-2.3-19"),
    ),
    row(
        "window.response.unexpected",
        EVERY,
        arrives(Input.UNEXPECTED),
        section="2.21",
        level="implied",
        ids=("7296-2.21-02", "7296-1.2-04"),
    ),
    row(
        "window.retransmit",
        tuple(state for state in Ike if state not in (Ike.IDLE, Ike.HALF_OPEN, Ike.CLOSED)),
        timer(Alarm.RETRANSMIT),
        guard=isnt("ike.own", NOTHING),
        answers=REPEAT,
        section="2.1",
        level="MUST",
        ids=("7296-2.1-02", "7296-2.1-09", "7296-2.1-11", "7296-2.2-01"),
    ),
    row(
        "window.retransmit.nothing",
        EVERY,
        timer(Alarm.RETRANSMIT),
        guard=is_("ike.own", NOTHING),
        section="2.1",
        level="MUST",
        ids=("7296-2.1-03",),
    ),
    row(
        "window.give_up.nothing",
        EVERY,
        timer(Alarm.GIVE_UP),
        guard=is_("ike.own", NOTHING),
        section="2.4",
        level="MUST",
        ids=("7296-2.4-09",),
    ),
    row(
        "window.retry",
        EVERY,
        timer(Alarm.RETRY),
        section="2.25",
        level="MAY",
        ids=("7296-2.25-05",),
    ),
    row(
        "half_open.expire.over",
        tuple(state for state in Ike if state is not Ike.HALF_OPEN),
        timer(Alarm.HALF_OPEN_EXPIRY),
        section="2.4",
        level="implied",
        ids=("7296-2.4-01",),
    ),
    row(
        "window.command.wait",
        EVERY,
        On("wait", frozenset(Kind)),
        section="2.3",
        level="MUST",
        ids=("7296-2.3-04", "7296-2.3-08"),
    ),
)

WINDOW_SIZE: tuple[Row, ...] = (
    row(
        "window.announce",
        PROTECTED,
        On("announce"),
        guard=is_("fact.larger"),
        set={"ike.window": ANNOUNCED},
        section="2.3",
        level="implied",
        ids=("7296-2.3-01", "7296-2.3-13"),
    ),
    row(
        "window.announce.smaller",
        PROTECTED,
        On("announce"),
        guard=isnt("fact.larger"),
        section="2.3",
        level="implied",
        ids=("7296-2.3-13",),
    ),
    row(
        "window.announce.early",
        UNPROTECTED,
        On("announce"),
        section="2.3",
        level="implied",
        ids=("7296-2.3-03",),
    ),
    row(
        "window.announced",
        PROTECTED,
        On("announced"),
        guard=is_("fact.larger"),
        set={"ike.peer_window": ANNOUNCED},
        section="2.3",
        level="implied",
        ids=("7296-2.3-01", "7296-2.3-05", "7296-2.3-13"),
    ),
    row(
        "window.announced.smaller",
        PROTECTED,
        On("announced"),
        guard=isnt("fact.larger"),
        section="2.3",
        level="implied",
        ids=("7296-2.3-13",),
    ),
    row(
        "window.announced.early",
        UNPROTECTED,
        On("announced"),
        section="2.3",
        level="implied",
        ids=("7296-2.3-03",),
    ),
)
"""SET_WINDOW_SIZE, whatever the message that has it besides. What the peer says counts from before that message is
handled (it may ask for room in the same step), what this end says from when it is sent."""

LIVENESS: tuple[Row, ...] = (
    row(
        "liveness.send",
        Ike.ESTABLISHED,
        send(Kind.LIVENESS),
        guard=is_("ike.room"),
        set={"ike.own": Kind.LIVENESS},
        section="2.4",
        level="MAY",
        ids=("7296-2.4-11", "7296-1.4-07"),
    ),
    row(
        "liveness.request",
        LIVE,
        request(Kind.LIVENESS),
        guard=isnt("fact.reports_failure"),
        answers=reply(Outcome.OK, Outcome.REFUSED),
        section="1.4",
        level="MUST",
        ids=("7296-1.4-05", "7296-1.4-06", "7296-2.3-06"),
    ),
    row(
        "liveness.request.failure_report",
        LIVE,
        request(Kind.LIVENESS),
        guard=is_("fact.reports_failure"),
        to=Ike.CLOSED,
        set={**ANSWERED, "ike.due": False, **dissolved()},
        answers=reply(Outcome.OK),
        section="2.21.2",
        level="implied",
        ids=("7296-2.21.2-12", "7296-2.21.2-04"),
    ),
    row(
        "liveness.response",
        LIVE,
        response(Kind.LIVENESS, *(frozenset(Outcome) - {Outcome.INVALID_SYNTAX})),
        guard=is_("ike.own", Kind.LIVENESS),
        set=ANSWERED,
        section="2.4",
        level="implied",
        ids=("7296-2.4-11", "7296-2.4-17"),
    ),
)

ERRORS: tuple[Row, ...] = (
    row(
        "error.request.malformed",
        LIVE,
        request(*LATER),
        guard=all_of(is_("fact.malformed"), isnt("fact.critical")),
        to=Ike.CLOSED,
        set={**ANSWERED, "ike.due": False, **dissolved()},
        answers=reply(Outcome.INVALID_SYNTAX),
        section="2.21.3",
        level="MUST",
        ids=("7296-2.21.3-01", "7296-2.21.3-04"),
    ),
    row(
        "error.request.malformed.critical",
        LIVE,
        request(*LATER),
        guard=all_of(is_("fact.malformed"), is_("fact.critical")),
        answers=reply(Outcome.REFUSED),
        section="2.21.3",
        level="MUST",
        ids=("7296-2.21.3-01", "7296-2.21.2-06"),
    ),
    row(
        "error.response.malformed",
        (Ike.ESTABLISHED, Ike.REKEYING, Ike.CROSSED, Ike.REPLACED),
        On("response", frozenset(LATER) - {Kind.DELETE_IKE}, frozenset((Outcome.INVALID_SYNTAX,))),
        to=Ike.CLOSED,
        set={**ANSWERED, "ike.due": False, **dissolved()},
        section="2.21.3",
        level="implied",
        ids=("7296-2.21.3-04", "7296-2.21-04"),
    ),
    row(
        "input.dropped",
        EVERY,
        arrives(Input.DROPPED),
        section="2.2",
        level="implied",
        ids=("7296-2.2-09",),
    ),
    row(
        "input.unprotected",
        EVERY,
        arrives(Input.UNPROTECTED),
        answers=ONE_WAY | NOTHING_SENT,
        section="2.21.4",
        level="MUST",
        ids=("7296-2.21.4-08", "7296-2.4-08", "7296-2.21.4-03", "7296-2.21.4-07"),
    ),
)

WINDOW: tuple[Row, ...] = EXCHANGE_ORDER + MESSAGE_IDS + WINDOW_SIZE + LIVENESS + ERRORS
