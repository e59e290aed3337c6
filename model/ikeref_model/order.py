"""Which exchange may come when: IKE_SA_INIT, IKE_AUTH, then the others (Sections 1, 2.1, 2.21)."""

from ikeref_model.child import ANSWERED
from ikeref_model.events import Kind, Outcome
from ikeref_model.rows import LIVE, NOTHING_SENT, ONE_WAY, Row, dissolved, reply, request, row
from ikeref_model.state import AUTHENTICATING, HALF_OPEN, Ike

INITIAL = (Kind.IKE_SA_INIT, Kind.IKE_AUTH)
LATER = tuple(kind for kind in Kind if kind not in INITIAL)
ASKING = (Ike.INIT_SENT, *AUTHENTICATING, Ike.REPORTING)
"""An initiator without an authenticated peer."""
UNFINISHED = (*ASKING, *HALF_OPEN)

EXCHANGE_ORDER: tuple[Row, ...] = (
    row(
        "order.request.early",
        UNFINISHED,
        request(*LATER),
        answers=reply(Outcome.INVALID_SYNTAX, Outcome.REFUSED) | NOTHING_SENT,
        choice="report",
        section="1",
        level="MUST",
        ids=("7296-1-01", "7296-1-02", "7296-1.4-01"),
    ),
    row(
        "order.request.again",
        (*LIVE, *ASKING),
        request(*INITIAL),
        answers=reply(Outcome.REFUSED) | NOTHING_SENT,
        choice="out of place",
        section="1",
        level="silent",
        ids=("7296-1-02", "7296-2.1-13"),
    ),
    row(
        "order.request.again.fatal",
        LIVE,
        request(*INITIAL),
        to=Ike.CLOSED,
        set={**ANSWERED, "ike.due": False, **dissolved()},
        answers=reply(Outcome.INVALID_SYNTAX),
        choice="out of place",
        section="2.21.3",
        level="implied",
        ids=("7296-2.21.3-04", "7296-1-02"),
    ),
    row(
        "order.request.half_open",
        HALF_OPEN,
        request(Kind.IKE_SA_INIT),
        answers=NOTHING_SENT,
        section="2.1",
        level="implied",
        ids=("7296-2.1-12", "7296-2.1-14"),
    ),
    row(
        "order.request.unknown",
        Ike.IDLE,
        request(*LATER, Kind.IKE_AUTH),
        answers=ONE_WAY | NOTHING_SENT,
        section="2.21.4",
        level="MAY",
        ids=("7296-2.21.4-03", "7296-2.21.4-05", "7296-2.21.4-06"),
    ),
    row(
        "closed.request.new",
        Ike.CLOSED,
        request(*LATER, Kind.IKE_AUTH),
        answers=ONE_WAY | NOTHING_SENT,
        section="2.21.4",
        level="MAY",
        ids=("7296-2.21.4-03", "7296-2.21.4-05", "7296-2.8-11"),
    ),
    row(
        "closed.request.init",
        Ike.CLOSED,
        request(Kind.IKE_SA_INIT),
        answers=NOTHING_SENT,
        section="2.1",
        level="implied",
        ids=("7296-2.1-13", "7296-2.1-14"),
    ),
)
