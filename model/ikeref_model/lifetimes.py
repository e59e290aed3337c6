"""The end of an SA's lifetime (Section 2.8): it is rekeyed in time, or it is not used any more and the IKE SA closes.

Each end has lifetimes of its own. Soft expiry is the time to rekey (or, if idle, to delete), hard expiry the end: what
has not been replaced or deleted by then goes in this very step.
"""

from ikeref_model.child import NEVERMIND
from ikeref_model.events import Alarm, Kind
from ikeref_model.rows import LIVE, Row, ask, dissolved, handed_over, row, shut, timer
from ikeref_model.state import NOTHING, Child, Ike
from ikeref_model.terms import Pick, Value, all_of, any_of, is_, isnt, no

IN_USE = (Child.OPEN, Child.REKEYING, Child.CROSSED)
UNDER_WAY = (Child.REPLACED, Child.DELETING, Child.HALF_CLOSED)
"""A Delete of it is due or outstanding."""
HEIR = all_of(is_("ike.state", Ike.CROSSED), isnt("ike_theirs.state", Ike.IDLE))
WITH_ITS_HEIR: dict[str, Value | Pick] = {
    "ike_theirs.state": Pick(HEIR, Ike.CLOSED, None),
    "ike_theirs.own": Pick(HEIR, NOTHING, None),
    "ike_theirs.due": Pick(HEIR, False, None),
}
"""The update by which the peer's successor, which would inherit, closes too."""
OVER: dict[str, Value | Pick] = {"ike.state": Ike.CLOSED, "ike.own": NOTHING, "ike.due": False}

LIFETIMES: tuple[Row, ...] = (
    row(
        "lifetime.soft",
        tuple(Ike),
        timer(Alarm.SOFT_EXPIRY),
        section="2.8",
        level="implied",
        ids=("7296-2.8-12", "7296-2.8-13"),
    ),
    row(
        "lifetime.ike",
        tuple(state for state in LIVE if state is not Ike.CROSSED),
        timer(Alarm.EXPIRY),
        set={**OVER, **dissolved()},
        section="2.8",
        level="MUST",
        ids=("7296-2.8-01", "7296-2.8-05"),
    ),
    row(
        "lifetime.ike.crossed",
        Ike.CROSSED,
        timer(Alarm.EXPIRY),
        set={**OVER, **handed_over("theirs")},
        section="2.8.2",
        level="MUST",
        ids=("7296-2.8.2-02", "7296-2.8-01"),
    ),
    row(
        "lifetime.ike.nothing",
        tuple(state for state in Ike if state not in LIVE),
        timer(Alarm.EXPIRY),
        section="2.8",
        level="implied",
        ids=("7296-2.8-13",),
    ),
    row(
        "lifetime.child",
        (*IN_USE, *UNDER_WAY),
        timer(Alarm.CHILD_EXPIRY),
        guard=is_("ike.state", *LIVE),
        to=Child.ABSENT,
        set={**NEVERMIND, **shut("child"), **OVER, **WITH_ITS_HEIR, **dissolved()},
        choice="how it closes",
        section="2.8",
        level="MUST",
        ids=("7296-2.8-05", "7296-2.8-01"),
    ),
    row(
        "lifetime.child.delete",
        (Child.OPEN, Child.REPLACED),
        timer(Alarm.CHILD_EXPIRY),
        guard=all_of(is_("ike.state", Ike.ESTABLISHED), is_("ike.own", NOTHING), isnt("fact.used_up")),
        to=Child.ABSENT,
        set={**shut("child"), "ike.state": Ike.DELETING, "ike.own": Kind.DELETE_IKE},
        answers=ask(Kind.DELETE_IKE),
        choice="how it closes",
        section="2.8",
        level="MUST",
        ids=("7296-2.8-05", "7296-2.8-01", "7296-2.4-26"),
    ),
    row(
        "lifetime.child.later",
        Child.OPEN,
        timer(Alarm.CHILD_EXPIRY),
        guard=is_("ike.state", *LIVE),
        to=Child.ABSENT,
        set=shut("child"),
        choice="how it closes",
        section="2.8",
        level="silent",
        ids=("7296-2.8-01", "7296-2.8-14"),
    ),
    row(
        "lifetime.child.under_way",
        UNDER_WAY,
        timer(Alarm.CHILD_EXPIRY),
        choice="how it closes",
        section="2.8",
        level="silent",
        ids=("7296-2.8-07",),
    ),
    row(
        "lifetime.child.nothing",
        tuple(Child),
        timer(Alarm.CHILD_EXPIRY),
        guard=any_of(
            no(is_("child.state", *IN_USE, *UNDER_WAY)),
            all_of(is_("child.state", *IN_USE), isnt("ike.state", *LIVE)),
        ),
        section="2.8",
        level="implied",
        ids=("7296-2.8-13",),
    ),
)
